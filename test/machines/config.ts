import type { AppConfig, Application, Watchdog } from '../../machines/config.ts';

/**
 * A small complete config: what the contract says of a file that gives nothing but a repository and a program. A test
 * names only what it is about.
 */
export function appConfig(
  change: {
    application?: Partial<Application>;
    notify?: Partial<AppConfig['notify']>;
    deployment?: Partial<AppConfig['deployment']>;
    repository?: Partial<AppConfig['repository']>;
    scripts?: Partial<AppConfig['scripts']>;
    test?: AppConfig['test'];
    timing?: AppConfig['timing'];
    watchdog?: Watchdog | null;
  } = {},
): AppConfig {
  return {
    repository: {
      remotePath: 'https://example.org/shop.git',
      localPath: '/srv/shop',
      branch: 'main',
      remote: 'origin',
      executable: 'git',
      depth: null,
      submodules: false,
      timeout: 120,
      sshKey: null,
      knownHosts: null,
      username: null,
      passwordFile: null,
      ...change.repository,
    },
    timing: change.timing ?? { minimum: 60, maximum: null },
    test: change.test ?? null,
    scripts: { switch: [], prePull: [], postPull: [], timeout: 600, ...change.scripts },
    application: {
      start: 'run shop',
      directory: '.',
      environment: {},
      environmentFile: null,
      user: null,
      stopSignal: 'SIGTERM',
      stopTimeout: 10,
      stopCommand: null,
      restart: 'always',
      crashLimit: 5,
      crashWindow: 60,
      retry: 300,
      settle: 2,
      readyTimeout: 60,
      listen: [],
      proxy: null,
      drainTimeout: 30,
      ...change.application,
    },
    deployment: { strategy: 'in place', keep: 3, shared: [], rollback: true, proving: 600, ...change.deployment },
    watchdog: change.watchdog ?? null,
    logs: { size: 10, keep: 5 },
    webhook: { secretFile: null },
    notify: { commands: [], url: null, ...change.notify },
  };
}
