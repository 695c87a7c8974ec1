/** What every volume driver must do. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { VolumeDriver } from '../../src/core/ports/volume-driver.ts';

export interface VolumeHarness {
  readonly driver: VolumeDriver;
  /** Names of what lies in a volume. */
  readonly look: (name: string) => Promise<readonly string[]>;
  readonly write: (name: string, file: string, text: string) => Promise<void>;
  /** A directory on the host with these files, for `fill`. */
  readonly source: (files: Readonly<Record<string, string>>) => Promise<string>;
  readonly close: () => Promise<void>;
}

export function volumeDriverContract(name: string, open: () => Promise<VolumeHarness>): void {
  const it = (what: string, body: (harness: VolumeHarness) => Promise<void>): void => {
    test(`${name}: ${what}`, async () => {
      const harness = await open();
      try {
        await body(harness);
      } finally {
        await harness.close();
      }
    });
  };

  it('removes what is empty, and only that', async ({ driver, write }) => {
    for (const name of ['empty', 'used']) await driver.create(name, {});
    await write('used', 'f', 'x');
    for (const name of ['empty', 'used', 'never']) await driver.removeEmpty(name);
    assert.deepEqual(await driver.list(), ['used']);
  });

  it('creates once, lists, mounts and removes; again is fine', async ({ driver, write, look }) => {
    const { mountpoint } = await driver.create('data', {});
    await write('data', 'f', '12345');
    assert.deepEqual(await driver.create('data', {}), { mountpoint });
    assert.deepEqual(await look('data'), ['f']);
    assert.deepEqual(await driver.list(), ['data']);
    assert.deepEqual(await driver.mount('data', {}), { path: mountpoint });
    assert.deepEqual(await driver.mount('data', {}), { path: mountpoint });
    assert.equal(await driver.usage('data'), 5);
    await driver.unmount('data', {});
    await driver.unmount('data', {});
    await driver.remove('data');
    await driver.remove('data');
    assert.deepEqual(await driver.list(), []);
    await driver.create('data', {});
    assert.deepEqual(await look('data'), []);
  });

  it('fills an empty volume, and only that', async ({ driver, look, source, write }) => {
    await driver.create('empty', {});
    await driver.create('full', {});
    await write('full', 'own', '1');
    const from = await source({ a: '1', b: '2' });
    await driver.fill('empty', from);
    await driver.fill('full', from);
    assert.deepEqual(await look('empty'), ['a', 'b']);
    assert.deepEqual(await look('full'), ['own']);
  });

  it('refuses options that it does not know, and names that are paths', async ({ driver }) => {
    assert.throws(() => driver.validate({ nonsense: 'x' }), { kind: 'invalid' });
    driver.validate({});
    for (const bad of ['', '..', '../x', 'a/b', 'a\0b', '.hidden', 'x'.repeat(300)])
      await assert.rejects(driver.create(bad, {}), { kind: 'invalid' }, JSON.stringify(bad));
    assert.deepEqual(await driver.list(), []);
  });
}
