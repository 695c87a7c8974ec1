/**
 * Plays a container that changes its files while they are copied: in the folder argv[2] the name `x` is by turns nothing, a directory
 * (with things in it), a file, and a link to argv[3]; with `quick` as argv[4] a bare directory and a link alone. Runs until it is ended.
 */

import { mkdirSync, rmSync, rmdirSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [folder = '', victim = '', pace] = process.argv.slice(2);
const name = join(folder, 'x');
const forms: readonly (() => void)[] = [
  () => mkdirSync(name),
  () => symlinkSync(victim, name),
  () => {
    mkdirSync(name);
    symlinkSync(victim, join(name, 'sub'));
  },
  () => writeFileSync(name, 'a file'),
  () => {
    mkdirSync(join(name, 'sub'), { recursive: true });
    rmSync(join(name, 'sub'), { recursive: true, force: true });
    symlinkSync(victim, join(name, 'sub'));
  },
];

/** Whoever copies has a hand in it too, so any step may fail. */
function attempt(step: () => void): void {
  try {
    step();
  } catch {
    // The next one goes on from there.
  }
}

function swapQuickly(): void {
  attempt(() => rmdirSync(name));
  attempt(() => symlinkSync(victim, name));
  attempt(() => unlinkSync(name));
  attempt(() => mkdirSync(name));
}

for (let round = 0; ; round++) {
  if (pace === 'quick') swapQuickly();
  else {
    attempt(() => rmSync(name, { recursive: true, force: true }));
    attempt(() => forms[round % forms.length]?.());
  }
}
