import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

const chunk = 262_144;

/** Copies the bytes of `from` between two offsets to the end of `to`; fewer where `from` ends sooner. */
export async function copyRange(from: FileHandle, to: FileHandle, start: number, end: number): Promise<void> {
  const buffer = Buffer.allocUnsafe(chunk);
  for (let at = start; at < end;) {
    const { bytesRead } = await from.read(buffer, 0, Math.min(chunk, end - at), at);
    if (bytesRead === 0) return;
    await to.appendFile(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
}

/** Whether a file begins with these bytes, from an offset on. */
export async function startsWith(file: FileHandle, bytes: Buffer, offset = 0): Promise<boolean> {
  const buffer = Buffer.allocUnsafe(Math.min(chunk, bytes.length));
  for (let at = 0; at < bytes.length;) {
    const most = Math.min(chunk, bytes.length - at);
    const { bytesRead } = await file.read(buffer, 0, most, offset + at);
    if (bytesRead === 0 || !buffer.subarray(0, bytesRead).equals(bytes.subarray(at, at + bytesRead))) return false;
    at += bytesRead;
  }
  return true;
}

/**
 * Whether a file holds, from an offset on, all that is in another one, which may be larger than memory; or zeros, where
 * the room of its bytes has been given back.
 */
export async function heldFile(file: FileHandle, path: string, offset: number): Promise<boolean> {
  const other = await open(path, 'r');
  try {
    const [theirs, ours] = [Buffer.allocUnsafe(chunk), Buffer.allocUnsafe(chunk)];
    for (let at = 0; ;) {
      const { bytesRead } = await other.read(theirs, 0, chunk, at);
      if (bytesRead === 0) return true;
      const found = await file.read(ours, 0, bytesRead, offset + at);
      if (found.bytesRead < bytesRead) return false;
      if (!ours.subarray(0, bytesRead).every((byte, index) => byte === 0 || byte === theirs[index])) return false;
      at += bytesRead;
    }
  } finally {
    await other.close();
  }
}
