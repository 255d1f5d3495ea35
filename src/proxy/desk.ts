import { readFileSync, writeFileSync } from 'node:fs';
import { Failure } from '../../machines/failure.ts';
import { errorCode, refusal } from '../ledger/paths.ts';
import { here } from '../platform/here.ts';
import { nowhere, places } from './board.ts';
import type { Crew } from './crew.ts';
import { pointingIn, type ReleaseStatus } from './requests.ts';
import type { Pointing, ProxySettings, Target } from './settings.ts';

/** Until what could not be written is tried again; milliseconds. */
const retry = 5000;

interface Place extends Target {
  /** Runs while the release is not in charge any more and may still have open requests. */
  drain: NodeJS.Timeout | undefined;
}

/** Knows the releases, points the crew to one of them, and remembers that for the next proxy. */
export class Desk {
  readonly #crew: Crew;
  readonly #memory: string;
  readonly #log: (line: string) => void;
  readonly #places: (Place | undefined)[] = Array.from({ length: places });
  readonly #waiting = new Set<() => void>();
  #unwritten: string | null = null;
  #retry: NodeJS.Timeout | undefined;
  #drainTimeout: number;

  constructor(crew: Crew, { memory, drainTimeout }: ProxySettings, log: (line: string) => void) {
    this.#crew = crew;
    this.#memory = memory;
    this.#drainTimeout = drainTimeout;
    this.#log = log;
    crew.onLeft = () => this.#look();
  }

  get target(): Target | null {
    const place = this.#places[this.#crew.board.current];
    return place === undefined ? null : { port: place.port, revision: place.revision };
  }

  /** How long open requests may keep an old release alive, and the proxy itself when it is to end; seconds. */
  get drainTimeout(): number {
    return this.#drainTimeout;
  }

  /** Why the file does not say where this proxy points; null when it does. */
  get unwritten(): string | null {
    return this.#unwritten;
  }

  /** The release in charge, and those before it that still have open requests. */
  get releases(): ReleaseStatus[] {
    const { board } = this.#crew;
    return this.#places.flatMap((place, index) => {
      if (place === undefined) return [];
      const { port, revision } = place;
      return [{ port, revision, inCharge: index === board.current, open: board.open(index) }];
    });
  }

  /**
   * From the moment in which it returns every new request goes to that release; without one they wait. What is under
   * way ends where it began, or is cut after the drain timeout.
   */
  point(to: Pointing | null): void {
    const { board } = this.#crew;
    const before = board.current;
    const target = to && { port: to.port, revision: to.revision };
    const place = target === null ? nowhere : this.#placeOf(target);
    this.#drainTimeout = to?.drainTimeout ?? this.#drainTimeout;
    this.#remember(target);
    if (place === before) return;
    clearTimeout(this.#places[place]?.drain);
    board.current = place;
    this.#crew.tell({ type: 'pointed' });
    if (before !== nowhere) this.#drain(before);
    this.#log(target === null ? 'requests wait' : `requests go to ${target.revision}, port ${target.port}`);
    this.#look();
  }

  /** What the proxy before this one was pointed to. What cannot be read is told, and requests wait. */
  recall(): void {
    const memory = this.#memory;
    try {
      const { target } = JSON.parse(readFileSync(memory, 'utf8')) as { target: unknown };
      if (target !== null) this.point(pointingIn(target));
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return;
      this.#log(`${memory} does not say where to point: ${refusal(error)}`);
    }
  }

  /** Whether no release at a port has open requests, but for the one in charge. */
  isDrained(port: number): boolean {
    return this.#places.every((place, index) => place?.port !== port || index === this.#crew.board.current);
  }

  /** Calls back whenever a release may have been drained; what it returns ends that. */
  whenLeft(look: () => void): () => void {
    this.#waiting.add(look);
    return () => void this.#waiting.delete(look);
  }

  close(): void {
    clearTimeout(this.#retry);
    for (const place of this.#places) clearTimeout(place?.drain);
  }

  /** The place that a release has, or a free one. */
  #placeOf({ port, revision }: Target): number {
    const known = this.#places.findIndex((place) => place?.port === port && place.revision === revision);
    if (known !== nowhere) return known;
    const free = this.#places.indexOf(undefined);
    if (free === nowhere) throw tooMany(revision);
    this.#places[free] = { port, revision, drain: undefined };
    this.#crew.board.settle(free, port);
    return free;
  }

  #drain(index: number): void {
    const place = this.#places[index];
    if (place === undefined) return;
    const drainTimeout = this.#drainTimeout;
    place.drain = setTimeout(() => {
      this.#log(`${this.#crew.board.open(index)} requests at ${place.revision} are cut after ${drainTimeout} s`);
      this.#crew.tell({ type: 'cut', place: index });
    }, drainTimeout * 1000);
  }

  /** Releases that are not in charge and have no open request are forgotten; whoever waits for that is called. */
  #look(): void {
    const { board } = this.#crew;
    for (const [index, place] of this.#places.entries()) {
      if (place === undefined || index === board.current || board.open(index) > 0) continue;
      clearTimeout(place.drain);
      this.#places[index] = undefined;
    }
    for (const look of this.#waiting) look();
  }

  /** A full disk must not keep anybody from being served: written as soon as it can be. */
  #remember(target: Target | null): void {
    clearTimeout(this.#retry);
    const memory = this.#memory;
    const fresh = `${memory}.new`;
    try {
      writeFileSync(fresh, `${JSON.stringify({ target })}\n`, { mode: 0o600, flush: true });
      here.rename(fresh, memory);
      this.#unwritten = null;
    } catch (error) {
      const reason = refusal(error);
      if (reason !== this.#unwritten) this.#log(`${memory} cannot be written: ${reason}`);
      this.#unwritten = reason;
      this.#retry = setTimeout(() => this.#remember(this.target), retry);
    }
  }
}

function tooMany(revision: string): Failure {
  return new Failure('limit-reached', {
    doing: 'pointing the proxy to',
    subject: revision,
    reason: `${places - 1} releases before it still have open requests`,
    hint: 'Wait until they have ended, or make application.drain timeout shorter.',
  });
}
