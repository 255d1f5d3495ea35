import type { Agent } from 'node:http';
import { type Board, nowhere, places } from './board.ts';

/** Not by `import`: see `src/control/client.ts`. */
const http = process.getBuiltinModule('node:http');

/** A request under way, which may take too long. */
export interface Guest {
  cut(): void;
}

/** A worker's connections to one release. */
export interface Lane {
  readonly place: number;
  readonly serial: number;
  readonly port: number;
  readonly agent: Agent;
  readonly guests: Set<Guest>;
}

/**
 * A connection is kept for this long without a request: the keep-alive of servers ends after 2 s (gunicorn), 5 s (Node,
 * uvicorn) or more, and who writes in the instant in which the other side closes has lost a request. Milliseconds.
 */
const idle = 1000;

/** Idle connections that are kept; under load each is used again at once. */
const spare = 128;

/** The ways of one worker to the releases; it counts who is on them. */
export class Lanes {
  readonly #board: Board;
  readonly #worker: number;
  /** Called when the last request at a release that is not in charge has ended. */
  readonly #onLeft: () => void;
  readonly #lanes: (Lane | undefined)[] = Array.from({ length: places });

  constructor(board: Board, worker: number, onLeft: () => void) {
    this.#board = board;
    this.#worker = worker;
    this.#onLeft = onLeft;
  }

  /** The way to the release in charge; null while there is none. Whoever takes it has to leave it. */
  enter(guest: Guest): Lane | null {
    const place = this.#board.enter(this.#worker);
    if (place === nowhere) return null;
    const lane = this.#laneTo(place);
    lane.guests.add(guest);
    return lane;
  }

  leave(lane: Lane, guest: Guest): void {
    if (!lane.guests.delete(guest)) return;
    const left = this.#board.leave(this.#worker, lane.place);
    if (left === 0 && lane.place !== this.#board.current) this.#onLeft();
  }

  /** Another release is in charge: what is idle is closed, what is busy will be, and a release that is back keeps its own. */
  retire(): void {
    for (const lane of this.#lanes) {
      if (lane === undefined || lane.place === this.#board.current) continue;
      this.#lanes[lane.place] = { ...lane, agent: newAgent() };
      shut(lane.agent);
    }
  }

  /** Ends every request that is still at a release. */
  cut(place: number): void {
    for (const guest of this.#lanes[place]?.guests ?? []) {
      this.#board.cut(this.#worker);
      guest.cut();
    }
  }

  #laneTo(place: number): Lane {
    const { port, serial } = this.#board.at(place);
    const known = this.#lanes[place];
    if (known?.serial === serial) return known;
    if (known !== undefined) shut(known.agent);
    const lane = { place, serial, port, agent: newAgent(), guests: new Set<Guest>() };
    this.#lanes[place] = lane;
    return lane;
  }
}

const newAgent = (): Agent =>
  new http.Agent({ keepAlive: true, timeout: idle, maxFreeSockets: spare, scheduling: 'lifo' });

/** `destroy` would end the requests that are under way as well. */
function shut(agent: Agent): void {
  for (const socket of Object.values(agent.freeSockets).flatMap((sockets) => sockets ?? [])) socket.destroy();
  // Those in use come back to be kept when they are done.
  agent.on('free', (socket) => void socket.destroy());
}
