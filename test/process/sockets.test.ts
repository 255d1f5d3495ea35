import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync, readdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import type { Listen } from '../../machines/config.ts';
import type { FailureCode } from '../../machines/failure.ts';
import { listenOnce } from '../../src/process/bind.ts';
import { inodeOf } from '../../src/platform/listeners.ts';
import { endByForce } from '../../src/process/end.ts';
import { isAlive, sendSignal } from '../../src/process/identity.ts';
import { newMark } from '../../src/process/mark.ts';
import { closeSockets, markOfKeeper, openSockets, type Sockets, type SocketsInput } from '../../src/process/sockets.ts';
import { runAs } from '../../src/process/user.ts';
import { freePort } from '../e2e/proc.ts';
import { exitOf, isRoot, never, programs, type Started, until, Workshop } from './workshop.ts';

const isHere = process.platform !== 'win32' && 'BoundSocket' in net;
const needsRoot = { skip: isRoot ? false : 'only root can do this' };
const [a, b] = ['a'.repeat(40), 'b'.repeat(40)] as const;
const other = 'nobody';

suite('Sockets that are handed over', { skip: isHere ? false : 'this Node has no BoundSocket' }, () => {
  test('are there from 3 on, under the pid of the program itself, with their names', async (t) => {
    const stage = await scene(t);
    const path = join(stage.workshop.folder, 'run', 'a:b.sock');
    await stage.open([tcp('127.0.0.1', stage.port), { kind: 'unix', path }]);
    await stage.start(a, { start: `exec ${process.execPath} ${join(programs, 'answering.mjs')}` });
    assert.equal(await ask(stage.port), `${stage.port} a`);
    assert.equal(await ask(path), 'a_b.sock a');
  });

  test('hold what comes before the program is up', async (t) => {
    const stage = await scene(t);
    await stage.open([tcp('127.0.0.1', stage.port)]);
    // More than Node's own backlog, which would leave the last ones without an answer.
    const clients = Array.from({ length: 600 }, () => net.connect(stage.port, '127.0.0.1'));
    await Promise.all(clients.map((client) => once(client, 'connect')));
    await stage.start(a);
    assert.deepEqual(new Set(await Promise.all(clients.map(allOf))), new Set([`${stage.port} a`]));
  });

  test('without a host are for IPv6 and IPv4; of both families beside each other, each for its own', async (t) => {
    const stage = await scene(t);
    await stage.open([tcp('::', stage.port)]);
    await stage.start(a);
    for (const host of ['127.0.0.1', '::1']) assert.equal(await ask(stage.port, host), `${stage.port} a`);
    const beside = await freePort();
    await stage.open([tcp('0.0.0.0', beside), tcp('::', beside)]);
    await stage.start(b);
    for (const host of ['127.0.0.1', '::1']) assert.equal(await ask(beside, host), `${beside} b`);
  });

  test('are shared by two releases, and are there when one has gone', async (t) => {
    const stage = await scene(t);
    await stage.open([tcp('127.0.0.1', stage.port)]);
    const old = await stage.start(a);
    const fresh = await stage.start(b);
    await endByForce(old.alive, never);
    for (let count = 0; count < 20; count++) assert.equal(await ask(stage.port), `${stage.port} b`);
    await endByForce(fresh.alive, never);
    const waiting = ask(stage.port);
    await stage.start(a);
    assert.equal(await waiting, `${stage.port} a`);
  });

  test('are inherited by nobody else', async (t) => {
    const stage = await scene(t);
    const { descriptors } = await stage.open([tcp('127.0.0.1', stage.port)]);
    const inode = inodeOf(descriptors[0]?.fd ?? -1);
    assert.ok(inode !== null);
    const started = stage.workshop.start({ start: 'echo "$LISTEN_FDS$LISTEN_PID$LISTEN_FDNAMES."; ls -l /proc/$$/fd' });
    await exitOf(started);
    assert.match(stage.workshop.output(), /^\.\n/);
    assert.ok(!stage.workshop.output().includes(inode), stage.workshop.output());
  });

  test('reach a program of another user, who may use a port that only root may open', needsRoot, async (t) => {
    const stage = await scene(t);
    const port = await freeLowPort();
    const path = join(stage.workshop.folder, 'shop.sock');
    const { uid, gid } = runAs(other);
    await stage.open([tcp('127.0.0.1', port), { kind: 'unix', path }], { uid: uid ?? 0, gid: gid ?? 0 });
    await stage.start(a, { user: other });
    assert.match(stage.workshop.output(), new RegExp(`2 sockets as user ${uid}`));
    assert.equal(await ask(port), `${port} a`);
    const { mode, uid: owner } = lstatSync(path);
    assert.deepEqual([mode & 0o777, owner], [0o666, uid]);
  });
});

suite('The sockets of a config that is edited', { skip: !isHere }, () => {
  test('stay where they are wanted still, are opened where they are new, and closed where not', async (t) => {
    const stage = await scene(t);
    const [second, third] = [await freePort(), await freePort()];
    const path = join(stage.workshop.folder, 'a.sock');
    const first = await stage.open([tcp('127.0.0.1', stage.port), tcp('127.0.0.1', second), { kind: 'unix', path }]);
    const waiting = ask(second);
    const next = await stage.open([tcp('127.0.0.1', third), tcp('127.0.0.1', second)]);
    assert.equal(next.descriptors[1]?.fd, first.descriptors[1]?.fd);
    assert.ok(first.keeper !== null && next.keeper !== null);
    await until(() => first.keeper !== null && !isAlive(first.keeper), 'the end of the first keeper');
    await assert.rejects(ask(stage.port), { code: 'ECONNREFUSED' });
    assert.ok(!existsSync(path));
    await stage.start(b);
    assert.deepEqual(await Promise.all([waiting, ask(third)]), [`${second} b`, `${third} b`]);
    await stage.open([]);
    assert.equal(markOfKeeper(stage.workshop.folder), null);
    assert.deepEqual(leftIn(stage.workshop.folder), []);
  });

  test('are as they were when a new one cannot be opened', async (t) => {
    const stage = await scene(t);
    const sockets = await stage.open([tcp('127.0.0.1', stage.port)]);
    const taken = await foreign(t);
    await assert.rejects(stage.open([tcp('127.0.0.1', taken), tcp('127.0.0.1', stage.port)]), { name: 'Failure' });
    assert.ok(sockets.keeper !== null && isAlive(sockets.keeper));
    const waiting = ask(stage.port);
    await stage.start(a);
    assert.equal(await waiting, `${stage.port} a`);
  });

  test('get another keeper when theirs has been killed', async (t) => {
    const stage = await scene(t);
    const { keeper } = await stage.open([tcp('127.0.0.1', stage.port)]);
    assert.ok(keeper !== null);
    sendSignal(keeper, 'SIGKILL');
    await until(() => !isAlive(keeper), 'its end');
    const again = await stage.open([tcp('127.0.0.1', stage.port)]);
    assert.ok(again.keeper !== null && isAlive(again.keeper));
    assert.ok(lstatSync(again.keeper.fifo).isFIFO(), 'it cannot be asked');
    assert.equal(markOfKeeper(stage.workshop.folder), again.keeper.mark);
  });
});

suite('When Huddle has been killed, the next one', { skip: !isHere }, () => {
  test('has its sockets, with what waited in their queues meanwhile', async (t) => {
    const stage = await scene(t);
    const path = join(stage.workshop.folder, 'shop.sock');
    const listen = [tcp('127.0.0.1', stage.port), { kind: 'unix', path }] as const;
    await stage.openElsewhere(listen);
    const waiting = [ask(stage.port), ask(path)];
    await stage.open(listen);
    await stage.start(b);
    assert.deepEqual(await Promise.all(waiting), [`${stage.port} b`, 'shop.sock b']);
    // What it was handed is no more inherited than what it has opened.
    const bystander = stage.workshop.start({ start: 'ls -l /proc/$$/fd; sleep 300' });
    await until(() => stage.workshop.output().includes('app.log'), 'the list');
    assert.deepEqual(socketsOfProcess(bystander.alive.root.pid), []);
  });

  test('can be killed as well', async (t) => {
    const stage = await scene(t);
    const listen = [tcp('127.0.0.1', stage.port)];
    await stage.openElsewhere(listen);
    const waiting = ask(stage.port);
    await stage.openElsewhere(listen);
    await stage.open(listen);
    await stage.start(a);
    assert.equal(await waiting, `${stage.port} a`);
  });

  test('can give them up without ever having had them', async (t) => {
    const stage = await scene(t);
    const path = join(stage.workshop.folder, 'shop.sock');
    const { keeper } = await stage.openElsewhere([tcp('127.0.0.1', stage.port), { kind: 'unix', path }]);
    closeSockets(stage.workshop.folder, null);
    await until(() => !isAlive(keeper), 'its end');
    await assert.rejects(ask(stage.port), { code: 'ECONNREFUSED' });
    assert.deepEqual([existsSync(path), leftIn(stage.workshop.folder)], [false, []]);
  });

  test('opens them anew where nobody has kept them', async (t) => {
    const stage = await scene(t);
    const path = join(stage.workshop.folder, 'shop.sock');
    const listen = [tcp('127.0.0.1', stage.port), { kind: 'unix', path }] as const;
    const { keeper } = await stage.openElsewhere(listen);
    sendSignal(keeper, 'SIGKILL');
    await until(() => !isAlive(keeper), 'its end');
    await stage.open(listen);
    await stage.start(a);
    assert.equal(await ask(path), 'shop.sock a');
  });
});

suite('A socket that cannot be opened is told in words', { skip: !isHere }, () => {
  test('with who has the port, once, however many sockets it has there', async (t) => {
    const stage = await scene(t);
    const port = await foreign(t);
    await assert.rejects(stage.open([tcp('::', port)]), {
      code: 'path-occupied' satisfies FailureCode,
      subject: `[::]:${port}`,
      reason: /^it is in use by \S+ \(pid \d+\)$/,
    });
  });

  test('when another app has the port', async (t) => {
    const [stage, beside] = [await scene(t), await scene(t)];
    await stage.open([tcp('127.0.0.1', stage.port)]);
    const reason = 'it is in use by an app of Huddle';
    await assert.rejects(beside.open([tcp('127.0.0.1', stage.port)]), { code: 'path-occupied', reason });
  });

  test('when somebody answers at the path, or it is no socket', async (t) => {
    const stage = await scene(t);
    const path = join(stage.workshop.folder, 'a.sock');
    const server = net.createServer().listen(path);
    await once(server, 'listening');
    await assert.rejects(stage.open([{ kind: 'unix', path }]), { code: 'path-occupied', reason: /in use/ });
    server.close();
    writeFileSync(path, 'precious');
    await assert.rejects(stage.open([{ kind: 'unix', path }]), { code: 'path-occupied', reason: /no socket/ });
    assert.equal(lstatSync(path).size, 8);
  });

  test('when the address is no interface of ours, or the path too long', async (t) => {
    const stage = await scene(t);
    await assert.rejects(stage.open([tcp('192.0.2.1', stage.port)]), {
      code: 'config-invalid',
      reason: /no interface/,
    });
    const path = join(stage.workshop.folder, 'x'.repeat(100));
    await assert.rejects(stage.open([{ kind: 'unix', path }]), {
      code: 'config-invalid',
      reason: /may have \d+ bytes/,
    });
  });

  test('when it takes root', needsRoot, async (t) => {
    const stage = await scene(t);
    const port = await freeLowPort();
    const script = `process.setuid(65534);
      const { bindSocket } = await import('${import.meta.resolve('../../src/process/bind.ts')}');
      await bindSocket({ kind: 'tcp', host: '127.0.0.1', port: ${port} }, { owner: null, ipv6Only: false })
        .catch((failure) => process.stdout.write(failure.code + ': ' + failure.reason));`;
    const said = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: stage.workshop.folder,
      encoding: 'utf8',
    });
    assert.equal(said, 'permission-denied: ports as low as that are kept for root');
  });

  test('when Node cannot', async (t) => {
    const stage = await scene(t);
    const { BoundSocket } = net;
    Reflect.deleteProperty(net, 'BoundSocket');
    t.after(() => Object.assign(net, { BoundSocket }));
    await assert.rejects(stage.open([tcp('127.0.0.1', stage.port)]), {
      code: 'not-supported',
      reason: /needs Node 24\.19/,
    });
  });
});

suite('A unix socket', { skip: !isHere }, () => {
  test('takes the place of one that a killed program has left, and is removed when it is given up', async (t) => {
    const stage = await scene(t);
    const path = join(stage.workshop.folder, 'a.sock');
    const left = spawn(process.execPath, ['-e', `require('net').createServer().listen(${JSON.stringify(path)})`]);
    await until(() => existsSync(path), 'its socket');
    left.kill('SIGKILL');
    await once(left, 'exit');
    const sockets = await stage.open([{ kind: 'unix', path }]);
    await stage.start(a);
    assert.equal(await ask(path), 'a.sock a');
    sockets.close();
    assert.ok(!existsSync(path));
  });

  test('is left alone when somebody else has taken its place', async (t) => {
    const stage = await scene(t);
    const path = join(stage.workshop.folder, 'a.sock');
    const sockets = await stage.open([{ kind: 'unix', path }]);
    rmSync(path);
    symlinkSync('elsewhere', path);
    sockets.close();
    assert.equal(readlinkSync(path), 'elsewhere');
  });
});

suite('The sockets of a systemd unit', { skip: !isHere || !existsSync('/proc/net/tcp') }, () => {
  test('that Huddle was started with are passed on where an app names their address', async (t) => {
    const stage = await scene(t);
    const path = join(stage.workshop.folder, 'unit.sock');
    const unit = [new net.BoundSocket({ host: '::1', port: stage.port }), new net.BoundSocket({ path } as object)];
    t.after(() => unit.forEach((socket) => socket[Symbol.dispose]()));
    const descriptors = unit.map((socket) => socket.fd());
    const nothing = { listen: tcp('::1', stage.port), close: () => {}, publish: () => {} };
    await listenOnce(descriptors.map((fd) => ({ fd, ...nothing })));
    const passedOn = await stage.openElsewhere([{ kind: 'unix', path }, tcp('0:0:0:0:0:0:0:1', stage.port)], {
      folder: stage.workshop.folder,
      descriptors,
    });
    assert.deepEqual(passedOn.descriptors, [
      { fd: 4, name: 'unit.sock' },
      { fd: 3, name: String(stage.port) },
    ]);
    sendSignal(passedOn.keeper, 'SIGKILL');
  });
});

interface Elsewhere {
  readonly folder: string;
  /** What it is given as systemd would. */
  readonly descriptors: readonly number[];
}

async function scene(t: TestContext) {
  const workshop = new Workshop(t);
  const port = await freePort();
  let sockets: Sockets | null = null;
  t.after(() => sockets?.close());
  const input = (listen: readonly Listen[], open: Sockets | null = null): SocketsInput => {
    return { listen, folder: workshop.folder, mark: newMark(workshop.hash, 'shop'), owner: null, open };
  };
  return {
    workshop,
    port,
    async open(listen: readonly Listen[], owner: SocketsInput['owner'] = null): Promise<Sockets> {
      sockets = await openSockets({ ...input(listen, sockets), owner });
      return sockets;
    },
    /** Opens them in another process, which is killed when it has. */
    async openElsewhere(
      listen: readonly Listen[],
      { folder, descriptors }: Elsewhere = { folder: workshop.folder, descriptors: [] },
    ) {
      const script = `const { openSockets } = await import('${import.meta.resolve('../../src/process/sockets.ts')}');
        const { descriptors, keeper } = await openSockets(${JSON.stringify({ ...input(listen), folder })});
        process.stdout.write(JSON.stringify({ descriptors, keeper }), () => process.kill(process.pid, 'SIGKILL'));`;
      const argv = ['-c', 'LISTEN_PID=$$ exec "$@"', 'sh', process.execPath, '--input-type=module', '-e', script];
      const child = spawn('/bin/sh', argv, {
        stdio: ['ignore', 'pipe', 'inherit', ...descriptors],
        env: { ...process.env, LISTEN_FDS: String(descriptors.length) },
      });
      let said = '';
      child.stdout?.on('data', (data: Buffer) => (said += data.toString()));
      const [, signal] = (await once(child, 'close')) as [number | null, string | null];
      assert.equal(signal, 'SIGKILL');
      return JSON.parse(said) as Pick<Sockets, 'descriptors'> & { keeper: NonNullable<Sockets['keeper']> };
    },
    /** Starts a release of `answering.mjs`; resolves when it listens. */
    async start(revision: string, application: Parameters<Workshop['start']>[0] = {}): Promise<Started> {
      const before = workshop.output().length;
      const start = [process.execPath, join(programs, 'answering.mjs')];
      const started = workshop.start({ start, ...application }, { revision, sockets });
      await until(() => workshop.output().slice(before).includes('sockets as user'), 'the program');
      return started;
    },
  };
}

function tcp(host: string, port: number): Listen {
  return { kind: 'tcp', host, port };
}

/** What the program at a port or a path says. */
async function ask(at: number | string, host = '127.0.0.1'): Promise<string> {
  return allOf(typeof at === 'number' ? net.connect(at, host) : net.connect(at));
}

async function allOf(socket: net.Socket): Promise<string> {
  let said = '';
  for await (const data of socket.setEncoding('utf8')) said += String(data);
  return said;
}

/** A port on which another process listens. */
async function foreign(t: TestContext): Promise<number> {
  const script = `
    const { createServer } = require('net');
    const first = createServer().listen(0, '127.0.0.1', () => {
      const { port } = first.address();
      createServer().listen(port, '127.0.0.2', () => console.log(port));
    });`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  return Number(said);
}

async function freeLowPort(): Promise<number> {
  for (let port = 1023; port > 600; port--) {
    const server = net.createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, () => resolve(true));
    });
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
  throw new Error('no low port is free');
}

function socketsOfProcess(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`)
    .map((file) => readlinkSync(`/proc/${pid}/fd/${file}`))
    .filter((target) => target.startsWith('socket:'));
}

function leftIn(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.startsWith('sockets'));
}
