import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeOpenHow } from './files.ts';

test('struct open_how: flags, mode, resolve', () => {
  assert.equal(
    encodeOpenHow({}).toString('hex'),
    '000028000000000000000000000000001200000000000000', // O_PATH|O_CLOEXEC; IN_ROOT|NO_MAGICLINKS
  );
  assert.equal(
    encodeOpenHow({ flags: 0o101, mode: 0o600, noSymlinks: true }).toString('hex'),
    '410008000000000080010000000000001600000000000000',
  );
  // A mode without O_CREAT would be refused by the kernel.
  assert.equal(encodeOpenHow({ flags: 0, mode: 0o600 }).readBigUInt64LE(8), 0n);
});
