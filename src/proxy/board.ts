/** No release; every other one has a place from 0 on. */
export const nowhere = -1;

/** Releases that can have open requests at the same time, the one in charge included. */
export const places = 16;

/** Where the release in charge is written; what belongs to the places and the workers comes after it. */
const inCharge = 0;
const ports = 1;
const serials = ports + places;
const workers = serials + places;
/** Of each worker: its open requests at each place, how many it has cut, how many wait in it. */
const cuts = places;
const waits = places + 1;
const row = places + 2;

/**
 * What the threads of a proxy share: where requests go, and how many are under way. It is memory, not messages, so
 * that a switch is one store: no request that begins after it goes to the old release, in whatever thread, and none
 * that began before it is missing from the count.
 */
export class Board {
  readonly memory: SharedArrayBuffer;
  readonly #cells: Int32Array;

  /** A new board for so many workers, or the one that another thread has made. */
  constructor(from: number | SharedArrayBuffer) {
    const bytes = Int32Array.BYTES_PER_ELEMENT;
    this.memory = typeof from === 'number' ? new SharedArrayBuffer((workers + from * row) * bytes) : from;
    this.#cells = new Int32Array(this.memory);
    if (typeof from === 'number') Atomics.store(this.#cells, inCharge, nowhere);
  }

  get current(): number {
    return Atomics.load(this.#cells, inCharge);
  }

  set current(place: number) {
    Atomics.store(this.#cells, inCharge, place);
  }

  /** Gives a place to another release: its connections are not those of the one before. */
  settle(place: number, port: number): void {
    Atomics.store(this.#cells, ports + place, port);
    Atomics.add(this.#cells, serials + place, 1);
  }

  /** Of a place: the port, and a number that changes with its release. */
  at(place: number): { readonly port: number; readonly serial: number } {
    return { port: Atomics.load(this.#cells, ports + place), serial: Atomics.load(this.#cells, serials + place) };
  }

  /** Counts a request of a worker to the release in charge, and says which that is. */
  enter(worker: number): number {
    for (;;) {
      const place = this.current;
      if (place === nowhere) return nowhere;
      this.#add(worker, place, 1);
      // Whoever switches looks at the count afterwards: one that has missed the switch must not be in it.
      if (this.current === place) return place;
      this.#add(worker, place, -1);
    }
  }

  /** Takes it off again; how many the worker has left there. */
  leave(worker: number, place: number): number {
    return this.#add(worker, place, -1) - 1;
  }

  /** Counts a request that was ended because the time of its release was over. */
  cut(worker: number): void {
    this.#add(worker, cuts, 1);
  }

  /** Tells how many requests wait in a worker until a release can answer. */
  wait(worker: number, count: number): void {
    this.#set(worker, waits, count);
  }

  open(place: number): number {
    return this.#sum(place);
  }

  /** Since the proxy was started. */
  get cutSoFar(): number {
    return this.#sum(cuts);
  }

  get waiting(): number {
    return this.#sum(waits);
  }

  /** A worker has died, and its requests with it. */
  forget(worker: number): void {
    for (let place = 0; place < places; place++) this.#set(worker, place, 0);
    this.wait(worker, 0);
  }

  get #workers(): number {
    return (this.#cells.length - workers) / row;
  }

  #sum(cell: number): number {
    let sum = 0;
    for (let worker = 0; worker < this.#workers; worker++) sum += Atomics.load(this.#cells, cellOf(worker, cell));
    return sum;
  }

  #add(worker: number, cell: number, count: number): number {
    return Atomics.add(this.#cells, cellOf(worker, cell), count);
  }

  #set(worker: number, cell: number, value: number): void {
    Atomics.store(this.#cells, cellOf(worker, cell), value);
  }
}

const cellOf = (worker: number, cell: number): number => workers + worker * row + cell;
