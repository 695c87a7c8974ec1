/**
 * Reads the lines that the guest's suite writes: `part NAME`, `ok N - NAME`, `not ok N - NAME`, `# DETAIL`, and plans:
 * `1..N`.
 */

export interface TapFailure {
  readonly name: string;
  readonly detail: string;
}

export interface TapPart {
  readonly name: string;
  readonly passed: number;
  readonly failures: readonly TapFailure[];
}

export interface TapResult {
  readonly passed: number;
  readonly failures: readonly TapFailure[];
  /** In the order in which they began. */
  readonly parts: readonly TapPart[];
  /** The end came, and the plans count as many results as there were: nothing was cut off. */
  readonly complete: boolean;
}

interface OpenPart {
  readonly name: string;
  passed: number;
  readonly failures: { name: string; detail: string }[];
}

export function readTap(lines: readonly string[]): TapResult {
  let planned = 0;
  let ended = false;
  const parts: OpenPart[] = [];
  const current = (): OpenPart => {
    if (parts.length === 0) parts.push({ name: '', passed: 0, failures: [] });
    return parts.at(-1) as OpenPart;
  };
  for (const line of lines) {
    const result = /^(not )?ok \d+ - (.*)$/.exec(line);
    const plan = /^1\.\.(\d+)$/.exec(line);
    const part = /^part (\S+)$/.exec(line);
    if (part !== null) parts.push({ name: part[1] ?? '', passed: 0, failures: [] });
    else if (result !== null && result[1] === undefined) current().passed += 1;
    else if (result !== null) current().failures.push({ name: result[2] ?? '', detail: '' });
    else if (plan !== null) planned += Number(plan[1]);
    else if (line === 'end of the suite') ended = true;
    else if (line.startsWith('# ')) {
      const last = current().failures.at(-1);
      if (last !== undefined) last.detail += `${line.slice(2)}\n`;
    }
  }
  const passed = parts.reduce((sum, part) => sum + part.passed, 0);
  const failures = parts.flatMap((part) => part.failures);
  return { passed, failures, parts, complete: ended && planned === passed + failures.length };
}
