import { type AnyActorLogic, type AnyEventObject, createActor, setup, SimulatedClock } from 'xstate';
import { settle } from './settle.ts';

// A parent for a machine that speaks to its parent: what it says is written down.

export interface Family {
  readonly clock: SimulatedClock;
  /** What the child has sent up, its end included, oldest first. */
  readonly heard: AnyEventObject[];
  /** The types of what was heard since the last call. */
  news(): string[];
  send(event: AnyEventObject): Promise<void>;
  /** Moves time on in steps of 100 ms, so that chained timers fire. */
  pass(seconds: number): Promise<void>;
  settle(): Promise<void>;
  child(): { value: unknown; context: Record<string, unknown> };
}

/** The child, begun under a parent on a clock that is moved by hand. */
export async function raise(child: AnyActorLogic, input: unknown, clock = new SimulatedClock()): Promise<Family> {
  const heard: AnyEventObject[] = [];
  const machine = setup({ actors: { child } }).createMachine({
    invoke: { id: 'child', src: 'child', input: input as never },
    on: { '*': { actions: ({ event }) => void heard.push('report' in event ? event['report'] : event) } },
  });
  const parent = createActor(machine, { clock });
  parent.subscribe({ error: () => {} });
  let told = 0;
  const actor = () => parent.getSnapshot().children['child'];
  parent.start();
  await settle();
  return {
    clock,
    heard,
    news() {
      const fresh = heard.slice(told).map(({ type }) => type);
      told = heard.length;
      return fresh;
    },
    async send(event) {
      actor()?.send(event);
      await settle();
    },
    async pass(seconds) {
      for (let left = seconds * 1000; left > 0; left -= 100) {
        clock.increment(Math.min(100, left));
        await settle();
      }
    },
    settle,
    child: () => actor()?.getSnapshot() as never,
  };
}
