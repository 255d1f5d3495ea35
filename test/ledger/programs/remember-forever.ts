// Counts on in the ledger in the folder named first, and prints each number that it was told is on disk.
import { writeSync } from 'node:fs';
import { openAppLedger } from '../../../src/ledger/app-ledger.ts';
import { statePaths } from '../../../src/ledger/paths.ts';

const [folder = ''] = process.argv.slice(2);
const ledger = openAppLedger(statePaths(folder).app('shop'), {
  warn: (text) => writeSync(1, `warning ${text}\n`),
  bootId: 'this boot',
  marks: '',
});
const revision = 'a'.repeat(40);
for (let count = (ledger.facts.provingUntil ?? 0) + 1; ; count += 1) {
  const failure = await ledger.remember({ provingUntil: count });
  writeSync(1, failure ? `failure ${failure.message}\n` : `remembered ${count}\n`);
  if (count % 5 !== 0) continue;
  const at = new Date().toISOString();
  const entry = {
    at,
    revision,
    from: null,
    result: 'deployed',
    reason: String(count),
    seconds: 1,
    downtime: 0,
  } as const;
  writeSync(1, (await ledger.append(entry)) ? 'failure\n' : `appended ${count}\n`);
}
