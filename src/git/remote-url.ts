import { Failure } from '../../machines/failure.ts';

/** A remote as git is told of it: what is secret in the configured text is apart from what is not. */
export interface RemoteUrl {
  /** Without a password, and for http without a user: fit for argv, `.git/config` and logs. */
  readonly address: string;
  readonly transport: 'http' | 'ssh' | 'git' | 'file';
  /** Whom credentials are for: scheme, host and port (`https://example.org:8443`); empty for a path. */
  readonly origin: string;
  /** From the URL. */
  readonly username: string | null;
  readonly password: string | null;
}

/** Takes a configured `remote path` apart; fails with `config-invalid` on transports that run commands. */
export function parseRemote(text: string): RemoteUrl {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (text.startsWith('/')) return plain(text, 'file', '');
  // `ext::sh -c …` and its like hand the rest to a program of that name.
  if (/^[^/]*::/.test(text) || /\p{Cc}/u.test(text)) throw unfit(text);
  if (scheme === 'file') return plain(text, 'file', '');
  if (scheme === undefined) return scpLike(text);
  if (!['http', 'https', 'ssh', 'git', 'git+ssh', 'ssh+git'].includes(scheme)) throw unfit(text);
  if (!URL.canParse(text)) throw unfit(text);
  const url = new URL(text);
  if (url.hostname === '' || url.hostname.startsWith('-') || url.username.startsWith('-')) throw unfit(text);
  const origin = `${url.protocol}//${url.host}`;
  const username = decoded(url.username);
  const password = decoded(url.password);
  url.password = '';
  const transport = scheme.startsWith('http') ? 'http' : scheme === 'git' ? 'git' : 'ssh';
  if (transport !== 'ssh') url.username = '';
  return { address: url.href, transport, origin, username, password };
}

/** Whether two addresses mean the same repository: `.git`, a trailing slash and the scp-like form make no difference. */
export function sameRemote(one: string, other: string): boolean {
  return canonical(one) === canonical(other);
}

function canonical(text: string): string {
  const scp = /^([^/:]+):(?!\/\/)\/?(.*)$/.exec(text);
  const url = scp === null ? text : `ssh://${scp[1]}/${scp[2]}`;
  const stripped = url
    .replace(/^file:\/\//, '')
    .replace(/\/+$/, '')
    .replace(/\.git$/, '')
    .replace(/\/+$/, '');
  if (!URL.canParse(stripped)) return stripped;
  const parsed = new URL(stripped);
  return `${parsed.protocol}//${parsed.host}${parsed.pathname}`;
}

function scpLike(text: string): RemoteUrl {
  const match = /^(?:([^@/:]+)@)?([^/:]+|\[[0-9a-f:.]+\]):(.+)$/i.exec(text);
  if (match === null) throw unfit(text);
  const [, user, host = '', path = ''] = match;
  if ([user, host, path].some((part) => part?.startsWith('-'))) throw unfit(text);
  return { ...plain(text, 'ssh', `ssh://${host}`), username: user ?? null };
}

function plain(address: string, transport: RemoteUrl['transport'], origin: string): RemoteUrl {
  return { address, transport, origin, username: null, password: null };
}

function decoded(part: string): string | null {
  if (part === '') return null;
  try {
    return decodeURIComponent(part);
  } catch {
    // A stray per cent sign: meant as it stands.
    return part;
  }
}

function unfit(text: string): Failure {
  return new Failure('config-invalid', {
    doing: 'reading',
    subject: 'repository.remote path',
    reason: `${JSON.stringify(withoutCredentials(text))} is not an address that Huddle fetches from`,
    hint: 'Write an https, http, ssh or git URL, user@host:path, or an absolute path.',
  });
}

/** Any text with the credentials of the URLs in it struck out. */
export function withoutCredentials(text: string): string {
  return text
    .replaceAll(/(https?:\/\/)[^\s/@'"]+(?:@[^\s/@'"]+)*@/gi, '$1***@')
    .replaceAll(/([a-z+]+:\/\/[^\s/:@'"]*):[^\s/'"]*@/gi, '$1:***@');
}
