import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { judgeRemote, remoteForm, withoutCredentials } from '../../src/config/remote.ts';

suite('A remote path', () => {
  const good = {
    https: ['https://example.org/a.git', 'https://bob:secret@example.org:8443/a', 'https://[::1]/a'],
    http: ['http://example.org/a.git'],
    ssh: [
      'ssh://git@example.org:22/a.git',
      'ssh://example.org/~/a',
      'git@example.org:a/b.git',
      'example.org:a',
      'host:22/a',
      'git@[::1]:a',
      '[::1]:/a',
      'bob.smith@host:~/a b',
    ],
    git: ['git://example.org/a.git'],
    file: ['file:///srv/a.git', 'file://localhost/srv/a'],
    path: ['/srv/a.git', './a.git', '../a', '.', '..', '~/a', '~', '/srv/with space', '/srv/-x', '/srv/a:b', './a:b'],
  };
  for (const [form, remotes] of Object.entries(good)) {
    test(`may be ${form}`, () => {
      for (const remote of remotes) {
        assert.equal(judgeRemote(remote), null, remote);
        assert.equal(remoteForm(remote), form, remote);
      }
    });
  }

  const bad: readonly (readonly [why: RegExp, remotes: readonly string[]])[] = [
    [/run any program/, ['ext::sh -c id', 'fd::3', 'foo::https://example.org', 'a.b+c-d::x', 'ext::https://x:y']],
    [
      /kind that Huddle does not follow/,
      [
        'ftp://a/b',
        'ext://a',
        'HTTPS://a/b',
        'git+ssh://a/b',
        'ssh+git://a',
        '-u://a',
        'rsync://a/b',
        '://a',
        'persistent-https://a/b',
      ],
    ],
    [
      /not a URL that can be read/,
      ['https://', 'https:///a', 'https://a\\\\@b/c', 'http://a b/c', 'ssh://', 'https://a:99999/b'],
    ],
    [
      /begins with a dash/,
      ['ssh://-oProxyCommand=id/a', 'ssh://-oX@host/a', 'git@-oX:a', '-oX:a', 'host:-a', 'ssh://%2doX/a'],
    ],
    [/without an absolute path/, ['file://', 'file://a', 'file://host/a', 'file:///']],
    [
      /neither a URL nor a path/,
      [
        'app',
        'app/app.git',
        '-app',
        '--upload-pack=id',
        'example.org/a.git',
        '~bob/app',
        'a b:c',
        '@:a',
        '.git',
        '...',
        ':/a',
      ],
    ],
    [/control character/, ['https://a/b\nc', '/srv/a\0', 'host:a\tb']],
  ];
  for (const [why, remotes] of bad) {
    test(`is refused: ${why.source}`, () => {
      for (const remote of remotes) {
        const wrong = judgeRemote(remote);
        assert.match(wrong?.message ?? 'taken', why, remote);
        assert.notEqual(wrong?.hint, '');
      }
    });
  }

  test('is shown without what is secret in it', () => {
    for (const [remote, shown] of [
      ['https://bob:p@ss/w@example.org/a.git', 'https://'],
      ['https://bob:secret@example.org/a.git', 'https://example.org/a.git'],
      ['https://token@example.org:8443/a', 'https://example.org:8443/a'],
      ['https://example.org/a?token=x#y', 'https://example.org/a'],
      ['git@example.org:a.git', 'example.org:a.git'],
      ['/srv/a@b', '/srv/a@b'],
    ] as const) {
      assert.ok(withoutCredentials(remote).startsWith(shown), withoutCredentials(remote));
      assert.doesNotMatch(withoutCredentials(remote), /bob|secret|token/);
    }
  });
});
