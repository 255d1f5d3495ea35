import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Failure } from '../../machines/failure.ts';
import { noFacts } from '../../machines/facts.ts';
import { noProgram } from '../../machines/protocol.ts';
import { toStatus, type AppView } from '../../src/control/status.ts';

const view: AppView = {
  name: 'shop',
  state: 'running',
  paused: false,
  pinned: true,
  branch: 'main',
  facts: { ...noFacts, current: 'c'.repeat(40), previous: 'b'.repeat(40) },
  program: { ...noProgram, state: 'up', pid: 4711, since: 0, restarts: 2, adopted: true, health: 'healthy' },
  earlierRestarts: 0,
  other: noProgram,
  nextCheck: 60_000,
  failure: null,
  configFailure: null,
};

const failures = (['config-invalid', 'remote-unreachable', 'crash-limit'] as const).map(
  (code) => new Failure(code, { doing: 'doing', subject: 'it', reason: code, hint: 'Mend it.' }),
);

suite('Status', () => {
  test('has the shape that the contract prints, in its order', () => {
    const text = JSON.stringify(toStatus(view));
    assert.equal(
      text,
      `{"name":"shop","state":"running","paused":false,"pinned":true,"branch":"main","revision":"${'c'.repeat(40)}",` +
        `"previous":"${'b'.repeat(40)}","rejected":[],"program":{"state":"up","pid":4711,` +
        '"since":"1970-01-01T00:00:00.000Z","restarts":2,"adopted":true},"health":"healthy",' +
        '"nextCheck":"1970-01-01T00:01:00.000Z","error":null}',
    );
  });

  test('shows what runs beside the program that leads, and counts the restarts of those before it', () => {
    const other = { ...noProgram, state: 'up', pid: 4712, restarts: 3, revision: 'd'.repeat(40) } as const;
    const { beside, program } = toStatus({ ...view, other, earlierRestarts: 3 });
    assert.deepEqual(beside, { revision: 'd'.repeat(40), state: 'up', pid: 4712 });
    assert.deepEqual([program.pid, program.restarts], [4711, 5]);
    assert.ok(!('beside' in toStatus({ ...view, other: { ...other, state: 'down', pid: null } })));
  });

  test('lists rejected revisions by their ids', () => {
    const rejected = [{ revision: 'd'.repeat(40), why: 'test failed', at: 1, times: 1 }] as const;
    assert.deepEqual(toStatus({ ...view, facts: { ...view.facts, rejected } }).rejected, ['d'.repeat(40)]);
  });

  test('shows a broken config file before a failed attempt, and that before a program that is down', () => {
    const [configFailure = null, failure = null, ofProgram = null] = failures;
    const program = { ...noProgram, failure: ofProgram };
    const codeOf = (but: Partial<AppView>) => toStatus({ ...view, program, ...but }).error?.code;
    assert.equal(codeOf({}), 'crash-limit');
    assert.equal(codeOf({ failure }), 'remote-unreachable');
    assert.equal(codeOf({ failure, configFailure }), 'config-invalid');
    assert.deepEqual(toStatus({ ...view, failure }).error, {
      code: 'remote-unreachable',
      message: 'doing it: remote-unreachable',
      hint: 'Mend it.',
    });
  });
});
