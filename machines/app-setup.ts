import { enqueueActions, sendTo } from 'xstate';
import { type AppContext, isStale, runningConfig, startConfig } from './app-context.ts';
import { appNotes } from './app-notes.ts';
import type { HistoryEntry } from './facts.ts';
import type { News } from './news.ts';
import { disturbance } from './policy.ts';
import { otherSide, type OtherReport, type ProgramCommand, type ProgramReport } from './protocol.ts';

const lead = ({ context }: { context: AppContext }) => context.lead;

/** The vocabulary of the flow chart in app.ts, by name: to what it notes, what it tells and asks of its program. */
export const appSetup = appNotes.extend({
  actions: {
    /** Says what happened, for the log. */
    tell: (_scene, _news: News | null) => {},
    /** Adds a line to the history. */
    record: (_scene, _entry: HistoryEntry | null) => {},

    // -- the programs
    /** What the one that leads says is said of the app's program; of the other one, what its trial and its end need. */
    hear: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'program.told') return;
      const { by, report } = event;
      if (by === context.lead) return enqueue.raise(report);
      if (report.type === 'program.changed') return enqueue.assign({ other: report.status });
      const told = ofOther(report);
      if (told !== null) enqueue.raise(told);
    }),
    start: enqueueActions(({ context, enqueue }) => {
      const { target, lead } = context;
      const config = startConfig(context);
      if (config.application.start === null || target === null) return;
      enqueue.sendTo(lead, { type: 'start', revision: target.revision, config });
    }),
    startCurrent: enqueueActions(({ context, enqueue }) => {
      const { facts, lead } = context;
      const config = startConfig(context);
      if (config.application.start === null || facts.current === null) return;
      enqueue.sendTo(lead, { type: 'start', revision: facts.current, config });
    }),
    stop: enqueueActions(({ context: { lead, program, other }, enqueue }) => {
      if (program.state !== 'down') enqueue.sendTo(lead, { type: 'stop' });
      if (other.state !== 'down') enqueue.sendTo(otherSide(lead), { type: 'stop' });
    }),
    /** A job that has ended is not to be taken up again by a change of its config. */
    keepDown: sendTo(lead, { type: 'stop' }),
    kill: enqueueActions(({ context: { lead, other }, enqueue }) => {
      enqueue.sendTo(lead, { type: 'kill' });
      if (other.state !== 'down') enqueue.sendTo(otherSide(lead), { type: 'kill' });
    }),
    restartProgram: enqueueActions(({ context, enqueue }) => {
      if (!isStale(context)) enqueue.sendTo(context.lead, { type: 'restart' });
    }),
    replace: sendTo(lead, ({ context }): ProgramCommand => ({
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
      if (isUp && config.application.start === null) enqueue.sendTo(context.lead, { type: 'stop' });
      const isReplaced = isUp && isChanged && !isElsewhere && config.application.start !== null;
      const { placedAt } = context;
      enqueue.sendTo(context.lead, {
        type: isReplaced ? 'replace' : 'configure',
        config: runningConfig({ config, placedAt }),
      });
    }),
    configure: sendTo(lead, ({ context }): ProgramCommand => ({
      type: 'configure',
      config: runningConfig(context),
    })),
  },
});

function ofOther(report: ProgramReport): OtherReport | null {
  switch (report.type) {
    case 'program.live':
      return { type: 'other.live', at: report.at };
    case 'program.accepted':
      return { type: 'other.accepted' };
    case 'program.refused':
      return { type: 'other.refused', failure: report.failure };
    case 'program.stuck':
      return { type: 'other.stuck', failure: report.failure };
    default:
      return null;
  }
}
