import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Scene } from '../harness.ts';
import { tidily } from './tidily.ts';
import { type Death, doublesIn, judge, type Told, journalOf, lookAtDeath, quietStarts, wasAsked } from './witnesses.ts';
import { newWorld, template, type World } from './world.ts';

// A stream of pushes, and a Huddle that is killed in its midst again and again: `node test/e2e/kills/fuzz.ts --seed N --kills N`.

export interface Fuzzing {
  readonly seed: number;
  readonly kills: number;
  /** Told of each kill. */
  readonly tell?: (line: string) => void;
}

/**
 * Kills Huddle at moments that the seed draws, while good and bad revisions are pushed; the next one starts at once. In
 * the end a good revision is pushed, and all has to come to rest at it. What went wrong; nothing when all is well.
 */
export async function fuzz(t: Parameters<typeof newWorld>[0], base: Scene, { seed, kills, tell }: Fuzzing) {
  const random = randomOf(seed);
  const world = await newWorld(t, base, { withQuiet: true });
  await world.configure({ timing: { minimum: 0.2 } });
  const life = new Life(world, random);
  let huddle = world.start();
  await huddle.live('quiet', world.revision('v1'));
  const wrong: string[] = [];
  for (let kill = 1; kill <= kills; kill += 1) {
    await sleep(random() * 200);
    const deed = await life.act();
    await sleep(random() * (random() < 0.5 ? 300 : 2_000));
    await huddle.kill9();
    const found = life.findWrong();
    tell?.(`seed ${seed}, kill ${kill}: ${deed}${found.length === 0 ? '' : ` WRONG: ${found.join('; ')}`}`);
    wrong.push(...found.map((each) => `kill ${kill} (${deed}): ${each}\n${huddle.log}`));
    huddle = world.start();
  }
  const last = await life.pushLast();
  const bad = [...world.revisions.keys()].filter((version) => /red|broken|crash/.test(version));
  wrong.push(...(await judge(world, huddle, { version: last, bad, saved: null }, null)));
  if (wrong.length > 0) wrong.push(huddle.log);
  await huddle.stop();
  return wrong;
}

/** What happens around Huddle, and what its programs may have done about it. */
class Life {
  readonly #world: World;
  readonly #random: () => number;
  #pushed = 1;
  /** Of the journal that has been looked at. */
  #seen = 0;
  #death: Death | null = null;
  #newest = 'v1';
  /** Something is under way that lets a program be started anew at the same revision. */
  #isUnsettled = false;
  #isDisturbed = false;

  constructor(world: World, random: () => number) {
    this.#world = world;
    this.#random = random;
  }

  async act(): Promise<string> {
    const deeds = ['good', 'good', 'red', 'crash', 'broken', 'forced', 'changed', 'killed', 'nothing', 'nothing'];
    const deed = deeds[Math.floor(this.#random() * deeds.length)] ?? '';
    // An edit, or a script that fails, may also come to be noticed after the next kill.
    this.#isDisturbed = this.#isUnsettled || deed === 'killed';
    if (deed === 'changed') await this.#configure();
    else if (deed === 'killed') this.#killProgram();
    else if (deed !== 'nothing') this.#newest = await this.#push(deed);
    this.#isUnsettled = deed === 'changed' || this.#newest.endsWith('broken');
    this.#isDisturbed ||= this.#isUnsettled;
    return deed;
  }

  async pushLast(): Promise<string> {
    return await this.#push('good');
  }

  async #push(kind: string): Promise<string> {
    this.#pushed += 1;
    const version = `${kind === 'crash' ? 'crash' : 'v'}${this.#pushed}${/red|broken/.test(kind) ? `-${kind}` : ''}`;
    await (kind === 'forced' ? this.#world.forcePush(version) : this.#world.push(version));
    return version;
  }

  async #configure(): Promise<void> {
    const environment = { ...this.#world.environment, EDITED: String(this.#random()) };
    await this.#world.configure({ timing: { minimum: 0.2 }, application: { environment } });
  }

  #killProgram(): void {
    for (const pid of this.#world.stage.livePrograms()) process.kill(pid, 'SIGKILL');
  }

  /** Looks at the journal since the last time. */
  findWrong(): string[] {
    const journal = journalOf(this.#world);
    const since = journal.slice(this.#seen);
    const doubles = doublesIn(since, this.#world);
    const starts = quietStarts(this.#world);
    const wrong = [
      ...doubles.map((each) => `two at once: ${each.what} ${each.pid} ${each.version}`),
      ...(starts === 1 ? [] : [`quiet was started ${starts} times`]),
      ...(this.#isDisturbed ? [] : needlessRestarts(since, this.#death)),
    ];
    this.#seen = journal.length;
    this.#death = lookAtDeath(this.#world);
    return wrong;
  }
}

/** A program that survived a Huddle may make room for another revision, but not for itself. */
function needlessRestarts(since: readonly Told[], death: Death | null): string[] {
  const survivor = death?.survivor ?? null;
  if (death === null || survivor === null || wasAsked(since, survivor.pid, death)) return [];
  const end = since.findIndex(({ what, pid }) => what === 'asked' && pid === survivor.pid);
  const next = since.slice(end + 1).find(({ what }) => what === 'start');
  const isNeedless = end !== -1 && next?.version === survivor.version;
  return isNeedless ? [`${survivor.version} (${survivor.pid}) was restarted, not taken over`] : [];
}

/** mulberry32: numbers from 0 to 1 that a seed decides. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { seed: { type: 'string' }, kills: { type: 'string' } } });
  const [seed, kills] = [Number(values.seed ?? 1), Number(values.kills ?? 50)];
  const tell = (line: string) => void process.stdout.write(`${line}\n`);
  const wrong = await tidily(async (t) => await fuzz(t, await template(t), { seed, kills, tell }));
  process.stdout.write(`seed ${seed}: ${kills} kills, ${wrong.length} violations\n${wrong.join('\n')}\n`);
  process.exitCode = wrong.length === 0 ? 0 : 1;
}
