import { createConsola, type ConsolaReporter } from 'consola/core';
import { fstatSync } from 'node:fs';
import { styleText } from 'node:util';
import { oneLine, withoutUrlSecrets } from '../../machines/failure.ts';
import { pasteable, type Place } from './paste.ts';
import type { Level } from './prose.ts';

/** Huddle's own log. Writing never throws, never waits, and never ends Huddle. */
export interface Log {
  /** One line; about one app, or about Huddle itself. Text from outside may be part of it as it came. */
  write(level: Level, text: string, app?: string): void;
}

/** `journal` is for systemd's, which keeps the time itself and takes the priority from the line's beginning. */
export type Format = 'pretty' | 'plain' | 'journal';

/** Where lines go; `write` may fail in any way. */
export interface Sink {
  readonly format: Format;
  write(line: string): void;
}

/**
 * The log, on stderr where nothing else is named; with `debug` it tells more. `place`: where the Huddle is that its commands speak to.
 * Consola's own settings by NODE_ENV, TEST, DEBUG and CONSOLA_LEVEL are of no effect, nor is its throttle: it would
 * hold back the fifth equal line of a second, and keep a process alive for it.
 */
export function openLog(options: { readonly debug: boolean; readonly sink?: Sink; readonly place?: Place }): Log {
  const sink = options.sink ?? stderrSink();
  const reporter: ConsolaReporter = {
    log({ date, type, tag, args }) {
      const text = options.place === undefined ? String(args[0]) : pasteable(String(args[0]), options.place);
      const line = formats[sink.format](date, type as Level, oneLine(tag) || 'huddle', harmless(text));
      try {
        sink.write(`${line}\n`);
      } catch {
        // A full disk or a closed pipe: there is no better place to tell of it than the one that is lost.
      }
    },
  };
  const consola = createConsola({ level: options.debug ? 4 : 3, throttle: 0, reporters: [reporter] });
  return {
    write(level, text, app = '') {
      consola[level]({ args: [text], tag: app });
    },
  };
}

/**
 * One line, without control characters and without the credentials of a URL. These are struck out where text comes in;
 * this is the belt for the day on which that is forgotten.
 */
function harmless(text: string): string {
  return withoutUrlSecrets(oneLine(text));
}

type Formatter = (date: Date, level: Level, app: string, text: string) => string;

const formats: Readonly<Record<Format, Formatter>> = {
  pretty(date, level, app, text) {
    const { mark, colour } = marks[level];
    const time = styleText('gray', date.toTimeString().slice(0, 8), { validateStream: false });
    const sign = styleText(colour, mark, { validateStream: false });
    return `${time} ${sign} ${styleText('bold', app, { validateStream: false })}: ${text}`;
  },
  plain: (date, level, app, text) => `${date.toISOString()} ${app}: ${words[level]}${text}`,
  journal: (_date, level, app, text) => `<${priorities[level]}>${app}: ${text}`,
};

const marks = {
  error: { mark: '✖', colour: 'red' },
  warn: { mark: '▲', colour: 'yellow' },
  info: { mark: '•', colour: 'cyan' },
  debug: { mark: '·', colour: 'gray' },
} as const;

const words = { error: 'error: ', warn: 'warning: ', info: '', debug: 'debug: ' } as const;

/** sd-daemon(3), syslog(3). */
const priorities = { error: 3, warn: 4, info: 6, debug: 7 } as const;

/** As many bytes may wait for the reader of a pipe; lines beyond are lost, and the loss is told. */
const mostUnread = 1024 * 1024;

function stderrSink(): Sink {
  const { stderr } = process;
  const format = stderr.isTTY ? (stderr.hasColors() ? 'pretty' : 'plain') : isJournal() ? 'journal' : 'plain';
  // Without a listener a reader that has gone away, or a full disk, would end Huddle.
  stderr.on('error', () => undefined);
  let lost = 0;
  const write = (line: string): void => {
    if (stderr.writableLength > mostUnread) {
      lost += 1;
      return;
    }
    if (lost > 0) stderr.write(`${lost} lines are missing here: nobody had read those before them\n`);
    lost = 0;
    stderr.write(line);
  };
  return { format, write };
}

/** systemd names the device and inode of the journal's socket, so that a redirection is noticed (systemd.exec(5)). */
function isJournal(): boolean {
  const { dev, ino } = fstatSync(2);
  return process.env['JOURNAL_STREAM'] === `${dev}:${ino}`;
}
