import { Agent, get } from 'node:http';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

/** What became of the requests of a load. */
export interface Count {
  requests: number;
  /** Each answer once, without the blanks around it. */
  readonly seen: Set<string>;
  /** A line for each request that was not answered with 200. */
  readonly failed: string[];
}

export interface Load {
  /** So far. */
  readonly count: Count;
  /** Resolves when the requests under way have been answered. */
  end(): Promise<Count>;
}

/**
 * Clients that ask again and again, each over a connection for each request or over one that it keeps; at most until the test
 * ends. Where to is asked before each request when it may change.
 */
export function load(
  t: Pick<TestContext, 'after'>,
  port: number | (() => number),
  clients: number,
  isKept = false,
): Load {
  const count: Count = { requests: 0, seen: new Set(), failed: [] };
  const enough = new AbortController();
  t.after(() => enough.abort());
  const client = async () => {
    const agent = isKept && new Agent({ keepAlive: true, maxSockets: 1 });
    while (!enough.signal.aborted) {
      count.requests += 1;
      await ask(typeof port === 'number' ? port : port(), agent).then(
        (answer) => count.seen.add(answer),
        (error: NodeJS.ErrnoException) => count.failed.push(error.code ?? error.message),
      );
      await sleep(10); // So that there is something left of the machine for those who answer.
    }
    if (agent !== false) agent.destroy();
  };
  const asking = Promise.all(Array.from({ length: clients }, () => client()));
  return {
    count,
    async end() {
      enough.abort();
      await asking;
      return count;
    },
  };
}

/** What failed of a load, and the answers in order. */
export async function ended(visits: Load): Promise<readonly [string[], string[]]> {
  const { failed, seen } = await visits.end();
  return [failed, [...seen].toSorted()];
}

/** The answer of whoever serves HTTP on a port of this machine; rejects where it is not 200. */
export function ask(port: number, agent: Agent | false = false): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, agent, signal: AbortSignal.timeout(10_000) }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part: string) => (body += part));
      response.on('error', reject).on('end', () => {
        if (response.statusCode === 200) resolve(body.trim());
        else reject(new Error(`status ${response.statusCode}`));
      });
    }).on('error', reject);
  });
}
