import { assign, fromCallback, fromPromise, sendParent, setup } from 'xstate';
import type { AppConfig } from './config.ts';
import { asFailure, Failure } from './failure.ts';
import type { Exit, ProcessInput, ProcessOutput, ProcessReport, TreeInput } from './slots.ts';

/**
 * One operating-system process and all that it starts.
 *
 * `starting` until it has a pid, `up` until it exits or is asked to stop. However it ends, nothing of its tree is left
 * when this machine is done: after an exit the leftovers are swept, after a stop that is not heeded they are killed.
 */

/** What a process's machine knows. */
export interface ProcessContext extends ProcessInput {
  config: AppConfig;
  pid: number | null;
  spawnedAt: number;
  adopted: boolean;
  exitedAt: number;
  exit: Exit | null;
  failure: Failure | null;
  /** Why it could not even be tried to kill it. */
  obstacle: Failure | null;
}

export type ProcessEvent = ProcessReport | { type: 'stop'; config?: AppConfig } | { type: 'kill' };

/** To the program that owns it. */
export type ProcessNotice =
  | { readonly type: 'process.up'; readonly pid: number; readonly at: number; readonly adopted: boolean }
  /** It has exited by itself; what it left behind is being swept. */
  | { readonly type: 'process.ended' }
  | { readonly type: 'process.stuck'; readonly failure: Failure };

const unfilled = (slot: string) => () => {
  throw new Error(`the slot ${slot} has not been filled`);
};

export const processMachine = setup({
  types: {
    context: {} as ProcessContext,
    events: {} as ProcessEvent,
    input: {} as ProcessInput,
    output: {} as ProcessOutput,
    tags: {} as 'ending',
  },
  actors: {
    /** Spawns the process, and reports what becomes of it. Lives as long as this machine. */
    run: fromCallback<ProcessEvent, ProcessInput>(unfilled('run')),
    /** Asks the whole tree to end; resolves when none of it is left. */
    endGently: fromPromise<void, TreeInput>(unfilled('endGently')),
    /** Kills the whole tree; resolves when none of it is left. */
    endByForce: fromPromise<void, TreeInput>(unfilled('endByForce')),
  },
  actions: {
    noteSpawn: assign(({ event }) =>
      event.type === 'process.spawned' ? { pid: event.pid, spawnedAt: event.at, adopted: event.adopted ?? false } : {},
    ),
    noteConfig: assign(({ event }) => (event.type === 'stop' && event.config ? { config: event.config } : {})),
    noteExit: assign(({ event }) => (event.type === 'process.exited' ? { exit: event.exit, exitedAt: event.at } : {})),
    noteFailure: assign(({ event }) => (event.type === 'process.failed' ? { failure: event.failure } : {})),
    forgetObstacle: assign({ obstacle: null }),
    noteObstacle: assign((_scene, obstacle: Failure) => ({ obstacle })),
    announce: sendParent(({ context }): ProcessNotice => ({
      type: 'process.up',
      pid: context.pid ?? 0,
      at: context.spawnedAt,
      adopted: context.adopted,
    })),
    announceEnd: sendParent((): ProcessNotice => ({ type: 'process.ended' })),
    announceStuck: sendParent(({ context }): ProcessNotice => ({
      type: 'process.stuck',
      failure: stuckFailure(context),
    })),
  },
  delays: {
    stopTimeout: ({ context }) => context.config.application.stopTimeout * 1000,
    stuckTimeout: 30_000,
    sweepAgain: 5_000,
  },
}).createMachine({
  id: 'process',
  context: ({ input }) => ({
    ...input,
    pid: null,
    spawnedAt: 0,
    adopted: false,
    exitedAt: 0,
    exit: null,
    failure: null,
    obstacle: null,
  }),
  invoke: { src: 'run', input: ({ context }) => context },
  on: { 'process.exited': { actions: 'noteExit' } },
  initial: 'starting',
  states: {
    starting: {
      initial: 'wanted',
      states: {
        wanted: {
          on: {
            stop: { target: 'unwanted', actions: 'noteConfig' },
            kill: 'condemned',
            'process.spawned': { target: '#process.up', actions: ['noteSpawn', 'announce'] },
          },
        },
        unwanted: {
          on: {
            kill: 'condemned',
            'process.spawned': { target: '#process.stopping', actions: ['noteSpawn', 'announce'] },
          },
        },
        condemned: {
          on: { 'process.spawned': { target: '#process.sweeping', actions: ['noteSpawn', 'announce'] } },
        },
      },
      on: { 'process.failed': { target: 'gone', actions: 'noteFailure' } },
    },
    up: {
      on: {
        'process.exited': { target: 'sweeping', actions: ['noteExit', 'announceEnd'] },
        stop: { target: 'stopping', actions: 'noteConfig' },
        kill: 'sweeping',
      },
    },
    stopping: {
      tags: 'ending',
      invoke: { src: 'endGently', input: ({ context }) => context, onDone: 'gone', onError: 'sweeping' },
      on: { stop: {}, kill: 'sweeping' },
      after: { stopTimeout: 'sweeping' },
    },
    sweeping: {
      tags: 'ending',
      entry: 'forgetObstacle',
      invoke: {
        src: 'endByForce',
        input: ({ context }) => context,
        onDone: 'gone',
        onError: { target: 'stuck', actions: { type: 'noteObstacle', params: ({ event }) => asFailure(event.error) } },
      },
      initial: 'killing',
      states: {
        killing: { after: { stuckTimeout: 'stuck' } },
        /** Said again, since whoever waits for it may have come later. */
        stuck: { entry: 'announceStuck', after: { stuckTimeout: { target: 'stuck', reenter: true } } },
      },
    },
    /** The killing itself failed (no descriptors to look with): tried again soon, and no new start meanwhile. */
    stuck: { tags: 'ending', entry: 'announceStuck', after: { sweepAgain: 'sweeping' } },
    gone: { type: 'final' },
  },
  output: ({ context }) => ({
    exit: context.exit,
    failure: context.failure,
    ran: context.pid === null ? 0 : Math.max(0, context.exitedAt - context.spawnedAt),
  }),
});

function stuckFailure({ pid, obstacle }: ProcessContext): Failure {
  const parts = { doing: 'killing', subject: `process ${pid} and what it started` };
  if (obstacle !== null) {
    return new Failure(obstacle.code, { ...parts, reason: obstacle.reason, hint: obstacle.hint, cause: obstacle });
  }
  return new Failure('timeout', {
    ...parts,
    reason: 'some of it is still there after 30 s',
    hint: 'It may hang in the kernel (state D in ps): look at its disk or mount.',
  });
}
