import { Failure, oneLine, withoutUrlSecrets } from '../../../machines/failure.ts';

// What of an actor's data may leave Huddle. A list of what is shown, not of what is secret: a key that is new tomorrow is
// struck until somebody has thought about it.

/**
 * Keys whose text is shown: of events and outcomes, of an app, of a program, of a config. Of a config no command, which
 * may hold a token, and no URL but the remote's. Numbers and flags tell no secret under any key.
 */
const shown = new Set(
  `
  type kind actorId hook want signal ref
  name file branch head tip revision from good previous current pulling tested placedAt directory way result leave why
  lead side by
  state health verdict ending
  remotePath localPath remote strategy restart stopSignal host
  `
    .trim()
    .split(/\s+/),
);

/** Maps whose keys are a user's: the names are shown, none of the values. */
const vaults = new Set(['environment', 'headers']);

const struck = '***';
const left = '…';

const deepest = 8;
const longestText = 500;
const mostEntries = 500;
/** Characters in all: what comes after them is left out. */
const room = 60_000;

/** Any value as plain data without a secret in it; as JSON below 500 kB. */
export function plain(value: unknown): unknown {
  let used = 0;
  const walk = (value: unknown, key: string, depth: number): unknown => {
    if (used > room) return left;
    used += 8;
    if (typeof value === 'string') {
      const text = shown.has(key) || value === '' ? shownText(value) : struck;
      used += text.length;
      return text;
    }
    if (typeof value === 'function') return { type: value.name };
    if (typeof value === 'bigint' || typeof value === 'symbol') return struck;
    if (typeof value !== 'object' || value === null) return value;
    if (value instanceof Error) return plainError(value);
    if (isActor(value)) return reference(value);
    if (depth === deepest) return left;
    if (Array.isArray(value)) return value.slice(0, mostEntries).map((item) => walk(item, key, depth + 1));
    if (!isRecord(value)) return { type: value.constructor.name };
    const entries = Object.entries(value).slice(0, mostEntries);
    return Object.fromEntries(
      entries.map(([name, inner]) => member(name.slice(0, longestText), inner, key, depth + 1)),
    );
  };
  const member = (name: string, value: unknown, of: string, depth: number): [string, unknown] => {
    used += name.length;
    // The root holds the configs of all apps; each is told by its own app.
    if (name === 'config' && depth > 1) return [name, left];
    return [name, walk(value, vaults.has(of) ? '' : name, depth)];
  };
  return walk(value, '', 0);
}

/**
 * An error by what Huddle itself says of it. Its subject is left out, which may be a command line; so is the reason of
 * an internal one, which are the words of whatever was thrown.
 */
function plainError(error: Error): unknown {
  if (!(error instanceof Failure)) return { name: error.name };
  const { name, code, doing, hint } = error;
  const reason = code === 'internal' ? struck : shownText(error.reason);
  return { name, code, doing, reason, hint: shownText(hint) };
}

/** One line of bounded length; of a URL only scheme, host and path. */
function shownText(text: string): string {
  const bare = withoutUrlSecrets(text).replace(/(:\/\/[^\s?#'"]*)[?#][^\s'"]*/g, '$1');
  const line = oneLine(bare);
  return line.length > longestText ? `${line.slice(0, longestText)}${left}` : line;
}

/** As xstate writes an actor where it stands in the data of another. */
export function reference({ id }: { readonly id: string }): unknown {
  return { xstate$$type: 1, id };
}

function isActor(value: object): value is { readonly id: string } {
  return 'sessionId' in value && 'id' in value && typeof value.id === 'string';
}

function isRecord(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
