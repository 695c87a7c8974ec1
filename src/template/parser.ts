/** Builds the tree of a template from its tokens. Errors are Go's, as docker's users know them. */
import type { Command, Node, Operand, Pipe, Tree } from './ast.ts';
import { TemplateError } from './errors.ts';
import { lex, lineOf, type Token, type TokenKind } from './lexer.ts';
import { unquote } from './quote.ts';

const KEYWORDS = new Set([
  'if',
  'else',
  'end',
  'range',
  'with',
  'define',
  'template',
  'block',
  'break',
  'continue',
]);

function quoted(token: Token): string {
  if (token.kind === 'eof') return 'EOF';
  const text =
    token.text.length > 10 && token.kind !== 'close'
      ? `${JSON.stringify(token.text.slice(0, 10))}...`
      : JSON.stringify(token.text);
  return KEYWORDS.has(token.text) ? `<${token.text}>` : text;
}

class Parser {
  readonly #source: string;
  readonly #tokens: readonly Token[];
  readonly #functions: ReadonlySet<string>;
  readonly #defined = new Map<string, readonly Node[]>();
  #at = 0;
  #variables: string[] = ['$'];
  #loops = 0;

  constructor(source: string, functions: ReadonlySet<string>) {
    this.#source = source;
    this.#tokens = lex(source);
    this.#functions = functions;
  }

  #peekRaw(): Token {
    return this.#tokens[this.#at] ?? { kind: 'eof', text: '', at: this.#source.length };
  }

  #next(): Token {
    const token = this.#peekRaw();
    this.#at++;
    return token;
  }

  #skipSpace(): Token {
    while (this.#peekRaw().kind === 'space') this.#at++;
    return this.#peekRaw();
  }

  #take(kind: TokenKind, context: string): Token {
    const token = this.#skipSpace();
    if (token.kind !== kind) this.#unexpected(token, context);
    return this.#next();
  }

  #fail(message: string, token: Token = this.#peekRaw()): never {
    throw new TemplateError(`template: :${lineOf(this.#source, token.at)}: ${message}`);
  }

  #unexpected(token: Token, context: string): never {
    return this.#fail(`unexpected ${quoted(token)} in ${context}`, token);
  }

  parse(): Tree {
    const { nodes, stop } = this.#list([]);
    if (stop !== 'eof') this.#fail(`unexpected {{${stop}}}`, this.#tokens[this.#at - 1]);
    return { source: this.#source, nodes, defined: this.#defined };
  }

  /** Nodes up to an action of one of `stops`, whose opening is consumed and its keyword answered. */
  #list(stops: readonly string[]): { nodes: Node[]; stop: string } {
    const nodes: Node[] = [];
    for (;;) {
      const token = this.#next();
      if (token.kind === 'eof') {
        if (stops.length > 0) this.#fail('unexpected EOF', token);
        return { nodes, stop: 'eof' };
      }
      if (token.kind === 'text') {
        nodes.push({ kind: 'text', text: token.text, at: token.at });
        continue;
      }
      const word = this.#skipSpace();
      if (word.kind === 'identifier' && (word.text === 'end' || word.text === 'else')) {
        this.#next();
        return { nodes, stop: word.text };
      }
      const node = this.#action(word);
      if (node !== undefined) nodes.push(node);
    }
  }

  #action(word: Token): Node | undefined {
    const keyword = word.kind === 'identifier' ? word.text : '';
    switch (keyword) {
      case 'if':
      case 'with':
      case 'range':
        this.#next();
        return this.#control(keyword, word);
      case 'break':
      case 'continue':
        this.#next();
        if (this.#loops === 0) this.#fail(`{{${keyword}}} outside {{range}}`, word);
        this.#take('close', keyword);
        return { kind: keyword, at: word.at };
      case 'define':
      case 'block':
        this.#next();
        return this.#define(keyword, word);
      case 'template': {
        this.#next();
        const name = unquote(this.#takeString('template clause').text);
        const more = this.#skipSpace().kind !== 'close';
        const pipe = more ? this.#pipe('template clause', 'close') : undefined;
        if (!more) this.#next();
        return { kind: 'template', name, pipe, at: word.at };
      }
      default: {
        const pipe = this.#pipe('command', 'close');
        return { kind: 'action', pipe, at: pipe.at };
      }
    }
  }

  #takeString(context: string): Token {
    const token = this.#skipSpace();
    if (token.kind !== 'string' && token.kind !== 'rawString') this.#unexpected(token, context);
    return this.#next();
  }

  #control(kind: 'if' | 'with' | 'range', word: Token): Node {
    const scope = this.#variables.length;
    if (kind === 'range') this.#loops++;
    const pipe = this.#pipe(kind, 'close');
    const body = this.#list(['end', 'else']);
    if (kind === 'range') this.#loops--;
    let otherwise: readonly Node[] = [];
    if (body.stop === 'else') {
      const next = this.#skipSpace();
      const chained =
        next.kind === 'identifier' && (next.text === 'if' || next.text === 'with') && next.text === kind;
      if (chained) {
        this.#next();
        otherwise = [this.#control(kind, next)];
        this.#variables.length = scope;
        return { kind, pipe, body: body.nodes, otherwise, at: word.at };
      }
      this.#take('close', 'else');
      const rest = this.#list(['end']);
      if (rest.stop !== 'end') this.#fail('expected end; found {{else}}');
      otherwise = rest.nodes;
    }
    this.#take('close', 'end');
    this.#variables.length = scope;
    return { kind, pipe, body: body.nodes, otherwise, at: word.at };
  }

  #define(kind: 'define' | 'block', word: Token): Node | undefined {
    const name = unquote(this.#takeString(`${kind} clause`).text);
    const pipe = kind === 'block' ? this.#pipe('block clause', 'close') : undefined;
    if (kind === 'define') this.#take('close', 'define clause');
    const outer = this.#variables;
    this.#variables = ['$'];
    const { nodes, stop } = this.#list(['end']);
    if (stop !== 'end') this.#fail(`unexpected {{${stop}}} in ${kind} clause`);
    this.#take('close', 'end');
    this.#variables = outer;
    this.#defined.set(name, nodes);
    return kind === 'block' ? { kind: 'template', name, pipe, at: word.at } : undefined;
  }

  /** `$a, $b := ` in front of a pipeline, if it is there. */
  #declaration(context: string): { variables: string[]; assign: boolean } {
    const start = this.#at;
    const variables: string[] = [];
    for (;;) {
      if (this.#skipSpace().kind !== 'variable') break;
      variables.push(this.#next().text);
      const after = this.#skipSpace();
      if (after.kind === 'comma' && context === 'range' && variables.length < 2) {
        this.#next();
        continue;
      }
      if (after.kind !== 'declare' && after.kind !== 'assign') break;
      this.#next();
      if (after.kind === 'declare') this.#variables.push(...variables);
      return { variables, assign: after.kind === 'assign' };
    }
    this.#at = start;
    return { variables: [], assign: false };
  }

  #pipe(context: string, end: 'close' | 'rightParen'): Pipe {
    const { at } = this.#skipSpace();
    const declaration = this.#declaration(context);
    const commands: Command[] = [];
    for (;;) {
      const token = this.#skipSpace();
      if (token.kind === end) {
        this.#next();
        break;
      }
      commands.push(this.#command(context, end));
    }
    if (commands.length === 0) this.#fail(`missing value for ${context}`, this.#tokens[this.#at - 1]);
    for (const command of commands.slice(1)) {
      const first = command.args[0];
      if (first !== undefined && ['bool', 'dot', 'nil', 'number', 'string'].includes(first.kind)) {
        this.#fail(`non executable command in pipeline stage 2`, this.#tokens[this.#at - 1]);
      }
    }
    return { ...declaration, commands, at };
  }

  #command(context: string, end: 'close' | 'rightParen'): Command {
    const args: Operand[] = [];
    const { at } = this.#skipSpace();
    for (;;) {
      const before = this.#skipSpace();
      if (before.kind === end) break;
      if (before.kind === 'pipe') {
        if (args.length === 0) this.#unexpected(before, 'operand');
        this.#next();
        if (this.#skipSpace().kind === end) this.#fail(`missing value for ${context}`);
        return { args, at };
      }
      if (before.kind === 'rightParen') this.#fail("unexpected right paren U+0029 ')'", before);
      args.push(this.#operand());
      const after = this.#peekRaw();
      if (!['space', 'close', 'rightParen', 'pipe'].includes(after.kind)) this.#unexpected(after, 'operand');
    }
    if (args.length === 0) this.#fail('empty command');
    return { args, at };
  }

  #operand(): Operand {
    const base = this.#term();
    if (this.#peekRaw().kind !== 'field') return base;
    // Go reports a chain of fields at its second one.
    const { at } = this.#peekRaw();
    const names: string[] = [];
    while (this.#peekRaw().kind === 'field') names.push(this.#next().text.slice(1));
    switch (base.kind) {
      case 'field':
        return { kind: 'field', names: [...base.names, ...names], at };
      case 'variable':
        return { ...base, names: [...base.names, ...names], at };
      case 'bool':
      case 'string':
      case 'number':
      case 'nil':
      case 'dot':
        return this.#fail(`unexpected . after term ${JSON.stringify(this.#source.slice(base.at, at))}`);
      default:
        return { kind: 'chain', base, names, at };
    }
  }

  #term(): Operand {
    const token = this.#next();
    const { at, text } = token;
    switch (token.kind) {
      case 'dot':
        return { kind: 'dot', at };
      case 'field':
        return { kind: 'field', names: [text.slice(1)], at };
      case 'variable':
        if (!this.#variables.includes(text)) this.#fail(`undefined variable "${text}"`, token);
        return { kind: 'variable', name: text, names: [], at };
      case 'string':
      case 'rawString':
        return { kind: 'string', value: unquote(text), text, at };
      case 'char':
        return { kind: 'number', value: unquote(`"${text.slice(1, -1)}"`).codePointAt(0) ?? 0, text, at };
      case 'number':
        return this.#number(token);
      case 'identifier':
        return this.#identifier(token);
      case 'leftParen':
        return { kind: 'pipe', pipe: this.#pipe('parenthesized pipeline', 'rightParen'), at };
      default:
        return this.#unexpected(token, 'operand');
    }
  }

  #identifier(token: Token): Operand {
    const { text, at } = token;
    if (text === 'true' || text === 'false') return { kind: 'bool', value: text === 'true', at };
    if (text === 'nil') return { kind: 'nil', at };
    if (KEYWORDS.has(text)) this.#unexpected(token, 'operand');
    if (!this.#functions.has(text)) this.#fail(`function "${text}" not defined`, token);
    return { kind: 'function', name: text, at };
  }

  #number(token: Token): Operand {
    const digits = token.text.replaceAll('_', '').replace(/^\+/, '');
    const negative = digits.startsWith('-');
    const value = Number(negative ? digits.slice(1) : digits);
    if (Number.isNaN(value)) this.#fail(`bad number syntax: ${JSON.stringify(token.text)}`, token);
    return { kind: 'number', value: negative ? -value : value, text: token.text, at: token.at };
  }
}

/** Parses a template that may call these functions. Throws TemplateError. */
export function parseTemplate(source: string, functions: ReadonlySet<string>): Tree {
  return new Parser(source, functions).parse();
}
