import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Source } from './source.ts';

/** What a viewer of the actor system has to say is short; bytes. */
const longestMessage = 64 * 1024;

/** RFC 6455, 7.4.1: a server that goes down. */
const goingAway = 1001;

/** Whether a request is to become a WebSocket to the live actor system: the one thing that there is a WebSocket for. */
export function isInspection({ method, url = '', headers }: IncomingMessage): boolean {
  return method === 'GET' && /^\/inspect(\?|$)/.test(url) && headers.upgrade?.toLowerCase() === 'websocket';
}

export interface Upgrades {
  /** Makes a request that has been admitted a WebSocket, and hands that on. */
  hand(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Ends all of them. */
  close(): void;
}

/** The one place where what has come as a WebSocket is handed to `Source.attach`. */
export function handUpgrades(source: Source): Upgrades {
  const open = new Set<WebSocket>();
  let isClosed = false;
  const hand = async (request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    const { WebSocketServer } = await import('ws');
    const server = new WebSocketServer({ noServer: true, maxPayload: longestMessage, clientTracking: false });
    if (isClosed || source.attach === undefined) return void socket.destroy();
    server.handleUpgrade(request, socket, head, (client) => {
      open.add(client);
      // Without a listener what a client sends wrongly would end Huddle.
      client.on('error', () => client.terminate()).on('close', () => open.delete(client));
      source.attach?.(client);
    });
  };
  return {
    hand(request, socket, head) {
      socket.on('error', () => undefined);
      hand(request, socket, head).catch(() => socket.destroy());
    },
    close() {
      isClosed = true;
      for (const client of open) {
        client.close(goingAway, 'Huddle has ended');
        setImmediate(() => client.terminate());
      }
    },
  };
}
