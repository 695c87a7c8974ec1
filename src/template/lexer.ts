/** Splits a template into text and the tokens of its actions, with offsets for messages. */
import { TemplateError } from './errors.ts';

export type TokenKind =
  | 'text'
  | 'open'
  | 'close'
  | 'field'
  | 'variable'
  | 'identifier'
  | 'string'
  | 'rawString'
  | 'char'
  | 'number'
  | 'dot'
  | 'pipe'
  | 'declare'
  | 'assign'
  | 'comma'
  | 'leftParen'
  | 'rightParen'
  | 'space'
  | 'eof';

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  /** Offset in the template. */
  readonly at: number;
}

const RULES: readonly (readonly [TokenKind, RegExp])[] = [
  ['space', /[ \t\r\n]+/y],
  ['declare', /:=/y],
  ['assign', /=/y],
  ['comma', /,/y],
  ['pipe', /\|/y],
  ['leftParen', /\(/y],
  ['rightParen', /\)/y],
  ['string', /"(?:\\.|[^"\\\n])*"/y],
  ['rawString', /`[^`]*`/y],
  ['char', /'(?:\\.[0-9a-fA-F]*|[^'\\\n])'/y],
  [
    'number',
    /[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)/y,
  ],
  ['variable', /\$[\p{L}\p{N}_]*/uy],
  ['field', /\.[\p{L}_][\p{L}\p{N}_]*/uy],
  ['dot', /\./y],
  ['identifier', /[\p{L}_][\p{L}\p{N}_]*/uy],
];

const BLANK = /[ \t\r\n]/;

export function lineOf(source: string, at: number): number {
  return source.slice(0, at).split('\n').length;
}

function fail(source: string, at: number, message: string): never {
  throw new TemplateError(`template: :${lineOf(source, at)}: ${message}`);
}

/** Whether ` -}}` or `}}` is at `at`; the length of it with the blank and the dash. */
function closeAt(source: string, at: number): { length: number; trim: boolean } | undefined {
  if (source.startsWith('}}', at)) return { length: 2, trim: false };
  if (BLANK.test(source.charAt(at)) && source.startsWith('-}}', at + 1)) return { length: 4, trim: true };
  return undefined;
}

function nextToken(source: string, at: number): Token {
  for (const [kind, rule] of RULES) {
    rule.lastIndex = at;
    const text = rule.exec(source)?.[0];
    if (text === undefined) continue;
    return { kind, text, at };
  }
  const char = source.charAt(at);
  if (char === '"') return fail(source, at, 'unterminated quoted string');
  if (char === '`') return fail(source, at, 'unterminated raw quoted string');
  if (char === "'") return fail(source, at, 'unterminated character constant');
  const code = (source.codePointAt(at) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  return fail(
    source,
    at,
    `unexpected bad character U+${code}${/\p{C}/u.test(char) ? '' : ` '${char}'`} in command`,
  );
}

/** Reads one action from after its `{{`; answers the offset after its `}}` and whether to trim what follows. */
function lexAction(source: string, start: number, tokens: Token[]): { end: number; trim: boolean } {
  let at = start;
  while (at < source.length) {
    const close = closeAt(source, at);
    if (close !== undefined) {
      tokens.push({ kind: 'close', text: '}}', at });
      return { end: at + close.length, trim: close.trim };
    }
    const token = nextToken(source, at);
    // A blank that belongs to ` -}}` must not be eaten by a longer run of blanks.
    const dash = token.kind === 'space' && source.startsWith('-}}', at + token.text.length);
    const length = dash ? token.text.length - 1 : token.text.length;
    if (length > 0) tokens.push({ ...token, text: token.text.slice(0, length) });
    at += length;
  }
  return fail(source, start, 'unclosed action');
}

function skipComment(source: string, start: number): { end: number; trim: boolean } {
  const stop = source.indexOf('*/', start);
  if (stop < 0) return fail(source, start, 'unclosed comment');
  const close = closeAt(source, stop + 2);
  if (close === undefined) return fail(source, start, 'comment ends before closing delimiter');
  return { end: stop + 2 + close.length, trim: close.trim };
}

/** All tokens of a template, ended by `eof`. Throws TemplateError in Go's words. */
export function lex(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let trim = false;
  for (;;) {
    const open = source.indexOf('{{', at);
    let text = source.slice(at, open < 0 ? source.length : open);
    if (trim) text = text.replace(/^[ \t\r\n]+/, '');
    const trimLeft = open >= 0 && source.charAt(open + 2) === '-' && BLANK.test(source.charAt(open + 3));
    if (trimLeft) text = text.replace(/[ \t\r\n]+$/, '');
    if (text !== '') tokens.push({ kind: 'text', text, at });
    if (open < 0) break;
    const start = open + (trimLeft ? 4 : 2);
    const comment = source.startsWith('/*', start);
    if (!comment) tokens.push({ kind: 'open', text: '{{', at: open });
    const action = comment ? skipComment(source, start) : lexAction(source, start, tokens);
    at = action.end;
    trim = action.trim;
  }
  tokens.push({ kind: 'eof', text: '', at: source.length });
  return tokens;
}
