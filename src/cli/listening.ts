import { isIP } from 'node:net';
import { bare, isLoopback, isName, tcpAddress } from '../control/tcp-address.ts';
import type { Listening } from '../control/tcp.ts';
import { Misuse } from './misuse.ts';
import type { Options } from './options.ts';

/** Where `--inspect` listens when `--listen` says nothing else. */
const inspectorAddress = '127.0.0.1:7357';

/** What may follow `--allow-host`: a name or an address, without a port. */
export function isHostName(text: string): boolean {
  return isName(text) || isIP(bare(text)) !== 0;
}

/**
 * What the options say on listening; null: on the socket only. A `Misuse` where they do not go together, or where the
 * token would go over a network for everybody to read.
 */
export function listeningOf(options: Options): Listening | null {
  const { listen = options.inspect ? inspectorAddress : undefined, tlsCert, tlsKey, insecure, allowHosts } = options;
  const address = listen === undefined ? undefined : tcpAddress(listen);
  if (address === undefined) {
    const idle = Object.entries({ 'tls-cert': tlsCert, 'tls-key': tlsKey, insecure, 'allow-host': allowHosts[0] });
    const [name] = idle.find(([, value]) => value !== undefined && value !== false) ?? [];
    if (name !== undefined)
      throw new Misuse(`--${name} says how to listen, but not where`, 'Add --listen [HOST:]PORT.');
    return null;
  }
  if (options.once) throw new Misuse('--once answers nobody', 'Leave out --listen and --inspect.');
  const hosts = allowHosts.map(bare);
  if (tlsCert !== undefined && tlsKey !== undefined)
    return { address, tls: { cert: tlsCert, key: tlsKey }, allowHosts: hosts };
  if (tlsCert !== undefined) throw new Misuse('--tls-cert needs --tls-key', 'Write --tls-key FILE.');
  if (tlsKey !== undefined) throw new Misuse('--tls-key needs --tls-cert', 'Write --tls-cert FILE.');
  if (!isLoopback(address.host) && !insecure)
    throw new Misuse(
      `--listen ${listen} is beyond this machine, where others could read the token`,
      'Add --tls-cert FILE and --tls-key FILE, or --insecure.',
    );
  return { address, tls: null, allowHosts: hosts };
}
