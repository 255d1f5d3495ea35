import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { once } from 'node:events';
import { serveTcp } from '../../src/control/tcp.ts';
import { FakeSource, temporaryFolder } from './fake-source.ts';
import { ask, raw, servedOnTcp, token, withToken } from './visitor.ts';
import { makeCertificate } from './certificate.ts';

suite('Over TLS', () => {
  test('the same is answered, to those who speak TLS 1.2 or newer', async (t) => {
    const { cert, key } = makeCertificate(temporaryFolder(t), 'huddle');
    const { url } = await servedOnTcp(t, { tls: { cert, key } });
    assert.match(url, /^https:\/\/127\.0\.0\.1:\d+$/);
    const ca = readFileSync(cert);
    assert.equal((await ask(url, '/api/apps', { headers: withToken, ca })).status, 200);
    assert.equal((await ask(url, '/api/apps', { ca })).status, 401);
    assert.ok(!(await raw(url, 'GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')).includes('ok'));
    await assert.rejects(greeted(url, { maxVersion: 'TLSv1.1' }));
  });

  test('a certificate is renewed without a restart; one that is no good leaves the old one in use', async (t) => {
    const folder = temporaryFolder(t);
    const [first, second] = [makeCertificate(folder, 'first'), makeCertificate(folder, 'second')];
    const tls = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
    const install = (from: typeof first) => {
      copyFileSync(from.cert, tls.cert);
      copyFileSync(from.key, tls.key);
    };
    install(first);
    const { control, url } = await servedOnTcp(t, { tls });
    assert.equal(await greeted(url), 'first');
    install(second);
    assert.equal(await greeted(url), 'first');
    control.renew();
    assert.equal(await greeted(url), 'second');
    copyFileSync(first.key, tls.key);
    assert.throws(() => control.renew(), { code: 'config-invalid', subject: tls.cert });
    writeFileSync(tls.cert, 'nothing');
    assert.throws(() => control.renew(), { code: 'config-invalid' });
    assert.equal(await greeted(url), 'second');
  });

  test('files that cannot be used are a failure that names them', async (t) => {
    const folder = temporaryFolder(t);
    const { cert, key } = makeCertificate(folder, 'huddle');
    const failure = async (tls: { cert: string; key: string }) =>
      await serveTcp(new FakeSource(), { address: { host: '127.0.0.1', port: 0 }, tls, allowHosts: [] }, token).then(
        () => assert.fail('it listens'),
        ({ code, subject }: { code: string; subject: string }) => [code, subject],
      );
    const missing = join(folder, 'missing.pem');
    assert.deepEqual(await failure({ cert: missing, key }), ['directory-missing', missing]);
    assert.deepEqual(await failure({ cert: key, key }), ['config-invalid', key]);
    assert.deepEqual(await failure({ cert, key: cert }), ['config-invalid', cert]);
    if (process.getuid?.() === 0) return;
    chmodSync(key, 0);
    assert.deepEqual(await failure({ cert, key }), ['permission-denied', key]);
  });

  test('who begins a handshake and goes no further is cut off', async (t) => {
    const { cert, key } = makeCertificate(temporaryFolder(t), 'huddle');
    const { url } = await servedOnTcp(t, { tls: { cert, key } });
    assert.equal(await raw(url, '\u0016\u0003\u0001'), '');
  });
});

/** The name in the certificate that a server shows. */
async function greeted(url: string, options: { maxVersion?: 'TLSv1.1' } = {}): Promise<string> {
  const { port } = new URL(url);
  const old = options.maxVersion ? { minVersion: 'TLSv1' as const, ciphers: 'DEFAULT@SECLEVEL=0' } : {};
  const at = { port: Number(port), host: '127.0.0.1', rejectUnauthorized: false, ...old, ...options };
  const socket: TLSSocket = connect(at);
  try {
    await once(socket, 'secureConnect');
    return String(socket.getPeerCertificate().subject.CN);
  } finally {
    socket.destroy();
  }
}
