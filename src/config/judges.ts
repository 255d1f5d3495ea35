import os from 'node:os';
import { posix } from 'node:path';
import type { Wrong } from './problem.ts';

// What makes a text wrong for the key it stands at. Each says null where nothing is.

export function judgePath(path: string): Wrong | null {
  if (!/^~[^/]/.test(path)) return null;
  return { message: "begins with another user's home", hint: 'only ~/ is known: write the whole path' };
}

/** Whether the path stays inside the working copy as far as its letters tell; symlinks are looked at when it is used. */
export function judgeDirectory(directory: string): Wrong | null {
  const hint = 'write a path relative to the working copy, such as server';
  if (posix.isAbsolute(directory) || directory.startsWith('~'))
    return { message: 'must be relative to the working copy', hint };
  if (/^\.\.(\/|$)/.test(posix.normalize(directory))) return { message: 'leads out of the working copy', hint };
  return null;
}

/** A path of the repository that is shared by all releases. */
export function judgeShared(path: string): Wrong | null {
  const parts = posix.normalize(path).split('/');
  const hint = 'write a path that begins in the root of the repository, such as data or config/local.json';
  if (path.trim() === '') return { message: 'is empty', hint };
  if (/\p{Cc}/u.test(path)) return { message: 'holds a control character', hint };
  if (posix.isAbsolute(path) || path.startsWith('~')) return { message: 'must be relative to the working copy', hint };
  if (parts[0] === '..') return { message: 'leads out of the working copy', hint };
  if (parts.every((part) => part === '.' || part === '')) return { message: 'is the whole working copy', hint };
  return parts.some((part) => part.toLowerCase() === '.git') ? { message: 'is a part of git', hint } : null;
}

/** `a//b/./c/` as `a/b/c`. */
export function tidyDirectory(directory: string): string {
  return posix.normalize(directory).replace(/(?<=.)\/$/, '');
}

export function judgeSignal(name: string): Wrong | null {
  if (Object.hasOwn(os.constants.signals, signalName(name))) return null;
  return { message: 'is no signal of this system', hint: 'write a name such as SIGTERM, SIGINT or SIGHUP' };
}

/** `term` as `SIGTERM`: systemd and Docker take both. */
export function signalName(name: string): string {
  const upper = name.trim().toUpperCase();
  return upper.startsWith('SIG') ? upper : `SIG${upper}`;
}

export function judgeUser(user: string): Wrong | null {
  if (/^\w[\w.@\\-]*\$?$/.test(user)) return null;
  return { message: 'is no name of a user', hint: 'write a login name, such as www-data' };
}

/** A colon would end the name early (RFC 7617). */
export function judgeUsername(name: string): Wrong | null {
  if (!/[:\p{Cc}]/u.test(name)) return null;
  return {
    message: 'holds a colon or a control character',
    hint: 'write the user name alone; the password goes to a password file',
  };
}

/** The variables that Huddle itself gives each program. */
const own = ['HUDDLE_APP', 'HUDDLE_REVISION', 'HUDDLE_RELEASE', 'HUDDLE_PORT', 'HUDDLE_MARK'];

export function judgeVariable(name: string): Wrong | null {
  if (name === '' || /[=\s\0]/.test(name)) {
    return { message: 'a name is empty, or holds a space or an equals sign', hint: 'write it like PORT' };
  }
  if (own.includes(name))
    return { message: `${name} is set by Huddle itself`, hint: 'take it away, or choose another name' };
  return null;
}

export function judgeVariableValue(value: string): Wrong | null {
  return value.includes('\0') ? { message: 'a value holds a NUL character', hint: 'take it away' } : null;
}

/** A token of RFC 9110. */
export function judgeHeader(name: string): Wrong | null {
  if (/^[\w!#$%&'*+.^`|~-]+$/.test(name)) return null;
  return { message: 'a name is none that HTTP allows for a header', hint: 'write it like Authorization' };
}

export function judgeHeaderValue(value: string): Wrong | null {
  if (/^[\t\u0020-\u007e\u0080-\u00ff]*$/.test(value)) return null;
  return {
    message: 'a value holds a character that HTTP does not allow in a header',
    hint: 'keep to one line of Latin letters',
  };
}

/** The URL of a remote test, where `{revision}` and `{branch}` stand for what is asked about. */
export function judgeTestUrl(text: string): Wrong | null {
  const filled = text.replaceAll(/\{(revision|branch)\}/g, 'x');
  if (/\{\w+\}/.test(filled))
    return { message: 'holds an unknown placeholder', hint: 'only {revision} and {branch} are filled in' };
  return judgeHttp(filled);
}

/** A host of the watchdog: a URL, a host name or an IP address. */
export function judgeProbeHost(host: string): Wrong | null {
  if (isHttp(host)) return judgeHttp(host.replaceAll('{port}', '1'));
  const hint = 'write a host name, an IP address, or an http:// or https:// URL';
  if (host.includes('://')) return { message: 'is a URL of another kind than http and https', hint };
  if (/^[^:]+:(\d+|\{port\})$/.test(host)) return { message: 'holds a port', hint: 'write it as watchdog.port' };
  if (host.includes('/')) return { message: 'holds a path but is no URL', hint: 'write http:// before it' };
  if (/^\w[\w.-]*$/.test(host) || /^\[?[\da-f]*:[\da-f:.]*(%\w+)?\]?$/i.test(host)) return null;
  return { message: 'is no name of a host', hint };
}

export function isHttp(text: string): boolean {
  return /^https?:\/\//i.test(text);
}

/** An http:// or https:// URL. */
export function judgeHttp(text: string): Wrong | null {
  const url = isHttp(text) && !/\s/.test(text) ? URL.parse(text) : null;
  return url === null ? { message: 'is not an http or https URL', hint: 'write it like https://host/path' } : null;
}
