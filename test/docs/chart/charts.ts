import { appMachine } from '../../../machines/app.ts';
import { programMachine } from '../../../machines/program.ts';
import type { View } from './read.ts';

/** A statechart for people. */
export interface Chart extends View {
  /** For who cannot see it. */
  readonly title: string;
  /** What is told under the drawing instead of in it. */
  readonly note: string;
  /** States that are gone through in this order when all goes well. */
  readonly main: readonly string[];
}

/** The statecharts that are drawn, by the names of their files. */
export const charts: Readonly<Record<string, Chart>> = {
  app: {
    machine: appMachine,
    title: 'The life of an app',
    note: 'In every state: stop leads by stopping to stopped; restart, deploy, rollback and an edited file take effect at once, or after the deployment. Side by side the order is pulling, restarting, stopping.',
    states: asThey('cloning checking testing stopping pulling restarting running waiting stopped'),
    choices: [],
    passing: { idle: { waiting: 'nothing to run' }, returning: {} },
    ofEveryState: listed('stop retire shutdown kill detach config restart deploy rollback program.down'),
    leftOut: ['pulling > stopped', 'running > restarting'],
    main: listed('running checking testing stopping pulling restarting running'),
  },
  program: {
    machine: programMachine,
    title: 'The life of its program',
    note: 'A restart ends what runs and starts it anew, from every state.',
    states: {
      down: 'down',
      'instance.serving.starting': 'starting',
      'instance.serving.up': 'up',
      'instance.stopping': 'stopping',
      'instance.ending': 'ended',
      judging: 'ended',
      backingOff: 'backing off',
      givenUp: 'given up',
    },
    choices: ['ended'],
    passing: { stopped: {} },
    ofEveryState: listed('kill restart replace configure abandon'),
    leftOut: [],
    main: listed('down starting up'),
  },
};

function listed(text: string): string[] {
  return text.split(' ');
}

/** States that are called by their names in the machine. */
function asThey(names: string): Record<string, string> {
  return Object.fromEntries(listed(names).map((name) => [name, name]));
}
