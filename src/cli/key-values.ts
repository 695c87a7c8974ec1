/** `key=value` texts of flags and files. */
import fs from 'node:fs';
import { CliError } from './exit.ts';

/** Later ones win; without `=` the value is empty. */
export function keyValues(items: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    items.map((item) => {
      const at = item.indexOf('=');
      return at < 0 ? [item, ''] : [item.slice(0, at), item.slice(at + 1)];
    }),
  );
}

/**
 * Lines of an environment or label file: comments and empty lines are left out; a name without `=` is looked up
 * with `lookup` and left out when that knows nothing.
 */
function fileLines(file: string, lookup: (name: string) => string | undefined): string[] {
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch {
    throw new CliError(`open ${file}: no such file or directory`);
  }
  const lines: string[] = [];
  for (const raw of text.replace(/^\uFEFF/, '').split('\n')) {
    const line = raw.replace(/\r$/, '').trimStart();
    if (line === '' || line.startsWith('#')) continue;
    const at = line.indexOf('=');
    const name = at < 0 ? line : line.slice(0, at);
    if (name === '') throw new CliError(`invalid env file (${file}): no variable name on line '${line}'`);
    if (/\s/.test(name.trimEnd()))
      throw new CliError(`invalid env file (${file}): variable '${name}' contains whitespaces`);
    if (at >= 0) lines.push(`${name}=${line.slice(at + 1)}`);
    else {
      const value = lookup(name.trim());
      if (value !== undefined) lines.push(`${name.trim()}=${value}`);
    }
  }
  return lines;
}

/** Variables of files, then those given; a bare name takes the value it has in `env`, or unsets. */
export function collectEnv(
  files: readonly string[],
  given: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): string[] {
  const fromFiles = files.flatMap((file) => fileLines(file, (name) => env[name]));
  const fromFlags = given.map((item) => {
    if (item.includes('=')) return item;
    const value = env[item];
    return value === undefined ? item : `${item}=${value}`;
  });
  return [...fromFiles, ...fromFlags];
}

export function collectLabels(files: readonly string[], given: readonly string[]): Record<string, string> {
  return keyValues([...files.flatMap((file) => fileLines(file, () => '')), ...given]);
}
