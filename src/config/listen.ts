import { isIP, isIPv6, SocketAddress } from 'node:net';
import type { Listen } from '../../machines/config.ts';
import { judgePath } from './judges.ts';
import { absolute, type Origin } from './paths.ts';
import type { Wrong } from './problem.ts';

// The addresses of `application.listen`: `[host:]port`, or the path of a unix socket.

const tcp = /^(?:(\[[^\]]*\]|[^:]*):)?(\d+)$/;

export function judgeListen(text: string): Wrong | null {
  if (isPath(text)) {
    const wrong = { message: 'is a folder, not the path of a socket', hint: 'write it like /run/shop/shop.sock' };
    return text.endsWith('/') ? wrong : judgePath(text);
  }
  const [, host, port] = tcp.exec(text) ?? [];
  if (port === undefined) return judgeOther(text);
  if (Number(port) < 1 || Number(port) > 65_535) {
    return { message: 'the port is not one of 1 to 65535', hint: 'write it like 8080 or 127.0.0.1:8080' };
  }
  return host === undefined ? null : judgeHost(host);
}

/** The proxy has a port; a path would be found by no browser. */
export function judgeProxy(text: string): Wrong | null {
  return isPath(text) ? { message: 'is a path', hint: 'write it like 8080 or 127.0.0.1:8080' } : judgeListen(text);
}

/** What one text of `listen` stands for. Wants a text that `judgeListen` finds nothing wrong with. */
export function listenOf(text: string, origin: Origin): Listen {
  if (isPath(text)) return { kind: 'unix', path: absolute(text, origin) };
  const [, host = '[::]', port] = tcp.exec(text) ?? [];
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  return { kind: 'tcp', host: bare.toLowerCase() === 'localhost' ? '127.0.0.1' : shortest(bare), port: Number(port) };
}

/** `0:0:0:0:0:0:0:1` as `::1`, so that one address is one text. */
function shortest(host: string): string {
  const [address = host, ...zone] = host.split('%');
  return isIPv6(address) ? [new SocketAddress({ family: 'ipv6', address }).address, ...zone].join('%') : host;
}

/** The same text for two that mean the same address. */
export function meantBy(text: string): string {
  return JSON.stringify(listenOf(text, { folder: '/', home: '/' }));
}

function isPath(text: string): boolean {
  return text.includes('/') || text.startsWith('~');
}

function judgeHost(host: string): Wrong | null {
  const inner = /^\[(.*)\]$/.exec(host)?.[1];
  if (inner === undefined ? isIP(host) === 4 || host.toLowerCase() === 'localhost' : isIPv6(inner)) return null;
  const hint = 'write an address of this machine, such as 127.0.0.1 or [::1]; without a host it is all of them';
  return { message: 'the host is no IP address', hint };
}

function judgeOther(text: string): Wrong {
  // `::1:8080` says nothing for certain, and is told how to.
  if (/^[\da-f.:]*:[\da-f.:]*:\d+$/i.test(text)) {
    return { message: 'an IPv6 address stands in brackets', hint: 'write it like [::1]:8080' };
  }
  const hint = 'write it like 8080, 127.0.0.1:8080, [::1]:8080, /run/shop.sock or ./shop.sock';
  return { message: 'is neither [host:]port nor a path', hint };
}
