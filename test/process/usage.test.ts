import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { suite, test } from 'node:test';
import { here } from '../../src/platform/here.ts';
import { endByForce } from '../../src/process/end.ts';
import { bootId, identifyChild } from '../../src/process/identity.ts';
import { markVariable, newMark } from '../../src/process/mark.ts';
import { treeOf } from '../../src/process/tree.ts';
import { usageOfTrees } from '../../src/process/usage.ts';
import { eventually } from '../e2e/harness.ts';
import { never } from './workshop.ts';

suite('What a tree uses', { skip: here.usageOf === null && 'nobody tells it here' }, () => {
  test('is that of all its processes, those that left its session and their parent too; nothing once it has ended', async (t) => {
    const mark = newMark('usage', 'shop');
    const line = '(setsid sleep 1000 &) ; sleep 1000 & while :; do :; done';
    const child = spawn('sh', ['-c', line], {
      detached: true,
      stdio: 'ignore',
      env: { ...process.env, [markVariable]: mark },
    });
    const root = { ...identifyChild(child.pid ?? 0), mark };
    const tree = treeOf(root, null);
    t.after(() => endByForce(tree, never));
    const look = () => usageOfTrees(new Map([['shop', root]]))?.get('shop');
    const usage = await eventually('three processes at work', () => {
      const now = look();
      return now?.processes === 3 && now.cpu > 0.05 && now;
    });
    assert.ok(usage.memory > 100_000 && usage.memory < 100_000_000, `${usage.memory} bytes`);
    await eventually('more time is used', () => (look()?.cpu ?? 0) > usage.cpu);
    await endByForce(tree, never);
    assert.equal(look(), undefined);
  });

  test('is not that of somebody else who has got its pid since', () => {
    const stranger = { pid: process.pid, startTime: 1, bootId, mark: newMark('usage', 'shop') };
    assert.deepEqual(usageOfTrees(new Map([['shop', stranger]])), new Map());
  });
});
