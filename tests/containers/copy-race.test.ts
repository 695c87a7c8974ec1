// timeout: 480
/** A container that swaps directories for links to the host's files while archives go in and out reaches none of them. */

import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { eventually, startEngine, type Engine } from '../scenarios/engine.ts';
import { archiveRequest, tarOf, type TarFile } from './archive-client.ts';

let engine: Engine;
let folder: string;
let victim: string;
let root: string;
before(async () => {
  engine = await startEngine();
  folder = mkdtempSync('/tmp/slip-');
  victim = join(folder, 'victim');
  mkdirSync(join(victim, 'deep'), { recursive: true });
  chmodSync(victim, 0o711);
  writeFileSync(join(victim, 'secret'), 'a secret of the host');
  writeFileSync(join(victim, 'deep/file'), 'kept');
  await engine.ok('docker', [
    'run',
    '-d',
    '--name',
    'evil',
    '--network',
    'none',
    'busybox',
    'sh',
    '-c',
    'mkdir /w; sleep 1000',
  ]);
  await engine.ok('docker', [
    'exec',
    'evil',
    'sh',
    '-c',
    'until test -d /w; do :; done; ln -s /proc/self/root /magic',
  ]);
  const pid = await engine.ok('docker', ['inspect', '-f', '{{.State.Pid}}', 'evil']);
  root = `/proc/${pid}/root/w`;
});
after(async () => {
  await engine.close();
  rmSync(folder, { recursive: true });
});

/** Calls by name that look at or change files, each held up on entry: between two of them the container has all the time it wants. */
const slowed = [
  'chmod,fchmodat,chown,lchown,fchownat',
  'mkdir,mkdirat,rmdir,unlink,unlinkat,symlink,symlinkat,link,linkat,mknod,utimensat,setxattr,lsetxattr',
  'open,readlink,getxattr,lgetxattr',
].join(',');

async function slowEngine(): Promise<ChildProcess> {
  const options = [
    '-qq',
    '-f',
    '-o',
    '/dev/null',
    '-e',
    `trace=${slowed}`,
    '-e',
    `inject=${slowed}:delay_enter=400`,
  ];
  const tracer = spawn('strace', [...options, '-p', String(engine.pid())], { stdio: 'ignore' });
  await eventually('the engine is slowed down', async () =>
    /^TracerPid:\t0$/m.test(readFileSync(`/proc/${engine.pid()}/status`, 'utf8')) ? undefined : true,
  );
  return tracer;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}

/** Runs `attack` while the container swaps its files. */
async function underAttack(attack: () => Promise<void>, pace: string): Promise<void> {
  const tracer = await slowEngine();
  const script = join(import.meta.dirname, 'copy-attacker.ts');
  const attacker = spawn(process.execPath, [script, root, victim, pace], { stdio: 'ignore' });
  try {
    await attack();
  } finally {
    await end(attacker, 'SIGKILL');
    await end(tracer, 'SIGINT');
  }
}

function state(): unknown {
  const { mode, uid, gid, mtimeMs } = statSync(victim);
  const entries = readdirSync(victim, { recursive: true }).map(String).sort();
  return { mode, uid, gid, mtimeMs, entries, secret: readFileSync(join(victim, 'secret'), 'utf8') };
}

const attacks: Readonly<Record<string, readonly TarFile[]>> = {
  'owner and mode of a directory': [{ name: 'x/', type: 'directory', mode: 0o777, uid: 4242, gid: 4242 }],
  'a file in a directory': [
    { name: 'x/planted', content: 'evil' },
    { name: 'x/sub/planted', content: 'evil' },
  ],
  'a file in the place of a directory': [{ name: 'x', content: 'evil' }],
  'a directory in the place of anything': [
    { name: 'x/', type: 'directory' },
    { name: 'x/sub/', type: 'directory', mode: 0o777 },
  ],
  'links and what is below them': [
    { name: 'x/sub', type: 'symlink', linkName: '/w' },
    { name: 'x/sub/planted', content: 'evil' },
    { name: 'x/sub/hard', type: 'hardlink', linkName: 'x/sub/planted' },
  ],
};

for (const [what, files] of Object.entries(attacks)) {
  test(`unpacking: ${what}`, async () => {
    const before = state();
    const archive = tarOf(...files);
    for (const pace of ['quick', 'rich']) {
      await underAttack(async () => {
        // Losing against the container is no failure of the engine.
        for (let round = 0; round < 25; round++)
          await archiveRequest(engine.socket, 'PUT', 'evil', { path: '/w' }, archive);
      }, pace);
    }
    assert.deepEqual(state(), before);
    assert.equal((await archiveRequest(engine.socket, 'HEAD', 'evil', { path: '/w' })).status, 200);
  });
}

test('packing: no byte of the host is in any archive', async () => {
  let archives = 0;
  await underAttack(async () => {
    for (let round = 0; round < 12; round++) {
      for (const path of ['/w', '/w/x', '/w/x/', '/w/x/sub', '/w/x/secret', '/w/x/sub/secret']) {
        const answer = await archiveRequest(engine.socket, 'GET', 'evil', { path }).catch(() => undefined);
        if (answer?.status === 200) archives++;
        assert.equal(answer?.body.includes('a secret of the host') ?? false, false, path);
      }
    }
  }, 'rich');
  assert.ok(archives >= 12, `${archives} archives`);
});

test('links of procfs lead nowhere', async () => {
  const through = await archiveRequest(engine.socket, 'GET', 'evil', { path: `/magic${victim}/secret` });
  assert.equal(through.status, 404);
  const before = state();
  const into = await archiveRequest(
    engine.socket,
    'PUT',
    'evil',
    { path: `/magic${victim}` },
    tarOf({ name: 'planted' }),
  );
  assert.equal(into.status, 404);
  assert.deepEqual(state(), before);
});
