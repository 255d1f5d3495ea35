import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { suite, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { commitPage } from '../../../src/observe/dashboard/forge.ts';
import { dashboardFile } from '../../../src/observe/dashboard/dashboard.ts';
import { withoutCredentials } from '../../../src/config/remote.ts';
import { ask } from '../../control/visitor.ts';
import { played } from './browser.ts';

/** Everything that the page may load, by its path. */
async function paths(): Promise<string[]> {
  const html = (await dashboardFile('/'))?.plain.toString() ?? '';
  const linked = [...html.matchAll(/(?:src|href)="(dashboard\/[^"]+)"/g)].map(([, path]) => `/${path}`);
  const charts = ['app', 'program'].flatMap((name) =>
    ['wide', 'narrow'].map((shape) => `/dashboard/chart/${name}-${shape}.svg`),
  );
  return [...new Set(['/', ...linked, ...charts])];
}

suite('The files of the dashboard', () => {
  test('weigh no more than 100 kB together, packed', async () => {
    const files = await Promise.all((await paths()).map(async (path) => ({ path, file: await dashboardFile(path) })));
    assert.ok(files.length > 20, `${files.length} files`);
    const weight = files.reduce((sum, { path, file }) => sum + (file ?? assert.fail(path)).packed.length, 0);
    assert.ok(weight <= 100_000, `${weight} bytes`);
  });

  test('come packed to who takes that, and once to who keeps them', async (t) => {
    const { url } = await played(t);
    const packed = await fetch(`${url}/dashboard/main.js`, { headers: { 'accept-encoding': 'gzip' } });
    assert.equal(packed.headers.get('content-encoding'), 'gzip');
    assert.equal(packed.headers.get('content-type'), 'text/javascript; charset=utf-8');
    const plain = await ask(url, '/dashboard/main.js');
    assert.equal(plain.headers['content-encoding'], undefined);
    assert.equal(plain.body, await packed.text());
    const unwanted = await ask(url, '/dashboard/main.js', { headers: { 'accept-encoding': 'gzip;q=0' } });
    assert.equal(unwanted.headers['content-encoding'], undefined);

    const headers = { 'if-none-match': plain.headers.etag ?? '' };
    const kept = await ask(url, '/dashboard/main.js', { headers });
    assert.deepEqual([kept.status, kept.body, kept.headers['cache-control']], [304, '', 'no-cache']);
    assert.equal((await ask(url, '/', { headers })).status, 200);
    const file = await dashboardFile('/');
    assert.deepEqual(file && gunzipSync(file.packed), file?.plain);
  });

  test('are the only ones that are had without the token', async (t) => {
    const { url } = await played(t);
    for (const path of await paths()) assert.equal((await ask(url, path)).status, 200, path);
    for (const path of [
      '/dashboard/',
      '/dashboard/index.html',
      '/dashboard/tsconfig.json',
      '/dashboard/page/main.js',
      '/dashboard/..%2fdashboard.ts',
      '/dashboard/%2e%2e/api/apps',
      '/dashboard/../../package.json',
      '/dashboard/vendor/../../api/apps',
    ])
      assert.ok([401, 404].includes((await ask(url, path)).status), path);
    assert.equal((await ask(url, '/', { method: 'POST' })).status, 401);
    assert.equal((await ask(url, '/', { headers: { host: 'evil.example' } })).status, 403);
  });

  test('that cannot be read without descriptors are there as soon as there are some', () => {
    const module = `
      import { closeSync, openSync } from 'node:fs';
      import { dashboardFile } from '${import.meta.resolve('../../../src/observe/dashboard/dashboard.ts')}';
      const ask = (path) => dashboardFile(path).then((file) => file.plain.length > 0, ({ code }) => code);
      const taken = [];
      const take = () => { try { for (;;) taken.push(openSync('/dev/null')); } catch {} };
      const give = () => { for (const file of taken.splice(0)) closeSync(file); };
      take();
      const [listed] = [await ask('/'), give()];
      const [page] = [await ask('/'), take()];
      const [style] = [await ask('/dashboard/style.css'), give()];
      console.log([listed, page, style, await ask('/dashboard/style.css')].join(' '));`;
    const argv = ['-c', 'ulimit -n 64; exec "$0" --input-type=module -e "$1"', process.execPath, module];
    const { stdout } = spawnSync('/bin/sh', argv, { encoding: 'utf8' });
    assert.equal(stdout, 'EMFILE true EMFILE true\n');
  });

  test('let no script in but their own, and nobody put a frame around them', async (t) => {
    const { url } = await played(t);
    const { headers, body } = await ask(url, '/');
    const policy = String(headers['content-security-policy']);
    assert.match(policy, /^default-src 'none'; script-src 'self' 'sha256-/);
    for (const part of ["style-src 'self'", "connect-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"])
      assert.ok(policy.split('; ').includes(part), part);
    assert.doesNotMatch(policy, /unsafe|https?:|\*/);
    const map = /<script type="importmap">([^]*?)<\/script>/.exec(body)?.[1] ?? '';
    assert.ok(policy.includes(createHash('sha256').update(map).digest('base64')));
    assert.equal(body.match(/<script/g)?.length, 2);
    assert.equal(headers['referrer-policy'], 'no-referrer');
    assert.equal(headers['x-content-type-options'], 'nosniff');
  });
});

suite('The page of a commit', () => {
  const known: readonly (readonly [remote: string, commit: string])[] = [
    ['https://github.com/example/shop.git', 'https://github.com/example/shop/commit/{revision}'],
    ['https://ada:s3cret@github.com/example/shop', 'https://github.com/example/shop/commit/{revision}'],
    ['git@github.com:example/shop.git', 'https://github.com/example/shop/commit/{revision}'],
    ['ssh://git@gitlab.example.org:2222/a/b/c.git', 'https://gitlab.example.org/a/b/c/-/commit/{revision}'],
    ['https://gitlab.com/a/b/c.git/', 'https://gitlab.com/a/b/c/-/commit/{revision}'],
    ['http://gitea.local:3000/ada/shop.git', 'http://gitea.local:3000/ada/shop/commit/{revision}'],
    ['https://codeberg.org/ada/shop', 'https://codeberg.org/ada/shop/commit/{revision}'],
    ['git@bitbucket.org:ada/shop.git', 'https://bitbucket.org/ada/shop/commits/{revision}'],
    ['https://git.sr.ht/~ada/shop', 'https://git.sr.ht/~ada/shop/commit/{revision}'],
  ];
  for (const [remote, commit] of known)
    test(`is known for ${remote}`, () => assert.equal(commitPage(withoutCredentials(remote)), commit));

  const unknown = [
    '/srv/git/shop.git',
    'file:///srv/git/shop.git',
    'https://git.example.org/ada/shop.git',
    'https://notgithub.com/ada/shop',
    'https://github.com/shop',
    'https://github.com/ada/<b>',
    'javascript://github.com/ada/shop',
    '',
  ];
  for (const remote of unknown)
    test(`is not made up for ${JSON.stringify(remote)}`, () => assert.equal(commitPage(remote), null));
});
