import path from 'node:path';
import { oneLine } from '../../machines/failure.ts';
import { shellWord } from '../platform/shell-word.ts';
import type { Place } from './place.ts';

export interface Unit {
  readonly place: Place;
  /** The longest that an app may take to stop; seconds. */
  readonly longestStop: number;
  /** `user`: of the user's own systemd, which needs no root. */
  readonly kind: 'system' | 'user';
  readonly username: string;
}

/** What Huddle may need beyond the longest stop of an app: to end a test, a script or what cannot be killed; seconds. */
const stopMargin = 60;

/** Where systemd looks for commands by itself: what programs are started with is found there, or beside our own Node. */
const usualPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** A systemd unit (systemd.service(5)) that runs Huddle, with a word on how to install it and what it does. */
export function systemdUnit(unit: Unit): string {
  const { longestStop, username } = unit;
  const { node, command, args, listening } = unit.place;
  const isUser = unit.kind === 'user';
  const network = ['Wants=network-online.target', 'After=network-online.target'];
  const nodeFolder = path.posix.dirname(node);
  const isUsual = usualPath.split(':').includes(nodeFolder);
  const lines = [
    ...comment(unit),
    '[Unit]',
    'Description=Huddle, which keeps programs running from git',
    ...(isUser ? [] : network),
    '# However often it fails, it is started again.',
    'StartLimitIntervalSec=0',
    '',
    '[Service]',
    'Type=exec',
    ...(isUser ? [] : [`User=${escaped(username)}`]),
    ...(isUsual ? [] : [`Environment=${word(`PATH=${nodeFolder}:${usualPath}`)}`]),
    `ExecStart=${escaped(quoted(node))} ${[command, ...args, ...listening].map(word).join(' ')}`,
    'ExecReload=/bin/kill -HUP $MAINPID',
    'Restart=always',
    'RestartSec=1',
    '# A wrong command line, and a Node.js that is too old, are not mended by another try.',
    'RestartPreventExitStatus=2 78',
    '# Only Huddle itself is signalled; it stops its programs. When it is killed, they run on.',
    'KillMode=process',
    '# Above the longest "stop timeout" of the apps, and "drain timeout" of their proxies: print this unit anew when they grow.',
    `TimeoutStopSec=${Math.ceil(longestStop) + stopMargin}`,
    '# A program that runs out of memory takes nobody along.',
    'OOMPolicy=continue',
    '# A cgroup for each program: nothing that it starts gets away.',
    'Delegate=yes',
    '',
    '[Install]',
    `WantedBy=${isUser ? 'default' : 'multi-user'}.target`,
  ];
  return `${lines.join('\n')}\n`;
}

function comment({ place, kind, username }: Unit): string[] {
  const args = place.args.map(shown).join(' ');
  const all = [...place.args, ...place.listening].map(shown).join(' ');
  const isUser = kind === 'user';
  const sudo = isUser || username === 'root' ? '' : 'sudo ';
  const systemctl = isUser ? 'systemctl --user' : 'systemctl';
  const file = isUser ? '~/.config/systemd/user/huddle.service' : '/etc/systemd/system/huddle.service';
  const lines = [
    'To install it:',
    `  huddle service ${isUser ? '--user ' : ''}${all} ${sudo === '' ? '>' : '| sudo tee'} ${file}`,
    `  ${sudo}${systemctl} daemon-reload && ${sudo}${systemctl} enable --now huddle`,
    ...(isUser ? ['  loginctl enable-linger    # so that it runs from boot on, and after you have logged out'] : []),
    '',
    `${systemctl} reload huddle: asks every remote now.`,
    `${systemctl} stop huddle: stops all programs. So does restart, which then starts them again.`,
    '',
    'To upgrade Huddle while its programs run on, install the new version and have the old one leave:',
    `  huddle ${args} detach`,
    'systemd starts the new one at once, and that takes the programs over. So it does when Huddle was killed (kill -9,',
    'out of memory): KillMode=process leaves the programs alone, and none is restarted or started twice.',
  ];
  return [...lines.map((line) => `# ${line}`.trimEnd()), ''];
}

/** As a user can paste it; a comment must not go on as a line of the unit. */
function shown(text: string): string {
  return shellWord(oneLine(text));
}

/** An argument: nothing of it is a specifier, a variable, or a separator to systemd. */
function word(text: string): string {
  return escaped(quoted(text)).replaceAll('$', '$$$$');
}

/** `%` begins a specifier. */
function escaped(text: string): string {
  return text.replaceAll('%', '%%');
}

function quoted(text: string): string {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text;
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n').replaceAll('\r', '\\r')}"`;
}
