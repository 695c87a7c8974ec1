import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { CheckpointSupport, criuErrors, takesCheckpoints, versionProblem } from './criu.ts';
import type { ConfiguredRuntime } from './configured-runtime.ts';

test("criu's errors are found in its log, without those that follow from others", () => {
  const log = `(00.048111) Error (criu/util.c:1533): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted
(00.169205) Warn  (criu/kerndat.c:1285): Can't keep kdat cache on non-tempfs
(00.169205) Error (criu/files-reg.c:1790): Can't lookup mount=27 for fd=1 path=/tmp/out
(00.169241) Error (criu/cr-dump.c:1681): Dump files (pid: 10473) failed with -1
(00.256889) Error (criu/cr-dump.c:2111): Dumping FAILED.
`;
  assert.equal(criuErrors(log), "Can't lookup mount=27 for fd=1 path=/tmp/out");
  assert.equal(
    criuErrors('Error (criu/a.c:1): one\nError (criu/b.c:2): two\nError (criu/c.c:3): three'),
    'two; three',
  );
  assert.equal(criuErrors('all is well'), '');
  assert.equal(
    criuErrors('Error (criu/util.c:5): execvp("ip6tables-restore", ...) failed: No such file or directory'),
    'execvp("ip6tables-restore", ...) failed: No such file or directory: criu needs ip6tables-restore on the host: install its package',
  );
});

test('versions before 3.11 are too old', () => {
  assert.equal(versionProblem('Version: 3.17.1\n'), undefined);
  assert.equal(versionProblem('Version: 4.1.1\nGitID: v4.1.1\n'), undefined);
  assert.equal(versionProblem('Version: 3.11\n'), undefined);
  assert.equal(versionProblem('something else'), undefined);
  assert.equal(versionProblem('Version: 3.10\n'), 'is version 3.10, and 3.11 or newer is needed');
  assert.equal(versionProblem('Version: 2.12\n'), 'is version 2.12, and 3.11 or newer is needed');
});

const runcFeatures = '{"annotations": {"org.opencontainers.runc.checkpoint.enabled": "true"}}';

test('a runtime says by its features or version whether it was built with criu', () => {
  assert.equal(takesCheckpoints('runc version 1.1.5', runcFeatures, false), true);
  assert.equal(
    takesCheckpoints('runc version 1.1.5', runcFeatures.replace('"true"', '"false"'), true),
    false,
  );
  assert.equal(takesCheckpoints('runc version 1.0.0', '', false), true);
  const crun = 'crun version 1.21\n+SYSTEMD +SELINUX +CRIU +YAJL';
  assert.equal(takesCheckpoints(crun, '', true), true);
  assert.equal(
    takesCheckpoints(crun, '{"annotations": {"run.oci.crun.checkpoint.enabled": "true"}}', true),
    true,
  );
  assert.equal(takesCheckpoints(crun, '', false), false, 'not into v1 cgroups');
  assert.equal(takesCheckpoints('crun version 1.8.1\n+SYSTEMD +SELINUX', '', true), false);
  assert.equal(takesCheckpoints('youki version 0.3.0', '{}', true), false);
});

function machine(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'slip-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const script = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, `#!/bin/sh\n${text}\n`);
    chmodSync(path, 0o755);
    return path;
  };
  const runtimes = new Map<string, ConfiguredRuntime>();
  const add = (name: string, text: string): void =>
    void runtimes.set(name, { name, path: script(name, text) });
  add('runc', `[ "$1" = features ] && echo '${runcFeatures}' || echo 'runc version 1.1.5'`);
  add('crun', `[ "$1" = features ] && exit 1; echo 'crun version 1.8.1'; echo '+SYSTEMD +SECCOMP'`);
  return { folder, script, runtimes, add };
}

test('the host is told apart: no criu, one that is old, one that does not work here, one that does', async (t) => {
  const { folder, script, runtimes } = machine(t);
  let criu: string | undefined;
  const support = new CheckpointSupport(
    () => criu,
    runtimes,
    () => true,
  );
  assert.equal(
    await support.problem('runc'),
    'checkpoint and restore need criu, which is not installed on this host: install the package criu',
  );
  assert.equal(support.directory(), undefined);

  criu = script('criu', 'echo Version: 3.9');
  assert.match(
    (await support.problem('runc')) ?? '',
    /criu is version 3\.9, and 3\.11 or newer is needed: install/,
  );

  // Replaced while the engine serves: seen at the next question.
  rmSync(criu);
  const fails = `echo called >> ${folder}/calls
[ "$1" = check ] && { echo "Error (criu/vdso.c:1): vDSO is not known" >&2; exit 1; }; echo Version: 3.17`;
  script('criu', fails);
  const sentence = await support.problem('runc');
  assert.match(sentence ?? '', /criu does not work with the kernel \S+ \(vDSO is not known\): install/);
  await support.problem('runc');

  rmSync(criu);
  script('criu', `echo called >> ${folder}/calls; echo Version: 4.1`);
  assert.equal(await support.problem('runc'), undefined);
  assert.equal(await support.problem('runc'), undefined);
  assert.equal(support.directory(), folder);
  assert.equal(await support.problem('nosuch'), 'unknown or invalid runtime name: nosuch');
});

test('criu is asked once for as long as it is the same file', async (t) => {
  const { folder, script, runtimes } = machine(t);
  const criu = script('criu', `echo "$1" >> ${folder}/calls; echo Version: 4.1`);
  const support = new CheckpointSupport(
    () => criu,
    runtimes,
    () => true,
  );
  await Promise.all([support.problem('runc'), support.problem('runc'), support.problem('runc')]);
  assert.equal(readFileSync(join(folder, 'calls'), 'utf8'), '--version\ncheck\n');
});

test('a runtime without checkpoints is named, with one that has them', async (t) => {
  const { folder, runtimes, add } = machine(t);
  const support = new CheckpointSupport(
    () => undefined,
    runtimes,
    () => true,
  );
  assert.equal(
    await support.problem('crun'),
    `checkpoint and restore: the runtime crun (${folder}/crun) does not do them on this host: create the container with --runtime runc`,
  );
  add('runc', 'exit 1');
  const without = new CheckpointSupport(
    () => undefined,
    runtimes,
    () => true,
  );
  assert.match((await without.problem('crun')) ?? '', /does not do them on this host: install runc$/);
});
