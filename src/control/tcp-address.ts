import { isIP } from 'node:net';

/** Where Huddle listens for browsers and scrapers. */
export interface TcpAddress {
  /** A name, or an IP address without brackets. */
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
}

/** What `[HOST:]PORT` says; an IPv6 address stands in brackets. Undefined where it says nothing that can be meant. */
export function tcpAddress(text: string): TcpAddress | undefined {
  const [, written = '127.0.0.1', digits = ''] = /^(?:(\[[^\]]+\]|[^:]+):)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  const host = bare(written);
  const isHost = written.startsWith('[') ? isIP(host) === 6 : isIP(host) === 4 || isName(host);
  return digits !== '' && port <= 65_535 && isHost ? { host, port } : undefined;
}

/** A host's name as RFC 1123 has it; what looks like an IPv4 address and is none, is no name either. */
export function isName(text: string): boolean {
  return /^(?=.{1,253}$)([a-z\d_]([a-z\d_-]{0,61}[a-z\d_])?\.?)+$/i.test(text) && !/(^|\.)\d+\.?$/.test(text);
}

/** Without the brackets of an IPv6 address. */
export function bare(host: string): string {
  return host.startsWith('[') ? host.slice(1, -1) : host;
}

/** `HOST:PORT`, as a URL and a `Host` header have it. */
export function inUrl({ host, port }: TcpAddress): string {
  return `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}

/** Whether nobody but this machine reaches it. */
export function isLoopback(host: string): boolean {
  return host.toLowerCase() === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** What a browser on this machine calls an address: for all interfaces it is one of them. */
export function asSeen({ host, port }: TcpAddress, isEncrypted: boolean): TcpAddress {
  if (host !== '0.0.0.0' && host !== '::') return { host, port };
  // A certificate has names. Without one a stranger may listen on what else `localhost` means: the number is ours.
  const own = host === '::' ? '::1' : '127.0.0.1';
  return { host: isEncrypted ? 'localhost' : own, port };
}
