import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { WebSocket } from 'ws';
import { eventually } from '../../e2e/harness.ts';

// Firefox by WebDriver BiDi (https://w3c.github.io/webdriver-bidi/): playwright-core 1.65 drives builds of its own, and of
// Mozilla's only those that know `emulation.setMediaFeaturesOverride`, which Debian's does not.

const executable = '/usr/bin/firefox-esr';

/** Why nothing is shown here; false: it is. A second browser is too dear for every run of the suite. */
export const skipFirefox = wanted();

function wanted(): string | false {
  if (process.env['HUDDLE_FIREFOX'] === undefined) return 'only with HUDDLE_FIREFOX=1';
  return existsSync(executable) ? false : `${executable} is not installed`;
}

/** A page in Firefox, with all that it asked for and that the browser complained of. */
export interface FirefoxPage {
  readonly requests: readonly string[];
  readonly complaints: readonly string[];
  goto(address: string): Promise<void>;
  /** What an expression is, as JSON has it. */
  evaluate(expression: string): Promise<unknown>;
  /** Waits until an expression is true. */
  until(expression: string): Promise<void>;
  /** Presses keys one after the other. A button is not pressed by one: without a desktop no window is the active one. */
  press(...keys: readonly string[]): Promise<void>;
  /** Presses the mouse on what a selector finds. */
  click(selector: string): Promise<void>;
}

/** Code points of keys that write nothing (W3C WebDriver, 17.4.2). */
export const key = { tab: '\uE004', enter: '\uE007', escape: '\uE00C' };

/** A browser of its own with one page; it goes with the test. */
export async function openFirefox(t: TestContext): Promise<FirefoxPage> {
  const profile = mkdtempSync(join(tmpdir(), 'huddle-firefox-'));
  const child = spawn(executable, ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', '0'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
    env: { ...process.env, HOME: profile, MOZ_HEADLESS_WIDTH: '1360', MOZ_HEADLESS_HEIGHT: '900' },
  });
  const ended = once(child, 'exit');
  t.after(async () => {
    // Its helpers are of its group.
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
    await ended;
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  });
  let address = '';
  createInterface(child.stderr).on('line', (line) => (address ||= /BiDi listening on (ws:\S+)/.exec(line)?.[1] ?? ''));
  await eventually('Firefox listens', () => address !== '');
  return await converse(`${address}/session`);
}

/** What it answers to a command, or tells of by itself. */
interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly type: 'success' | 'error' | 'event';
  readonly result?: Readonly<Record<string, unknown>>;
  readonly params?: { readonly text?: string; readonly request?: { readonly url: string } };
  readonly message?: string;
}

async function converse(address: string): Promise<FirefoxPage> {
  const socket = new WebSocket(address);
  await once(socket, 'open');
  const waiting = new Map<number, PromiseWithResolvers<Readonly<Record<string, unknown>>>>();
  const requests: string[] = [];
  const complaints: string[] = [];
  socket.on('message', (data: Buffer) => {
    const { id, type, method, result, params, message } = JSON.parse(data.toString()) as Message;
    if (method === 'log.entryAdded') complaints.push(params?.text ?? '');
    if (method === 'network.beforeRequestSent') requests.push(params?.request?.url ?? '');
    if (type === 'success') waiting.get(id ?? 0)?.resolve(result ?? {});
    if (type === 'error') waiting.get(id ?? 0)?.reject(new Error(message));
  });
  let last = 0;
  const send = async (method: string, params: object) => {
    const id = ++last;
    const answer = Promise.withResolvers<Readonly<Record<string, unknown>>>();
    waiting.set(id, answer);
    socket.send(JSON.stringify({ id, method, params }));
    return await answer.promise;
  };

  await send('session.new', { capabilities: {} });
  await send('session.subscribe', { events: ['log.entryAdded', 'network.beforeRequestSent'] });
  const { contexts } = (await send('browsingContext.getTree', {})) as { readonly contexts: { context: string }[] };
  const context = contexts[0]?.context ?? '';
  const evaluate = async (expression: string) => {
    const target = { target: { context }, awaitPromise: true };
    const said = await send('script.evaluate', { ...target, expression: `JSON.stringify(${expression})` });
    const { result } = said as { readonly result?: { readonly value?: string } };
    if (said['type'] !== 'success') throw new Error(JSON.stringify(said));
    return result?.value === undefined ? undefined : (JSON.parse(result.value) as unknown);
  };
  return {
    requests,
    complaints,
    goto: async (url) => void (await send('browsingContext.navigate', { context, url, wait: 'complete' })),
    evaluate,
    until: async (expression) => void (await eventually(expression, async () => (await evaluate(expression)) === true)),
    async click(selector) {
      const { x, y, width, height } = (await evaluate(
        `document.querySelector(${JSON.stringify(selector)}).getBoundingClientRect().toJSON()`,
      )) as Readonly<Record<'x' | 'y' | 'width' | 'height', number>>;
      const to = { type: 'pointerMove', x: Math.round(x + width / 2), y: Math.round(y + height / 2) };
      const actions = [to, { type: 'pointerDown', button: 0 }, { type: 'pointerUp', button: 0 }];
      await send('input.performActions', { context, actions: [{ type: 'pointer', id: 'mouse', actions }] });
    },
    async press(...keys) {
      const actions = keys.flatMap((value) => ['keyDown', 'keyUp'].map((type) => ({ type, value })));
      await send('input.performActions', { context, actions: [{ type: 'key', id: 'keyboard', actions }] });
    },
  };
}
