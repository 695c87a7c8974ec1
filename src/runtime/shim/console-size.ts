/**
 * A `process` object with the size of its terminal: the runtime sets it before the process runs, where the shim alone would race with it.
 */
export function withConsoleSize(process: unknown, size: readonly [number, number] | undefined): unknown {
  if (!size || size[0] === 0 || typeof process !== 'object' || process === null) return process;
  return { consoleSize: { height: size[0], width: size[1] }, ...process };
}
