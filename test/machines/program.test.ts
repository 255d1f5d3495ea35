import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { fromCallback, fromPromise, SimulatedClock } from 'xstate';
import type { AppConfig, Application } from '../../machines/config.ts';
import { Failure } from '../../machines/failure.ts';
import { processMachine } from '../../machines/process.ts';
import { programMachine } from '../../machines/program.ts';
import type { ProgramNews } from '../../machines/news.ts';
import type { ProgramStatus } from '../../machines/protocol.ts';
import type { ProcessReport } from '../../machines/slots.ts';
import { watchdogMachine } from '../../machines/watchdog.ts';
import { appConfig } from './config.ts';
import { raise } from './parent.ts';

const failure = new Failure('command-not-found', { doing: 'starting', subject: 'shop', reason: 'no such file' });
const watchdog = { period: 60, timeout: 5, failures: 2, probe: { kind: 'command', command: 'look' } } as const;
const watched = (application: Partial<Application> = {}) => appConfig({ application, watchdog });

/** What the world does to the program. */
interface Fortune {
  spawns: boolean;
  /** Why not, where it does not. */
  obstacle: Failure;
  heeds: boolean;
  dies: boolean;
  sweeps: boolean;
  isWell: boolean;
  /** A probe gets an answer, be it a bad one. */
  answers: boolean;
  adopts: boolean;
}

/** A program on its stage; its processes are played. */
async function begin(config: AppConfig = appConfig()) {
  const fortune: Fortune = {
    spawns: true,
    obstacle: failure,
    heeds: true,
    dies: true,
    sweeps: true,
    isWell: true,
    answers: true,
    adopts: false,
  };
  const clock = new SimulatedClock();
  /** `spawn a`, `ask`, `kill`, `probe`, each with the second in which it was done. */
  const deeds: { what: string; at: number }[] = [];
  const news: ProgramNews[] = [];
  const did = (what: string) => void deeds.push({ what, at: clock.now() / 1000 });
  let report: (report: ProcessReport) => void = () => {};
  let isAlive = false;
  let pid = 100;
  const end = (code: number | null) => {
    if (!isAlive) return;
    isAlive = false;
    report({ type: 'process.exited', exit: { code, signal: code === null ? 'SIGTERM' : null }, at: clock.now() });
  };
  const never = (signal: AbortSignal) => new Promise<never>((_, reject) => signal.addEventListener('abort', reject));
  const process = processMachine.provide({
    actors: {
      run: fromCallback(({ input, sendBack }) => {
        report = (told) => sendBack(told);
        if (!fortune.spawns) return report({ type: 'process.failed', failure: fortune.obstacle, at: clock.now() });
        assert.ok(!isAlive, 'one process at a time');
        isAlive = true;
        did(`spawn ${input.revision}`);
        report({ type: 'process.spawned', pid: ++pid, at: clock.now(), adopted: fortune.adopts });
      }),
      endGently: fromPromise(async ({ signal }) => {
        did('ask');
        if (!fortune.heeds) await never(signal);
        end(null);
      }),
      endByForce: fromPromise(async ({ signal }) => {
        if (isAlive) did('kill');
        if (!fortune.dies || (!isAlive && !fortune.sweeps)) await never(signal);
        end(null);
      }),
    },
  });
  const watch = watchdogMachine.provide({
    actors: {
      probe: fromPromise(async ({ signal }) => {
        did('probe');
        if (!fortune.answers) await never(signal);
        if (!fortune.isWell) throw failure;
      }),
    },
  });
  const machine = programMachine.provide({
    actors: { process, watchdog: watch },
    actions: { tell: (_, told) => void (told && news.push(told)) },
  });
  const family = await raise(machine, { name: 'shop', config }, clock);
  const status = () => family.heard.findLast(({ type }) => type === 'program.changed')?.['status'] as ProgramStatus;
  return {
    ...family,
    fortune,
    deeds,
    told: news,
    status,
    state: () => status().state,
    isAlive: () => isAlive,
    /** The seconds at which something was done. */
    times: (what: string) => deeds.filter((deed) => deed.what === what).map(({ at }) => at),
    start: (revision = 'a', given = config) => family.send({ type: 'start', revision, config: given }),
    async exits(code = 1) {
      end(code);
      await family.settle();
    },
    /** What it has said since the last call, but for its mere changes. */
    said: () => family.news().filter((type) => type !== 'program.changed'),
  };
}

/** Up, settled and accepted. */
async function up(config: AppConfig = appConfig()) {
  const stage = await begin(config);
  await stage.start();
  await stage.pass(3);
  assert.equal(stage.state(), 'up');
  stage.said();
  return stage;
}

suite('a program that the machine keeps from starting', () => {
  const noProcesses = new Failure('limit-reached', { doing: 'starting', subject: 'shop', reason: 'no more processes' });
  const noCopy = new Failure('directory-missing', { doing: 'entering', subject: '/srv/shop', reason: 'it has gone' });
  const config = appConfig({
    application: { crashLimit: 2, restart: 'never' },
    repository: { localPath: '/srv/shop' },
  });

  for (const obstacle of [noProcesses, noCopy]) {
    test(`is neither refused nor given up (${obstacle.code}), is tried with growing delays, and starts when it can`, async () => {
      const stage = await begin(config);
      Object.assign(stage.fortune, { spawns: false, obstacle });
      await stage.start();
      assert.equal(stage.state(), 'backing off');
      assert.equal(stage.status().failure?.code, obstacle.code);
      await stage.pass(300);
      assert.equal(stage.state(), 'backing off');
      assert.deepEqual(stage.said(), []);
      const retries = stage.told.flatMap((news) => (news.type === 'program not started' ? [news.retryIn] : []));
      assert.deepEqual(retries.slice(0, 7), [1, 2, 4, 8, 16, 30, 30]);
      stage.fortune.spawns = true;
      await stage.pass(33);
      assert.equal(stage.state(), 'up');
      assert.deepEqual(stage.said(), ['program.live', 'program.accepted']);
      assert.equal(stage.status().failure, null);
    });
  }

  test('has its exits counted as ever when it is a folder inside the working copy that is missing', async () => {
    const stage = await begin(config);
    const inside = new Failure('directory-missing', {
      doing: 'entering',
      subject: '/srv/shop/web',
      reason: 'it is not there',
    });
    Object.assign(stage.fortune, { spawns: false, obstacle: inside });
    await stage.start();
    assert.equal(stage.state(), 'down');
    assert.ok(stage.said().includes('program.refused'));
  });

  test('can be stopped meanwhile', async () => {
    const stage = await begin(config);
    Object.assign(stage.fortune, { spawns: false, obstacle: noProcesses });
    await stage.start();
    await stage.send({ type: 'stop' });
    assert.equal(stage.state(), 'down');
    await stage.pass(60);
    assert.equal(stage.state(), 'down');
  });
});

suite('a program that starts', () => {
  test('is down until it is started, then starting, and up when it has settled', async () => {
    const stage = await begin();
    assert.equal(stage.state(), 'down');
    await stage.start();
    assert.equal(stage.state(), 'starting');
    assert.deepEqual(stage.said(), ['program.live']);
    await stage.pass(1.8);
    assert.equal(stage.state(), 'starting');
    await stage.pass(0.3);
    assert.equal(stage.state(), 'up');
    assert.deepEqual(stage.said(), ['program.accepted']);
    assert.deepEqual([stage.status().pid, stage.status().revision, stage.status().restarts], [101, 'a', 0]);
  });

  test('must answer its watchdog as well, and is up as soon as it does', async () => {
    const stage = await begin(watched());
    stage.fortune.isWell = false;
    await stage.start();
    await stage.pass(10);
    assert.equal(stage.state(), 'starting');
    stage.fortune.isWell = true;
    await stage.pass(1.1);
    assert.equal(stage.state(), 'up');
    assert.equal(stage.status().health, 'healthy');
    assert.equal(stage.status().failure, null);
  });

  test('is started again at once after its first exit, and refused after its second', async () => {
    const stage = await begin();
    await stage.start();
    await stage.pass(1);
    await stage.exits();
    assert.deepEqual(stage.times('spawn a'), [0, 1]);
    assert.deepEqual(stage.said(), ['program.live', 'program.live']);
    await stage.exits();
    assert.deepEqual(stage.said(), ['program.refused']);
    assert.equal(stage.state(), 'backing off');
    assert.match(stage.status().failure?.message ?? '', /exit code 1/);
  });

  test('is refused when it is not healthy within its ready timeout, and tried again', async () => {
    const stage = await begin(watched({ readyTimeout: 20 }));
    stage.fortune.isWell = false;
    await stage.start();
    await stage.pass(19.5);
    assert.deepEqual(stage.said(), ['program.live']);
    await stage.pass(1);
    const refused = stage.heard.find(({ type }) => type === 'program.refused');
    assert.match(refused?.['failure'].message, /not healthy within 20 s: no such file/);
    assert.deepEqual(stage.times('ask'), [20]);
    await stage.pass(2);
    assert.deepEqual(stage.times('spawn a'), [0, 21]);
  });

  test('is refused once, and accepted when it settles after all', async () => {
    const stage = await begin();
    await stage.start();
    await stage.exits();
    await stage.exits();
    await stage.pass(1);
    await stage.exits();
    await stage.pass(9);
    assert.deepEqual(
      stage.said().filter((type) => type !== 'program.live'),
      ['program.refused', 'program.accepted'],
    );
  });

  test('that cannot be spawned counts as having exited, with that failure', async () => {
    const stage = await begin();
    stage.fortune.spawns = false;
    await stage.start();
    assert.deepEqual(stage.said(), ['program.refused']);
    assert.equal(stage.status().failure, failure);
    assert.equal(stage.state(), 'backing off');
  });

  test('is not accepted for what it leaves behind: an exit ends its settling, though the sweep takes longer', async () => {
    for (const config of [appConfig(), watched()]) {
      const stage = await begin(config);
      await stage.start();
      await stage.pass(0.5);
      stage.fortune.sweeps = false;
      await stage.exits();
      await stage.pass(5);
      assert.ok(!stage.said().includes('program.accepted'));
      assert.equal(stage.state(), 'stopping');
    }
  });

  test('of an earlier Huddle is up at once, without having to settle', async () => {
    const stage = await begin();
    stage.fortune.adopts = true;
    await stage.start();
    assert.deepEqual([stage.state(), stage.status().adopted, stage.status().pid], ['up', true, 101]);
    assert.ok(stage.said().includes('program.accepted'));
    stage.fortune.adopts = false;
    await stage.exits();
    assert.equal(stage.status().adopted, false);
  });
});

suite('a program that exits', () => {
  test('starts again at once, then after 1, 2, 4 … 30 s', async () => {
    const stage = await up(appConfig({ application: { crashLimit: 99, crashWindow: 3600 } }));
    const starts: number[] = [];
    for (let exits = 0; exits < 9; exits++) {
      const from = stage.clock.now() / 1000;
      await stage.exits();
      const before = stage.times('spawn a').length;
      if (exits > 0) await stage.pass(31);
      const [first] = stage.times('spawn a').slice(exits === 0 ? -1 : before);
      starts.push((first ?? Number.NaN) - from);
    }
    assert.deepEqual(starts, [0, 1, 2, 4, 8, 16, 30, 30, 30]);
  });

  test('is backing off meanwhile, and its restarts are counted', async () => {
    const stage = await up();
    await stage.exits();
    await stage.exits();
    assert.deepEqual([stage.state(), stage.status().restarts, stage.status().pid], ['backing off', 1, null]);
    await stage.pass(1);
    assert.deepEqual([stage.state(), stage.status().restarts], ['starting', 2]);
    await stage.pass(3);
    assert.deepEqual([stage.state(), stage.status().failure], ['up', null]);
  });

  test('forgets its exits when it has been up for a whole crash window', async () => {
    const stage = await up(appConfig({ application: { crashLimit: 3, crashWindow: 30 } }));
    for (let round = 0; round < 5; round++) {
      await stage.exits();
      assert.equal(stage.isAlive(), true, 'it is answered at once, as a first exit is');
      await stage.pass(31);
    }
    await stage.exits();
    await stage.pass(20);
    await stage.exits();
    assert.equal(stage.state(), 'backing off');
  });

  test('does nothing at the end of a crash window without exits: a hundred apps would all wake up for it', async () => {
    const stage = await up(appConfig({ application: { crashWindow: 30 } }));
    const before = stage.child();
    await stage.pass(31);
    assert.equal(stage.child(), before);
  });

  test('is given up at its crash limit, and tried again after retry, once', async () => {
    const stage = await up(appConfig({ application: { crashLimit: 3, retry: 100 } }));
    for (let exits = 0; exits < 3; exits++) {
      await stage.exits();
      if (exits < 2) await stage.pass(5);
    }
    assert.equal(stage.state(), 'given up');
    assert.ok(stage.said().includes('program.gaveUp'));
    assert.equal(stage.status().failure?.code, 'crash-limit');
    const spawns = stage.times('spawn a').length;
    await stage.pass(99);
    assert.equal(stage.times('spawn a').length, spawns);
    await stage.pass(1.5);
    assert.equal(stage.times('spawn a').length, spawns + 1);
    await stage.exits();
    assert.equal(stage.state(), 'given up');
    assert.ok(stage.said().includes('program.gaveUp'));
  });

  test('that was given up tells once that it has recovered, when it is up again', async () => {
    const stage = await up(appConfig({ application: { crashLimit: 2, retry: 100 } }));
    const recoveries = () => stage.told.filter(({ type }) => type === 'program recovered').length;
    await stage.exits();
    await stage.exits();
    assert.equal(stage.state(), 'given up');
    await stage.pass(101);
    assert.equal(recoveries(), 0);
    await stage.pass(3);
    assert.deepEqual([stage.state(), recoveries()], ['up', 1]);
    await stage.pass(61);
    await stage.exits();
    await stage.pass(10);
    assert.deepEqual([stage.state(), recoveries()], ['up', 1]);
  });

  test('given up is left alone for ever where retry is 0', async () => {
    const stage = await up(appConfig({ application: { crashLimit: 1, retry: 0 } }));
    await stage.exits();
    for (let day = 0; day < 60; day++) {
      stage.clock.increment(24 * 3600_000);
      await stage.settle();
    }
    assert.equal(stage.state(), 'given up');
    assert.equal(stage.times('spawn a').length, 1);
  });

  test('given up at its first exit is refused, where it had not been accepted', async () => {
    const stage = await begin(appConfig({ application: { crashLimit: 1 } }));
    await stage.start();
    await stage.exits();
    assert.deepEqual(stage.said(), ['program.live', 'program.refused', 'program.gaveUp']);
  });

  test('comes to nothing new before its leftovers are swept', async () => {
    const stage = await up();
    stage.fortune.sweeps = false;
    await stage.exits();
    await stage.pass(20);
    assert.equal(stage.times('spawn a').length, 1);
    await stage.pass(15);
    assert.ok(stage.said().includes('program.stuck'));
  });
});

suite('restart policies', () => {
  test('on failure: exit 0 is a job well done, accepted, then down', async () => {
    const stage = await begin(appConfig({ application: { restart: 'on failure' } }));
    await stage.start();
    await stage.exits(0);
    assert.deepEqual(stage.said(), ['program.live', 'program.accepted']);
    assert.deepEqual([stage.state(), stage.status().failure], ['down', null]);
  });

  test('on failure: any other exit is answered', async () => {
    const stage = await up(appConfig({ application: { restart: 'on failure' } }));
    await stage.exits(3);
    assert.equal(stage.state(), 'starting');
  });

  test('never: exit 0 is a job well done, any other one leaves it down and refused', async () => {
    const stage = await begin(appConfig({ application: { restart: 'never' } }));
    await stage.start();
    await stage.exits(0);
    assert.deepEqual(stage.said(), ['program.live', 'program.accepted']);
    await stage.start('b');
    await stage.exits(1);
    assert.deepEqual(stage.said(), ['program.live', 'program.refused']);
    assert.equal(stage.state(), 'down');
    await stage.pass(1000);
    assert.equal(stage.state(), 'down');
  });

  test('never: what was accepted and exits later is left down, in silence', async () => {
    const stage = await up(appConfig({ application: { restart: 'never' } }));
    await stage.exits(1);
    assert.deepEqual([stage.state(), stage.said()], ['down', []]);
  });

  test('always: exit 0 is an exit like any other', async () => {
    const stage = await up();
    await stage.exits(0);
    assert.equal(stage.state(), 'starting');
  });

  test('a job that has ended is taken up again when it is to be kept up from now on, unless it was stopped', async () => {
    for (const isStopped of [false, true]) {
      const stage = await up(appConfig({ application: { restart: 'never' } }));
      await stage.exits(0);
      if (isStopped) await stage.send({ type: 'stop' });
      await stage.send({ type: 'configure', config: appConfig() });
      assert.equal(stage.state(), isStopped ? 'down' : 'starting');
    }
  });
});

suite('a program that is sick', () => {
  test('is stopped and started again, which counts as an exit', async () => {
    const stage = await up(watched({ crashLimit: 2, crashWindow: 3600 }));
    stage.fortune.isWell = false;
    await stage.pass(70);
    assert.deepEqual(stage.times('ask').length, 1);
    assert.equal(stage.times('spawn a').length, 2);
    assert.equal(stage.status().restarts, 1);
    assert.ok(stage.told.some(({ type }) => type === 'unhealthy'));
    await stage.exits();
    assert.equal(stage.state(), 'given up');
  });

  test('is started again also where it would be left down if it had exited by itself', async () => {
    const stage = await up(watched({ restart: 'never' }));
    stage.fortune.isWell = false;
    await stage.pass(70);
    assert.equal(stage.times('spawn a').length, 2);
  });

  test('is watched only while an instance is in charge', async () => {
    const stage = await up(watched());
    await stage.send({ type: 'stop' });
    const probes = stage.times('probe').length;
    await stage.pass(300);
    assert.equal(stage.times('probe').length, probes);
  });

  test('tells each probe that it missed while it was up, and none while it was starting', async () => {
    const stage = await begin(watched());
    stage.fortune.isWell = false;
    await stage.start();
    await stage.pass(5);
    assert.ok(!stage.told.some(({ type }) => type === 'probe failed'));
    stage.fortune.isWell = true;
    await stage.pass(3);
    stage.fortune.isWell = false;
    await stage.pass(61);
    assert.ok(stage.told.some(({ type }) => type === 'probe failed'));
  });
});

suite('commands to a program', () => {
  test('stop ends it in every state, and says when nothing of it runs any more', async () => {
    const down = await begin();
    const starting = await begin();
    await starting.start();
    const isUp = await up();
    const backing = await up();
    await backing.exits();
    await backing.exits();
    const given = await up(appConfig({ application: { crashLimit: 1 } }));
    await given.exits();
    for (const stage of [down, starting, isUp, backing, given]) {
      stage.said();
      await stage.send({ type: 'stop' });
      assert.deepEqual([stage.state(), stage.isAlive(), stage.said()], ['down', false, ['program.down']]);
      await stage.pass(400);
      assert.equal(stage.state(), 'down');
    }
  });

  test('stop during a stop changes nothing, and kill shortens it', async () => {
    const stage = await up();
    stage.fortune.heeds = false;
    await stage.send({ type: 'stop' });
    await stage.send({ type: 'stop' });
    await stage.pass(5);
    assert.deepEqual([stage.state(), stage.deeds.at(-1)?.what], ['stopping', 'ask']);
    await stage.send({ type: 'kill' });
    assert.deepEqual([stage.state(), stage.deeds.at(-1)?.what], ['down', 'kill']);
  });

  test('abandon lets go of the process, which lives on', async () => {
    const stage = await up();
    await stage.send({ type: 'abandon' });
    assert.deepEqual([stage.isAlive(), stage.heard.at(-1)?.type], [true, 'xstate.done.actor.child']);
  });

  test('kill ends it without asking', async () => {
    const stage = await up();
    await stage.send({ type: 'kill' });
    assert.deepEqual([stage.state(), stage.times('ask').length, stage.times('kill').length], ['down', 0, 1]);
  });

  test('stop of one that is being restarted leaves it down', async () => {
    const stage = await up();
    stage.fortune.heeds = false;
    await stage.send({ type: 'restart' });
    await stage.send({ type: 'stop' });
    await stage.pass(11);
    assert.equal(stage.state(), 'down');
  });

  test('restart from up, backing off, given up and down starts it with a clean slate, and is counted', async () => {
    const isUp = await up();
    const backing = await up();
    await backing.exits();
    await backing.exits();
    const given = await up(appConfig({ application: { crashLimit: 1 } }));
    await given.exits();
    const done = await up(appConfig({ application: { restart: 'never' } }));
    await done.exits(0);
    for (const stage of [isUp, backing, given, done]) {
      const { restarts } = stage.status();
      await stage.send({ type: 'restart' });
      assert.deepEqual([stage.state(), stage.status().restarts], ['starting', restarts + 1]);
      assert.equal(stage.status().failure, null);
    }
  });

  test('restart waits while it is being stopped, and a start does so as well', async () => {
    for (const event of [{ type: 'restart' }, { type: 'start', revision: 'b', config: appConfig() }]) {
      const stage = await up();
      stage.fortune.heeds = false;
      await stage.send({ type: 'stop' });
      await stage.send(event);
      assert.equal(stage.state(), 'stopping');
      await stage.pass(11);
      assert.equal(stage.state(), 'starting');
      assert.equal(stage.status().revision, event.type === 'start' ? 'b' : 'a');
    }
  });

  test('start of another revision while one runs replaces it', async () => {
    const stage = await up();
    await stage.start('b');
    assert.deepEqual([stage.state(), stage.status().revision], ['starting', 'b']);
    await stage.pass(3);
    assert.deepEqual(stage.said(), ['program.live', 'program.accepted']);
  });

  test('restart before the first start, and of what has no start command, does nothing', async () => {
    const stage = await begin();
    await stage.send({ type: 'restart' });
    assert.equal(stage.state(), 'down');
    const removed = await up();
    await removed.send({ type: 'stop' });
    await removed.send({ type: 'configure', config: appConfig({ application: { start: null } }) });
    await removed.send({ type: 'restart' });
    assert.equal(removed.state(), 'down');
  });

  test('replace starts it anew with the new config, and is no restart to be counted', async () => {
    const stage = await up();
    const config = appConfig({ application: { settle: 5 } });
    await stage.send({ type: 'replace', config });
    assert.deepEqual([stage.state(), stage.status().restarts], ['starting', 0]);
    await stage.pass(4);
    assert.equal(stage.state(), 'starting');
    await stage.pass(2);
    assert.equal(stage.state(), 'up');
  });

  test('configure leaves the process alone: another watchdog, none, and one after none', async () => {
    const stage = await up(watched());
    const configure = (config: AppConfig) => stage.send({ type: 'configure', config });
    await configure(appConfig({ watchdog: { ...watchdog, period: 10 } }));
    const probes = () => stage.times('probe').length;
    let before = probes();
    await stage.pass(21);
    assert.equal(probes() - before, 2);
    await configure(appConfig());
    before = probes();
    await stage.pass(100);
    assert.equal(probes(), before);
    await configure(watched());
    assert.equal(probes(), before + 1);
    assert.deepEqual([stage.state(), stage.times('spawn a').length], ['up', 1]);
  });

  test('configure with the same watchdog does not even look', async () => {
    const stage = await up(watched());
    const probes = stage.times('probe').length;
    await stage.send({ type: 'configure', config: watched({ stopTimeout: 3 }) });
    assert.equal(stage.times('probe').length, probes);
  });

  test('a program that cannot be killed is told as stuck, and nothing new starts meanwhile', async () => {
    const stage = await up();
    Object.assign(stage.fortune, { heeds: false, dies: false });
    await stage.send({ type: 'stop' });
    await stage.pass(41);
    assert.deepEqual(stage.said(), ['program.stuck']);
    assert.ok(stage.told.some(({ type }) => type === 'stuck'));
    await stage.start('b');
    await stage.pass(61);
    assert.deepEqual(stage.times('spawn b'), []);
    assert.deepEqual(new Set(stage.said()), new Set(['program.stuck']));
  });
});

suite('a program, as its graph has taught', () => {
  test('is given up only after as many ends as its crash limit says, a refusal or not', async () => {
    const stage = await begin(watched({ crashLimit: 2, readyTimeout: 5 }));
    stage.fortune.isWell = false;
    await stage.start();
    await stage.pass(5.5);
    assert.equal(stage.state(), 'backing off');
    await stage.pass(7);
    assert.equal(stage.state(), 'given up');
    assert.deepEqual(stage.said(), ['program.live', 'program.refused', 'program.live', 'program.gaveUp']);
    // However often, each is told of by what came first.
    const last = 'the last: not healthy within 5 s: no such file';
    assert.equal(stage.status().failure?.reason, `given up after 2 exits; ${last}`);
    stage.fortune.answers = false;
    await stage.pass(310);
    assert.equal(stage.status().failure?.reason, `given up after 3 exits; ${last}`);
  });

  test('starts what it is told to while it backs off and after it was given up', async () => {
    const stage = await begin(appConfig({ application: { crashLimit: 3 } }));
    await stage.start('a');
    await stage.exits();
    await stage.exits();
    assert.equal(stage.state(), 'backing off');
    await stage.start('b');
    assert.equal(stage.times('spawn b').length, 1);
    await stage.exits();
    await stage.exits();
    await stage.pass(1.5);
    await stage.exits();
    assert.equal(stage.state(), 'given up');
    await stage.start('c');
    assert.equal(stage.times('spawn c').length, 1);
  });

  test('is not judged any more once it has exited, while what it left is swept', async () => {
    const stage = await begin(watched({ restart: 'on failure', readyTimeout: 5 }));
    stage.fortune.isWell = false;
    await stage.start();
    stage.fortune.sweeps = false;
    await stage.exits(0);
    const probes = stage.times('probe').length;
    await stage.pass(8);
    assert.equal(stage.times('probe').length, probes);
    const isSick = stage.told.some(({ type }) => type === 'unhealthy');
    assert.equal(isSick, false);
  });
});
