import { enableCompileCache } from 'node:module';

// Imported by each process of tests before its own modules: half of what it takes to load these is to compile them.
enableCompileCache();
