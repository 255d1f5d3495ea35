import { isIPv6 } from 'node:net';
import type { AppConfig, Probe, TestGate, Watchdog } from '../../machines/config.ts';
import { isHttp } from './judges.ts';
import type { Values } from './keys.ts';
import { absolute, resolved, type Origin } from './paths.ts';
import type { Checked } from './schema.ts';

/** The config of an app, out of a file without mistakes. Paths become absolute; the local path has its symlinks resolved. */
export async function appConfig(checked: Checked, origin: Origin): Promise<AppConfig> {
  const { values } = checked;
  const { repository, scripts, application } = values;
  const file = (path: string | null) => (path === null ? null : absolute(path, origin));
  return {
    repository: {
      remotePath: remotePath(repository['remote path'], origin),
      localPath: await resolved(absolute(repository['local path'], origin)),
      branch: repository.branch,
      remote: repository.remote,
      executable: repository.executable.includes('/') ? absolute(repository.executable, origin) : repository.executable,
      depth: repository.depth,
      submodules: repository.submodules,
      timeout: repository.timeout,
      sshKey: file(repository['ssh key']),
      knownHosts: file(repository['known hosts']),
      username: repository.username,
      passwordFile: file(repository['password file']),
    },
    timing: { minimum: values.timing.minimum, maximum: values.timing.maximum },
    test: testGate(values.test),
    scripts: { prePull: scripts['pre-pull'], postPull: scripts['post-pull'], timeout: scripts.timeout },
    application: {
      start: application.start,
      directory: application.directory,
      environment: application.environment,
      environmentFile: file(application['environment file']),
      user: application.user,
      stopSignal: application['stop signal'],
      stopTimeout: application['stop timeout'],
      stopCommand: application['stop command'],
      restart: application.restart,
      crashLimit: application['crash limit'],
      crashWindow: application['crash window'],
      retry: application.retry,
      settle: application.settle,
      readyTimeout: application['ready timeout'],
    },
    deployment: { strategy: 'in place', rollback: values.deployment.rollback, proving: values.deployment.proving },
    watchdog: checked.hasSection('watchdog') ? watchdog(values.watchdog) : null,
    logs: { size: values.logs.size, keep: values.logs.keep },
    webhook: { secretFile: file(values.webhook['secret file']) },
    notify: { commands: values.notify.command, url: values.notify.url },
  };
}

/** URLs stay as they are written; what begins like a path is one. */
function remotePath(remote: string, origin: Origin): string {
  return /^[/.~]/.test(remote) ? absolute(remote, origin) : remote;
}

function testGate(test: Values['test']): TestGate | null {
  if (test.command !== null) return { kind: 'command', commands: test.command, timeout: test.timeout };
  if (test.remote === null) return null;
  return {
    kind: 'remote',
    url: test.remote,
    pass: test['pass response'] ?? '',
    fail: test['fail response'],
    headers: test.headers,
    timeout: test.timeout,
  };
}

function watchdog(section: Values['watchdog']): Watchdog {
  const { period, timeout, failures } = section;
  return { period, timeout, failures, probe: probe(section) };
}

function probe({ host, port, request, response, command }: Values['watchdog']): Probe {
  if (command !== null) return { kind: 'command', command };
  if (!isHttp(host)) return { kind: 'tcp', host: bareAddress(host), port: port ?? 80, request, response };
  const url = new URL(host);
  if (port !== null) url.port = String(port);
  url.hash = '';
  return { kind: 'http', url: url.href, response };
}

function bareAddress(host: string): string {
  const inner = host.replace(/^\[(.*)\]$/, '$1');
  return isIPv6(inner) ? inner : host;
}
