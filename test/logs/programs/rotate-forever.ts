// Rotates the log named first, at a tenth of a megabyte, again and again.
import { recover, rotate } from '../../../src/logs/rotation.ts';

const [path = ''] = process.argv.slice(2);
const log = { path, size: 0.1, keep: 100_000 };
await recover(log);
console.log('rotating');
for (;;) await rotate(log);
