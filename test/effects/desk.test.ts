import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { openDesk } from '../../src/effects/desk.ts';
import { turns } from '../../src/effects/turns.ts';
import { openAppLedger } from '../../src/ledger/app-ledger.ts';
import { statePaths } from '../../src/ledger/paths.ts';
import { bootId } from '../../src/process/identity.ts';
import { appConfig } from '../machines/config.ts';

suite('A desk that is idle', () => {
  test('writes nothing over what the next Huddle knows, when a sync of before is done', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'huddle-desk-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const paths = statePaths(folder);
    mkdirSync(paths.root, { mode: 0o700 });
    const desk = openDesk('shop', { paths, remains: [], warn: assert.fail, network: turns(1), local: turns(1) });
    await desk.ledger.remember({ pulling: 'a'.repeat(40) });
    const sync = Promise.withResolvers<never>();
    desk.withGit = () => sync.promise;
    desk.syncSoon(appConfig());
    await desk.idle();

    const open = () => openAppLedger(desk.paths, { warn: assert.fail, bootId, marks: '' });
    await open().remember({ pulling: null, good: 'b'.repeat(40) });
    sync.resolve(undefined as never);
    await setImmediate();
    await desk.ledger.flush();
    assert.equal(open().facts.good, 'b'.repeat(40));
    assert.ok(desk.ledger.isUnsynced, 'who comes next syncs it');
  });
});
