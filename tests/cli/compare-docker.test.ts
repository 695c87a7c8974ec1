/** Our CLI against what the docker CLI was recorded to do with the same engine. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { type FakeEngine, startFakeEngine } from './fake-engine.ts';
import { parseLine, requestLines, runSlipway, steadyOutcome } from './harness.ts';

interface Recorded {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
  readonly requests: readonly string[];
}

const recorded = JSON.parse(readFileSync(new URL('recorded.json', import.meta.url), 'utf8')) as Record<
  string,
  Recorded
>;

/** Where we ask for less, or in another way, on purpose. */
const OTHER_REQUESTS: readonly RegExp[] = [
  /^run (-d|-d -i) /, // docker also waits for a container that it leaves
  /^attach /, // by id instead of name, and no wait before it is known to run
  /^inspect (web )?nope$/, // no swarm objects or plugins to look for
  /^stats --no-stream( --no-trunc)?$/, // no events for a single picture
  /^network rm/, // no inspect before the removal
  /^exec (-d|gone)/,
];

/** Examples are ours. */
const withoutExamples = (text: string): string => text.replace(/\n\nExamples:\n(?: {2}.*\n)+$/, '\n');

let engine: FakeEngine;
before(async () => {
  engine = await startFakeEngine();
});
after(() => engine.close());

for (const [line, wanted] of Object.entries(recorded)) {
  test(`slipway ${line}`, async () => {
    const { args, input } = parseLine(line);
    engine.take();
    const outcome = steadyOutcome(await runSlipway(args, engine.host, input));
    assert.deepEqual(
      { stdout: withoutExamples(outcome.stdout), stderr: outcome.stderr, code: outcome.code },
      { stdout: wanted.stdout, stderr: wanted.stderr, code: wanted.code },
    );
    if (OTHER_REQUESTS.some((pattern) => pattern.test(line))) return;
    assert.deepEqual(requestLines(engine.take()), wanted.requests);
  });
}
