import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Readable } from 'node:stream';

// A forge says that a branch has moved. Nothing of what it says is believed but that it knows the secret: the app is
// woken to ask its remote, which is what it would do by itself a little later.

/** What a forge signs with; bytes. GitHub sends 25 MB at most (docs.github.com, 'Webhook events and payloads'). */
export const longestPayload = 26 * 1024 * 1024;

/** The headers of a request, by their names in lower case. */
export type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** HMAC-SHA256 of the raw body in hex: GitHub, Bitbucket; Forgejo, Gitea and Gogs, whose older versions send only their own. */
const signatures: readonly (readonly [header: string, prefix: string])[] = [
  ['x-hub-signature-256', 'sha256='],
  ['x-hub-signature', 'sha256='],
  ['x-forgejo-signature', ''],
  ['x-gitea-signature', ''],
  ['x-gogs-signature', ''],
];

/**
 * Whether who sent this knows the secret. The body is read to its end, and not kept: false as well when it is longer than
 * `longestPayload`. Without a secret it takes the same way, so that nobody learns from the time it takes which apps there
 * are. Rejects when the body breaks off.
 */
export async function isSigned(headers: Headers, body: Readable, secret: string | null): Promise<boolean> {
  const hmac = createHmac('sha256', secret ?? 'nobody knows');
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > longestPayload) return false;
    hmac.update(chunk);
  }
  const digest = hmac.digest('hex');
  const signed = signatures.some(([header, prefix]) => isSame(headers[header], prefix + digest));
  // GitLab sends the secret as it is.
  const told = isSame(headers['x-gitlab-token'], secret ?? digest);
  return secret !== null && (signed || told);
}

/** In a time that says nothing about where the two differ, nor about their lengths. */
function isSame(given: string | string[] | undefined, wanted: string): boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(String(given ?? '')), hash(wanted)) && given !== undefined;
}

/** Milliseconds between two wakes of one app. */
const pause = 1000;

/**
 * Wakes apps, each at most once a second: what comes sooner is one wake at the end of that second, so that a push is not
 * missed that came when the remote had just been asked.
 */
export function openWaker(wake: (name: string) => void, every = pause): (name: string) => void {
  const resting = new Map<string, { isWanted: boolean }>();
  const fire = (name: string): void => {
    const rest = { isWanted: false };
    resting.set(name, rest);
    setTimeout(() => {
      resting.delete(name);
      if (rest.isWanted) fire(name);
    }, every).unref();
    wake(name);
  };
  return (name) => {
    const rest = resting.get(name);
    if (rest === undefined) fire(name);
    else rest.isWanted = true;
  };
}
