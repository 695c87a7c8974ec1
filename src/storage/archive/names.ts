import { invalid } from '../../core/errors.ts';

/**
 * The path of an entry below the root, without leading slash, `.` and `..`; '' for the root itself. Names that climb
 * above the root are refused; an absolute one is taken from the root, as every tar program does.
 */
export function cleanName(name: string): string {
  // The usual case, kept cheap: nothing to clean.
  if (!/(^|\/)\.{0,2}(\/|$)/.test(name)) return name;
  const parts: string[] = [];
  const isAbsolute = name.startsWith('/');
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined && !isAbsolute)
      throw invalid(`${JSON.stringify(name)} is outside of the layer's root`);
  }
  return parts.join('/');
}
