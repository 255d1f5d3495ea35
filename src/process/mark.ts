import { createHash, randomBytes } from 'node:crypto';

export { markVariable } from '../platform/platform.ts';

/** A short hash of a real (symlink-free) DIR: tells the processes of two Huddles apart. */
export function folderMark(realDir: string): string {
  return createHash('sha256').update(realDir).digest('hex').slice(0, 12);
}

/** What the marks of one app begin with. Its name is encoded, so that no app's prefix is the prefix of another's. */
export function appPrefix(folderHash: string, app: string): string {
  return `${folderHash}:${encodeURIComponent(app)}:`;
}

/** A fresh mark for one start of something: `<hash>:<app>:<nonce>`. */
export function newMark(folderHash: string, app: string): string {
  return appPrefix(folderHash, app) + randomBytes(6).toString('hex');
}

/** What a mark says of whose folder it is: the hash with which it begins. */
export function folderPart(mark: string): string {
  return mark.slice(0, mark.indexOf(':'));
}
