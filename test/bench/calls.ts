import { execFileSync } from 'node:child_process';
import { constants, openSync } from 'node:fs';
import { Socket } from 'node:net';

export interface Call {
  /** `performance.now()` when it arrived. */
  readonly at: number;
  readonly text: string;
}

/**
 * A FIFO through which programs call out: "I run", "I stop". It wakes the benchmark within a fraction of a millisecond
 * and costs a program one `echo`, where looking through /proc would cost more than what is measured.
 */
export class Calls {
  readonly path: string;
  readonly #socket: Socket;
  readonly #heard: Call[] = [];
  #woken = Promise.withResolvers<void>();

  constructor(path: string) {
    execFileSync('mkfifo', [path]);
    this.path = path;
    // Open for writing too: otherwise each caller's leaving would end it.
    const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    this.#socket = new Socket({ fd, readable: true, writable: false });
    this.#socket.setEncoding('utf8').on('data', (text: string) => {
      const at = performance.now();
      for (const line of text.split('\n')) if (line !== '') this.#heard.push({ at, text: line });
      this.#woken.resolve();
      this.#woken = Promise.withResolvers<void>();
    });
  }

  /** Everything heard since the last `forget`, in order. */
  get heard(): readonly Call[] {
    return this.#heard;
  }

  forget(): void {
    this.#heard.length = 0;
  }

  /** Waits until so many calls that begin with a word have come; the last of them. */
  async hear(word: string, count = 1, seconds = 60): Promise<Call> {
    const end = performance.now() + seconds * 1000;
    for (;;) {
      const woken = this.#woken.promise;
      const call = this.#heard.filter(({ text }) => text.startsWith(word))[count - 1];
      if (call !== undefined) return call;
      const left = end - performance.now();
      if (left <= 0) throw new Error(`only ${this.#heard.length} of ${count} × ${word} within ${seconds} s`);
      const timer = Promise.withResolvers<void>();
      const handle = setTimeout(timer.resolve, left);
      await Promise.race([woken, timer.promise]);
      clearTimeout(handle);
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}
