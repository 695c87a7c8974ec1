import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';

/** In a thread: buffers that grew old, let go of; then bytes pass. Tells how many bytes of buffers are left. */
const thread = `
  const { parentPort, workerData } = require('node:worker_threads');
  import(workerData).then(({ collectAsBytesPass }) => {
    const passed = collectAsBytesPass(2 << 20);
    let kept = Array.from({ length: 64 }, () => Buffer.allocUnsafeSlow(64 << 10));
    for (let round = 0; round < 4; round++) passed(2 << 20);
    const old = process.memoryUsage().arrayBuffers;
    kept = undefined;
    for (let round = 0; round < 4; round++) passed(2 << 20);
    const soon = process.memoryUsage().arrayBuffers;
    for (let round = 0; round < 130; round++) passed(2 << 20);
    parentPort.postMessage({ old, soon, late: process.memoryUsage().arrayBuffers });
  });
`;

test('on a thread buffers that grew old are found once enough bytes have passed', async () => {
  const worker = new Worker(thread, {
    eval: true,
    workerData: new URL('./garbage.ts', import.meta.url).href,
  });
  const told = await new Promise<{ old: number; soon: number; late: number }>((resolve, reject) => {
    worker.once('message', resolve).once('error', reject);
  });
  await worker.terminate();
  assert.ok(told.old >= 4 << 20, JSON.stringify(told));
  // Small collections do not see them.
  assert.ok(told.soon >= 4 << 20, JSON.stringify(told));
  assert.ok(told.late < 1 << 20, JSON.stringify(told));
});
