import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backgroundCtx } from './ctx.ts';
import { conflict, isErrno, isKind, toSlipwayError } from './errors.ts';
import { EventBus } from './events.ts';
import { derivedHex, newId, shortId } from './ids.ts';
import { KeyedQueue } from './keyed-queue.ts';
import { createLogger } from './log.ts';
import { SingleFlight } from './single-flight.ts';
import { withUndo } from './undo.ts';

const ctx = backgroundCtx();

test('undo runs registered steps in reverse, all of them, and attaches their errors', async () => {
  const done: string[] = [];
  const failure = await withUndo(ctx, async (undo) => {
    undo.push('first', () => done.push('first'));
    undo.push('second', () => {
      throw new Error('second would not go');
    });
    undo.push('third', () => done.push('third'));
    throw conflict('taken');
  }).catch((error: unknown) => error);
  assert.ok(isKind(failure, 'conflict'));
  assert.deepEqual(done, ['third', 'first']);
  assert.deepEqual(
    failure.undoErrors.map((error) => error.message),
    ['second would not go'],
  );
});

test('undo does nothing when the work succeeds', async () => {
  let undone = false;
  const value = await withUndo(ctx, async (undo) => {
    undo.push('only', () => (undone = true));
    return 7;
  });
  assert.equal(value, 7);
  assert.equal(undone, false);
});

test('undo runs on a context of its own when the caller has gone away', async () => {
  const gone = AbortSignal.abort();
  let aborted: boolean | undefined;
  await withUndo({ ...ctx, signal: gone }, async (undo) => {
    undo.push('step', (own) => (aborted = own.signal.aborted));
    throw new Error('x');
  }).catch(() => {});
  assert.equal(aborted, false);
});

test('a keyed queue serializes one key, runs others side by side, and goes on after a failure', async () => {
  const queue = new KeyedQueue();
  const order: string[] = [];
  let release = (): void => {};
  const gate = new Promise<void>((resolve) => (release = resolve));
  const first = queue.run('a', async () => {
    await gate;
    order.push('a1');
    throw new Error('a1 failed');
  });
  const second = queue.run('a', async () => order.push('a2'));
  await queue.run('b', async () => order.push('b'));
  assert.ok(queue.busy('a'));
  release();
  await assert.rejects(first, /a1 failed/);
  await second;
  assert.deepEqual(order, ['b', 'a1', 'a2']);
  await Promise.resolve();
  assert.equal(queue.busy('a'), false);
});

test('single flight shares one run and starts anew afterwards', async () => {
  const flight = new SingleFlight<number>();
  let runs = 0;
  const work = async (): Promise<number> => ++runs;
  assert.deepEqual(await Promise.all([flight.run('k', work), flight.run('k', work)]), [1, 1]);
  assert.equal(await flight.run('k', work), 2);
});

test('events have strictly increasing times, are kept for since, and reach listeners until they leave', () => {
  const bus = new EventBus();
  const seen: string[] = [];
  const leave = bus.subscribe((event) => seen.push(event.action));
  for (let i = 0; i < 1100; i++)
    bus.emit({ type: 'container', action: `a${i}`, actorId: 'x', attributes: {} });
  leave();
  bus.emit({ type: 'container', action: 'late', actorId: 'x', attributes: {} });
  assert.equal(seen.length, 1100);
  const kept = bus.since(0n);
  assert.equal(kept.length, 1024);
  assert.equal(kept.at(-1)?.action, 'late');
  for (let i = 1; i < kept.length; i++) assert.ok((kept[i]?.timeNano ?? 0n) > (kept[i - 1]?.timeNano ?? 0n));
  assert.deepEqual(
    bus.since(kept[1000]?.timeNano ?? 0n).map((event) => event.action),
    kept.slice(1000).map((event) => event.action),
  );
});

test('ids are 64 hex digits, short ids drop the algorithm, derived names repeat', () => {
  assert.match(newId(), /^[0-9a-f]{64}$/);
  assert.equal(shortId('sha256:0123456789abcdef'), '0123456789ab');
  assert.equal(derivedHex(11, 'slipway', 'x'), derivedHex(11, 'slipway', 'x'));
  assert.notEqual(derivedHex(11, 'slipway', 'x'), derivedHex(11, 'slipwa', 'yx'));
});

test('the logger drops levels below its own and quotes what needs it', () => {
  const lines: string[] = [];
  const log = createLogger('info', (line) => lines.push(line), { unit: 'test' });
  log.debug('hidden');
  log.with({ id: 'abc' }).warn('two words', { error: new Error('bad "thing"'), n: 3 });
  assert.equal(lines.length, 1);
  assert.match(
    lines[0] ?? '',
    /^time=\S+ level=warn msg="two words" unit=test id=abc error="bad \\"thing\\"" n=3\n$/,
  );
});

test('unknown errors become internal and keep their cause', () => {
  const cause = Object.assign(new Error('no space'), { code: 'ENOSPC' });
  const error = toSlipwayError(cause);
  assert.equal(error.kind, 'internal');
  assert.ok(isErrno(error.cause, 'ENOSPC'));
  assert.equal(toSlipwayError('text').message, 'text');
});
