import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lastMessage, runtimeError } from './failure.ts';
import { runtimeWarnings } from './info.ts';
import { shimPaths } from './paths.ts';

const line = (msg: string, level = 'error'): string => `${JSON.stringify({ msg, level, time: 'x' })}\n`;

test('the last error of a runtime log is the message', () => {
  assert.equal(lastMessage(line('careful', 'warning') + line('first') + line('second')), 'second');
  assert.equal(lastMessage(line('only a warning', 'warning')), 'only a warning');
  assert.equal(lastMessage('plain text\n'), 'plain text');
  assert.equal(lastMessage(''), '');
});

test("what crun and runc say about commands becomes Docker's words", () => {
  const says = (command: string, message: string, verb: 'create' | 'exec' = 'exec'): string => {
    const error = runtimeError({ verb, runtime: 'crun', command, status: 1, text: line(message) });
    return `${error.kind}: ${error.message}`;
  };
  const exec = 'notFound: OCI runtime exec failed: exec failed: unable to start container process: ';
  const missing = 'executable file `x` not found in $PATH: No such file or directory';
  assert.equal(says('x', missing), `${exec}exec: "x": executable file not found in $PATH: unknown`);
  assert.equal(says('/x', missing), `${exec}exec: "/x": stat /x: no such file or directory: unknown`);
  assert.equal(
    says('/x', 'open executable: Permission denied'),
    `${exec}exec: "/x": permission denied: unknown`,
  );
  assert.equal(
    says('/etc', 'open executable: Operation not permitted'),
    `${exec}exec: "/etc": permission denied: unknown`,
  );
  const runc =
    'exec failed: unable to start container process: exec: "x": executable file not found in $PATH';
  assert.equal(says('x', runc), `${exec}exec: "x": executable file not found in $PATH: unknown`);
  assert.match(
    says('x', missing, 'create'),
    /^notFound: failed to create task for container: failed to create shim task: OCI runtime create failed: crun create failed: /,
  );
});

test('other failures are internal, also a missing file that is not the command', () => {
  const error = runtimeError({
    verb: 'create',
    runtime: 'crun',
    command: 'sh',
    status: 1,
    text: line('mount `/x` to `y`: No such file or directory'),
  });
  assert.equal(error.kind, 'internal');
  assert.match(error.message, /crun create failed: mount `\/x` to `y`: no such file or directory: unknown$/);
  const absent = runtimeError({
    verb: 'create',
    runtime: 'x',
    command: 'sh',
    status: 127,
    text: line('exec /x: No such file or directory'),
  });
  assert.equal(absent.kind, 'internal');
});

test('versions with known holes are named', () => {
  assert.match(
    runtimeWarnings('runc', '1.1.5+ds1')[0] ?? '',
    /CVE-2024-21626, CVE-2024-45310, CVE-2025-31133/,
  );
  assert.match(runtimeWarnings('crun', '1.8.1')[0] ?? '', /CVE-2025-24965/);
  assert.deepEqual(runtimeWarnings('crun', '1.20'), []);
  assert.deepEqual(runtimeWarnings('runc', '1.3.3'), []);
  assert.deepEqual(runtimeWarnings('runc', '1.2.9'), []);
  assert.match(
    runtimeWarnings('runc', '1.3.0')[0] ?? '',
    /^runc 1\.3\.0 is older .*CVE-2025-31133.* \(upstream 1\.3\.3;/,
  );
  assert.deepEqual(runtimeWarnings('runc', 'unknown'), []);
});

test('sockets stay within what a unix address can hold', () => {
  const id = 'a'.repeat(64);
  assert.equal(shimPaths('/run/slipway', '/b').socket(id), `/run/slipway/shim/${id}.sock`);
  const deep = shimPaths('/tmp/slip-abcdef-some-longer-name/run', '/b').socket(id);
  assert.ok(`${deep}.65535`.length <= 107 && deep.length > 80, deep);
});
