/**
 * Writes `recorded.json`: what the installed docker CLI prints, exits with and asks of the engine for each line of
 * `command-lines.txt`, with its name replaced by ours. Run by hand when lines are added: the test then needs no docker.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { startFakeEngine } from './fake-engine.ts';
import { parseLine, renamed, requestLines, runDocker, steadyOutcome } from './harness.ts';

const here = (name: string): URL => new URL(name, import.meta.url);

const engine = await startFakeEngine();
const recorded: Record<string, unknown> = {};
for (const line of readFileSync(here('command-lines.txt'), 'utf8').split('\n')) {
  if (line.trim() === '' || line.startsWith('#')) continue;
  const { args, input } = parseLine(line);
  engine.take();
  const outcome = steadyOutcome(await runDocker(args, engine.host, input));
  recorded[line] = {
    stdout: renamed(outcome.stdout),
    stderr: renamed(outcome.stderr),
    code: outcome.code,
    requests: requestLines(engine.take()),
  };
}
writeFileSync(here('recorded.json'), `${JSON.stringify(recorded, null, 1)}\n`);
await engine.close();
process.stdout.write(`${Object.keys(recorded).length} command lines\n`);
process.exit(0);
