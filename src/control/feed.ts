import type { ServerResponse } from 'node:http';
import type { Change, Source } from './source.ts';

/** A client that has left this many bytes unread is dropped: Huddle's memory is not its mailbox. */
const mostUnread = 4 * 1024 * 1024;

/** Shows a client, and any proxy in between, that Huddle lives; milliseconds. */
const defaultHeartbeat = 15_000;

/** The event streams of all clients. */
export interface Feed {
  /** Makes this response an event stream: the state of every app first, closed by `ready`, then each change. */
  add(response: ServerResponse): void;
  /** Ends all streams. */
  close(): void;
}

/**
 * Server-sent events about the apps: `app` (its status) on every change, `deployment` (a line of its history, with the
 * app's `name`) at the end of each, `removed` (the `name`) when an app has gone. Changes of one tick are one event,
 * what has not changed is not sent again, and while nobody listens nothing is done at all.
 */
export function openFeed(source: Source, heartbeat = defaultHeartbeat): Feed {
  const clients = new Set<ServerResponse>();
  const known = new Map<string, string>();
  const touched = new Set<string>();
  const stalled = new WeakSet<ServerResponse>();
  let idle: (() => void) | undefined;

  const broadcast = (frame: string): void => {
    for (const client of clients) send(client, frame);
  };

  const flush = (): void => {
    const names = [...touched];
    touched.clear();
    for (const name of names) {
      const status = source.app(name);
      const frame = status && frameOf('app', status);
      if (frame === known.get(name)) continue;
      if (frame) known.set(name, frame);
      else known.delete(name);
      broadcast(frame ?? frameOf('removed', { name }));
    }
  };

  const onChange = (change: Change): void => {
    if (change.type === 'deployment') {
      flush();
      broadcast(frameOf('deployment', { name: change.name, ...change.entry }));
      return;
    }
    if (touched.size === 0) setImmediate(flush);
    touched.add(change.name);
  };

  /** Who takes nothing from one beat to the next is not there any more. */
  const beat = (): void => {
    for (const client of clients) {
      if (!client.writableNeedDrain) {
        stalled.delete(client);
        send(client, ': here\n\n');
      } else if (stalled.has(client)) client.destroy();
      else stalled.add(client);
    }
  };

  const wake = (): (() => void) => {
    const unsubscribe = source.subscribe(onChange);
    for (const status of source.apps()) known.set(status.name, frameOf('app', status));
    const timer = setInterval(beat, heartbeat).unref();
    return () => {
      unsubscribe();
      clearInterval(timer);
      known.clear();
      touched.clear();
    };
  };

  const sleep = (): void => {
    idle?.();
    idle = undefined;
  };

  return {
    add(response) {
      if (idle) flush();
      idle ??= wake();
      clients.add(response);
      response.on('close', () => {
        if (clients.delete(response) && clients.size === 0) sleep();
      });
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      response.write(`${[...known.values()].join('')}${frameOf('ready', {})}`);
    },
    close() {
      for (const client of clients) client.end();
      clients.clear();
      sleep();
    },
  };
}

function frameOf(event: string, data: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

function send(client: ServerResponse, text: string): void {
  if (client.destroyed) return;
  client.write(text);
  if (client.writableLength > mostUnread) client.destroy();
}
