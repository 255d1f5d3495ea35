import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { SocketAddress } from 'node:net';

// Who listens where, as Linux's /proc/net tells it (proc_pid_net(5)). Elsewhere nobody seems to.

/** A listening socket of this machine. */
export interface Listener {
  /** The kernel's number of the socket, by which its holders are found. */
  readonly inode: string;
  /** An IP address in its shortest form and a port, or a path. */
  readonly at: { readonly host: string; readonly port: number } | { readonly path: string };
}

/** Every socket that is listened on in our network namespace. */
export function listeners(): readonly Listener[] {
  return [...tcpListeners('/proc/net/tcp', 'ipv4'), ...tcpListeners('/proc/net/tcp6', 'ipv6'), ...unixListeners()];
}

/** The inode of an open socket of this process; null where it is none. */
export function inodeOf(descriptor: number): string | null {
  return socketAt(`/proc/self/fd/${descriptor}`);
}

/** A process that holds a socket. */
export interface Holder {
  readonly pid: number;
  readonly name: string;
  readonly argv: readonly string[];
}

/** Who holds a socket, as far as we may look. */
export function holdersOf(inode: string): readonly Holder[] {
  const pids = entriesOf('/proc').filter((name) => /^\d+$/.test(name));
  return pids
    .filter((pid) => entriesOf(`/proc/${pid}/fd`).some((file) => socketAt(`/proc/${pid}/fd/${file}`) === inode))
    .map((pid) => {
      const argv = linesOf(`/proc/${pid}/cmdline`).join('\n').split('\0');
      return { pid: Number(pid), name: linesOf(`/proc/${pid}/comm`)[0] ?? '', argv };
    });
}

function tcpListeners(table: string, family: 'ipv4' | 'ipv6'): Listener[] {
  const rows = linesOf(table).map((line) => line.trim().split(/\s+/));
  return rows
    .filter((fields) => fields[3] === '0A') // TCP_LISTEN
    .map(([, local = '', , , , , , , , inode = '']) => {
      const [address = '', port = ''] = local.split(':');
      return { inode, at: { host: hostOf(address, family), port: Number.parseInt(port, 16) } };
    });
}

/** `0100007F` as `127.0.0.1`: words of four bytes, each in the order of this machine's processor. */
function hostOf(hex: string, family: 'ipv4' | 'ipv6'): string {
  const words = hex.match(/.{8}/g) ?? [];
  const bytes = words.flatMap((word) => [...wordBytes(Number.parseInt(word, 16))]);
  if (family === 'ipv4') return bytes.join('.');
  const address = (Buffer.from(bytes).toString('hex').match(/.{4}/g) ?? []).join(':');
  return new SocketAddress({ family, address }).address;
}

function wordBytes(word: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(word).buffer);
}

const acceptsConnections = 0x10000; // __SO_ACCEPTCON in include/linux/net.h

function unixListeners(): Listener[] {
  return linesOf('/proc/net/unix').flatMap((line) => {
    const [, flags, inode, path] = /^\S+ \S+ \S+ (\S+) \S+ \S+ +(\d+) (\/.*)$/.exec(line) ?? [];
    if (flags === undefined || inode === undefined || path === undefined) return [];
    return (Number.parseInt(flags, 16) & acceptsConnections) === 0 ? [] : [{ inode, at: { path } }];
  });
}

function socketAt(link: string): string | null {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(link))?.[1] ?? null;
  } catch {
    return null; // Closed meanwhile, or not for us to see.
  }
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // Ended meanwhile, not for us to see, or not a Linux.
  }
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch {
    return [];
  }
}
