// Takes the lock of the folder named first, says so, and waits to be killed. With a second argument it has a child.
import { spawn } from 'node:child_process';
import { takeLock } from '../../../src/ledger/lock.ts';
import { statePaths } from '../../../src/ledger/paths.ts';

const [folder = '', withChild] = process.argv.slice(2);
try {
  takeLock(statePaths(folder));
  const child = withChild ? spawn('sleep', ['60'], { detached: true, stdio: 'ignore' }) : null;
  console.log(`locked ${child?.pid ?? ''}`);
  setInterval(() => {}, 60_000);
} catch (error) {
  console.log(`refused ${error instanceof Error ? error.message : String(error)}`);
}
