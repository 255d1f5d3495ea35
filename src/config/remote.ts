import type { Wrong } from './problem.ts';

/** What a remote path turns out to be. */
export type RemoteForm = 'http' | 'https' | 'ssh' | 'git' | 'file' | 'path';

const forms = 'write an https, http, ssh, git or file URL, user@host:path, or a path that begins with /, ./, ../ or ~/';

/** What is wrong with a remote path, by its form alone; null: nothing. Only transports that run no program of their own pass. */
export function judgeRemote(remote: string): Wrong | null {
  if (/\p{Cc}/u.test(remote)) return { message: 'holds a control character', hint: forms };
  if (isPath(remote)) return null;
  // git-remote-helpers(7): `ext::` runs whatever follows, and any `name::` runs `git remote-name`.
  if (/^[\w+.-]+::/.test(remote)) return { message: 'asks for a transport that could run any program', hint: forms };
  if (remote.includes('://')) return judgeUrl(remote);
  const scp = scpParts(remote);
  if (scp !== null) return judgeHostAndPath(scp.host, scp.path);
  if (/^[\w-]+(\.[\w-]+)+\//.test(remote)) {
    return { message: 'is neither a URL nor a path', hint: 'put https:// before it, or ./ where it is a folder' };
  }
  return { message: 'is neither a URL nor a path', hint: forms };
}

/** The form of a remote path that `judgeRemote` found nothing wrong with. */
export function remoteForm(remote: string): RemoteForm {
  if (isPath(remote)) return 'path';
  const scheme = /^([a-z]+):\/\//.exec(remote)?.[1];
  if (scheme === 'http' || scheme === 'https' || scheme === 'git' || scheme === 'file') return scheme;
  return 'ssh';
}

/** The remote without user name, password, query and fragment: fit to be shown. */
export function withoutCredentials(remote: string): string {
  return remote
    .replace(/^([\w+.-]+:\/\/)[^/]*@/, '$1')
    .replace(/^[^/@]*@(?=[^/]*:)/, '')
    .replace(/[?#].*$/, '');
}

function isPath(remote: string): boolean {
  return /^(\/|\.{1,2}(\/|$)|~(\/|$))/.test(remote);
}

function judgeUrl(remote: string): Wrong | null {
  const scheme = remote.slice(0, remote.indexOf('://'));
  if (!['https', 'http', 'ssh', 'git', 'file'].includes(scheme)) {
    return { message: 'is a URL of a kind that Huddle does not follow', hint: forms };
  }
  if (scheme === 'file') {
    if (/^file:\/\/(localhost)?\/./.test(remote)) return null;
    return { message: 'is a file URL without an absolute path', hint: 'write it like file:///srv/git/app.git' };
  }
  const url = URL.parse(remote);
  // Node reads a backslash as a slash, and more than two slashes as two; git does neither.
  if (url === null || url.hostname === '' || /[\s\\]|:\/\/\//.test(remote)) {
    return { message: 'is not a URL that can be read', hint: `write it like ${scheme}://host/path.git` };
  }
  return judgeHostAndPath(decoded(url.hostname), url.pathname) ?? judgeUserName(url);
}

/** What begins with a dash would be taken for an option by ssh (CVE-2017-1000117). */
function judgeHostAndPath(host: string, path: string): Wrong | null {
  if (host.startsWith('-') || host.includes('@-'))
    return { message: 'names a host that begins with a dash', hint: forms };
  if (path.startsWith('-')) return { message: 'names a path that begins with a dash', hint: 'write ./ before it' };
  return null;
}

function judgeUserName(url: URL): Wrong | null {
  if (!decoded(url.username).startsWith('-')) return null;
  return { message: 'names a user that begins with a dash', hint: forms };
}

/** `[user@]host:path`, as scp writes it: no slash before the first colon (git-clone(1)). */
function scpParts(remote: string): { readonly host: string; readonly path: string } | null {
  const parts = /^([^/:\s[\]]*@)?(\[[^\]/]+\]|[^/:\s@]+):([^]+)$/.exec(remote);
  if (parts === null) return null;
  return { host: `${parts[1] ?? ''}${parts[2] ?? ''}`, path: parts[3] ?? '' };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (thrown) {
    if (thrown instanceof URIError) return text;
    throw thrown;
  }
}
