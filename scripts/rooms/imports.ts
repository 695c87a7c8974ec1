/**
 * Reads the imports out of a TypeScript file's text: a scanner, not a compiler, which is enough because the
 * formatter puts every import and export at the start of a line.
 */

export interface FoundImport {
  /** What stands between the quotes. */
  readonly specifier: string;
  /** Only types come through it, so nothing of it is left at run time. */
  readonly typeOnly: boolean;
  /** Counted from 1. */
  readonly line: number;
}

const statement = /^(?:import|export)\b(\s+type\b)?([^;'"`]*?)\bfrom\s+['"]([^'"]+)['"]/gm;
const bare = /^import\s+['"]([^'"]+)['"]/gm;
const dynamic = /\bimport\(\s*['"]([^'"]+)['"]\s*\)(\s*\.\s*[A-Z])?/g;
const worker = /new URL\(\s*['"](\.[^'"]+\.ts)['"]\s*,\s*import\.meta\.url\s*\)/g;

/** Block and line comments become blanks of the same length, so that line numbers stay. */
function withoutComments(text: string): string {
  return text
    .replace(/^\s*\/\*[\s\S]*?\*\//gm, (comment) => comment.replace(/[^\n]/g, ' '))
    .replace(/^\s*\/\/.*$/gm, '');
}

/** `{ type A, type B }` brings types only, though the statement is not `import type`. */
function bringsOnlyTypes(clause: string): boolean {
  const named = /^\s*\{([\s\S]*)\}\s*$/.exec(clause);
  if (named === null) return false;
  const names = (named[1] ?? '').split(',').map((name) => name.trim());
  return names.filter((name) => name !== '').every((name) => name.startsWith('type '));
}

export function findImports(source: string): FoundImport[] {
  const text = withoutComments(source);
  const lineOf = (index: number): number => text.slice(0, index).split('\n').length;
  const found: FoundImport[] = [];
  for (const match of text.matchAll(statement)) {
    const typeOnly = match[1] !== undefined || bringsOnlyTypes(match[2] ?? '');
    found.push({ specifier: match[3] ?? '', typeOnly, line: lineOf(match.index) });
  }
  for (const match of text.matchAll(bare)) {
    found.push({ specifier: match[1] ?? '', typeOnly: false, line: lineOf(match.index) });
  }
  for (const match of text.matchAll(dynamic)) {
    found.push({ specifier: match[1] ?? '', typeOnly: match[2] !== undefined, line: lineOf(match.index) });
  }
  for (const match of text.matchAll(worker)) {
    found.push({ specifier: match[1] ?? '', typeOnly: false, line: lineOf(match.index) });
  }
  return found.sort((a, b) => a.line - b.line);
}
