import type { ClientRequest, IncomingMessage, InformationEvent, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { errorCode } from '../platform/error-code.ts';
import type { Gate, Waiter } from './gate.ts';
import { addTrailers, answerHeaders, hasBody, Refusal, requestHeaders } from './headers.ts';
import type { Guest, Lane, Lanes } from './lanes.ts';
import { connected, joined, switchedHead } from './upgrade.ts';

/** Not by `import`: see `src/control/client.ts`. */
const http = process.getBuiltinModule('node:http');

/** A client must not wait for ever for a program that knows nothing of `100 Continue` (RFC 9110, 10.1.1); milliseconds. */
const continueAnyway = 1000;

/** What all requests of a worker share. */
export interface Hall {
  readonly lanes: Lanes;
  readonly gate: Gate;
  /** How long a request waits until a release can answer; milliseconds. */
  readonly patience: number;
  /** The worker is to end: clients are told to come back on another connection. */
  isClosing: boolean;
}

/** Who asks. */
export interface Visit {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The client waits for leave to send its body. */
  readonly expects: boolean;
  /** For another protocol: what has come already after the head. */
  readonly head: Buffer | null;
}

/** One request, from its head to the last byte of its answer. */
export class Exchange implements Guest, Waiter {
  readonly #visit: Visit;
  readonly #hall: Hall;
  #lane: Lane | null = null;
  #outgoing: ClientRequest | null = null;
  #deadline: NodeJS.Timeout | undefined;
  /** What was sent on a kept connection and had no answer is sent once more, on a new one. */
  #isAgain = false;
  /** A byte of the body may have left: never again. */
  #isBodyOut = false;
  /** The client, once the connection is no HTTP any more. */
  #switched: Socket | null = null;
  /** The answer has come to its end. */
  #isWhole = false;

  constructor(visit: Visit, hall: Hall) {
    this.#visit = visit;
    this.#hall = hall;
  }

  begin(): void {
    this.#visit.response.once('close', () => this.#end());
    this.go();
  }

  /** Asks the release in charge, or waits until there is one that takes connections. */
  go(): void {
    const { gate, lanes } = this.#hall;
    this.#lane = gate.isOpen ? lanes.enter(this) : null;
    if (this.#lane === null) return this.#wait();
    clearTimeout(this.#deadline);
    try {
      this.#send(this.#lane);
    } catch (error) {
      this.#refuse(error instanceof Refusal ? error.status : 400, error instanceof Error ? error.message : '');
    }
  }

  /** The time of an old release is over. */
  cut(): void {
    this.#refuse(504, 'the release that had this request was replaced, and took too long');
  }

  #wait(): void {
    this.#deadline ??= setTimeout(() => this.#refuse(503, 'no release of the program can answer'), this.#hall.patience);
    if (!this.#hall.gate.wait(this)) this.#refuse(503, 'too many requests wait for the program');
  }

  #send(lane: Lane): void {
    const { request, expects, head } = this.#visit;
    const isUpgrade = head !== null;
    const options = {
      host: '127.0.0.1',
      port: lane.port,
      method: request.method,
      path: request.url,
      headers: requestHeaders(request, isUpgrade),
      agent: isUpgrade || this.#isAgain ? false : lane.agent,
      ...(isUpgrade && { allowHalfOpen: true }),
    };
    const outgoing = http.request(options);
    this.#outgoing = outgoing;
    outgoing.once('response', (incoming) => this.#answer(incoming));
    outgoing.on('error', (error) => this.#failed(outgoing, error));
    if (isUpgrade) outgoing.once('upgrade', (incoming, socket: Socket, rest) => this.#switch(incoming, socket, rest));
    if (request.httpVersionMinor > 0) outgoing.on('information', (early) => this.#tellEarly(early));
    if (expects) this.#awaitLeave(outgoing);
    else if (hasBody(request)) connected(outgoing, () => this.#sendBody(outgoing));
    else outgoing.end();
  }

  /** The body stays unread until the program says that it wants it. */
  #awaitLeave(outgoing: ClientRequest): void {
    const { request, response } = this.#visit;
    const proceed = (): void => {
      clearTimeout(timer);
      if (this.#outgoing !== outgoing || this.#isBodyOut || response.headersSent) return;
      response.writeContinue();
      this.#sendBody(outgoing);
    };
    let timer: NodeJS.Timeout | undefined;
    connected(outgoing, () => (timer = setTimeout(proceed, continueAnyway)));
    outgoing.once('continue', proceed).once('close', () => clearTimeout(timer));
    if (hasBody(request)) outgoing.flushHeaders();
    else outgoing.end();
  }

  #sendBody(outgoing: ClientRequest): void {
    const { request } = this.#visit;
    if (this.#outgoing !== outgoing || outgoing.destroyed) return;
    this.#isBodyOut = true;
    request.pipe(outgoing, { end: false });
    request.once('end', () => {
      addTrailers(outgoing, request);
      outgoing.end();
    });
    // The program may want to answer before the first byte comes.
    setImmediate(() => request.readableDidRead || outgoing.destroyed || outgoing.flushHeaders());
  }

  #tellEarly({ statusCode, headers }: InformationEvent): void {
    const { response } = this.#visit;
    const { link } = headers;
    if (response.headersSent) return;
    if (statusCode === 102) response.writeProcessing();
    if (statusCode !== 103 || typeof link !== 'string') return;
    try {
      // Of early hints `Link` is all that is in use (RFC 8297), and all that every Node can send.
      response.writeEarlyHints({ link: link.split(/,\s*(?=<)/) });
    } catch {
      // Node knows fewer forms of it than there are. It is a hint: the answer says the same again.
    }
  }

  #answer(incoming: IncomingMessage): void {
    const { request, response, expects, head } = this.#visit;
    const isChunked = incoming.headers['transfer-encoding'] !== undefined && request.httpVersionMinor > 0;
    const headers = answerHeaders(incoming, isChunked);
    // Whoever was never given leave may send the body all the same, or another request: nobody can tell which.
    const isLast = this.#hall.isClosing || head !== null || (expects && !this.#isBodyOut);
    if (isLast) headers.push('Connection', 'close');
    try {
      response.writeHead(incoming.statusCode ?? 502, incoming.statusMessage, headers);
    } catch {
      return this.#refuse(502, 'the answer of the program is not valid HTTP');
    }
    incoming.pipe(response, { end: false });
    incoming.once('end', () => {
      this.#isWhole = true;
      if (isChunked) addTrailers(response, incoming);
      response.end();
    });
    // A client that is told nothing must be able to see that the answer is not whole.
    incoming.on('error', () => response.destroy());
    // Server-sent events: a head may be long before its body.
    setImmediate(() => incoming.readableDidRead || response.destroyed || response.flushHeaders());
  }

  #switch(incoming: IncomingMessage, upstream: Socket, rest: Buffer): void {
    const { response, head } = this.#visit;
    const client = response.socket;
    if (client === null) return void upstream.destroy();
    response.detachSocket(client);
    this.#switched = client;
    client.write(switchedHead(incoming), 'latin1');
    joined(client, upstream, { fromClient: head ?? Buffer.alloc(0), fromUpstream: rest }, () => this.#end());
  }

  #failed(outgoing: ClientRequest, error: Error): void {
    if (this.#outgoing !== outgoing) return;
    const { response } = this.#visit;
    if (!this.#isBodyOut && !response.headersSent && this.#lane !== null) {
      // Not by the code alone: a connection that stood may end by the same.
      if ('syscall' in error && error.syscall === 'connect') return this.#comeBack(this.#lane);
      if (this.#maySendAgain(outgoing)) return this.#sendAgain(this.#lane);
    }
    this.#refuse(502, `the program broke the connection off (${errorCode(error) || error.message})`);
  }

  /** Nothing has reached the program. */
  #comeBack(lane: Lane): void {
    const { gate, lanes } = this.#hall;
    this.#outgoing = null;
    lanes.leave(lane, this);
    gate.refused(lane.place);
    this.go();
  }

  /**
   * The program may have closed a kept connection in the instant in which it was used (RFC 9112, 9.3.1): what changes nothing and has
   * no body is sent once more.
   */
  #maySendAgain(outgoing: ClientRequest): boolean {
    const { request, head } = this.#visit;
    const changesNothing = ['GET', 'HEAD', 'OPTIONS'].includes(request.method ?? '');
    return outgoing.reusedSocket && !this.#isAgain && changesNothing && !hasBody(request) && head === null;
  }

  #sendAgain(lane: Lane): void {
    this.#isAgain = true;
    this.#outgoing = null;
    this.#hall.lanes.leave(lane, this);
    this.go();
  }

  /** Ends it with an answer of the proxy's own, or where one has begun by breaking it off. */
  #refuse(status: number, reason: string): void {
    const { response } = this.#visit;
    this.#hall.gate.leave(this);
    this.#outgoing?.destroy();
    this.#outgoing = null;
    if (this.#switched !== null) return void this.#switched.destroy();
    if (response.headersSent || response.destroyed) return void response.destroy();
    const retry = status === 503 ? { 'retry-after': '5' } : {};
    response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', connection: 'close', ...retry });
    response.end(`${status} ${http.STATUS_CODES[status]}: ${reason}\n`);
  }

  #end(): void {
    clearTimeout(this.#deadline);
    this.#hall.gate.leave(this);
    const [outgoing, lane] = [this.#outgoing, this.#lane];
    this.#outgoing = null;
    this.#lane = null;
    if (outgoing !== null && !(outgoing.writableFinished && this.#isWhole)) outgoing.destroy();
    // What is left of a body that nobody wants any more must not stand before the next request.
    this.#visit.request.unpipe();
    this.#visit.request.resume();
    if (lane !== null) this.#hall.lanes.leave(lane, this);
  }
}
