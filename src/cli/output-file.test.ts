import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { checkOutput, writeFileFrom } from './output-file.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'slip-'));
after(() => fs.rmSync(folder, { recursive: true }));
const at = (name: string): string => path.join(folder, name);

async function* chunks(...texts: readonly string[]): AsyncGenerator<Uint8Array, void, undefined> {
  for (const text of texts) yield Buffer.from(text);
}

test('only a regular file is written to, in words of docker 28', async () => {
  execFileSync('mkfifo', [at('fifo')]);
  const server = createServer().listen(at('socket'));
  await new Promise((resolve) => server.once('listening', resolve));
  fs.symlinkSync('/dev/null', at('link'));
  const kinds = {
    [folder]: 'a directory',
    '/dev/null': 'a character device file',
    [at('link')]: 'a character device file',
    [at('fifo')]: 'a named pipe (FIFO)',
    [at('socket')]: 'a socket',
  };
  for (const [file, kind] of Object.entries(kinds)) {
    assert.throws(() => checkOutput(file), { message: `cannot write to ${kind}` });
  }
  checkOutput(at('new'));
  await new Promise((resolve) => server.close(resolve));
});

test('a link stays, the file behind it is written; a broken stream leaves what was there', async () => {
  fs.writeFileSync(at('real'), 'before');
  fs.symlinkSync('real', at('to-real'));
  checkOutput(at('to-real'));
  await writeFileFrom(at('to-real'), chunks('one ', 'two'));
  assert.equal(fs.readlinkSync(at('to-real')), 'real');
  assert.equal(fs.readFileSync(at('real'), 'utf8'), 'one two');
  const broken = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
    yield Buffer.from('half');
    throw new Error('cut');
  };
  await assert.rejects(writeFileFrom(at('real'), broken()), /cut/);
  assert.equal(fs.readFileSync(at('real'), 'utf8'), 'one two');
  assert.deepEqual(
    fs.readdirSync(folder).filter((name) => name.endsWith('.tmp')),
    [],
  );
});
