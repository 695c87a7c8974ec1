import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backgroundCtx } from '../../core/ctx.ts';
import { EventBus, type EngineEvent, type NewEvent } from '../../core/events.ts';
import { eventFilter } from './event-filter.ts';
import { eventStream } from './events.ts';
import { parseOsRelease } from './host-facts.ts';

const event: EngineEvent = {
  type: 'container',
  action: 'health_status: healthy',
  actorId: 'abcdef',
  attributes: { name: 'web', image: 'busybox:1.36', tier: 'front' },
  timeNano: 1n,
};

test('values are alternatives, filters are all needed', () => {
  const passing = [
    {},
    { container: ['web'] },
    { container: ['nope', 'abcdef'] },
    { container: ['abc'] },
    { container: ['we'] },
    { type: ['image', 'container'] },
    { event: ['health_status'] },
    { event: ['health_status: healthy'] },
    { image: ['busybox'] },
    { image: ['busybox:1.36'] },
    { label: ['tier', 'tier=front'] },
    { scope: ['local'] },
    { type: ['container'], container: ['web'] },
  ];
  for (const filters of passing) assert.equal(eventFilter(filters)(event), true, JSON.stringify(filters));
  const failing = [
    { container: ['eb', ''] },
    { type: ['image'] },
    { event: ['start'] },
    { image: ['busy'] },
    { label: ['tier=front', 'other'] },
    { network: ['web'] },
    { scope: ['swarm'] },
    { type: ['container'], container: ['other'] },
  ];
  for (const filters of failing) assert.equal(eventFilter(filters)(event), false, JSON.stringify(filters));
  assert.equal(eventFilter({ nope: ['x'] })(event), true, 'dockerd ignores what it does not know');
});

const created: NewEvent = { type: 'container', action: 'create', actorId: 'a', attributes: {} };

test('a stream gives what was kept since, then what comes, until its end', async () => {
  const bus = new EventBus();
  bus.emit(created);
  const untilNano = BigInt(Date.now() + 1000) * 1_000_000n;
  const stream = eventStream.open(bus, backgroundCtx(), { sinceNano: 0n, untilNano, filters: {} });
  assert.equal(eventStream.listeners(bus), 1);
  bus.emit({ ...created, action: 'start' });
  const actions: string[] = [];
  for await (const seen of stream) actions.push(seen.action);
  assert.deepEqual(actions, ['create', 'start']);
  assert.equal(eventStream.listeners(bus), 0);
});

test('a stream that nobody reads ends with its client', () => {
  const bus = new EventBus();
  const controller = new AbortController();
  const ctx = { ...backgroundCtx(), signal: controller.signal };
  eventStream.open(bus, ctx, { sinceNano: undefined, untilNano: undefined, filters: {} });
  assert.equal(eventStream.listeners(bus), 1);
  controller.abort();
  assert.equal(eventStream.listeners(bus), 0);
});

test('os-release is read with and without quotes', () => {
  const values = parseOsRelease('# c\nNAME="A b"\nVERSION_ID=12\n\nX=\'y\'\n');
  assert.deepEqual(
    [...values],
    [
      ['NAME', 'A b'],
      ['VERSION_ID', '12'],
      ['X', 'y'],
    ],
  );
});
