import { statSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { ArgDef } from 'citty';
import { tcpAddress } from '../control/tcp-address.ts';
import { root, verbs, type Command } from './commands.ts';
import { isHostName } from './listening.ts';
import { meant, Misuse } from './misuse.ts';
import { noOptions, type Options } from './options.ts';

/** What a command line asks for. */
export type Invocation =
  | { readonly kind: 'run'; readonly command: Command; readonly options: Options }
  | { readonly kind: 'help'; readonly command: Command }
  | { readonly kind: 'version' }
  /** A shell asks what may come next; nothing of it is judged. */
  | { readonly kind: 'complete'; readonly words: readonly string[] };

type Token = NonNullable<ReturnType<typeof tokensOf>>[number];
type OptionToken = Extract<Token, { kind: 'option' }>;

/**
 * Reads a command line strictly: whatever is unknown, surplus, doubled or lacks its value is a `Misuse` that names what
 * was probably meant. Options may stand before and after the verb. (citty takes anything for granted, so it only
 * describes the commands; what may be written is checked here.)
 */
export function readCommandLine(args: readonly string[]): Invocation {
  if (args[0] === '__complete') return { kind: 'complete', words: args.slice(1) };
  const tokens = tokensOf(args);
  const given = tokens.filter((token) => token.kind === 'option');
  const { question, words } = wordsOf(tokens);
  const [verb] = words;
  const command = verb === undefined ? root : verbs.find(({ meta }) => meta.name === verb);
  for (const token of given) checkOption(token, args, command ?? root);
  if (command === undefined) throw unknownVerb(verb ?? '');
  const asks = (what: string) => question === what || given.some(({ name }) => name === what);
  if (asks('help')) return { kind: 'help', command };
  if (asks('version')) return { kind: 'version' };
  refuseTwice(given);
  return { kind: 'run', command, options: { ...optionsFrom(given), ...placed(words.slice(1), command) } };
}

/** The verb and what follows it. What other commands take by a word, Huddle takes by an option; it understands both. */
function wordsOf(tokens: readonly Token[]): { readonly question: string | undefined; readonly words: string[] } {
  const words = tokens.flatMap((token) => (token.kind === 'positional' ? [token.value] : []));
  if (words.includes('')) throw new Misuse('an argument is empty', 'Is a variable of the shell not set?');
  const [first] = words;
  return first === 'help' || first === 'version'
    ? { question: first, words: words.slice(1) }
    : { question: undefined, words };
}

function optionsFrom(given: readonly OptionToken[]): Options {
  const set = new Map(given.map(({ name, value }) => [name, value ?? '']));
  return {
    ...noOptions,
    folder: set.get('config') ?? noOptions.folder,
    state: set.get('state'),
    debug: set.has('debug'),
    json: set.has('json'),
    once: set.has('once'),
    watch: set.has('watch'),
    dryRun: set.has('dry-run'),
    all: set.has('all'),
    follow: set.has('follow'),
    deploy: set.has('deploy'),
    lines: set.has('lines') ? Number(set.get('lines')) : undefined,
    user: set.has('user'),
    for: set.get('for'),
    listen: set.get('listen'),
    inspect: set.has('inspect'),
    allowHosts: given.flatMap(({ name, value }) => (name === 'allow-host' && value !== undefined ? [value] : [])),
    tlsCert: set.get('tls-cert'),
    tlsKey: set.get('tls-key'),
    insecure: set.has('insecure'),
  };
}

/** The words after the verb, each where the verb wants it. Who misses one says so itself: it may know what there is. */
function placed(words: readonly string[], command: Command): Pick<Options, 'apps' | 'revision' | 'shell'> {
  const places = Object.keys(command.args).filter((name) => command.args[name]?.type === 'positional');
  const takesAll = places.includes('app…');
  const over = takesAll ? undefined : words[places.length];
  if (over !== undefined) throw surplus(over, command);
  const at = (place: string): string | undefined => words[places.indexOf(place)];
  const app = at('app');
  return {
    apps: takesAll ? words : app === undefined ? [] : [app],
    revision: at('revision'),
    shell: at('shell'),
  };
}

/** The options of all verbs together: which of them fit is known only once the verb is. */
export function tokensOf(args: readonly string[]) {
  const options: Record<string, { type: 'string' | 'boolean'; short?: string }> = {};
  for (const [name, { type, ...rest }] of [root, ...verbs].flatMap(({ args }) => Object.entries(args))) {
    if (type === 'positional') continue;
    const short = 'alias' in rest && typeof rest.alias === 'string' ? { short: rest.alias } : {};
    options[name] = { type: type === 'boolean' ? 'boolean' : 'string', ...short };
  }
  return parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true }).tokens;
}

function checkOption(token: OptionToken, args: readonly string[], command: Command): void {
  const { name, rawName, value, inlineValue } = token;
  const definition = command.args[name];
  if (definition === undefined || definition.type === 'positional') throw unknownOption(token, args, command);
  if (definition.type === 'boolean') {
    if (value !== undefined) throw new Misuse(`${rawName} takes no value`, `Write ${rawName} alone.`);
    return;
  }
  const { what, example, fits } = valueOf(definition);
  const right = `Write ${rawName} ${example}.`;
  if (value === undefined || value === '') throw new Misuse(`${rawName} needs ${what}`, right);
  if (!inlineValue && value.startsWith('-')) {
    const hint = example === 'DIR' || example === 'FILE' ? `Write --${name}=${value} if that is its name.` : right;
    throw new Misuse(`${rawName} needs ${what}, but ${value} follows`, hint);
  }
  if (!fits(value)) throw new Misuse(`${rawName} needs ${what}, not ${value}`, right);
}

interface Value {
  readonly what: string;
  readonly example: string;
  readonly fits: (value: string) => boolean;
}

/** What an option wants to be followed by. */
function valueOf(definition: ArgDef): Value {
  if ('options' in definition && definition.options !== undefined) {
    const { options } = definition;
    return { what: options.join(' or '), example: options[0] ?? '', fits: (value) => options.includes(value) };
  }
  const example = ('valueHint' in definition && definition.valueHint) || 'DIR';
  return { what: 'a folder', fits: () => true, ...kinds[example], example };
}

const kinds: Readonly<Record<string, Omit<Value, 'example'>>> = {
  N: { what: 'a number', fits: (value) => /^\d{1,9}$/.test(value) },
  FILE: { what: 'a file', fits: () => true },
  NAME: { what: 'a host name', fits: isHostName },
  '[HOST:]PORT': { what: 'an address', fits: (value) => tcpAddress(value) !== undefined },
};

const repeatable = ['allow-host'];

function refuseTwice(given: readonly OptionToken[]): void {
  const twice = given.find(({ name, value }, index) => {
    return (
      value !== undefined &&
      !repeatable.includes(name) &&
      given.slice(0, index).some((earlier) => earlier.name === name)
    );
  });
  if (twice) throw new Misuse(`${twice.rawName} is given twice`, 'Give it once.');
}

function unknownOption({ name, rawName, index }: OptionToken, args: readonly string[], command: Command): Misuse {
  const known = Object.keys(command.args).filter((each) => command.args[each]?.type !== 'positional');
  // `-json` is read as `-j -s -o -n`.
  const written = /^-([a-z-]{2,})/.exec(args[index] ?? '')?.[1] ?? name;
  const right = known.includes(written) ? written : name.length > 1 ? meant(name, known) : undefined;
  const owner = [root, ...verbs].find(({ args }) => args[name]);
  const hint = right ? `Did you mean --${right}?` : owner ? whose(owner) : seeHelp(command);
  return new Misuse(`unknown option ${rawName}${of(command)}`, hint);
}

function whose(owner: Command): string {
  return owner === root ? 'Give it without a command.' : `It belongs to huddle ${owner.meta.name}.`;
}

function unknownVerb(verb: string): Misuse {
  const right = meant(verb, [...verbs.map(({ meta }) => meta.name), 'help', 'version', '--help', '--version']);
  const folder = statSync(verb, { throwIfNoEntry: false })?.isDirectory() === true;
  if (verb === 'run') return new Misuse('unknown command run', 'Leave it out: `huddle -c DIR` runs in the foreground.');
  if (right === undefined && folder) return new Misuse(`unknown command ${verb}`, `Did you mean huddle -c ${verb}?`);
  return new Misuse(`unknown command ${verb}`, right ? `Did you mean ${right}?` : seeHelp(root));
}

function surplus(word: string, command: Command): Misuse {
  return new Misuse(`unexpected argument ${word}${of(command)}`, seeHelp(command));
}

function of(command: Command): string {
  return command === root ? '' : ` of huddle ${command.meta.name}`;
}

function seeHelp(command: Command): string {
  return command === root ? 'See huddle --help.' : `See huddle ${command.meta.name} --help.`;
}
