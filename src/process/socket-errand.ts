import { type ChildProcess, type SendHandle, spawn } from 'node:child_process';
import { connect, createServer, Socket } from 'node:net';

// A program of its own: the short errands that Huddle has run with sockets (src/process/keeper.ts says why). The sockets
// are its descriptors from 3 on, or from 4 on where 3 is a channel.
//
//   listen COUNT BACKLOG   begins to listen on them, and accepts nothing
//   give PATH COUNT        hands them to who listens at PATH
//   receive COUNT          takes them from the channel at 4, and hands them to Huddle over the channel at 3
//   send COUNT             the half of both that speaks on a channel

const [, , errand = '', ...args] = process.argv;

if (errand === 'listen') listen(Number(args[0]), Number(args[1]));
if (errand === 'give') give(args[0] ?? '', Number(args[1]));
if (errand === 'receive') receive(Number(args[0]));
if (errand === 'send') await send(Number(args[0]));

/** Closed in the same breath, so that Node never comes to accept a connection. Prints which one failed, and how. */
function listen(count: number, backlog: number): void {
  for (const [index, fd] of from(3, count).entries()) {
    createServer()
      .on('error', ({ code }: NodeJS.ErrnoException) => process.stdout.write(`${index} ${code}\n`))
      .listen({ fd }, backlog) // Node overlooks a backlog beside a descriptor.
      .close();
  }
}

/** Paused, or it would read the answers that are for its child. */
function give(path: string, count: number): void {
  const connection = connect(path).pause();
  connection.once('connect', () => {
    sending([connection, ...from(3, count)]).once('exit', () => connection.destroy());
  });
}

function receive(count: number): void {
  const taken: SendHandle[] = [];
  process.on('message', (_what, handle: SendHandle) => {
    taken.push(handle);
    if (taken.length < count) return;
    process.disconnect?.();
    sending([3, ...taken]);
  });
}

/** Node speaks on one channel only, and on the one that it is started with: hence a process for each. */
function sending(stdio: readonly (number | SendHandle)[]): ChildProcess {
  const argv = [import.meta.filename, 'send', String(stdio.length - 1)];
  return spawn(process.execPath, argv, {
    stdio: ['ignore', 'ignore', 'ignore', ...stdio] as number[],
    env: { ...process.env, NODE_CHANNEL_FD: '3' },
  });
}

/**
 * As raw handles: of a `net.Server` the receiver would begin to accept. Then it stays until the receiver, having them all,
 * disconnects: what is on its way is lost with its sender.
 */
async function send(count: number): Promise<void> {
  process.on('message', () => {}); // Without a listener the channel would keep nobody from ending.
  for (const fd of from(4, count)) {
    const { _handle } = new Socket({ fd, readable: false, writable: false }) as unknown as { _handle: SendHandle };
    await new Promise((resolve) => process.send?.('socket', _handle, resolve));
  }
}

function from(first: number, count: number): number[] {
  return Array.from({ length: count }, (_none, index) => first + index);
}
