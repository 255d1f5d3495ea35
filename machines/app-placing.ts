import { failureFrom, outputOf } from './app-answers.ts';
import { scriptInput } from './app-inputs.ts';
import { savedNews } from './app-news.ts';
import { appSetup } from './app-setup.ts';

/**
 * Pre-pull scripts, the new revision, post-pull scripts: what pulling is in place and beside. It ends in `placed`, `scriptFailed`
 * or `failed`, in which the two differ.
 */
export const placing = appSetup.createStateConfig({
  states: {
    first: { always: [{ guard: 'hasPrePull', target: 'before' }, { target: 'placing' }] },
    before: {
      invoke: {
        src: 'script',
        input: ({ context }) => scriptInput(context, 'pre-pull'),
        onDone: 'placing',
        onError: { target: 'scriptFailed', actions: { type: 'noteFailed', params: failureFrom } },
      },
    },
    placing: {
      invoke: {
        src: 'pull',
        input: ({ context: { name, config, facts, target } }) => ({
          name,
          config,
          branch: facts.branch ?? '',
          revision: target?.revision ?? '',
        }),
        onDone: [
          {
            guard: { type: 'hasPostPull', params: outputOf },
            target: 'after',
            actions: [
              { type: 'notePulled', params: outputOf },
              { type: 'tell', params: savedNews },
            ],
          },
          {
            target: 'placed',
            actions: [
              { type: 'notePulled', params: outputOf },
              { type: 'tell', params: savedNews },
            ],
          },
        ],
        onError: { target: 'failed', actions: { type: 'noteFailed', params: failureFrom } },
      },
    },
    after: {
      invoke: {
        src: 'script',
        input: ({ context }) => scriptInput(context, 'post-pull'),
        onDone: 'placed',
        onError: { target: 'scriptFailed', actions: { type: 'noteFailed', params: failureFrom } },
      },
    },
  },
}).states;
