import { enqueueActions, sendTo } from 'xstate';
import { isStale, runningConfig } from './app-context.ts';
import { appNotes } from './app-notes.ts';
import type { HistoryEntry } from './facts.ts';
import type { News } from './news.ts';
import { disturbance } from './policy.ts';
import type { ProgramCommand } from './protocol.ts';

/** The vocabulary of the flow chart in app.ts, by name: to what it notes, what it tells and asks of its program. */
export const appSetup = appNotes.extend({
  actions: {
    /** Says what happened, for the log. */
    tell: (_scene, _news: News | null) => {},
    /** Adds a line to the history. */
    record: (_scene, _entry: HistoryEntry | null) => {},

    // -- the program
    start: enqueueActions(({ context: { target, config }, enqueue }) => {
      if (config.application.start === null || target === null) return;
      enqueue.sendTo('program', { type: 'start', revision: target.revision, config });
    }),
    startCurrent: enqueueActions(({ context: { facts, config }, enqueue }) => {
      if (config.application.start === null || facts.current === null) return;
      enqueue.sendTo('program', { type: 'start', revision: facts.current, config });
    }),
    stop: enqueueActions(({ context, enqueue }) => {
      if (context.program.state !== 'down') enqueue.sendTo('program', { type: 'stop' });
    }),
    /** A job that has ended is not to be taken up again by a change of its config. */
    keepDown: sendTo('program', { type: 'stop' }),
    kill: sendTo('program', { type: 'kill' }),
    restartProgram: enqueueActions(({ context, enqueue }) => {
      if (!isStale(context)) enqueue.sendTo('program', { type: 'restart' });
    }),
    replace: sendTo('program', ({ context }): ProgramCommand => ({
      type: isStale(context) ? 'configure' : 'replace',
      config: runningConfig(context),
    })),
    /** What a changed repository brings along for a program that runs. */
    adapt: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'config') return;
      const { config } = event;
      const { repository } = context.config;
      const isUp = context.program.state !== 'down';
      const isElsewhere = config.repository.localPath !== repository.localPath;
      const isChanged = disturbance(context.config, { ...config, repository }) === 'program';
      if (isUp && config.application.start === null) enqueue.sendTo('program', { type: 'stop' });
      const isReplaced = isUp && isChanged && !isElsewhere && config.application.start !== null;
      const { placedAt } = context;
      enqueue.sendTo('program', {
        type: isReplaced ? 'replace' : 'configure',
        config: runningConfig({ config, placedAt }),
      });
    }),
    configure: sendTo('program', ({ context }): ProgramCommand => ({
      type: 'configure',
      config: runningConfig(context),
    })),
  },
});
