/** Files of a layer as a tree with sizes, as far down as the user wants. */
import type { ExploredFile } from '../../client/index.ts';
import { humanSize } from './units.ts';

interface Node {
  readonly children: Map<string, Node>;
  size: number;
  hidden: number;
  entries: number;
  own: ExploredFile | undefined;
}

const emptyNode = (): Node => ({ children: new Map(), size: 0, hidden: 0, entries: 0, own: undefined });

function build(files: readonly ExploredFile[]): Node {
  const root = emptyNode();
  for (const file of files) {
    let at = root;
    for (const name of file.path.split('/').filter((part) => part !== '')) {
      const next = at.children.get(name) ?? emptyNode();
      at.children.set(name, next);
      next.size += file.size;
      next.hidden += file.hidden;
      next.entries++;
      at = next;
    }
    at.own = file;
  }
  return root;
}

const marks = { added: 'A', changed: 'C', removed: 'D' } as const;

function describe(node: Node, isCut: boolean): string {
  // A directory that is only on the way has no mark.
  const mark = node.own === undefined ? ' ' : marks[node.own.kind];
  const size = humanSize(node.size).padStart(8);
  const hidden = node.hidden > 0 ? `  hides ${humanSize(node.hidden)}` : '';
  const below = node.entries - (node.own === undefined ? 0 : 1);
  return `${mark} ${size}  NAME${isCut && below > 0 ? `  (${below} more)` : ''}${hidden}`;
}

/** Control characters in a name must not reach the terminal. */
const printable = (name: string): string => name.replaceAll(/\p{Cc}/gu, '?');

function* draw(node: Node, indent: string, depth: number): Generator<string> {
  const entries = [...node.children].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [index, [name, child]] of entries.entries()) {
    const isLast = index === entries.length - 1;
    const isDirectory = child.children.size > 0 || child.own?.type === 'directory';
    const shown = `${indent}${isLast ? '└─ ' : '├─ '}${printable(name)}${isDirectory ? '/' : ''}`;
    yield `${describe(child, depth <= 1).replace('NAME', () => shown)}\n`;
    if (depth > 1) yield* draw(child, `${indent}${isLast ? '   ' : '│  '}`, depth - 1);
  }
}

/** One line an entry: mark (A added, C changed, D removed), size of all below it, name. `depth` 0 is no limit. */
export function layerTree(files: readonly ExploredFile[], depth: number): string {
  return [...draw(build(files), '', depth === 0 ? Number.POSITIVE_INFINITY : depth)].join('');
}
