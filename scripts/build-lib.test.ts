import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  fstatSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..');

test('a build replaces files by rename, so that a running daemon keeps what it has mapped', () => {
  mkdirSync(join(root, 'dist'), { recursive: true });
  const folder = mkdtempSync(join(root, 'dist/test-lib-'));
  const build = (): unknown =>
    execFileSync(process.execPath, [join(root, 'scripts/build-lib.ts'), relative(root, folder)], {
      stdio: 'pipe',
    });
  try {
    build();
    const [library = ''] = globSync(join(folder, 'node_modules/@koromix/*/*/koffi.node'));
    const { ino, size } = statSync(library);
    build();
    assert.equal(statSync(library).ino, ino, 'an unchanged file stays');
    appendFileSync(library, 'x');
    const held = openSync(library, 'r');
    build();
    assert.equal(statSync(library).size, size, 'a changed file is put right');
    assert.equal(fstatSync(held).size, size + 1, 'who has it open keeps it');
    closeSync(held);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
