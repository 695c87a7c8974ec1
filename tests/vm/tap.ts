/**
 * Reads the lines that the guest's suite writes: `ok N - NAME`, `not ok N - NAME`, `# DETAIL`, and a plan
 * after each part: `1..N`. */

export interface TapFailure {
  readonly name: string;
  readonly detail: string;
}

export interface TapResult {
  readonly passed: number;
  readonly failures: readonly TapFailure[];
  /** The end came, and the plans count as many results as there were: nothing was cut off. */
  readonly complete: boolean;
}

export function readTap(lines: readonly string[]): TapResult {
  let passed = 0;
  let planned = 0;
  let ended = false;
  const failures: { name: string; detail: string }[] = [];
  for (const line of lines) {
    const result = /^(not )?ok \d+ - (.*)$/.exec(line);
    const plan = /^1\.\.(\d+)$/.exec(line);
    const last = failures.at(-1);
    if (result !== null && result[1] === undefined) passed += 1;
    else if (result !== null) failures.push({ name: result[2] ?? '', detail: '' });
    else if (plan !== null) planned += Number(plan[1]);
    else if (line === 'end of the suite') ended = true;
    else if (line.startsWith('# ') && last !== undefined) last.detail += `${line.slice(2)}\n`;
  }
  return { passed, failures, complete: ended && planned === passed + failures.length };
}
