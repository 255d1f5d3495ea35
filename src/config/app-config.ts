import { isIPv6 } from 'node:net';
import type { Address, AppConfig, Probe, TestGate, Watchdog } from '../../machines/config.ts';
import { isHttp } from './judges.ts';
import type { Values } from './keys.ts';
import { listenOf } from './listen.ts';
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
    scripts: {
      switch: scripts.switch ?? [],
      prePull: scripts['pre-pull'],
      postPull: scripts['post-pull'],
      timeout: scripts.timeout,
    },
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
      listen: (application.listen ?? []).map((text) => listenOf(text, origin)),
      proxy: proxyAddress(application.proxy),
      drainTimeout: application['drain timeout'],
    },
    deployment: { ...values.deployment, shared: values.deployment.shared ?? [] },
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
  const url = new URL(host.replaceAll('{port}', '1'));
  const isOwn = port === '{port}' || (port === null && host.includes('{port}'));
  if (typeof port === 'number') url.port = String(port);
  url.hash = '';
  return { kind: 'http', url: isOwn ? withOwnPort(url) : url.href, response };
}

/** No URL can have such a port: it is written into the text. */
function withOwnPort(url: URL): string {
  url.port = '1';
  return url.href.replace(`${url.hostname}:1/`, `${url.hostname}:{port}/`);
}

function proxyAddress(text: string | null): Address | null {
  if (text === null) return null;
  const listen = listenOf(text, { folder: '/', home: '/' });
  return listen.kind === 'tcp' ? { host: listen.host, port: listen.port } : null;
}

function bareAddress(host: string): string {
  const inner = host.replace(/^\[(.*)\]$/, '$1');
  return isIPv6(inner) ? inner : host;
}
