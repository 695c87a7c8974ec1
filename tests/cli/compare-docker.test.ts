/** Our CLI against what the docker CLI was recorded to do with the same engine. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { OWN_COMMANDS } from '../../src/cli/command-table.ts';
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

/** Examples, flags beyond docker's and commands of our own are ours. */
function withoutOurs(text: string, line: string): string {
  const own = OWN_COMMANDS.filter((path) => line.split(' ')[0] === path.split(' ')[0]);
  const verbs = own.map((path) => path.split(' ')[1]).join('|');
  const listed = verbs === '' ? text : text.replaceAll(new RegExp(`^ {2}(${verbs}) .*\\n`, 'gm'), '');
  return listed
    .replace(/\n\nOptions beyond docker's:\n(?: {2,}.*\n)+$/, '\n')
    .replace(/\n\nExamples:\n(?: {2}.*\n)+$/, '\n');
}

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
      {
        stdout: withoutOurs(outcome.stdout, line),
        stderr: withoutOurs(outcome.stderr, line),
        code: outcome.code,
      },
      { stdout: wanted.stdout, stderr: wanted.stderr, code: wanted.code },
    );
    if (OTHER_REQUESTS.some((pattern) => pattern.test(line))) return;
    assert.deepEqual(requestLines(engine.take()), wanted.requests);
  });
}
