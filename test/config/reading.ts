import assert from 'node:assert/strict';
import type { AppConfig } from '../../machines/config.ts';
import { describeProblem, type Problem } from '../../src/config/problem.ts';
import { readConfig, type Reading } from '../../src/config/read.ts';

/** Where the relative paths of the tests start; neither exists. */
export const origin = { folder: '/no/such/dir', home: '/no/such/home' };

export const repository = { 'remote path': 'https://example.org/app.git', 'local path': '/no/such/app' };

/** The least that a config must say, as the beginning of an INI file. */
export const repositoryIni = '[repository]\nremote path = https://example.org/app.git\nlocal path = /no/such/app\n';

export function read(content: string | Uint8Array, path = 'app.json'): Promise<Reading> {
  return readConfig({ path, content }, origin);
}

/** The config of a file that must be without mistakes. */
export async function good(content: string, path = 'app.json'): Promise<AppConfig> {
  const { config, problems } = await read(content, path);
  assert.deepEqual(problems.map(describeProblem), []);
  assert.ok(config !== null);
  return config;
}

/** As `good`, of sections that stand beside the least. */
export function goodJson(sections: Readonly<Record<string, unknown>> = {}): Promise<AppConfig> {
  return good(JSON.stringify({ repository, ...sections }));
}

/** The problems of one key in a file that is good apart from it. */
export async function problemsWith(sections: Readonly<Record<string, unknown>>): Promise<readonly Problem[]> {
  const { config, problems } = await read(JSON.stringify({ repository, ...sections }));
  assert.equal(config === null, problems.length > 0);
  return problems;
}
