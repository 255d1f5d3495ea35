import type { AppConfig } from '../../machines/config.ts';
import { asFailure, type Failure } from '../../machines/failure.ts';
import { type AppPaths, mustStand } from '../ledger/paths.ts';
import { closeSockets, openSockets, type Sockets } from '../process/sockets.ts';
import { runAs } from '../process/user.ts';
import type { ProxySettings } from '../proxy/settings.ts';

/** What lets requests in to the program of an app, and outlives it: the sockets of `listen`, and the proxy. */
export interface Doors {
  /** Opens what an app is to listen on, and closes what it is not any more; one after the other. Rejects as `openSockets`. */
  openSockets(config: AppConfig): Promise<Sockets | null>;
  /** Gives them all up. */
  closeSockets(): void;
  /** What `application.proxy` has had started. */
  proxy: KeptProxy | null;
  /** Whether sockets or a proxy are open, be it that an earlier config has wanted them. */
  readonly areOpen: boolean;
  /** Resolves when no socket is being opened or closed. */
  idle(): Promise<void>;
}

/** A proxy that is kept up. */
export interface KeptProxy {
  readonly settings: ProxySettings;
  /** Takes settings of the same address for those that it has; a proxy that runs hears of them when it is pointed. */
  renew(settings: ProxySettings): void;
  /** Why it ended when it last did by itself; null: it has not. */
  readonly complaint: Failure | null;
  /** Ends it when its open requests are answered, or the drain timeout is over. */
  end(): Promise<void>;
  /** Leaves it running, to the next Huddle. */
  leave(): void;
}

/** What the doors of an app need of its desk. */
export interface Doorway {
  readonly paths: AppPaths;
  readonly mark: () => string;
  readonly warn: (text: string) => void;
}

/** The doors of an app, none of them open as yet. */
export function closedDoors({ paths, mark, warn }: Doorway): Doors {
  const closed: Promise<Sockets | null> = Promise.resolve(null);
  let sockets = closed;
  const doors: Doors = {
    proxy: null,
    get areOpen() {
      return sockets !== closed || doors.proxy !== null;
    },
    openSockets({ application: { listen, user } }) {
      if (listen.length === 0 && sockets === closed) return closed;
      const before = sockets;
      const opened = before.then((open) => {
        mustStand(paths);
        const { uid, gid } = runAs(user);
        const owner = uid === null || gid === null ? null : { uid, gid };
        return openSockets({ listen, folder: paths.directory, mark: mark(), owner, open });
      });
      sockets = opened.catch(() => before);
      return opened;
    },
    closeSockets() {
      const left = sockets
        .then((open) => closeSockets(paths.directory, open))
        .catch((thrown: unknown) => warn(asFailure(thrown).message))
        .then(() => {
          if (sockets === left) sockets = closed;
          return null;
        });
      sockets = left;
    },
    async idle() {
      await sockets;
    },
  };
  return doors;
}
