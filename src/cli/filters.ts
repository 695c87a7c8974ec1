/** `--filter name=value` as the API wants it. */

/** Values by name; a name may come several times. */
export function parseFilters(items: readonly string[]): Record<string, string[]> {
  const filters: Record<string, string[]> = {};
  for (const item of items) {
    const at = item.indexOf('=');
    const name = item.slice(0, at).trim().toLowerCase();
    (filters[name] ??= []).push(item.slice(at + 1).trim());
  }
  return filters;
}
