import type { AppConfig, Listen } from './config.ts';

// Where the world comes in to an app: no two apps can have one address.

/** An address that an app wants for itself, and the key of its config that says so. */
export interface Door {
  readonly key: 'application.listen' | 'application.proxy';
  readonly at: Listen;
}

export function doorsOf({ application: { listen, proxy } }: AppConfig): readonly Door[] {
  const own: Door[] = listen.map((at) => ({ key: 'application.listen', at }));
  return proxy === null ? own : [...own, { key: 'application.proxy', at: { kind: 'tcp', ...proxy } }];
}

/** The first door of one app at which another one would stand too; null where they do not meet. */
export function sharedDoor(mine: readonly Door[], theirs: readonly Door[]): readonly [mine: Door, theirs: Door] | null {
  for (const door of mine) {
    const other = theirs.find(({ at }) => isShared(door.at, at));
    if (other !== undefined) return [door, other];
  }
  return null;
}

/** As a config file writes it. */
export function shownDoor({ at }: Door): string {
  if (at.kind === 'unix') return at.path;
  return `${at.host.includes(':') ? `[${at.host}]` : at.host}:${at.port}`;
}

/** Every interface is each of them, and `::` is every interface over IPv4 too. */
function isShared(one: Listen, other: Listen): boolean {
  if (one.kind === 'unix' || other.kind === 'unix') {
    return one.kind === 'unix' && other.kind === 'unix' && one.path === other.path;
  }
  return one.port === other.port && (one.host === other.host || isEvery(one, other) || isEvery(other, one));
}

type Tcp = Listen & { readonly kind: 'tcp' };

function isEvery({ host }: Tcp, other: Tcp): boolean {
  return host === '::' || (host === '0.0.0.0' && (other.host.includes('.') || other.host === '::'));
}
