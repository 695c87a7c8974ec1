/** Runs the tree of a template over a value. */
import type { Command, Node, Operand, Pipe, Tree } from './ast.ts';
import { operandText, pipeText } from './ast.ts';
import { TemplateError } from './errors.ts';
import type { TemplateFunction } from './functions.ts';
import { lineOf } from './lexer.ts';
import { goText, isJsonStruct, isMap, isTrue, type Method, sortedKeys, Struct, typeName } from './values.ts';

export interface ExecuteOptions {
  readonly functions: ReadonlyMap<string, TemplateFunction>;
  /** A key that a map lacks is an error instead of `<no value>`. */
  readonly missingKeyIsError: boolean;
}

const CONTEXT_LENGTH = 20;

/** Fields that Go's types have and their JSON leaves out when empty. */
const OMITTED: Readonly<Record<string, unknown>> = {
  Health: null,
  Healthcheck: null,
  ExposedPorts: {},
  Mounts: [],
  Name: '',
  Driver: '',
  Source: '',
  Init: null,
  Sysctls: {},
  Tmpfs: {},
  StorageOpt: {},
  Annotations: {},
  Ulimits: [],
  StopSignal: '',
  StopTimeout: null,
  Shell: [],
  Options: {},
  Labels: {},
};

interface Variable {
  readonly name: string;
  value: unknown;
}

type Flow = 'next' | 'break' | 'continue';

class Executor {
  readonly #tree: Tree;
  readonly #options: ExecuteOptions;
  readonly #variables: Variable[];
  #out = '';

  constructor(tree: Tree, options: ExecuteOptions, root: unknown) {
    this.#tree = tree;
    this.#options = options;
    this.#variables = [{ name: '$', value: root }];
  }

  run(root: unknown): string {
    this.#list(this.#tree.nodes, root);
    return this.#out;
  }

  #fail(at: number, context: string, message: string): never {
    const { source } = this.#tree;
    const column = at - (source.lastIndexOf('\n', at - 1) + 1);
    const shown = context.length > CONTEXT_LENGTH ? `${context.slice(0, CONTEXT_LENGTH)}...` : context;
    throw new TemplateError(
      `template: :${lineOf(source, at)}:${column}: executing "" at <${shown}>: ${message}`,
    );
  }

  #list(nodes: readonly Node[], dot: unknown): Flow {
    for (const node of nodes) {
      const flow = this.#node(node, dot);
      if (flow !== 'next') return flow;
    }
    return 'next';
  }

  #node(node: Node, dot: unknown): Flow {
    switch (node.kind) {
      case 'text':
        this.#out += node.text;
        return 'next';
      case 'action': {
        const value = this.#pipe(node.pipe, dot);
        if (node.pipe.variables.length === 0) this.#out += value == null ? '<no value>' : goText(value);
        return 'next';
      }
      case 'if':
      case 'with':
        return this.#branch(node, dot);
      case 'range':
        return this.#range(node, dot);
      case 'template':
        return this.#call(node, dot);
      case 'break':
      case 'continue':
        return node.kind;
    }
  }

  #branch(node: Extract<Node, { readonly pipe: Pipe; readonly body: readonly Node[] }>, dot: unknown): Flow {
    const scope = this.#variables.length;
    const value = this.#pipe(node.pipe, dot);
    const inner = node.kind === 'with' ? value : dot;
    const flow = isTrue(value) ? this.#list(node.body, inner) : this.#list(node.otherwise, dot);
    this.#variables.length = scope;
    return flow;
  }

  #entries(
    value: unknown,
    node: { readonly at: number; readonly pipe: Pipe },
  ): readonly (readonly [unknown, unknown])[] {
    if (value == null) return [];
    if (Array.isArray(value)) return value.map((item, at) => [at, item] as const);
    if (typeof value === 'number')
      return Array.from({ length: Math.max(0, value) }, (_, at) => [at, at] as const);
    if (isMap(value)) return sortedKeys(value).map((key) => [key, value[key]] as const);
    return this.#fail(node.pipe.at, pipeText(node.pipe), `range can't iterate over ${goText(value)}`);
  }

  #range(node: Extract<Node, { readonly pipe: Pipe; readonly body: readonly Node[] }>, dot: unknown): Flow {
    const scope = this.#variables.length;
    const value = this.#pipe(node.pipe, dot);
    const entries = this.#entries(value, node);
    if (entries.length === 0) {
      this.#variables.length = scope;
      return this.#list(node.otherwise, dot);
    }
    const mark = this.#variables.length;
    const names = node.pipe.variables;
    for (const [key, item] of entries) {
      this.#variables.length = mark;
      if (names.length > 0) this.#set(names.at(-1) ?? '', item);
      if (names.length > 1) this.#set(names[0] ?? '', key);
      if (this.#list(node.body, item) === 'break') break;
    }
    this.#variables.length = scope;
    return 'next';
  }

  #call(node: Extract<Node, { readonly kind: 'template' }>, dot: unknown): Flow {
    const nodes = this.#tree.defined.get(node.name);
    if (nodes === undefined)
      return this.#fail(
        node.at,
        `{{template ${JSON.stringify(node.name)}}}`,
        `template ${JSON.stringify(node.name)} not defined`,
      );
    const inner = node.pipe === undefined ? null : this.#pipe(node.pipe, dot);
    const outer = this.#variables.splice(0, this.#variables.length, { name: '$', value: inner });
    this.#list(nodes, inner);
    this.#variables.splice(0, this.#variables.length, ...outer);
    return 'next';
  }

  #find(name: string): Variable | undefined {
    return this.#variables.findLast((variable) => variable.name === name);
  }

  #set(name: string, value: unknown): void {
    const variable = this.#find(name);
    if (variable !== undefined) variable.value = value;
  }

  #pipe(pipe: Pipe, dot: unknown): unknown {
    let value: unknown;
    for (const [at, command] of pipe.commands.entries()) value = this.#command(command, dot, at > 0, value);
    for (const name of pipe.variables) {
      if (pipe.assign) this.#set(name, value);
      else this.#variables.push({ name, value });
    }
    return value;
  }

  #command(command: Command, dot: unknown, piped: boolean, last: unknown): unknown {
    const [first, ...rest] = command.args;
    if (first === undefined) return undefined;
    if (first.kind === 'function') return this.#function(first, rest, dot, piped, last);
    if (first.kind === 'field' || first.kind === 'variable' || first.kind === 'chain') {
      const method = this.#method(first, dot);
      const args = rest.map((arg) => this.#operand(arg, dot));
      if (method !== undefined) return method(...args, ...(piped ? [last] : []));
    }
    if (rest.length > 0 || piped) {
      if (first.kind !== 'field' && first.kind !== 'variable' && first.kind !== 'chain') {
        this.#fail(first.at, operandText(first), `can't give argument to non-function ${operandText(first)}`);
      }
      const name = first.names.at(-1) ?? operandText(first);
      this.#fail(first.at, operandText(first), `${name} is not a method but has arguments`);
    }
    if (first.kind === 'nil') this.#fail(first.at, 'nil', 'nil is not a command');
    return this.#operand(first, dot);
  }

  /** The method that the last name of a field operand means, when its value has one. */
  #method(
    operand: Extract<Operand, { readonly names: readonly string[] }>,
    dot: unknown,
  ): Method | undefined {
    const name = operand.names.at(-1);
    if (name === undefined) return undefined;
    const start =
      operand.kind === 'field'
        ? dot
        : operand.kind === 'variable'
          ? this.#find(operand.name)?.value
          : undefined;
    // Only what the formatters hand over has methods; JSON has none.
    return start instanceof Struct && operand.names.length === 1 ? start.method(name) : undefined;
  }

  #function(
    first: Extract<Operand, { readonly kind: 'function' }>,
    rest: readonly Operand[],
    dot: unknown,
    piped: boolean,
    last: unknown,
  ): unknown {
    const { name } = first;
    if (name === 'and' || name === 'or') return this.#shortCircuit(name, rest, dot, piped, last);
    const args = rest.map((arg) => this.#operand(arg, dot));
    if (piped) args.push(last);
    const call = this.#options.functions.get(name);
    try {
      return call?.(...args);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const shown =
        message.startsWith('error calling') || message.startsWith('wrong type')
          ? message
          : `error calling ${name}: ${message}`;
      return this.#fail(first.at, [first, ...rest].map(operandText).join(' '), shown);
    }
  }

  #shortCircuit(
    name: 'and' | 'or',
    rest: readonly Operand[],
    dot: unknown,
    piped: boolean,
    last: unknown,
  ): unknown {
    let value: unknown;
    for (const arg of rest) {
      value = this.#operand(arg, dot);
      if (isTrue(value) === (name === 'or')) return value;
    }
    return piped ? last : value;
  }

  #operand(operand: Operand, dot: unknown): unknown {
    switch (operand.kind) {
      case 'dot':
        return dot;
      case 'nil':
        return null;
      case 'bool':
      case 'number':
      case 'string':
        return operand.value;
      case 'field':
        return this.#fields(dot, operand.names, operand);
      case 'variable':
        return this.#fields(this.#find(operand.name)?.value, operand.names, operand);
      case 'function':
        return this.#function(operand, [], dot, false, undefined);
      case 'chain':
        return this.#fields(this.#operand(operand.base, dot), operand.names, operand);
      case 'pipe':
        return this.#pipe(operand.pipe, dot);
    }
  }

  #fields(base: unknown, names: readonly string[], operand: Operand): unknown {
    let value = base;
    for (const name of names) value = this.#field(value, name, operand);
    return value;
  }

  #field(value: unknown, name: string, operand: Operand): unknown {
    const context = operandText(operand);
    if (value == null)
      return this.#fail(operand.at, context, `nil data; no entry for key ${JSON.stringify(name)}`);
    if (value instanceof Struct) {
      if (value.has(name)) return value.get(name);
      return this.#fail(operand.at, context, `can't evaluate field ${name} in type ${value.typeName}`);
    }
    if (!isMap(value))
      return this.#fail(operand.at, context, `can't evaluate field ${name} in type ${typeName(value)}`);
    if (Object.hasOwn(value, name)) return value[name];
    // Go's client types write ID and IP where the JSON has Id and Ip.
    const other = name
      .replace(/ID$/, 'Id')
      .replace(/IP(?=$|[A-Z])/, 'Ip')
      .replace(/^API/, 'Api');
    if (other !== name && Object.hasOwn(value, other)) return value[other];
    if (isJsonStruct(value) && Object.hasOwn(OMITTED, name)) return OMITTED[name];
    if (this.#options.missingKeyIsError && isJsonStruct(value)) {
      return this.#fail(operand.at, context, `map has no entry for key ${JSON.stringify(name)}`);
    }
    return undefined;
  }
}

/** The template's output for this value. Throws TemplateError. */
export function execute(tree: Tree, value: unknown, options: ExecuteOptions): string {
  return new Executor(tree, options, value).run(value);
}
