import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { faultPoints } from '../src/fault.ts';

const source = join(import.meta.dirname, '../src');

suite('A fault point', () => {
  const twice = "faultPoint('tree.before'); console.log('once'); faultPoint('tree.before'); console.log('twice');";

  test('does nothing where nobody asks for a fault', () => {
    assert.deepEqual(run(twice), { signal: null, stdout: 'once\ntwice\n' });
    assert.deepEqual(run(twice, ''), { signal: null, stdout: 'once\ntwice\n' });
    assert.deepEqual(run(twice, 'tree.after'), { signal: null, stdout: 'once\ntwice\n' });
  });

  test('kills at once, or at the time that is asked for', () => {
    assert.deepEqual(run(twice, 'tree.before'), { signal: 'SIGKILL', stdout: '' });
    assert.deepEqual(run(twice, 'tree.before:2'), { signal: 'SIGKILL', stdout: 'once\n' });
    assert.deepEqual(run(twice, 'tree.before:3'), { signal: null, stdout: 'once\ntwice\n' });
  });

  test('waits for the state that is asked for', () => {
    const script = `let state = 'testing'; tellMoments(() => ['shop:' + state]);
      faultPoint('tree.before'); console.log('testing'); state = 'pulling'; faultPoint('tree.before');`;
    assert.deepEqual(run(script, 'tree.before@shop:pulling'), { signal: 'SIGKILL', stdout: 'testing\n' });
    assert.deepEqual(run(script, 'tree.before@blog:pulling'), { signal: null, stdout: 'testing\n' });
  });

  test('is only written down where a file is named', (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'huddle-fault-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const trace = join(folder, 'trace');
    assert.equal(run(`tellMoments(() => ['shop:pulling']); ${twice}`, trace).signal, null);
    assert.equal(readFileSync(trace, 'utf8'), 'tree.before shop:pulling\n'.repeat(2));
  });

  test('is asked for of one process, and not of what it starts', () => {
    const script = "console.log(spawnSync('env', { encoding: 'utf8' }).stdout);";
    const { stdout } = run(script, 'tree.after');
    assert.match(stdout, /^PATH=/m);
    assert.doesNotMatch(stdout, /HUDDLE_FAULT/);
  });

  test('stands in the sources for each name of the list', () => {
    const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
    const all = files.map((name) => readFileSync(join(source, name), 'utf8')).join('\n');
    const placed = new Set([...all.matchAll(/\bfaultPoint\('([\w.]+)'\)/g)].map(([, name = '']) => name));
    assert.deepEqual([...placed].toSorted(), [...faultPoints].toSorted());
  });
});

function run(script: string, fault?: string): { signal: string | null; stdout: string } {
  const imports = `import { spawnSync } from 'node:child_process';
    import { faultPoint, tellMoments } from ${JSON.stringify(join(source, 'fault.ts'))};`;
  const { HUDDLE_FAULT: _, ...rest } = process.env;
  const env = fault === undefined ? rest : { ...rest, HUDDLE_FAULT: fault };
  const argv = ['--input-type=module', '--eval', `${imports}\n${script}`];
  const { signal, stdout } = spawnSync(process.execPath, argv, { encoding: 'utf8', env });
  return { signal, stdout };
}
