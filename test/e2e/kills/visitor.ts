import { setTimeout as sleep } from 'node:timers/promises';

/** Not by `import`: see `src/control/client.ts`. */
const { get } = process.getBuiltinModule('node:http');

/** Somebody who asks again and again. */
export interface Visits {
  /** Resolves with what went wrong since the first answer. */
  end(): Promise<readonly string[]>;
}

/** Asks what answers on a port again and again; from the first answer on each has to be one. */
export function visit(port: number): Visits {
  const failed: string[] = [];
  const over = new AbortController();
  const visits = (async () => {
    let isOpen = false;
    while (!over.signal.aborted) {
      const said = await ask(port);
      if (isAnswer(said)) isOpen = true;
      else if (isOpen) failed.push(said);
      await sleep(20);
    }
  })();
  return {
    async end() {
      over.abort();
      await visits;
      return failed;
    },
  };
}

/** What the program on a port says: its version and its pid; or why it says nothing. */
export async function ask(port: number): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const signal = AbortSignal.timeout(15_000);
  get({ host: '127.0.0.1', port, agent: false, signal }, (response) => {
    let text = '';
    response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    response.on('end', () => resolve(response.statusCode === 200 ? text.trim() : `${response.statusCode} ${text}`));
    response.on('error', (error) => resolve(error.message));
  }).on('error', (error) => resolve(error.message));
  return await promise;
}

const isAnswer = (said: string) => /^v\S+ \d+$|^crash\S+ \d+$/.test(said);
