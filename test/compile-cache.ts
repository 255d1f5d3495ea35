import { enableCompileCache, getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import { env } from 'node:process';

// Imported by each process of tests before its own modules: half of what it takes to load these is to compile them.
enableCompileCache();

// And for the programs and proxies that tests start from the sources, which would have their types taken out each time.
const cache = getCompileCacheDir();
if (cache) env['NODE_COMPILE_CACHE'] = dirname(cache);
