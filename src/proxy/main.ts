import process, { argv, stderr } from 'node:process';
import { asFailure, type Failure } from '../../machines/failure.ts';
import { proxyStatus } from './client.ts';
import { type Door, openDoor } from './control.ts';
import { Crew, isTaken, occupied } from './crew.ts';
import { Desk } from './desk.ts';
import type { ProxySettings } from './settings.ts';

// The proxy of an app: a process of its own, which Huddle starts and which outlives it. This thread serves nobody: it
// keeps the others, and does what the control socket says.

const log = (line: string): void => void stderr.write(`${new Date().toISOString()} ${line}\n`);

const settings = JSON.parse(argv[2] ?? 'null') as ProxySettings;
const crew = new Crew(settings, log);
const desk = new Desk(crew, settings, log);
let door: Door | null = null;
let isEnding = false;

process.on('SIGTERM', () => void end());
process.on('SIGINT', () => void end());
// From a terminal, or meant for Huddle.
process.on('SIGHUP', () => undefined);

try {
  await mustBeFree();
  await crew.open();
  door = await openDoor(settings.control, crew, desk);
  // Only now, when nobody can tell the one before to point elsewhere.
  desk.recall();
  log(`listening on port ${crew.address?.port}, ${crew.size} threads`);
} catch (error) {
  tell(asFailure(error));
  process.exitCode = 1;
  await crew.kill();
}

/** A shared socket is had beside any other of this user. It is meant to be beside the proxy that this one replaces. */
async function mustBeFree(): Promise<void> {
  const { host, port } = settings.listen;
  if (!(await isTaken(settings.listen))) return;
  const patience = AbortSignal.timeout(5000);
  const before = await proxyStatus(settings.control, patience).catch(() => null);
  if (before?.address.port !== port) throw occupied(host, port);
}

/** The first time gently, then at once. */
async function end(): Promise<void> {
  door?.close();
  desk.close();
  if (isEnding) return crew.kill();
  isEnding = true;
  log('taking no more connections');
  const limit = setTimeout(() => {
    log(`requests are cut after ${desk.drainTimeout} s`);
    void crew.kill();
  }, desk.drainTimeout * 1000);
  await crew.close();
  clearTimeout(limit);
}

function tell({ message, hint }: Failure): void {
  log(hint === '' ? message : `${message}. ${hint}`);
}
