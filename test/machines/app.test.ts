import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { failureOf } from '../../machines/app-context.ts';
import { Failure, type FailureCode } from '../../machines/failure.ts';
import type { AppConfig } from '../../machines/config.ts';
import type { Facts } from '../../machines/facts.ts';
import { appConfig } from './config.ts';
import { play, type Stage, type World } from './stage.ts';

const broken = (code: FailureCode = 'remote-unreachable') =>
  new Failure(code, { doing: 'doing', subject: 'something', reason: 'it broke' });

suite('the life of an app', () => {
  test('clones, tests, pulls, starts, and is good when it has settled', async () => {
    const stage = await play({ config: appConfig({ test: { kind: 'command', commands: ['true'], timeout: 9 } }) });
    assert.deepEqual(stage.world.deeds, ['open', 'test a', 'pull a', 'spawn a']);
    assert.equal(stage.state(), 'restarting');
    assert.equal(stage.facts().good, null);
    await stage.pass(2);
    assert.equal(stage.state(), 'running');
    assert.equal(stage.facts().good, 'a');
    assert.equal(stage.app.getSnapshot().context.program.state, 'up');
    assert.deepEqual(
      stage.world.history.map(({ result, revision }) => [result, revision]),
      [['deployed', 'a']],
    );
  });

  test('starts a good revision that is in place at once, and asks afterwards', async () => {
    const stage = await play({ facts: { good: 'a', current: 'a', branch: 'main' }, world: { head: 'a' } });
    assert.deepEqual(stage.world.deeds, ['open', 'spawn a']);
    await stage.pass(2);
    assert.deepEqual(stage.world.deeds, ['open', 'spawn a', 'ask']);
    assert.equal(stage.state(), 'running');
    assert.deepEqual(stage.world.history, []);
  });

  test('deploys what the branch has moved to: stop, pull, start', async () => {
    const stage = await play({ facts: { good: 'a', current: 'a', branch: 'main' }, world: { head: 'a' } });
    await stage.pass(3);
    stage.world.tip = 'b';
    await stage.pass(61);
    await stage.pass(3);
    assert.deepEqual(stage.world.deeds.slice(3), ['ask', 'fetch b', 'stop a', 'gone a', 'pull b', 'spawn b']);
    assert.equal(stage.state(), 'running');
    assert.deepEqual([stage.facts().good, stage.facts().previous], ['b', 'a']);
  });

  test('never runs a revision that fails its test, and remembers it', async () => {
    const stage = await play({
      config: appConfig({ test: { kind: 'command', commands: ['true'], timeout: 9 } }),
      facts: { good: 'a', current: 'a', branch: 'main' },
      world: { head: 'a', tip: 'b', verdict: () => ({ kind: 'failed', failure: broken('test-failed') }) },
    });
    await stage.pass(200);
    assert.equal(stage.state(), 'running');
    assert.deepEqual(
      stage.world.deeds.filter((deed) => deed.startsWith('test')),
      ['test b'],
    );
    assert.deepEqual(
      stage.facts().rejected.map(({ revision }) => revision),
      ['b'],
    );
    assert.deepEqual(
      [...stage.world.alive.values()].map(({ revision }) => revision),
      ['a'],
    );
    await stage.pass(3600);
    assert.deepEqual(
      stage.world.deeds.filter((deed) => deed.startsWith('test')),
      ['test b', 'test b'],
    );
  });

  test('goes back to the last good revision when the new one is not accepted', async () => {
    const stage = await play({
      facts: { good: 'a', current: 'a', branch: 'main' },
      world: { head: 'a', tip: 'b', fate: (revision) => (revision === 'b' ? { code: 1, signal: null } : null) },
    });
    await stage.pass(10);
    assert.equal(stage.state(), 'running');
    assert.equal(stage.facts().current, 'a');
    assert.deepEqual(
      [...stage.world.alive.values()].map(({ revision }) => revision),
      ['a'],
    );
    assert.deepEqual(
      stage.facts().rejected.map(({ revision, why }) => [revision, why]),
      [['b', 'rolled back']],
    );
    assert.deepEqual(
      stage.world.history.map(({ result, revision }) => [result, revision]),
      [['rolled back', 'b']],
    );
    await stage.pass(200);
    assert.equal(stage.world.deeds.filter((deed) => deed === 'spawn b').length, 2);
  });

  test('gives scripts three tries, running the good revision in between', async () => {
    const stage = await play({
      config: appConfig({ scripts: { postPull: ['make'] } }),
      facts: { good: 'a', current: 'a', branch: 'main' },
      world: { head: 'a', tip: 'b', script: (_, revision) => (revision === 'b' ? broken('script-failed') : undefined) },
    });
    await stage.pass(5);
    assert.deepEqual(
      [...stage.world.alive.values()].map(({ revision }) => revision),
      ['a'],
    );
    await stage.pass(2000);
    assert.equal(stage.world.deeds.filter((deed) => deed === 'post-pull b').length, 3);
    assert.deepEqual(
      stage.facts().rejected.map(({ why }) => why),
      ['script failed'],
    );
    assert.equal(stage.world.history.length, 3);
  });

  test('waits and tries again while there is nothing fit to run', async () => {
    const stage = await play({ world: { tip: broken() } });
    assert.equal(stage.state(), 'waiting');
    stage.world.tip = 'a';
    await stage.pass(130);
    assert.equal(stage.state(), 'running');
  });

  test('ends its program when its file is gone, and is done', async () => {
    const stage = await play({ facts: { good: 'a', current: 'a' }, world: { head: 'a' } });
    await stage.pass(5);
    await stage.send({ type: 'retire' });
    assert.equal(stage.app.getSnapshot().status, 'done');
    assert.equal(stage.world.alive.size, 0);
  });

  test('rolls back a revision that is given up while it is being proved', async () => {
    const stage = await play({ facts: { good: 'a', current: 'a', branch: 'main' }, world: { head: 'a', tip: 'b' } });
    await stage.pass(10);
    assert.equal(stage.facts().good, 'b');
    for (let exits = 0; exits < 5; exits++) {
      await stage.crash();
      await stage.pass(9);
    }
    assert.deepEqual(
      [...stage.world.alive.values()].map(({ revision }) => revision),
      ['a'],
    );
    assert.equal(stage.facts().good, 'a');
    assert.equal(stage.facts().previous, null);

    // What it says of another try is so: of itself there is none.
    const tries = () => stage.world.deeds.filter((deed) => deed === 'spawn b').length;
    const before = tries();
    await stage.pass(7200);
    assert.equal(tries(), before);
    const why = failureOf(stage.app.getSnapshot().context);
    assert.equal(why?.code, 'crash-limit');
    assert.match(why.hint, /Push a new commit, or try it again by name: huddle deploy \w+ b$/);
    assert.doesNotMatch(why.hint, /every/);
  });
});

const tested = appConfig({ test: { kind: 'command', commands: ['check'], timeout: 9 } });
const good: Partial<Facts> = { good: 'a', current: 'a', branch: 'main' };
const never = (): Promise<never> => new Promise(() => {});

/** Slots of these names do not answer until they are let go. */
function holding(...held: string[]): { gate: World['gate']; release: () => void } {
  const waiting: (() => void)[] = [];
  let isOpen = false;
  return {
    gate: (slot) =>
      isOpen || !held.includes(slot) ? Promise.resolve() : new Promise((resolve) => void waiting.push(resolve)),
    release: () => {
      isOpen = true;
      for (const go of waiting.splice(0)) go();
    },
  };
}

/** An app that runs revision a, its first check being over. */
async function running(config: AppConfig = appConfig(), world: Partial<World> = {}, facts: Partial<Facts> = {}) {
  const stage = await play({ config, facts: { ...good, ...facts }, world: { head: 'a', ...world } });
  await stage.pass(3);
  assert.equal(stage.state(), 'running');
  stage.world.deeds.length = 0;
  return stage;
}

/** The branch has moved to b, and it has been checked. */
async function moved(stage: Stage, tip = 'b') {
  stage.world.tip = tip;
  await stage.send({ type: 'check' });
}

const alive = ({ world }: Stage) => [...world.alive.values()].map(({ revision }) => revision);
const rejected = (stage: Stage) => stage.facts().rejected.map(({ revision, why }) => `${revision} ${why}`);
const isGone = ({ app }: Stage) => app.getSnapshot().status === 'done';
const told = ({ world }: Stage) => world.news.map(({ type }) => type);

suite('cloning', () => {
  test('restores the good revision, when a pull was cut short, before the program starts', async () => {
    const stage = await play({ facts: { ...good, pulling: 'b' }, world: { head: 'b' } });
    assert.deepEqual(stage.world.deeds, ['open', 'pull a', 'spawn a']);
    assert.equal(stage.facts().pulling, null);
  });

  const deploying = { revision: 'b', from: 'a', result: 'deployed', reason: '', began: 0 } as const;
  for (const [when, facts, head] of [
    ['before the tree was touched', {}, 'a'],
    ['in its pull', { pulling: 'b' }, 'b'],
    ['on trial', { current: 'b' }, 'b'],
    ['on the way back', { pulling: 'a' }, 'b'],
  ] as const)
    test(`tells the history, once, of a deployment that was cut short ${when}`, async () => {
      const stage = await play({ facts: { ...good, deploying, ...facts }, world: { head } });
      await stage.pass(10);
      assert.deepEqual(
        stage.world.history.map(({ revision, from, result, reason }) => [revision, from, result, reason]),
        [['b', 'a', 'rolled back', 'cut short: Huddle ended before it was done']],
      );
      assert.equal(stage.facts().deploying, null);
    });

  test('tells the history of a revision that was being left why it was', async () => {
    const failed = { ...deploying, result: 'script failed', reason: 'exit code 3' } as const;
    const stage = await play({ facts: { ...good, deploying: failed, pulling: 'a' }, world: { head: 'b' } });
    await stage.pass(10);
    assert.deepEqual(
      stage.world.history.map(({ result, reason }) => [result, reason]),
      [['script failed', 'exit code 3']],
    );
  });

  test('restores the good revision when what is in place was rejected, or is another', async () => {
    const rejection = { revision: 'b', why: 'rolled back', at: 0, times: 1 } as const;
    const stage = await play({ facts: { ...good, current: 'b', rejected: [rejection] }, world: { head: 'b' } });
    assert.deepEqual(stage.world.deeds, ['open', 'pull a', 'spawn a']);
  });

  test('forgets what was good when the clone is fresh', async () => {
    const stage = await play({ facts: { ...good, previous: 'z' }, world: { head: null, gate: holding('pull').gate } });
    assert.deepEqual([stage.facts().good, stage.facts().previous, stage.facts().current], [null, null, null]);
  });

  test('that fails at boot waits, and starts the good revision at the next try', async () => {
    const stage = await play({ facts: good, world: { head: broken('git-missing') } });
    assert.equal(stage.state(), 'waiting');
    stage.world.head = 'a';
    await stage.pass(125);
    assert.deepEqual([stage.state(), alive(stage)], ['running', ['a']]);
  });

  test('starts nothing before it has seen the tree, whatever is edited or restarted meanwhile', async () => {
    const hold = holding('open');
    const stage = await play({ facts: { ...good, stopped: true }, world: { head: 'a', gate: hold.gate } });
    await stage.send({ type: 'start' });
    for (const application of [{ environment: { A: '1' } }, { settle: 1 }]) {
      await stage.send({ type: 'config', config: appConfig({ application }) });
    }
    await stage.send({ type: 'restart' });
    assert.deepEqual([stage.state(), alive(stage)], ['cloning', []]);
    hold.release();
    await stage.settle();
    assert.deepEqual(alive(stage), ['a']);
  });
});

suite('testing', () => {
  test('with nothing good: a test that fails is tried again like an error, and its revision is not rejected', async () => {
    let verdicts = 0;
    const stage = await play({
      config: tested,
      world: {
        verdict: () => (++verdicts > 2 ? { kind: 'passed' } : { kind: 'failed', failure: broken('test-failed') }),
      },
    });
    assert.deepEqual([stage.state(), rejected(stage)], ['waiting', []]);
    await stage.pass(1000);
    assert.deepEqual([stage.state(), stage.facts().good], ['running', 'a']);
    assert.deepEqual(
      stage.world.history.map(({ result }) => result),
      ['test failed', 'test failed', 'deployed'],
    );
  });

  test('that is pending is asked again at the next check, and rejects nothing', async () => {
    const stage = await running(tested);
    stage.world.verdict = () => ({ kind: 'pending', failure: broken('test-pending') });
    await moved(stage);
    assert.deepEqual([stage.state(), rejected(stage)], ['running', []]);
    await stage.pass(70);
    assert.equal(stage.world.deeds.filter((deed) => deed === 'test b').length, 2);
    const waiting = await play({ config: tested, world: { verdict: stage.world.verdict } });
    assert.equal(waiting.state(), 'waiting');
  });

  test('that cannot be made is an error, not a verdict', async () => {
    const stage = await running(tested);
    stage.world.verdict = () => broken('timeout');
    await moved(stage);
    assert.deepEqual([stage.state(), rejected(stage), stage.world.history], ['running', [], []]);
    assert.equal(told(stage).at(-1), 'failed');
    stage.world.verdict = () => ({ kind: 'passed' });
    await stage.pass(140);
    assert.equal(stage.facts().good, 'b');
  });

  test('finishes when the branch moves again, and then checks', async () => {
    const hold = holding('test');
    const stage = await running(tested, { gate: hold.gate });
    await moved(stage);
    await moved(stage, 'c');
    assert.equal(stage.state(), 'testing');
    hold.release();
    await stage.settle();
    await stage.pass(3);
    assert.deepEqual(
      stage.world.deeds.filter((deed) => /test|pull/.test(deed)),
      ['test b', 'pull b', 'test c', 'pull c'],
    );
  });

  test('leaves the program running, whose crash does not abort it', async () => {
    const hold = holding('test');
    const stage = await running(tested, { gate: hold.gate });
    await moved(stage);
    await stage.crash();
    assert.deepEqual([stage.state(), alive(stage)], ['testing', ['a']]);
  });

  test('of a revision that has passed is not repeated when its scripts fail', async () => {
    const config = appConfig({
      test: { kind: 'command', commands: ['check'], timeout: 9 },
      scripts: { postPull: ['make'] },
    });
    const stage = await running(config);
    stage.world.script = (_, revision) => (revision === 'b' ? broken('script-failed') : undefined);
    await moved(stage);
    await stage.pass(1000);
    assert.equal(stage.world.deeds.filter((deed) => deed === 'test b').length, 1);
    assert.equal(stage.world.deeds.filter((deed) => deed === 'post-pull b').length, 3);
  });

  test('is made again of a rejected revision that an operator names, and of no other', async () => {
    const stage = await running(tested);
    stage.world.verdict = () => ({ kind: 'failed', failure: broken('test-failed') });
    await moved(stage);
    await stage.send({ type: 'check' });
    assert.equal(told(stage).at(-1), 'still rejected');
    stage.world.verdict = () => ({ kind: 'passed' });
    await stage.send({ type: 'deploy', revision: 'b' });
    await stage.pass(3);
    assert.deepEqual([stage.facts().good, rejected(stage)], ['b', []]);
  });
});

suite('waiting', () => {
  test('is left by its timer, by check, by deploy, by restart and by an edit', async () => {
    for (const command of [
      null,
      { type: 'check' },
      { type: 'deploy', revision: null },
      { type: 'restart' },
      { type: 'config', config: appConfig({ timing: { minimum: 5, maximum: null } }) },
    ] as const) {
      const stage = await play({ world: { tip: broken() } });
      assert.equal(stage.state(), 'waiting');
      stage.world.tip = 'a';
      if (command === null) await stage.pass(130);
      else await stage.send(command);
      await stage.pass(3);
      assert.deepEqual(
        [stage.state(), stage.facts().good],
        ['running', 'a'],
        command === null ? 'timer' : command.type,
      );
    }
  });

  test('doubles its wait with each error in a row, and forgets them when all is well', async () => {
    const stage = await running();
    stage.world.tip = broken();
    const asks = () => stage.world.deeds.filter((deed) => deed === 'ask').length;
    const at: number[] = [];
    for (let second = 0; second < 2000; second++) {
      const before = asks();
      await stage.pass(1);
      if (asks() > before) at.push(second);
    }
    const waits = at.map((second, index) => second - (at[index - 1] ?? 0));
    assert.deepEqual(waits.slice(1), [120, 240, 480, 600]);
    stage.world.tip = 'a';
    await stage.send({ type: 'check' });
    assert.ok(told(stage).includes('recovered'));
    const before = asks();
    await stage.pass(61);
    assert.equal(asks(), before + 1);
  });
});

suite('running', () => {
  test('checks by its timer, which a shorter timing brings forward at once', async () => {
    const stage = await running();
    await stage.pass(50);
    assert.deepEqual(stage.world.deeds, []);
    await stage.send({ type: 'config', config: appConfig({ timing: { minimum: 5, maximum: null } }) });
    await stage.pass(6);
    assert.deepEqual(stage.world.deeds, ['ask']);
  });

  test('goes on when its program is given up, and the next commit is deployed as usual', async () => {
    const stage = await running(appConfig({ application: { crashLimit: 1 } }));
    await stage.crash();
    assert.deepEqual([stage.state(), stage.app.getSnapshot().context.program.state], ['running', 'given up']);
    await moved(stage);
    await stage.pass(3);
    assert.deepEqual([stage.facts().good, alive(stage)], ['b', ['b']]);
  });

  test('never goes back from a revision that it has come back to, nor after the time of proving, nor where rollback is false', async () => {
    const once = appConfig({ application: { crashLimit: 1 } });
    const back = await running(once);
    await moved(back);
    await back.pass(3);
    await back.crash();
    await back.pass(3);
    assert.equal(back.facts().good, 'a');
    await back.crash();
    await back.pass(9);
    assert.deepEqual([back.facts().good, back.facts().current], ['a', 'a']);
    const late = await running(once, {}, { previous: 'z', provingUntil: 5000 });
    await late.pass(3);
    await late.crash();
    assert.equal(late.facts().good, 'a');
    const staying = appConfig({ application: { crashLimit: 1 }, deployment: { rollback: false } });
    const told = await running(staying, {}, { previous: 'z', provingUntil: 1e9 });
    await told.crash();
    assert.equal(told.facts().good, 'a');
  });

  test('deploys a fix that was being tested when its program was given up, and stays there', async () => {
    const hold = holding('test');
    const config = appConfig({
      test: { kind: 'command', commands: ['check'], timeout: 9 },
      application: { crashLimit: 1 },
    });
    const stage = await running(config, { gate: hold.gate }, { previous: 'z', provingUntil: 1e9 });
    await moved(stage);
    await stage.crash();
    hold.release();
    await stage.settle();
    await stage.pass(9);
    assert.deepEqual([stage.facts().good, alive(stage), rejected(stage)], ['b', ['b'], []]);
  });

  test('does not hold the crashes of a candidate against the good revision that is still being proved', async () => {
    const config = appConfig({ application: { crashLimit: 2 } });
    const fate: World['fate'] = (revision) => (revision === 'b' ? { code: 1, signal: null } : null);
    const stage = await running(config, { fate }, { previous: 'z', provingUntil: 1e9 });
    await moved(stage);
    await stage.pass(9);
    assert.deepEqual([stage.facts().good, alive(stage), rejected(stage)], ['a', ['a'], ['b rolled back']]);
  });
});

suite('checking', () => {
  test('fetches and tests nothing where the branch has not moved', async () => {
    const stage = await running();
    await stage.send({ type: 'check' });
    assert.deepEqual([stage.world.deeds, stage.state()], [['ask'], 'running']);
  });

  test('deploys an old good revision that the branch was moved back to like any other', async () => {
    const stage = await running(tested, { tip: 'a' }, { good: 'a', previous: 'z' });
    for (const tip of ['b', 'a', 'z', 'a']) {
      stage.world.deeds.length = 0;
      const before = stage.facts().good ?? '';
      await moved(stage, tip);
      await stage.pass(3);
      const deeds = ['ask', `fetch ${tip}`, `test ${tip}`, `stop ${before}`, `gone ${before}`, `pull ${tip}`];
      assert.deepEqual(stage.world.deeds, [...deeds, `spawn ${tip}`]);
      assert.deepEqual([stage.state(), stage.facts().good, stage.facts().previous], ['running', tip, before]);
    }
  });

  test('that fails leaves the program running, and is told once', async () => {
    const stage = await running();
    stage.world.tip = broken();
    await stage.send({ type: 'check' });
    assert.deepEqual([stage.state(), alive(stage)], ['running', ['a']]);
    await stage.send({ type: 'config', config: appConfig({ logs: undefined } as never) });
    assert.equal(told(stage).filter((type) => type === 'failed').length, 1);
  });

  test('takes a check that is asked for meanwhile as one more', async () => {
    const hold = holding('ask');
    const stage = await running(appConfig(), { gate: hold.gate }).catch(() => null);
    assert.equal(stage, null, 'the first check is held');
    const checking = await play({ facts: good, world: { head: 'a', gate: hold.gate } });
    await checking.pass(3);
    assert.equal(checking.state(), 'checking');
    await checking.send({ type: 'check' });
    hold.release();
    await checking.settle();
    assert.equal(checking.world.deeds.filter((deed) => deed === 'ask').length, 2);
  });

  test('starts the program again that could not be killed and has ended since', async () => {
    const stage = await running();
    Object.assign(stage.world, { heeds: false, dies: false });
    await moved(stage);
    await stage.pass(45);
    assert.equal(stage.state(), 'running');
    Object.assign(stage.world, { heeds: true, dies: true, tip: never() });
    await stage.send({ type: 'check' });
    assert.equal(stage.state(), 'checking');
    await stage.pass(3);
    assert.deepEqual([stage.state(), alive(stage)], ['checking', ['a']]);
  });
});

suite('stopping and pulling', () => {
  test('does not pull under a program that cannot be killed: it runs on, with the error', async () => {
    const stage = await running();
    Object.assign(stage.world, { heeds: false, dies: false });
    await moved(stage);
    await stage.pass(45);
    assert.equal(stage.state(), 'running');
    assert.ok(!stage.world.deeds.includes('pull b'));
    assert.ok(told(stage).includes('failed'));
    assert.deepEqual(rejected(stage), []);
  });

  test('says so again at each try, and deploys when it has ended after all', async () => {
    const stage = await running();
    Object.assign(stage.world, { heeds: false, dies: false });
    await moved(stage);
    await stage.pass(300);
    assert.ok(told(stage).filter((type) => type === 'failed').length > 1);
    assert.ok(!stage.world.deeds.includes('pull b'));
    Object.assign(stage.world, { heeds: true, dies: true });
    await stage.pass(300);
    assert.deepEqual([stage.facts().good, alive(stage)], ['b', ['b']]);
  });

  test('runs scripts in order: pre-pull, the pull, post-pull, while the program is stopped', async () => {
    const stage = await running(appConfig({ scripts: { prePull: ['x'], postPull: ['y'] } }));
    await moved(stage);
    assert.deepEqual(stage.world.deeds.slice(2), [
      'stop a',
      'gone a',
      'pre-pull b',
      'pull b',
      'post-pull b',
      'spawn b',
    ]);
  });

  test('runs post-pull scripts after the first clone, and no pre-pull scripts before it', async () => {
    const stage = await play({ config: appConfig({ scripts: { prePull: ['x'], postPull: ['y'] } }) });
    assert.deepEqual(stage.world.deeds, ['open', 'pull a', 'post-pull a', 'spawn a']);
  });

  test('goes back when a pull fails, and tries it again at the next check without rejecting', async () => {
    const stage = await running();
    stage.world.pull = (revision) => (revision === 'b' ? broken('disk-full') : undefined);
    await moved(stage);
    await stage.pass(3);
    assert.deepEqual([stage.state(), alive(stage), rejected(stage)], ['running', ['a'], []]);
    stage.world.pull = () => undefined;
    await stage.pass(200);
    assert.equal(stage.facts().good, 'b');
  });

  test('starts the good revision all the same when the way back fails as well, and keeps the error', async () => {
    const stage = await running();
    stage.world.pull = () => broken('disk-full');
    await moved(stage);
    await stage.pass(3);
    assert.deepEqual([stage.state(), alive(stage), stage.facts().pulling], ['running', ['a'], 'a']);
    assert.equal(stage.app.getSnapshot().context.trouble?.code, 'disk-full');
  });

  test('starts the good revision also when its own scripts fail on the way back', async () => {
    const stage = await running(appConfig({ scripts: { postPull: ['make'] } }));
    stage.world.script = () => broken('script-failed');
    await moved(stage);
    await stage.pass(3);
    assert.deepEqual([stage.state(), alive(stage), stage.facts().current], ['running', ['a'], 'a']);
  });

  test('waits where there is nothing good to go back to', async () => {
    const stage = await play({ world: { pull: () => broken('disk-full') } });
    assert.deepEqual([stage.state(), stage.facts().pulling], ['waiting', 'a']);
    stage.world.pull = () => undefined;
    await stage.pass(130);
    assert.deepEqual([stage.state(), stage.facts().good], ['running', 'a']);
  });
});

suite('restarting', () => {
  const dying: World['fate'] = (revision) => (revision === 'b' ? { code: 1, signal: null } : null);

  test('keeps a revision that is not accepted where rollback is false, until it settles after all', async () => {
    const stage = await running(appConfig({ deployment: { rollback: false } }), { fate: dying });
    await moved(stage);
    assert.deepEqual([stage.state(), stage.facts().current, stage.facts().good], ['running', 'b', 'a']);
    assert.ok(told(stage).includes('kept'));
    stage.world.fate = () => null;
    await stage.pass(9);
    assert.deepEqual([stage.facts().good, rejected(stage)], ['b', []]);
  });

  test('keeps the first revision, with its delays and retry, when there is no good one', async () => {
    const stage = await play({ world: { fate: () => ({ code: 1, signal: null }) } });
    await stage.pass(40);
    assert.deepEqual([stage.state(), stage.app.getSnapshot().context.program.state], ['running', 'given up']);
    stage.world.fate = () => null;
    await stage.pass(310);
    assert.equal(stage.facts().good, 'a');
  });

  test('accepts a kept revision that settles while a check is being made', async () => {
    const hold = holding('ask');
    let exits = 0;
    const fate: World['fate'] = () => (++exits < 3 ? { code: 1, signal: null } : null);
    const stage = await play({ world: { fate, gate: hold.gate } });
    await stage.send({ type: 'check' });
    assert.equal(stage.state(), 'checking');
    await stage.pass(9);
    assert.deepEqual([stage.state(), stage.facts().good], ['checking', 'a']);
  });

  test('accepts at once where there is no program', async () => {
    const stage = await play({ config: appConfig({ application: { start: null } }) });
    assert.deepEqual([stage.state(), stage.facts().good, stage.world.deeds], ['running', 'a', ['open', 'pull a']]);
  });

  test('remembers no rejected revision as the way back', async () => {
    const stage = await running(appConfig(), {}, { good: 'a', previous: 'b' });
    stage.world.fate = dying;
    await moved(stage);
    await stage.pass(9);
    assert.deepEqual([stage.facts().good, stage.facts().previous, rejected(stage)], ['a', null, ['b rolled back']]);
    await stage.send({ type: 'rollback' });
    assert.deepEqual([stage.state(), alive(stage)], ['running', ['a']]);
  });
});

suite('stop and start', () => {
  test('stop in every state ends in stopped, with nothing alive and the good revision in place', async () => {
    const scripts = appConfig({ test: { kind: 'command', commands: ['t'], timeout: 9 }, scripts: { postPull: ['y'] } });
    for (const [slot, state] of [
      ['open', 'cloning'],
      ['ask', 'checking'],
      ['fetch', 'checking'],
      ['test', 'testing'],
      ['script', 'pulling'],
      ['none', 'restarting'],
    ] as const) {
      const { gate, release } = holding(slot);
      const stage = await play({ config: scripts, facts: good, world: { head: 'a', tip: 'b', gate } });
      await stage.pass(slot === 'none' ? 2 : 3);
      assert.equal(stage.state(), state, slot);
      await stage.send({ type: 'stop' });
      release();
      await stage.settle();
      assert.deepEqual([stage.state(), alive(stage), stage.facts().stopped], ['stopped', [], true], slot);
      assert.deepEqual([stage.facts().current, stage.facts().pulling, rejected(stage)], ['a', null, []], slot);
      assert.equal(stage.facts().deploying, null, slot);
      await stage.pass(200);
      assert.deepEqual([stage.state(), alive(stage)], ['stopped', []]);
    }
  });

  test('stop while waiting, and while a program does not heed, ends in stopped', async () => {
    const waiting = await play({ world: { tip: broken() } });
    await waiting.send({ type: 'stop' });
    assert.equal(waiting.state(), 'stopped');
    const stage = await running(appConfig(), { heeds: false });
    await stage.send({ type: 'stop' });
    assert.equal(stage.state(), 'stopping');
    await stage.pass(11);
    assert.equal(stage.state(), 'stopped');
  });

  test('stop in the middle of stopping for a deployment drops the candidate, and rejects nothing', async () => {
    const stage = await running(appConfig(), { heeds: false });
    await moved(stage);
    assert.equal(stage.state(), 'stopping');
    await stage.send({ type: 'stop' });
    await stage.pass(11);
    assert.deepEqual([stage.state(), rejected(stage)], ['stopped', []]);
    assert.ok(!stage.world.deeds.includes('pull b'));
  });

  test('a stopped app refuses check, and does nothing for rollback, an edit or its timer', async () => {
    const stage = await running(appConfig(), {}, { previous: 'z' });
    await stage.send({ type: 'stop' });
    stage.world.deeds.length = 0;
    for (const type of ['check', 'rollback', 'stop', 'pause', 'resume'] as const) await stage.send({ type });
    await stage.send({ type: 'config', config: appConfig({ repository: { branch: 'next' } }) });
    await stage.pass(700);
    assert.deepEqual([stage.state(), stage.world.deeds], ['stopped', []]);
  });

  test('start, restart and deploy start a stopped app, deploy with what it names', async () => {
    for (const type of ['start', 'restart'] as const) {
      const stage = await play({ facts: { ...good, stopped: true }, world: { head: 'a' } });
      assert.deepEqual([stage.state(), stage.world.deeds], ['stopped', []]);
      await stage.send({ type });
      await stage.pass(3);
      assert.deepEqual([stage.state(), alive(stage), stage.facts().stopped], ['running', ['a'], false]);
    }
    const stage = await play({ facts: { ...good, stopped: true }, world: { head: 'a' } });
    await stage.send({ type: 'deploy', revision: 'b' });
    await stage.pass(6);
    assert.deepEqual([stage.facts().good, stage.facts().pinned], ['b', true]);
  });

  test('start, restart and deploy during a stop are carried out when it is over', async () => {
    for (const command of [{ type: 'start' }, { type: 'restart' }, { type: 'deploy', revision: 'a' }] as const) {
      const stage = await running(appConfig(), { heeds: false });
      await stage.send({ type: 'stop' });
      await stage.send(command);
      await stage.pass(14);
      assert.deepEqual([stage.state(), alive(stage), stage.facts().stopped], ['running', ['a'], false]);
    }
  });

  test('start of one without a good revision tests what the branch is at', async () => {
    const stage = await play({ config: tested, facts: { stopped: true } });
    await stage.send({ type: 'start' });
    await stage.pass(3);
    assert.deepEqual([stage.facts().good, stage.world.deeds.includes('test a')], ['a', true]);
  });

  test('one that was kept, and never good, counts for nothing after stop and start', async () => {
    const stage = await play({ config: tested, world: { fate: () => ({ code: 1, signal: null }) } });
    await stage.pass(1);
    await stage.send({ type: 'stop' });
    stage.world.verdict = () => ({ kind: 'failed', failure: broken('test-failed') });
    await stage.send({ type: 'start' });
    await stage.pass(1);
    assert.equal(stage.state(), stage.world.deeds.includes('test a') ? stage.state() : 'waiting');
    assert.notEqual(stage.app.getSnapshot().context.program.state, 'up');
  });
});

suite('pause, pin and resume', () => {
  test('a paused app makes no check, by timer or by command, until it is resumed, and then at once', async () => {
    const stage = await running();
    await stage.send({ type: 'pause' });
    assert.equal(stage.app.getSnapshot().context.nextCheck, null);
    await stage.send({ type: 'check' });
    await stage.pass(700);
    assert.deepEqual(stage.world.deeds, []);
    await stage.send({ type: 'resume' });
    assert.deepEqual(stage.world.deeds, ['ask']);
    await stage.pass(61);
    assert.deepEqual(stage.world.deeds, ['ask', 'ask']);
  });

  test('a deployment that runs when it is paused is finished', async () => {
    const hold = holding('pull');
    const stage = await running(appConfig(), { gate: hold.gate });
    await moved(stage);
    await stage.send({ type: 'pause' });
    hold.release();
    await stage.settle();
    await stage.pass(3);
    assert.deepEqual([stage.facts().good, stage.facts().paused], ['b', true]);
    await moved(stage, 'c');
    await stage.pass(200);
    assert.equal(stage.facts().good, 'b');
  });

  test('one that begins paused or pinned starts its program and asks nothing', async () => {
    for (const flag of [{ paused: true }, { pinned: true }]) {
      const stage = await play({ facts: { ...good, ...flag }, world: { head: 'a' } });
      await stage.pass(300);
      assert.deepEqual([stage.state(), stage.world.deeds], ['running', ['open', 'spawn a']]);
    }
  });

  test('one that is paused with nothing to run waits, at its beginning and when it is edited, until it is told to go on', async () => {
    const stage = await play({ facts: { paused: true }, world: { tip: 'b' } });
    await stage.pass(300);
    await stage.send({ type: 'config', config: appConfig({ timing: { minimum: 5, maximum: null } }) });
    await stage.send({ type: 'config', config: appConfig({ repository: { depth: 1 } }) });
    await stage.pass(300);
    assert.deepEqual([stage.state(), stage.world.deeds], ['waiting', []]);
    await stage.send({ type: 'resume' });
    await stage.pass(3);
    assert.deepEqual([stage.state(), stage.facts().good], ['running', 'b']);
    assert.equal(stage.app.getSnapshot().context.config.repository.depth, 1);
  });

  test('one that begins paused or pinned, and cannot be opened at first, starts its good revision at the next try', async () => {
    for (const flag of [{ paused: true }, { pinned: true }]) {
      const stage = await play({ facts: { ...good, ...flag }, world: { head: new Error('no such mount') } });
      await stage.pass(3);
      assert.equal(stage.state(), 'waiting');
      stage.world.head = 'a';
      await stage.pass(300);
      assert.deepEqual([stage.state(), stage.world.deeds], ['running', ['open', 'open', 'spawn a']]);
    }
  });

  test('a revision that was deployed by name stays until resume', async () => {
    const stage = await running();
    await stage.send({ type: 'deploy', revision: 'b' });
    await stage.pass(3);
    assert.deepEqual([stage.facts().good, stage.facts().pinned], ['b', true]);
    stage.world.tip = 'c';
    await stage.pass(200);
    assert.equal(stage.facts().good, 'b');
    await stage.send({ type: 'resume' });
    await stage.pass(3);
    assert.deepEqual([stage.facts().good, stage.facts().pinned], ['c', false]);
  });

  test('deploying what is in place by name pins it, and a named one that fails pins nothing', async () => {
    const stage = await running();
    await stage.send({ type: 'deploy', revision: 'a' });
    assert.deepEqual([stage.state(), stage.facts().pinned], ['running', true]);
    const failing = await running(appConfig(), {
      fate: (revision) => (revision === 'b' ? { code: 1, signal: null } : null),
    });
    await failing.send({ type: 'deploy', revision: 'b' });
    await failing.pass(3);
    assert.deepEqual([failing.facts().good, failing.facts().pinned], ['a', false]);
  });
});

suite('deploy and rollback', () => {
  test('supersede a check and a test, and the last one wins', async () => {
    for (const slot of ['test', 'fetch'] as const) {
      const hold = holding(slot);
      const stage = await running(tested, { gate: hold.gate });
      await moved(stage);
      await stage.send({ type: 'deploy', revision: 'c' });
      await stage.send({ type: 'deploy', revision: 'd' });
      hold.release();
      await stage.settle();
      await stage.pass(3);
      assert.equal(stage.facts().good, 'd', slot);
      assert.ok(!stage.world.deeds.some((deed) => ['pull b', 'pull c'].includes(deed)));
    }
  });

  test('are queued behind stopping, pulling and restarting', async () => {
    const stage = await running(appConfig(), { heeds: false });
    await moved(stage);
    await stage.send({ type: 'deploy', revision: 'c' });
    assert.equal(stage.state(), 'stopping');
    stage.world.heeds = true;
    await stage.pass(20);
    assert.deepEqual([stage.facts().good, stage.facts().previous], ['c', 'b']);
    const hold = holding('pull');
    const pulling = await running(appConfig(), { gate: hold.gate });
    await moved(pulling);
    await pulling.send({ type: 'rollback' });
    hold.release();
    await pulling.settle();
    await pulling.pass(6);
    assert.deepEqual(
      [pulling.facts().good, rejected(pulling)],
      ['a', ['b rolled back']],
      'it leaves what was on its way',
    );
  });

  test('rollback rejects what it leaves, and pins what it returns to', async () => {
    const stage = await running();
    await moved(stage);
    await stage.pass(3);
    await stage.send({ type: 'rollback' });
    await stage.pass(3);
    assert.deepEqual([stage.facts().good, stage.facts().pinned, rejected(stage)], ['a', true, ['b rolled back']]);
    assert.equal(stage.world.history.at(-1)?.result, 'rolled back');
    await stage.send({ type: 'resume' });
    await stage.pass(200);
    assert.equal(stage.facts().good, 'a');
  });

  for (const strategy of ['in place', 'side by side'] as const)
    test(`${strategy}, a rollback is told as its operator's, whatever else has gone wrong before`, async () => {
      const stage = await running(appConfig({ deployment: { strategy } }));
      await moved(stage);
      await stage.pass(3);
      stage.world.tip = broken('remote-unreachable');
      await stage.send({ type: 'check' });
      await stage.send({ type: 'rollback' });
      await stage.pass(3);
      assert.equal(stage.facts().good, 'a');
      assert.deepEqual(
        stage.world.news.filter(({ type }) => type === 'rolling back'),
        [{ type: 'rolling back', revision: 'b', to: 'a', failure: null }],
      );
    });

  test('side by side, the program that leads is told to run on when another revision, or its own by a new config, is refused', async () => {
    const dies = { fate: (revision: string) => (revision === 'b' ? { code: 3, signal: null } : null) };
    const beside = appConfig({ deployment: { strategy: 'side by side' } });
    const stage = await running(beside, dies);
    await moved(stage);
    await stage.pass(3);
    stage.world.fate = () => ({ code: 4, signal: null });
    const config = { ...beside, application: { ...beside.application, start: 'run shop anew' } };
    await stage.send({ type: 'config', config });
    await stage.pass(3);
    assert.deepEqual(
      stage.world.news.flatMap((news) =>
        news.type === 'stayed' ? [[news.revision, news.at, news.failure.reason]] : [],
      ),
      [
        ['b', 'a', 'it ended with exit code 3'],
        ['a', 'a', 'it ended with exit code 4'],
      ],
    );
    assert.deepEqual(alive(stage), ['a']);
  });

  test('side by side, one that ends while the world is turned to it never leads, though what it left is not swept yet', async () => {
    const hold = holding('handOver');
    const stage = await running(appConfig({ deployment: { strategy: 'side by side' } }));
    stage.world.gate = hold.gate;
    await moved(stage);
    await stage.pass(3);
    const pid = [...stage.world.alive].find(([, { revision }]) => revision === 'b')?.[0];
    stage.world.dies = false;
    await stage.crash({ code: 0, signal: null }, pid);
    hold.release();
    await stage.pass(3);
    assert.deepEqual([stage.facts().good, stage.facts().rejected.length, alive(stage)], ['a', 1, ['a']]);
    const reason = stage.world.history.at(-1)?.reason ?? '';
    assert.match(reason, /it ended by itself while it was to be handed over to/);
  });

  test('side by side, a revision is not rejected because the world could not be turned to it, and is tried again', async () => {
    const stage = await running(appConfig({ deployment: { strategy: 'side by side' } }));
    stage.world.handOver = (revision) => (revision === 'b' ? broken('path-occupied') : undefined);
    await moved(stage);
    await stage.pass(3);
    assert.deepEqual([stage.facts().good, stage.facts().rejected, alive(stage)], ['a', [], ['a']]);
    assert.equal(failureOf(stage.app.getSnapshot().context)?.code, 'path-occupied');
    assert.equal(stage.world.history.at(-1)?.result, 'rolled back');
    stage.world.handOver = () => undefined;
    await stage.send({ type: 'check' });
    await stage.pass(3);
    assert.deepEqual([stage.facts().good, alive(stage)], ['b', ['b']]);
    assert.equal(failureOf(stage.app.getSnapshot().context), null);
  });

  test('side by side, a revision whose switch script fails is rejected', async () => {
    const stage = await running(appConfig({ deployment: { strategy: 'side by side' } }));
    stage.world.handOver = (revision) => (revision === 'b' ? broken('script-failed') : undefined);
    await moved(stage);
    await stage.pass(3);
    assert.deepEqual([stage.facts().good, stage.facts().rejected.length, alive(stage)], ['a', 1, ['a']]);
  });

  test('side by side, one that was given up has recovered when its rollback is up, and not by the next deployment', async () => {
    const stage = await running(appConfig({ deployment: { strategy: 'side by side' } }));
    const recovered = () =>
      stage.world.news.flatMap((news) => (news.type === 'program recovered' ? [news.revision] : []));
    await moved(stage);
    await stage.pass(5);
    for (let exits = 0; exits < 5; exits++) {
      await stage.crash();
      await stage.pass(9);
    }
    assert.deepEqual([stage.facts().good, recovered()], ['a', ['a']]);
    await moved(stage, 'c');
    await stage.pass(5);
    assert.deepEqual([stage.facts().good, recovered()], ['c', ['a']]);
  });

  test('side by side, restarts are those of the program that leads and led, and not those of a trial', async () => {
    const stage = await running(appConfig({ deployment: { strategy: 'side by side' } }));
    const restarts = () => {
      const { program, earlierRestarts } = stage.app.getSnapshot().context;
      return program.restarts + earlierRestarts;
    };
    for (let crash = 0; crash < 3; crash++) {
      await stage.crash();
      await stage.pass(90);
    }
    assert.equal(restarts(), 3);
    stage.world.fate = (revision) => (revision === 'b' ? { code: 3, signal: null } : null);
    await moved(stage);
    await stage.pass(5);
    assert.deepEqual([stage.facts().good, restarts()], ['a', 3]);
    for (const tip of ['c', 'd']) {
      await moved(stage, tip);
      await stage.pass(5);
      assert.deepEqual([stage.facts().good, restarts()], [tip, 3]);
    }
    await stage.crash();
    await stage.pass(5);
    assert.equal(restarts(), 4);
  });

  test('rollback during a test gives the test up', async () => {
    const hold = holding('test');
    const stage = await running(tested, { gate: hold.gate, head: 'a' }, { previous: 'z' });
    await moved(stage);
    assert.equal(stage.state(), 'testing');
    await stage.send({ type: 'rollback' });
    await stage.pass(3);
    assert.deepEqual([stage.facts().good, alive(stage)], ['z', ['z']]);
  });

  test('deploy without a name takes the newest, rejected or not', async () => {
    const stage = await running(tested);
    stage.world.verdict = () => ({ kind: 'failed', failure: broken('test-failed') });
    await moved(stage);
    stage.world.verdict = () => ({ kind: 'passed' });
    await stage.send({ type: 'deploy', revision: null });
    await stage.pass(3);
    assert.deepEqual([stage.facts().good, stage.facts().pinned], ['b', false]);
  });
});

suite('an edited config', () => {
  const blue = appConfig({ application: { environment: { COLOUR: 'blue' } } });

  test('of timing, test, scripts, watchdog or logs never restarts the program', async () => {
    const stage = await running();
    const watchdog = { period: 9, timeout: 1, failures: 3, probe: { kind: 'command', command: 'look' } } as const;
    for (const config of [tested, appConfig({ scripts: { postPull: ['y'] } }), appConfig({ watchdog }), appConfig()]) {
      await stage.send({ type: 'config', config });
      await stage.pass(1);
    }
    assert.ok(!stage.world.deeds.some((deed) => /spawn|stop/.test(deed)));
  });

  test('with the same meaning does nothing and says nothing', async () => {
    const stage = await running();
    const before = stage.world.news.length;
    await stage.send({ type: 'config', config: appConfig() });
    assert.equal(stage.world.news.length, before);
  });

  test('of the application restarts the program only, also during a check or a test', async () => {
    const stage = await running();
    await stage.send({ type: 'config', config: blue });
    assert.deepEqual(stage.world.deeds, ['stop a', 'gone a', 'spawn a']);
    const hold = holding('test');
    const testing = await running(tested, { gate: hold.gate });
    await moved(testing);
    const both = appConfig({ test: tested.test, application: { environment: { COLOUR: 'blue' } } });
    await testing.send({ type: 'config', config: both });
    assert.deepEqual([testing.state(), testing.world.deeds.at(-1)], ['testing', 'spawn a']);
  });

  test('of the repository opens the working copy anew, from running, checking, testing and waiting', async () => {
    const config = appConfig({ test: tested.test, repository: { branch: 'next' } });
    for (const slot of ['none', 'ask', 'test'] as const) {
      const hold = holding(slot);
      const stage = await play({ config: tested, facts: good, world: { head: 'a', tip: 'b', gate: hold.gate } });
      await stage.pass(6);
      const opened = stage.world.deeds.filter((deed) => deed === 'open').length;
      await stage.send({ type: 'config', config });
      assert.equal(stage.world.deeds.filter((deed) => deed === 'open').length, opened + 1, slot);
      assert.equal(alive(stage).length, 1);
    }
    const waiting = await play({ config: tested, world: { tip: broken() } });
    await waiting.send({ type: 'config', config });
    assert.equal(waiting.world.deeds.filter((deed) => deed === 'open').length, 2);
  });

  test('of the repository together with the application replaces the program as well', async () => {
    const stage = await running();
    const config = appConfig({ repository: { depth: 1 }, application: { environment: { COLOUR: 'blue' } } });
    await stage.send({ type: 'config', config });
    assert.ok(stage.world.deeds.includes('spawn a'));
  });

  test('that comes while stopping, pulling or restarting is held until the end', async () => {
    const hold = holding('pull');
    const stage = await running(appConfig(), { gate: hold.gate });
    await moved(stage);
    await stage.send({ type: 'config', config: blue });
    assert.ok(!told(stage).includes('config changed'));
    hold.release();
    await stage.settle();
    await stage.pass(3);
    assert.ok(told(stage).includes('config changed'));
    assert.deepEqual(stage.world.deeds.slice(-3), ['stop b', 'gone b', 'spawn b']);
  });

  test('that takes the program away ends it, and one that gives it back starts it', async () => {
    const stage = await running();
    await stage.send({ type: 'config', config: appConfig({ application: { start: null } }) });
    assert.deepEqual([stage.state(), alive(stage)], ['running', []]);
    await stage.send({ type: 'restart' });
    assert.deepEqual(alive(stage), [], 'there is nothing to restart');
    await stage.send({ type: 'config', config: appConfig() });
    await stage.pass(3);
    assert.deepEqual([stage.state(), alive(stage)], ['running', ['a']]);
  });

  test('that gives the program back while it is still being ended starts it when it is gone', async () => {
    const stage = await running(appConfig(), { heeds: false });
    await stage.send({ type: 'config', config: appConfig({ application: { start: null } }) });
    await stage.send({ type: 'config', config: appConfig() });
    await stage.pass(14);
    assert.deepEqual([stage.state(), alive(stage)], ['running', ['a']]);
  });

  test('of the test or the scripts forgives what failed by the old ones', async () => {
    const stage = await running(tested);
    stage.world.verdict = () => ({ kind: 'failed', failure: broken('test-failed') });
    await moved(stage);
    assert.deepEqual(rejected(stage), ['b test failed']);
    await stage.send({ type: 'config', config: appConfig() });
    await stage.pass(3);
    assert.deepEqual([rejected(stage), stage.facts().good], [[], 'b']);
  });
});

suite('the end of an app', () => {
  test('retire and shutdown end it in every state, with nothing alive; shutdown writes no flag', async () => {
    for (const type of ['retire', 'shutdown', 'kill'] as const) {
      for (const slot of ['open', 'ask', 'fetch', 'test', 'script', 'none']) {
        const hold = holding(slot);
        const config = appConfig({ test: tested.test, scripts: { postPull: ['y'] } });
        const stage = await play({ config, facts: good, world: { head: 'a', tip: 'b', gate: hold.gate } });
        await stage.pass(2.5);
        await stage.send({ type });
        hold.release();
        await stage.settle();
        assert.deepEqual([isGone(stage), alive(stage), stage.facts().stopped], [true, [], false], `${type} ${slot}`);
        // Whoever puts the file back finds what was good; a Huddle that only goes leaves the attempt to the next one.
        const { current, pulling, deploying } = stage.facts();
        if (type === 'retire') assert.deepEqual([current, pulling, deploying], ['a', null, null], slot);
      }
    }
  });

  test('shutdown in a pull leaves the intent for the next Huddle, retire restores the good revision', async () => {
    for (const [type, pulling, current, deploying] of [
      ['shutdown', 'b', 'a', 'b'],
      ['retire', null, 'a', undefined],
    ] as const) {
      const hold = holding('script');
      const stage = await running(appConfig({ scripts: { postPull: ['y'] } }), { gate: hold.gate });
      await moved(stage);
      await stage.send({ type });
      hold.release();
      await stage.settle();
      assert.deepEqual([isGone(stage), stage.facts().pulling, stage.facts().current], [true, pulling, current], type);
      assert.equal(stage.facts().deploying?.revision, deploying, type);
    }
  });

  test('shutdown on trial leaves it to the next Huddle to tell what became of the deployment', async () => {
    const stage = await running();
    await moved(stage);
    assert.equal(stage.state(), 'restarting');
    await stage.send({ type: 'shutdown' });
    await stage.pass(1);
    assert.deepEqual([isGone(stage), stage.facts().deploying?.revision, stage.world.history], [true, 'b', []]);
  });

  test('stopped and waiting apps leave as well', async () => {
    for (const type of ['retire', 'shutdown', 'kill', 'detach'] as const) {
      const stopped = await play({ facts: { ...good, stopped: true } });
      const waiting = await play({ world: { tip: broken() } });
      for (const stage of [stopped, waiting]) {
        await stage.send({ type });
        assert.ok(isGone(stage), type);
      }
      assert.equal(stopped.facts().stopped, true);
    }
  });

  test('detach leaves the program alone', async () => {
    const stage = await running();
    await stage.send({ type: 'detach' });
    assert.deepEqual([isGone(stage), alive(stage), stage.world.deeds], [true, ['a'], ['close']]);
  });

  test('kill does not wait for a program that does not heed', async () => {
    const stage = await running(appConfig(), { heeds: false });
    await stage.send({ type: 'shutdown' });
    assert.ok(!isGone(stage));
    await stage.send({ type: 'kill' });
    assert.deepEqual([isGone(stage), alive(stage)], [true, []]);
  });

  test('a program that cannot be killed does not keep Huddle from leaving, but keeps a stop from being done', async () => {
    const world = { heeds: false, dies: false };
    const leaving = await running(appConfig(), world);
    await leaving.send({ type: 'shutdown' });
    await leaving.pass(45);
    assert.ok(isGone(leaving));
    const stopping = await running(appConfig(), world);
    await stopping.send({ type: 'stop' });
    await stopping.pass(100);
    assert.equal(stopping.state(), 'stopping');
    Object.assign(stopping.world, { heeds: true, dies: true });
    await stopping.pass(40);
    assert.equal(stopping.state(), 'stopped');
  });
});

suite('A stop and a shutdown that meet', () => {
  const begun = () => play({ facts: { good: 'a', current: 'a', branch: 'main' }, world: { head: 'a', heeds: false } });

  test('leave a stop written down, and the app ends', async () => {
    const stage = await begun();
    await stage.send({ type: 'stop' });
    await stage.send({ type: 'shutdown' });
    await stage.pass(12);
    assert.equal(stage.app.getSnapshot().status, 'done');
    assert.equal(stage.facts().stopped, true);
  });

  test('the other way round end the app as well', async () => {
    const stage = await begun();
    await stage.send({ type: 'shutdown' });
    await stage.send({ type: 'stop' });
    await stage.pass(12);
    assert.equal(stage.app.getSnapshot().status, 'done');
  });
});
