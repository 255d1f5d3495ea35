import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import type { StatelySnapshotEvent } from '@statelyai/inspect';
import { WebSocket } from 'ws';
import { createActor } from 'xstate';
import { type Inspector, openInspector } from '../../../src/observe/inspector/inspector.ts';
import { endMarked } from '../../../src/process/end.ts';
import { folderMark } from '../../../src/process/mark.ts';
import type { HuddleActor } from '../../../src/view.ts';
import { wire } from '../../../src/wire.ts';
import { ownOffice } from '../../effects/office.ts';
import { appConfig } from '../../machines/config.ts';
import { lookOn, serve } from './theatre.ts';

const secrets = ['hush-environment', 'hush-command', 'hush-file', 'hush-script', 'hush-password'];

/** A Huddle with real git and real processes, whose app has a secret wherever one may be; with an inspector. */
async function huddleOf(t: TestContext) {
  const { root, paths, repository, office, desk } = await ownOffice();
  writeFileSync(join(root, 'password'), 'hush-password\n', { mode: 0o600 });
  writeFileSync(join(root, 'env'), 'FROM_FILE=hush-file\n', { mode: 0o600 });
  const config = appConfig({
    repository: {
      remotePath: repository.remote,
      localPath: join(root, 'copy'),
      branch: null,
      username: 'hush-user',
      passwordFile: join(root, 'password'),
    },
    timing: { minimum: 3600, maximum: null },
    test: { kind: 'command', commands: ['echo hush-script; test ! -e broken'], timeout: 60 },
    scripts: { postPull: ['echo hush-script'] },
    application: {
      start: 'echo hush-command; exec sleep 1000',
      environment: { API_KEY: 'hush-environment' },
      environmentFile: join(root, 'env'),
      settle: 0.1,
    },
  });
  const machine = wire({
    office,
    desk,
    tell: () => {},
    record: () => {},
    watch: (report) => {
      report({ type: 'config.put', file: 'shop.json', name: 'shop', config });
      return () => {};
    },
  });
  const inspector: Inspector = openInspector(() => huddle);
  const huddle: HuddleActor = createActor(machine, {
    input: { now: Date.now, random: Math.random, recall: (name) => desk(name).ledger.facts },
    inspect: (event) => inspector.observe(event),
  });
  const prefix = `${folderMark(paths.folder)}:`;
  t.after(async () => {
    huddle.stop();
    await endMarked(prefix);
    rmSync(root, { recursive: true, force: true });
  });
  return { huddle, repository, url: await serve(t, inspector) };
}

suite('The inspector of a real Huddle', () => {
  test('shows a first start, a rejected revision and a deployment to an official receiver, and no secret', async (t) => {
    const { huddle, repository, url } = await huddleOf(t);
    const plainClient = new WebSocket(url);
    let bytes = '';
    plainClient.on('message', (data) => (bytes += (data as Buffer).toString()));
    await once(plainClient, 'open');
    const audience = await lookOn(url);
    huddle.start();

    const isAt = (state: string, revision: string) => (event: { type: string }) => {
      if (event.type !== '@xstate.snapshot') return false;
      const { value, context } = (event as StatelySnapshotEvent).snapshot as {
        value?: unknown;
        context?: { facts?: { good?: unknown; rejected?: { revision: string }[] } };
      };
      const { good, rejected = [] } = context?.facts ?? {};
      return value === state && (good === revision || rejected.some((rejection) => rejection.revision === revision));
    };
    const first = await repository.git('rev-parse', 'HEAD');
    await audience.until('the first start', isAt('running', first.trim()));
    const broken = await repository.publish({ broken: 'yes\n' });
    huddle.send({ type: 'check all' });
    await audience.until('the rejection', isAt('running', broken));
    await repository.git('rm', '-q', 'broken');
    const mended = await repository.publish({ file: 'two\n' });
    huddle.send({ type: 'check all' });
    await audience.until('the deployment', isAt('running', mended));

    const states = audience.states().flatMap((state) => /^app:shop \{?"(\w+)"/.exec(state)?.[1] ?? []);
    const path = states.filter((state, at) => state !== states[at - 1]).join(' ');
    const deployment = 'testing stopping pulling restarting running';
    assert.match(
      path,
      new RegExp(
        `^cloning testing pulling restarting running( checking running)* checking testing running( checking running)* checking ${deployment}$`,
      ),
    );
    const { programs } = Object.groupBy(audience.states(), (state) =>
      state.startsWith('blue ') ? 'programs' : 'others',
    );
    assert.ok(programs?.some((state) => state.includes('"up"')));
    assert.deepEqual(
      secrets.filter((secret) => bytes.includes(secret)),
      [],
    );
    assert.ok(bytes.includes('API_KEY') && bytes.includes('test-failed'));
  });
});
