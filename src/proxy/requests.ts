import { Failure } from '../../machines/failure.ts';
import type { Pointing, Target } from './settings.ts';

/** What the control socket of a proxy shows. */
export interface ProxyStatus {
  readonly pid: number;
  /** Where clients come in. */
  readonly address: { readonly host: string; readonly port: number };
  readonly workers: number;
  /** Where new requests go; null: they wait. */
  readonly target: Target | null;
  readonly releases: readonly ReleaseStatus[];
  /** Of the releases before the one in charge; seconds. */
  readonly drainTimeout: number;
  /** Requests that wait until a release can answer. */
  readonly waiting: number;
  /** Requests that were ended because the time of their release was over, since the proxy was started. */
  readonly cut: number;
  /** Why the next proxy would not know of this target; null where it would. */
  readonly unwritten: string | null;
}

/** The release in charge, or one before it that still has open requests. */
export interface ReleaseStatus extends Target {
  readonly inCharge: boolean;
  readonly open: number;
}

/** Where to point, that has come as JSON. Throws a `Failure` that says what is wrong with it. */
export function pointingIn(value: unknown): Pointing {
  if (typeof value !== 'object' || value === null) throw wrong('a target', 'it is no object with port and revision');
  const { port, revision, drainTimeout } = value as { port?: unknown; revision?: unknown; drainTimeout?: unknown };
  if (typeof revision !== 'string' || revision === '') throw wrong('revision', 'it is no text');
  const target = { port: portIn(port), revision };
  if (drainTimeout === undefined) return target;
  if (typeof drainTimeout === 'number' && drainTimeout >= 0) return { ...target, drainTimeout };
  throw wrong('drainTimeout', 'it is no number of seconds');
}

/** A port that has come as JSON or in a URL. Throws a `Failure`. */
export function portIn(value: unknown): number {
  const port = typeof value === 'string' && /^\d{1,5}$/.test(value) ? Number(value) : value;
  if (typeof port === 'number' && Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw wrong('port', 'it is no number from 1 to 65535');
}

function wrong(subject: string, reason: string): Failure {
  return new Failure('config-invalid', { doing: 'reading', subject, reason });
}
