/** Help pages, laid out as docker's, from the generated table. */
import { EXAMPLES } from './examples.ts';
import { NOUNS, verbsOf } from './command-table.ts';
import pages from './generated/reference.ts';
import { ownFlags, ownPages } from './own-pages.ts';
import type { CommandPage, FlagRow } from './reference.ts';

/** pflag keeps a word whole when it overshoots the width by no more than this. */
const SLOP = 5;
const COMMON = [
  'run',
  'exec',
  'ps',
  'pull',
  'push',
  'images',
  'login',
  'logout',
  'search',
  'version',
  'info',
];
/** Our words for texts that name Docker itself. */
const OURS: Readonly<Record<string, string>> = {
  'Manage Docker': 'Manage Slipway',
  'Show the Docker version information': 'Show the Slipway version information',
};

export const pageOf = (path: string): CommandPage => {
  const page = pages[path] ?? ownPages[path];
  if (page === undefined) throw new Error(`no help page for ${path}`);
  return page();
};

const ours = (text: string): string => OURS[text] ?? text;

/** Cuts `text` after at most `width` columns at a blank; a line break in it ends the line as well. */
function wrapOnce(width: number, slop: number, text: string): [line: string, rest: string] {
  if (width + slop > text.length) return [text, ''];
  const blank = Math.max(...[' ', '\t', '\n'].map((c) => text.lastIndexOf(c, width - 1)));
  if (blank <= 0) return [text, ''];
  const newline = text.slice(0, blank).indexOf('\n');
  if (newline > 0) return [text.slice(0, newline), text.slice(newline + 1)];
  return [text.slice(0, blank), text.slice(blank + 1)];
}

function wrap(indent: number, columns: number, text: string): string {
  const pad = `\n${' '.repeat(indent)}`;
  // Narrower by the slop: a short last word may stick out instead of standing alone.
  const width = columns - indent - SLOP;
  if (columns === 0 || width + SLOP < 24) return text.replaceAll('\n', pad);
  let [line, rest] = wrapOnce(width, SLOP, text);
  let out = line.replaceAll('\n', pad);
  while (rest !== '') {
    [line, rest] = wrapOnce(width, SLOP, rest);
    out += pad + line.replaceAll('\n', pad);
  }
  return out;
}

function flagHead([short, name, type]: FlagRow): string {
  const shortText = short === '' ? '    ' : `-${short}, `;
  return `  ${shortText}--${name}${type === 'bool' ? '' : ` ${type}`}`;
}

function flagLines(rows: readonly FlagRow[], columns: number): string {
  const indent = Math.max(...rows.map((row) => flagHead(row).length)) + 3;
  return rows
    .map((row) => `${flagHead(row).padEnd(indent)}${wrap(indent, columns, row[3])}`.trimEnd())
    .join('\n');
}

function listLines(names: readonly string[], prefix: string): string {
  const width = Math.max(...names.map((name) => name.length), 11);
  return names.map((name) => `  ${name.padEnd(width)} ${ours(pageOf(`${prefix}${name}`).short)}`).join('\n');
}

/** `Usage:` line or lines of a command. */
export function usageText(path: string): string {
  return `Usage:  ${pageOf(path)
    .usage.map((line) => `slipway ${line}`)
    .join('\n\t')}`;
}

export function globalRows(home: string): readonly FlagRow[] {
  return pageOf('')
    .flags.filter((row) => row[1] !== 'context')
    .map((row) => [row[0], row[1], row[2], row[3].replace('~', home)] as const);
}

function rootHelp(columns: number, home: string): string {
  const others = Object.keys(pages)
    .filter((path) => path !== '' && !path.includes(' ') && !COMMON.includes(path) && !NOUNS.includes(path))
    .sort();
  return [
    'Usage:  slipway [OPTIONS] COMMAND',
    pageOf('').long,
    `Common Commands:\n${listLines(COMMON, '')}`,
    `Management Commands:\n${listLines(NOUNS, '')}`,
    `Commands:\n${listLines(others, '')}`,
    `Global Options:\n${flagLines(globalRows(home), columns)}`,
    "Run 'slipway COMMAND --help' for more information on a command.",
  ].join('\n\n');
}

/** The whole page of `path` ('' for the root), without a final newline. `columns` is the terminal's width. */
export function helpText(path: string, columns: number, home: string): string {
  const width = columns - 1;
  if (path === '') return `${rootHelp(width, home)}\n`;
  const page = pageOf(path);
  const parts = [usageText(path), ours(page.long)];
  if (NOUNS.includes(path)) {
    parts.push(`Commands:\n${listLines(verbsOf(path), `${path} `)}`);
    parts.push(`Run 'slipway ${path} COMMAND --help' for more information on a command.`);
    return parts.join('\n\n');
  }
  if (page.aliases.length > 0)
    parts.push(`Aliases:\n  ${page.aliases.map((alias) => `slipway ${alias}`).join(', ')}`);
  if (page.flags.length > 0) parts.push(`Options:\n${flagLines(page.flags, width)}`);
  const examples = EXAMPLES[page.aliases[0] ?? path] ?? EXAMPLES[path];
  if (examples !== undefined) parts.push(`Examples:\n${examples.map((line) => `  ${line}`).join('\n')}`);
  const own = ownFlags[path];
  if (own !== undefined) parts.push(`Options beyond docker's:\n${flagLines(own, width)}`);
  return parts.join('\n\n');
}
