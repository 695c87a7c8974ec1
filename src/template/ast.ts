/** The tree of a template. `at` is the offset that Go reports for the node. */

interface Located {
  readonly at: number;
}

export type Operand = Located &
  (
    | { readonly kind: 'dot' }
    | { readonly kind: 'nil' }
    | { readonly kind: 'bool'; readonly value: boolean }
    | { readonly kind: 'number'; readonly value: number; readonly text: string }
    | { readonly kind: 'string'; readonly value: string; readonly text: string }
    | { readonly kind: 'field'; readonly names: readonly string[] }
    | { readonly kind: 'variable'; readonly name: string; readonly names: readonly string[] }
    | { readonly kind: 'function'; readonly name: string }
    | { readonly kind: 'chain'; readonly base: Operand; readonly names: readonly string[] }
    | { readonly kind: 'pipe'; readonly pipe: Pipe }
  );

export interface Command extends Located {
  readonly args: readonly Operand[];
}

export interface Pipe extends Located {
  readonly variables: readonly string[];
  /** `=` instead of `:=`. */
  readonly assign: boolean;
  readonly commands: readonly Command[];
}

export type Node = Located &
  (
    | { readonly kind: 'text'; readonly text: string }
    | { readonly kind: 'action'; readonly pipe: Pipe }
    | {
        readonly kind: 'if' | 'with' | 'range';
        readonly pipe: Pipe;
        readonly body: readonly Node[];
        readonly otherwise: readonly Node[];
      }
    | { readonly kind: 'template'; readonly name: string; readonly pipe: Pipe | undefined }
    | { readonly kind: 'break' | 'continue' }
  );

export interface Tree {
  readonly source: string;
  readonly nodes: readonly Node[];
  readonly defined: ReadonlyMap<string, readonly Node[]>;
}

function commandText(command: Command): string {
  return command.args
    .map((arg) => (arg.kind === 'pipe' ? `(${pipeText(arg.pipe)})` : operandText(arg)))
    .join(' ');
}

export function pipeText(pipe: Pipe): string {
  const left = pipe.variables.length === 0 ? '' : `${pipe.variables.join(', ')} ${pipe.assign ? '=' : ':='} `;
  return left + pipe.commands.map(commandText).join(' | ');
}

/** The operand as Go prints it in messages. */
export function operandText(operand: Operand): string {
  switch (operand.kind) {
    case 'dot':
      return '.';
    case 'nil':
      return 'nil';
    case 'bool':
      return String(operand.value);
    case 'number':
    case 'string':
      return operand.text;
    case 'field':
      return operand.names.map((name) => `.${name}`).join('');
    case 'variable':
      return [operand.name, ...operand.names].join('.');
    case 'function':
      return operand.name;
    case 'chain': {
      const base =
        operand.base.kind === 'pipe' ? `(${pipeText(operand.base.pipe)})` : operandText(operand.base);
      return base + operand.names.map((name) => `.${name}`).join('');
    }
    case 'pipe':
      return `(${pipeText(operand.pipe)})`;
  }
}
