import { Failure } from '../../machines/failure.ts';
import type { Launch } from './platform.ts';

/** /d: no AutoRun of the registry; /s: the outermost quotes go, all others stay as they are. */
function cmd(line: string): Launch {
  return { argv: [process.env['ComSpec'] ?? 'cmd.exe', '/d', '/s', '/c', `"${line}"`], isVerbatim: true };
}

/** A line for cmd.exe, as an argv. */
export function shell(line: string): Launch {
  return cmd(line);
}

/**
 * An argv whose program is this file. Windows runs a batch file (`npm.cmd`) only through cmd.exe, which takes `"` and `%`
 * apart wherever they stand, and ends at a line break: with these it throws `not-supported`.
 */
export function launch(argv: readonly string[], file: string): Launch {
  if (!/\.(?:bat|cmd)$/i.test(file)) return { argv: [file, ...argv.slice(1)], isVerbatim: false };
  const unsafe = argv.slice(1).find((argument) => /["%\r\n]/.test(argument));
  if (unsafe !== undefined) {
    throw new Failure('not-supported', {
      doing: 'starting',
      subject: file,
      reason: 'a batch file cannot be given arguments that hold ", % or a line break',
      hint: 'Write the command as a line for the shell, with the quoting that cmd.exe needs.',
    });
  }
  return cmd([file, ...argv.slice(1)].map(quoted).join(' '));
}

/** A backslash before the closing quote would take it along. */
function quoted(argument: string): string {
  return `"${argument.replace(/\\+$/, '$&$&')}"`;
}
