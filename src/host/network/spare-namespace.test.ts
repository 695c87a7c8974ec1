import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSpareNamespace } from './spare-namespace.ts';

/** Counts what it makes, and fails when it is told to. */
class Maker {
  made = 0;
  fails = false;
  readonly closed: number[] = [];
  readonly createNetns = async (): Promise<{ fd: number; path: string }> => {
    await Promise.resolve();
    if (this.fails) throw new Error('no more namespaces');
    this.made++;
    return { fd: this.made, path: `/proc/1/fd/${this.made}` };
  };
  readonly closeFd = (fd: number): void => void this.closed.push(fd);
}

test('none is given away twice, and no more are made than are asked for and one', async () => {
  const maker = new Maker();
  const spare = createSpareNamespace(maker);
  assert.equal((await spare.take()).fd, 1);
  spare.refill();
  spare.refill();
  const fds = (await Promise.all([spare.take(), spare.take(), spare.take()])).map(({ fd }) => fd);
  assert.deepEqual(
    fds.toSorted((a, b) => a - b),
    [2, 3, 4],
  );
  assert.equal(maker.made, 4);
});

test('one that could not be made is made when it is needed, and fails then if it must', async () => {
  const maker = new Maker();
  const spare = createSpareNamespace(maker);
  maker.fails = true;
  spare.refill();
  await assert.rejects(spare.take(), /no more namespaces/);
  spare.refill();
  await Promise.resolve();
  maker.fails = false;
  assert.equal((await spare.take()).fd, 1);
});

test('the end gives back what nobody took, and makes no more', async () => {
  const maker = new Maker();
  const spare = createSpareNamespace(maker);
  spare.refill();
  await spare.close();
  spare.refill();
  await spare.close();
  assert.deepEqual(maker.closed, [1]);
  assert.equal(maker.made, 1);
});
