import type { Facts, Revision } from '../../machines/facts.ts';
import type { ProgramState, Side } from '../../machines/protocol.ts';

// What must hold whatever happens, stated apart from the machines: by what is seen of an app from outside, and by what
// it did. The graph (graph.test.ts) and the walks (walks.test.ts) hold every moment of every life against it.

/** What can be seen of an app at one instant. */
export interface Look {
  /** By the words of the contract; `leaving` and `gone` at the end. */
  readonly state: string;
  /** A deployment side by side is under way. */
  readonly isBeside: boolean;
  /** One of its programs is being stopped. */
  readonly isEnding: boolean;
  /** By its config. */
  readonly isSideBySide: boolean;
  readonly lead: Side;
  /** The revision that the program that leads was last started on. */
  readonly leading: Revision | null;
  readonly facts: Facts;
  /** As the app believes. */
  readonly program: ProgramState;
  /** The revisions whose processes are alive. */
  readonly alive: readonly Revision[];
  /** The program that leads has a process. */
  readonly isLeadAlive: boolean;
  readonly hasProgram: boolean;
  /** There is a program, and it is wanted up for ever. */
  readonly isServer: boolean;
}

/** What the past says about the present. */
export interface Chronicle {
  /** Revisions that have proved themselves. */
  readonly accepted: readonly Revision[];
  /** Revisions that passed their test since they were last rejected. */
  readonly passed: readonly Revision[];
  /** Revisions that an operator wants all the same; `*` is the newest, whichever it is. */
  readonly named: readonly Revision[];
  /** An operator's order, or an edit of the config, is still being carried out. */
  readonly isOrdered: boolean;
  /** What was last begun to be put in place. */
  readonly pulled: Revision | null;
  readonly isDetached: boolean;
  /** A process has once refused to die. */
  readonly isStuck: boolean;
  /** Somebody, or the watchdog, has had the program ended, and it has not come to rest since. */
  readonly isEnded: boolean;
  /** The watchdog finds it sick. */
  readonly isSick: boolean;
}

/** A state of the machine by the words of the contract. */
export function contractState(value: string | object): string {
  if (typeof value === 'string') return value;
  const [state = '', inner] = Object.entries(value)[0] ?? [];
  return state === 'beside' ? contractState(inner as string | object) : state;
}

/**
 * What happened at once: one event, and what it led to. Deeds are `spawn a`, `gone a`, `proved a` (it was up for as
 * long as it had to settle, or did its job), `told a` (the world was turned to it), `pull a`, `passed a`, `stuck a`, `ask`,
 * `fetch a` and so on, in order.
 */
export interface Moment {
  readonly before: Look;
  readonly event: string;
  readonly deeds: readonly string[];
  readonly after: Look;
}

export const beginning = (facts: Facts): Chronicle => ({
  accepted: [facts.good, facts.previous].filter((revision) => revision !== null),
  passed: [],
  named: [],
  isOrdered: false,
  pulled: null,
  isDetached: false,
  isStuck: false,
  isEnded: true,
  isSick: false,
});

/** The chronicle with one more moment in it. */
export function chronicle(past: Chronicle, moment: Moment): Chronicle {
  const { before, event, deeds } = moment;
  const [verb = '', object = '*'] = event.split(' ');
  const fresh = newRejections(moment);
  const isFresh = (revision: Revision) => fresh.includes(revision);
  const isOrder = ['deploy', 'rollback', 'start', 'restart', 'resume', 'check', 'config'].includes(verb);
  const wasResting = ['running', 'waiting', 'stopped'].includes(before.state);
  const isOrdered = isOrder || (past.isOrdered && !wasResting);
  const named = verb === 'deploy' ? [...past.named, object] : past.named;
  return {
    accepted: unique([...past.accepted, ...objects(deeds, 'proved'), ...withoutProgram(past, moment)]),
    passed: unique([...past.passed, ...objects(deeds, 'passed')]).filter((revision) => !isFresh(revision)),
    // An order that is still to be carried out outlives a rejection.
    named: isOrdered
      ? unique(named)
      : named.filter((revision) => fresh.length === 0 || !['*', ...fresh].includes(revision)),
    isOrdered,
    pulled: objects(deeds, 'pull').at(-1) ?? past.pulled,
    isDetached: past.isDetached || verb === 'detach',
    isStuck: past.isStuck || objects(deeds, 'stuck').length > 0,
    isEnded: isEnding(moment) || (past.isEnded && !(moment.after.state === 'running' && moment.after.program === 'up')),
    isSick: /^(watchdog.unhealthy|health failed)/.test(event) || (past.isSick && event !== 'health well'),
  };
}

export interface Invariant {
  readonly title: string;
  /** `past` holds the moment itself already. */
  readonly isBroken: (moment: Moment, past: Chronicle) => boolean;
}

export const invariants: readonly Invariant[] = [
  {
    title: 'never two programs of one app are alive in place',
    isBroken: (moment) =>
      !moment.before.isSideBySide &&
      !moment.after.isSideBySide &&
      moment.before.alive.length < 2 &&
      replay(moment).some(({ alive }) => alive.length > 1),
  },
  {
    title: 'never more than two programs of one app are alive',
    isBroken: (moment) => replay(moment).some(({ alive }) => alive.length > 2),
  },
  {
    title: 'at rest no more than one program is alive',
    isBroken: ({ after }, { isStuck }) =>
      ['running', 'checking', 'testing', 'waiting'].includes(after.state) && after.alive.length > 1 && !isStuck,
  },
  {
    title: 'side by side there is no moment without a program that was accepted, unless it has ended or was to end',
    isBroken: (moment, { accepted, isEnded, isSick }) =>
      isGapless(moment) &&
      !isEnded &&
      !isSick &&
      isServing(moment.before.alive, accepted) &&
      replay(moment).some(({ alive }) => !isServing(alive, accepted)),
  },
  {
    title: 'side by side who comes to lead has been accepted',
    isBroken: (moment, { accepted }) => isSwitch(moment) && !accepted.includes(moment.after.leading ?? 'nothing'),
  },
  {
    title: 'side by side nobody comes to lead before the world has been turned to it',
    isBroken: (moment) => isSwitch(moment) && objects(moment.deeds, 'told').length === 0,
  },
  {
    title: 'side by side what is good and in place changes with who leads, and with nothing else',
    isBroken: (moment, { accepted }) => {
      const { before, after } = moment;
      const { facts, lead, leading } = after;
      if (!before.isBeside || !after.isSideBySide) return false;
      if (before.lead !== lead) return isSwitch(moment) && (facts.good !== leading || facts.current !== leading);
      // Nothing serves any more, and a way back in place has begun in the same moment.
      if (!after.isBeside && ['stopping', 'pulling', 'restarting'].includes(after.state)) return false;
      // What was kept without having been accepted may be so by now.
      const isLate = facts.good === leading && accepted.includes(leading ?? 'nothing');
      return facts.current !== before.facts.current || (facts.good !== before.facts.good && !isLate);
    },
  },
  {
    title: 'the tree is never touched while a program is alive',
    isBroken: (moment) =>
      !isAside(moment) &&
      ((moment.after.state === 'pulling' && moment.after.alive.length > 0) ||
        replay(moment).some(({ verb, alive }) => ['pull', 'pre-pull', 'post-pull'].includes(verb) && alive.length > 0)),
  },
  {
    title: 'the release in charge is never touched while its program is alive',
    isBroken: (moment) =>
      isAside(moment) &&
      // One that could not be made whole is to be.
      moment.before.facts.pulling === null &&
      replay(moment).some(
        ({ verb, object, alive }) =>
          ['pull', 'post-pull'].includes(verb) && object === moment.before.facts.current && alive.includes(object),
      ),
  },
  {
    title: 'a rejected revision is never started by itself while there is a good one',
    isBroken: ({ before, deeds, after }, { passed, named }) =>
      before.facts.good !== null &&
      // What had been started before it was rejected may still come up, to be stopped.
      !after.isEnding &&
      objects(deeds, 'spawn').some((started) => {
        const rejection = before.facts.rejected.find(({ revision }) => revision === started);
        if (rejection === undefined || started === before.facts.good) return false;
        const isRetested = rejection.why === 'test failed' && passed.includes(started);
        return !isRetested && !named.includes(started) && !named.includes('*');
      }),
  },
  {
    title: 'the good revision and the one before are ones that were accepted',
    isBroken: ({ after: { facts } }, { accepted }) =>
      [facts.good, facts.previous].some((revision) => revision !== null && !accepted.includes(revision)),
  },
  {
    title: 'the good revision is not a rejected one',
    isBroken: ({ after: { facts, state } }) =>
      state === 'running' && facts.rejected.some(({ revision }) => revision === facts.good),
  },
  {
    title: 'what is started is what is in place, unless that could not be made whole',
    isBroken: (moment, { pulled }) => {
      const { before, deeds, after } = moment;
      const known = [before.facts.current, after.facts.current];
      const wanted = isAside(moment) ? [...known, pulled, ...before.alive] : known;
      const isWhole = before.facts.pulling === null && after.facts.pulling === null;
      // What is no longer wanted may still come up, to be stopped.
      return isWhole && !after.isEnding && objects(deeds, 'spawn').some((started) => !wanted.includes(started));
    },
  },
  {
    title: 'after stop, retire and shutdown no process is alive',
    isBroken: ({ after }, { isDetached, isStuck }) =>
      (after.state === 'stopped' || (after.state === 'gone' && !isDetached && !isStuck)) && after.alive.length > 0,
  },
  {
    title: 'detach leaves the program alone',
    isBroken: ({ before, event, deeds, after }) =>
      event === 'detach' &&
      (objects(deeds, 'gone').length > 0 || (after.program === 'stopping' && before.program !== 'stopping')),
  },
  {
    title: 'a stopped app does nothing until it is told to',
    isBroken: ({ before, event, deeds }) =>
      before.state === 'stopped' &&
      !['start', 'restart', 'deploy'].includes(event.split(' ')[0] ?? '') &&
      deeds.some((deed) => deed !== 'close'),
  },
  {
    title: 'a stopped app is written down as stopped, and one that lives on is not',
    isBroken: ({ after: { state, facts } }) =>
      facts.stopped
        ? ['cloning', 'testing', 'waiting', 'running', 'checking', 'restarting'].includes(state)
        : state === 'stopped',
  },
  {
    title: 'a paused or pinned app never checks by itself',
    isBroken: ({ before, deeds }, { isOrdered }) =>
      (before.facts.paused || before.facts.pinned) &&
      ['running', 'waiting', 'restarting', 'pulling', 'stopping'].includes(before.state) &&
      !isOrdered &&
      // To open the place of a good revision asks nothing of the remote.
      deeds.some((deed) =>
        ['ask', 'fetch', 'test', ...(before.facts.good === null ? ['open'] : [])].includes(deed.split(' ')[0] ?? ''),
      ),
  },
  {
    title: 'a tree that is being changed is written down as such beforehand',
    isBroken: ({ after: { state, isBeside, facts } }) => state === 'pulling' && !isBeside && facts.pulling === null,
  },
  {
    title: 'the program of a running app is not left down',
    isBroken: ({ before, after }, { isStuck }) =>
      ['running', 'checking', 'testing'].includes(after.state) &&
      ['running', 'checking', 'testing'].includes(before.state) &&
      after.isServer &&
      before.isServer &&
      (after.state === 'running' || after.facts.good !== null) &&
      !isStuck &&
      after.program === 'down',
  },
];

/** The titles of what a moment breaks. */
export function broken(moment: Moment, past: Chronicle): string[] {
  return invariants.filter(({ isBroken }) => isBroken(moment, past)).map(({ title }) => title);
}

/** The deeds one by one, each with what was alive right after it. */
function replay({ before, deeds }: Moment): { verb: string; object: string; alive: Revision[] }[] {
  let alive = [...before.alive];
  return deeds.map((deed) => {
    const [verb = '', object = ''] = deed.split(' ');
    if (verb === 'spawn') alive = [...alive, object];
    if (verb === 'gone') alive = alive.filter((_, index) => index !== alive.indexOf(object));
    return { verb, object, alive };
  });
}

/** Another one comes to lead; in one moment it may have been replaced, in place, by what is still to be accepted. */
function isSwitch({ before, deeds, after: { lead, leading } }: Moment): boolean {
  return before.lead !== lead && !deeds.includes(`spawn ${leading}`);
}

/** Somebody wants the program ended, or the watchdog does. */
function isEnding({ before, event, after }: Moment): boolean {
  const isOrder = /^(stop|retire|shutdown|kill|detach|restart|timer readyTimeout)\b/.test(event);
  return isOrder || !isSideBySide({ before, after }) || !before.hasProgram || !after.hasProgram;
}

function isSideBySide({ before, after }: Pick<Moment, 'before' | 'after'>): boolean {
  return before.isSideBySide && after.isSideBySide;
}

/** Whether the program that leads has to stay alive: it does not end by itself now, nor has it before. */
function isGapless(moment: Moment): boolean {
  const { isServer, isLeadAlive } = moment.before;
  return isSideBySide(moment) && isServer && isLeadAlive && !/^exits?\b/.test(moment.event);
}

function isServing(alive: readonly Revision[], accepted: readonly Revision[]): boolean {
  return alive.some((revision) => accepted.includes(revision));
}

/** What happens now is part of a deployment side by side. */
function isAside({ before, after }: Moment): boolean {
  return before.isBeside || after.isBeside;
}

function newRejections({ before, after }: Moment): Revision[] {
  const known = new Set(before.facts.rejected);
  return after.facts.rejected.filter((rejection) => !known.has(rejection)).map(({ revision }) => revision);
}

function objects(deeds: readonly string[], wanted: string): Revision[] {
  return deeds.filter((deed) => deed.startsWith(`${wanted} `)).map((deed) => deed.slice(wanted.length + 1));
}

/** Where there is no program, a revision that has been put in place is good. */
function withoutProgram({ pulled }: Chronicle, { before, deeds, after }: Moment): Revision[] {
  if (before.hasProgram && after.hasProgram) return [];
  return [pulled, after.facts.current, ...objects(deeds, 'pull')].filter((revision) => revision !== null);
}

const unique = (list: readonly string[]): string[] => [...new Set(list)].toSorted();
