import type { WebSocket } from 'ws';

/** How patient Huddle is with a viewer. */
export interface Patience {
  /** Between two questions whether it is still there, in milliseconds; who has not answered the last one is dropped. */
  readonly heartbeat: number;
  /** Bytes that may wait for one that does not read, besides what it was sent at first. */
  readonly backlog: number;
}

/** One who looks on. */
export interface Viewer {
  send(text: Buffer): void;
  /** All that it was sent so far is more than it can have read yet, and is not held against it. */
  welcomed(): void;
  close(code: number, reason: string): void;
}

/**
 * Sends to a socket for as long as it reads; `gone` is called once, when it has left or was dropped. What it says itself
 * nobody listens to.
 */
export function openViewer(socket: WebSocket, { heartbeat, backlog }: Patience, gone: () => void): Viewer {
  let limit = Infinity;
  let isThere = true;
  const timer = setInterval(() => {
    if (!isThere) return socket.terminate();
    isThere = false;
    socket.ping();
  }, heartbeat);
  timer.unref();
  socket.on('pong', () => (isThere = true));
  // Whatever breaks a connection concerns nobody but its viewer, which connects again: 'close' follows.
  socket.on('error', () => {});
  socket.once('close', () => {
    clearInterval(timer);
    gone();
  });
  return {
    send(text) {
      if (socket.readyState !== socket.OPEN) return;
      if (socket.bufferedAmount > limit) socket.terminate();
      else socket.send(text, { binary: false });
    },
    welcomed: () => (limit = socket.bufferedAmount + backlog),
    close(code, reason) {
      socket.close(code, reason);
      setTimeout(() => socket.terminate(), 1000).unref();
    },
  };
}
