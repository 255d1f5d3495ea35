import { mkdirSync, mkdtempSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Desk, type Office, openDesk } from '../../src/effects/desk.ts';
import { turns } from '../../src/effects/turns.ts';
import { statePaths } from '../../src/ledger/paths.ts';
import { Repository } from '../e2e/repository.ts';

/** An office with its desks, without a daemon: a folder of its own, and in `root`, beside it, a repository with one commit. */
export async function ownOffice() {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'huddle-office-')));
  const dir = join(root, 'dir');
  mkdirSync(dir);
  const paths = statePaths(dir);
  mkdirSync(paths.empty, { recursive: true });
  const repository = await Repository.create(join(root, 'repo'));
  await repository.publish({ file: 'one\n' });
  const office: Office = { paths, remains: [], warn: () => {}, network: turns(4), local: turns(4) };
  const desks = new Map<string, Desk>();
  const desk = (name: string): Desk => {
    const open = desks.get(name) ?? openDesk(name, office);
    desks.set(name, open);
    return open;
  };
  return { root, paths, repository, office, desks, desk };
}
