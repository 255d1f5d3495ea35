import { asFailure, type Failure } from '../machines/failure.ts';
import { keepControl } from './control/keep.ts';
import type { Log } from './control/log.ts';
import { because } from './control/prose.ts';
import type { Whereabouts, Source } from './control/source.ts';
import type { Listening } from './control/tcp.ts';
import { inUrl } from './control/tcp-address.ts';
import { holdsStill, keepToken } from './control/token.ts';
import type { StatePaths } from './ledger/paths.ts';

interface House {
  readonly source: Source;
  readonly paths: StatePaths;
  readonly log: Log;
  /** null: only the socket. */
  readonly listening: Listening | null;
  /** Told each time that the network can reach Huddle. */
  readonly opened: (url: string, token: string) => void;
}

/** The ways in to the control API: the socket always, TCP when that was asked for. */
export interface Doors {
  listen(): Whereabouts['listen'];
  /** Takes the TLS certificate as it is on disk now. */
  renew(): void;
  close(): Promise<void>;
}

/** Opens both and keeps them open. What cannot be opened is tried again: programs never wait for it. */
export function openDoors({ source, paths, log, listening, opened }: House): Doors {
  const tell = (whole: string, broken: string) => (failure: Failure | null) => {
    if (failure === null) log.write('info', whole);
    else log.write('error', because(failure, broken));
  };
  // Loading takes its time: not before the programs are started.
  const socket = keepControl(
    async () => (await import('./control/server.ts')).serveControl(source, paths.socket),
    tell('the control socket is there again', 'the programs run on, but no command reaches Huddle'),
  );

  const serveNetwork = async (wanted: Listening) => {
    const { serveTcp } = await import('./control/tcp.ts');
    const token = keepToken(paths.token);
    const control = await serveTcp(source, wanted, token);
    log.write('info', `listening on ${control.url}; huddle open prints the link to the dashboard`);
    opened(control.url, token);
    // A token that somebody has removed or replaced holds no longer.
    return { ...control, isThere: () => control.isThere() && holdsStill(token, paths.token) };
  };
  const network =
    listening &&
    keepControl(
      () => serveNetwork(listening),
      tell('the network reaches Huddle again', 'the programs run on; it is tried again every 5 s'),
    );

  return {
    listen: () => listening && { address: inUrl(listening.address), url: network?.current()?.url ?? null },
    renew() {
      if (!listening?.tls || !network?.current()) return;
      try {
        network.current()?.renew();
        log.write('info', 'the TLS certificate has been read anew');
      } catch (thrown) {
        log.write('error', because(asFailure(thrown), 'the one before stays in use'));
      }
    },
    async close() {
      await Promise.all([socket.close(), network?.close()]);
    },
  };
}
