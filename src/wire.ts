import { fromCallback, fromPromise } from 'xstate';
import { appMachine } from '../machines/app.ts';
import { huddleMachine } from '../machines/huddle.ts';
import { processMachine } from '../machines/process.ts';
import { programMachine } from '../machines/program.ts';
import type { HistoryEntry } from '../machines/facts.ts';
import type { News } from '../machines/news.ts';
import type { FolderReport } from '../machines/protocol.ts';
import type { Slot } from '../machines/slots.ts';
import { watchdogMachine } from '../machines/watchdog.ts';
import * as app from './effects/app.ts';
import type { Effect } from './effects/app.ts';
import type { Desk, Office } from './effects/desk.ts';
import { drain, handOver, shut } from './effects/hand-over.ts';
import * as program from './effects/program.ts';
import { orRefused } from './ledger/paths.ts';

/** What the machines need of the world, besides the adapters. */
export interface Wiring {
  readonly office: Office;
  /** The desk of an app; opened when it is first asked for. */
  readonly desk: (name: string) => Desk;
  readonly tell: (app: string, news: News) => void;
  readonly record: (app: string, entry: HistoryEntry) => void;
  /** Told of each look at the health of a program that was not broken off. */
  readonly probed?: (app: string, seconds: number, isHealthy: boolean) => void;
  /** Reports what the config files say, until what it returns is called. */
  readonly watch: (report: (report: FolderReport) => void) => () => void;
}

/** The root machine with every slot filled: the one place where decisions meet effects. */
export function wire({ office, desk, tell, record, probed, watch }: Wiring) {
  const trees: program.Trees = new Map();

  /** One effect of an app at a time. */
  const slot = <Input extends Slot, Output>(effect: Effect<Input, Output>) =>
    fromPromise<Output, Input>(({ input, signal }) => {
      const at = desk(input.name);
      return at.alone(signal, () => told(effect(input, at, office, signal), 'working on', input.name));
    });

  const processActor = processMachine.provide({
    actors: {
      run: fromCallback(({ input, sendBack }) => {
        const running = program.run(input, desk(input.name), trees, sendBack);
        return running.leave;
      }),
      endGently: fromPromise(({ input, signal }) =>
        told(program.askToEnd(input, desk(input.name), trees, signal), 'ending the program of', input.name),
      ),
      endByForce: fromPromise(({ input, signal }) =>
        told(program.kill(input, trees, signal), 'ending the program of', input.name),
      ),
    } satisfies Required<Parameters<typeof processMachine.provide>[0]['actors']>,
  });

  const watchdogActor = watchdogMachine.provide({
    actors: {
      probe: fromPromise(async ({ input, signal }) => {
        const began = performance.now();
        const note = (isHealthy: boolean) => {
          if (!signal.aborted) probed?.(input.name, (performance.now() - began) / 1000, isHealthy);
        };
        try {
          await program.probe(input, desk(input.name), signal);
          note(true);
        } catch (thrown) {
          note(false);
          throw thrown;
        }
      }),
    } satisfies Required<Parameters<typeof watchdogMachine.provide>[0]['actors']>,
  });

  const programActor = programMachine.provide({
    actors: { process: processActor, watchdog: watchdogActor } satisfies Required<
      Parameters<typeof programMachine.provide>[0]['actors']
    >,
    actions: {
      tell: ({ context }, news) => {
        if (news !== null) tell(context.name, news);
      },
    },
  });

  const appActor = appMachine.provide({
    actors: {
      program: programActor,
      open: slot(app.open),
      ask: slot(app.ask),
      fetch: slot(app.fetch),
      test: slot(app.test),
      pull: slot(app.pull),
      script: slot(app.script),
      handOver: slot((input, at, _office, signal) => handOver(input, at, signal)),
      drain: slot((input, at, _office, signal) => drain(input, at, signal)),
      shut: slot((_input, at) => shut(at)),
      close: fromPromise(async ({ input }) => {
        const at = desk(input.name);
        if (!input.isDetached) await shut(at);
        at.doors.proxy?.leave();
        await at.idle();
      }),
    } satisfies Required<Parameters<typeof appMachine.provide>[0]['actors']>,
    actions: {
      tell: ({ context }, news) => {
        if (news !== null) tell(context.name, news);
      },
      record: ({ context }, entry) => {
        if (entry !== null) record(context.name, entry);
      },
    },
  });

  return huddleMachine.provide({
    actors: {
      app: appActor,
      configs: fromCallback(({ sendBack }) => watch(sendBack)),
    } satisfies Required<Parameters<typeof huddleMachine.provide>[0]['actors']>,
  });
}

/** What the system refuses (no descriptors, no memory) is no fault of Huddle's, and is told as what it is. */
function told<T>(work: Promise<T>, doing: string, subject: string): Promise<T> {
  return work.catch((thrown: unknown) => {
    throw orRefused(thrown, doing, subject);
  });
}
