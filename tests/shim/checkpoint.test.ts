/** How the runtime is called for a checkpoint and a restore, and what becomes of one that fails or lies: with a stand-in before runc. */

import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { backgroundCtx } from '../../src/core/ctx.ts';
import { silentLogger } from '../../src/core/log.ts';
import type { Runtime, Task, TaskSpec } from '../../src/core/ports/runtime.ts';
import { createRuntime } from '../../src/runtime/shim/index.ts';
import { createMachine, type ShimMachine } from './machine.ts';

const ctx = backgroundCtx();
let machine: ShimMachine;
let runtime: Runtime;
let seen = '';

/** runc, but for the commands that the tests are about. */
const script = `#!/bin/sh
folder=$(dirname "$0")
for word in "$@"; do
  case "$previous" in
    --root) root=$word ;;
    --log) log=$word ;;
    --image-path) images=$word ;;
    --work-path) work=$word ;;
    --pid-file) pid_file=$word ;;
  esac
  previous=$word
done
case " $* " in
  *' checkpoint '*)
    echo "$@" > "$folder/seen/arguments"
    echo "$PATH" > "$folder/seen/path"
    cp "$root/$previous/state.json" "$folder/seen/state.json"
    [ -e "$folder/fail" ] || { echo a > "$images/inventory.img"; exit 0; }
    echo half > "$images/pages-1.img"
    echo '(00.1) Error (criu/a.c:1): the cause' > "$work/dump.log"
    echo '(00.2) Error (criu/b.c:2): Dumping FAILED.' >> "$work/dump.log"
    echo '{"level":"error","msg":"criu failed: type NOTIFY errno 0\\\\nlog file: '$work'/dump.log"}' >> "$log"
    exit 1 ;;
  *' restore '*)
    echo "$@" > "$folder/seen/arguments"
    echo "$PATH" > "$folder/seen/path"
    sleep 1000 > /dev/null 2>&1 < /dev/null &
    echo $! > "$pid_file"
    echo $! > "$folder/seen/pid"
    exit 0 ;;
esac
exec /usr/sbin/runc "$@"
`;

before(async () => {
  machine = await createMachine('runc');
  const standIn = join(machine.directory, 'runc-stand-in');
  seen = join(machine.directory, 'seen');
  mkdirSync(seen);
  writeFileSync(standIn, script);
  chmodSync(standIn, 0o755);
  runtime = await createRuntime({
    host: machine.host,
    shimPath: machine.shimPath,
    runtimes: [{ name: 'runc', path: standIn, args: ['--debug=false'] }],
    runDir: join(machine.directory, 'run'),
    findCriu: () => '/opt/criu/bin/criu',
    log: silentLogger,
  });
});
after(async () => {
  await machine.close();
});

async function started(): Promise<{ spec: TaskSpec; task: Task; images: string }> {
  const spec = machine.spec(['/bin/sleep', '1000']);
  const images = join(machine.directory, `images-${spec.containerId.slice(0, 8)}`);
  mkdirSync(images);
  // As the engine does it: the namespace's path leads through a descriptor that is closed after the start.
  const network = await machine.host.createNetns();
  const document = spec.ociSpec as { linux: { namespaces: readonly { type: string }[] } };
  const namespaces = document.linux.namespaces.map((one) =>
    one.type === 'network' ? { ...one, path: network.path } : one,
  );
  const joined = { ...spec, ociSpec: { ...document, linux: { ...document.linux, namespaces } } };
  const task = await runtime.start(ctx, joined);
  machine.host.closeFd(network.fd);
  return { spec: joined, task, images };
}

const read = (name: string): string => readFileSync(join(seen, name), 'utf8').trim();
const pathOf = (state: string): string | undefined =>
  (
    JSON.parse(state) as { config: { namespaces: readonly { type: string; path: string }[] } }
  ).config.namespaces.find(({ type }) => type === 'NEWNET')?.path;

test('a checkpoint is asked for on a copy of the state, with the live network namespace and criu first on the path', async () => {
  const { spec, task, images } = await started();
  const own = join(machine.directory, 'run/runtime-runc', spec.containerId, 'state.json');
  const untouched = readFileSync(own, 'utf8');
  await task.checkpoint(ctx, images);
  const root = join(machine.directory, 'run/checkpoint', spec.containerId);
  assert.equal(
    read('arguments'),
    `--debug=false --root ${root}/state --log ${root}/log --log-format json checkpoint ` +
      `--image-path ${images} --work-path ${root}/work --leave-running ${spec.containerId}`,
  );
  assert.match(read('path'), /^\/opt\/criu\/bin:\/usr\/local\/sbin:/);
  assert.equal(pathOf(read('state.json')), `/proc/${task.pid}/ns/net`);
  assert.match(pathOf(untouched) ?? '', /\/fd\/\d+$/);
  assert.equal(readFileSync(own, 'utf8'), untouched);
  assert.deepEqual(readdirSync(dirname(root)), []);
  await task.signal(9);
  await task.exit;
  task.release();
  await runtime.cleanup(ctx, spec);
});

test("a checkpoint that fails says so in containerd's words and criu's, and leaves the process and no files of its own", async () => {
  const { spec, task, images } = await started();
  const flag = join(machine.directory, 'fail');
  writeFileSync(flag, '');
  await assert.rejects(task.checkpoint(ctx, images), {
    kind: 'internal',
    message:
      'runc did not terminate successfully: exit status 1: criu failed: type NOTIFY errno 0: the cause',
  });
  assert.deepEqual(readdirSync(images), ['pages-1.img'], 'the caller clears up its folder');
  assert.deepEqual(readdirSync(join(machine.directory, 'run/checkpoint')), []);
  assert.ok(existsSync(`/proc/${task.pid}`));
  await task.signal(9);
  await task.exit;
  task.release();
  await runtime.cleanup(ctx, spec);
});

test('a restored process outside of its cgroup is ended: it would have no limits', async () => {
  const spec = machine.spec(['/bin/sleep', '1000']);
  const images = join(machine.directory, 'images');
  mkdirSync(images);
  await assert.rejects(runtime.start(ctx, { ...spec, restoreFrom: images }), {
    kind: 'internal',
    message: 'OCI runtime restore failed: the restored process is not in its cgroup: unknown',
  });
  assert.equal(
    read('arguments'),
    `--debug=false --root ${machine.directory}/run/runtime-runc --log ${spec.bundle}/runtime.log --log-format json ` +
      `restore --detach --pid-file ${spec.bundle}/runtime.pid --bundle ${spec.bundle} ` +
      `--image-path ${images} --work-path ${spec.bundle} ${spec.containerId}`,
  );
  assert.match(read('path'), /^\/opt\/criu\/bin:/);
  assert.equal(existsSync(`/proc/${read('pid')}`), false);
  assert.ok(!(await runtime.list()).includes(spec.containerId));
});
