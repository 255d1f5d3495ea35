import { connect } from 'node:net';
import type { Board } from './board.ts';
import { nowhere } from './board.ts';

/** Who waits until a release can answer. */
export interface Waiter {
  go(): void;
}

/** Between two looks whether a release that refused a connection takes one; milliseconds. */
const pause = 50;

/**
 * Holds requests back while no release can answer: none is in charge yet, or the one that is refuses connections. Only
 * the gate knocks then, so that a crowd that waits does not storm a program that starts.
 */
export class Gate {
  readonly #board: Board;
  readonly #worker: number;
  /** How many may wait here. */
  readonly #room: number;
  readonly #waiters = new Set<Waiter>();
  #isRefused = false;
  #knock: NodeJS.Timeout | undefined;

  constructor(board: Board, worker: number, room: number) {
    this.#board = board;
    this.#worker = worker;
    this.#room = room;
  }

  get isOpen(): boolean {
    return !this.#isRefused;
  }

  /** Whether there was room; `go` comes when a release answers, unless `leave` is called before. */
  wait(waiter: Waiter): boolean {
    if (this.#waiters.size >= this.#room) return false;
    this.#waiters.add(waiter);
    this.#tell();
    return true;
  }

  leave(waiter: Waiter): void {
    if (this.#waiters.delete(waiter)) this.#tell();
  }

  /** The release at a place has refused a connection. */
  refused(place: number): void {
    if (this.#isRefused || place !== this.#board.current) return;
    this.#isRefused = true;
    this.#knockLater();
  }

  /** Lets all go on, who come back when they are refused again: another release is in charge. */
  open(): void {
    clearTimeout(this.#knock);
    this.#isRefused = false;
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    this.#tell();
    for (const waiter of waiters) waiter.go();
  }

  #knockLater(): void {
    clearTimeout(this.#knock);
    this.#knock = setTimeout(() => this.#knockOnce(), pause);
  }

  #knockOnce(): void {
    const place = this.#board.current;
    // The next one who comes may find out.
    if (this.#waiters.size === 0) this.#isRefused = false;
    if (place === nowhere || !this.#isRefused) return;
    const probe = connect(this.#board.at(place).port, '127.0.0.1');
    // An answer that comes after another release has been put in charge says nothing of that one.
    const isStale = (): boolean => !this.#isRefused || place !== this.#board.current;
    probe.once('connect', () => {
      probe.destroy();
      if (!isStale()) this.open();
    });
    probe.once('error', () => {
      if (!isStale()) this.#knockLater();
    });
  }

  #tell(): void {
    this.#board.wait(this.#worker, this.#waiters.size);
  }
}
