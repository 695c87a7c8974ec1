/** The room rules as a pure function from files to complaints; `scripts/check-rooms.ts` feeds it the tree. */

import { posix } from 'node:path';
import { findImports, type FoundImport } from './imports.ts';

export interface Room {
  /** Below `src/`, ending in a slash. */
  readonly path: string;
  readonly may: readonly string[];
  readonly types?: readonly string[];
  readonly packages?: readonly string[];
  readonly door?: boolean;
}

export interface RoomTable {
  /** Files, or folders with a slash at the end, below `src/` that may import everything. */
  readonly free: readonly string[];
  readonly rooms: Readonly<Record<string, Room>>;
}

/** Text of every file by its path below `src/`. */
export type Sources = ReadonlyMap<string, string>;

const isTest = (path: string): boolean => path.endsWith('.test.ts');

export function roomOf(table: RoomTable, path: string): string | undefined {
  let best: string | undefined;
  for (const [name, room] of Object.entries(table.rooms)) {
    if (!path.startsWith(room.path)) continue;
    if (best === undefined || room.path.length > (table.rooms[best]?.path.length ?? 0)) best = name;
  }
  return best;
}

const isFree = (table: RoomTable, path: string): boolean =>
  table.free.some((free) => (free.endsWith('/') ? path.startsWith(free) : path === free));

/** The imported file's path below `src/`, or undefined for a package or a node module. */
export function resolveImport(from: string, specifier: string): string | undefined {
  if (specifier.startsWith('#src/')) return specifier.slice('#src/'.length);
  if (specifier.startsWith('.')) return posix.normalize(posix.join(posix.dirname(from), specifier));
  return undefined;
}

function judgePackage(room: Room, roomName: string, specifier: string): string | undefined {
  if (specifier.startsWith('node:')) return undefined;
  const parts = specifier.split('/');
  const name = specifier.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? specifier);
  if (room.packages?.includes(name)) return undefined;
  return `room ${roomName} may not use the package ${name}`;
}

function judgeRoom(
  table: RoomTable,
  from: string,
  fromName: string,
  target: string,
  found: FoundImport,
): string | undefined {
  const room = table.rooms[fromName];
  const targetName = roomOf(table, target);
  if (room === undefined || targetName === fromName) return undefined;
  if (targetName === undefined) return `room ${fromName} may not import ${target}, which lies in no room`;
  const typesOnly = room.types?.includes(targetName) === true;
  if (!room.may.includes(targetName) && !typesOnly)
    return `room ${fromName} may not import room ${targetName}`;
  if (typesOnly && !found.typeOnly) return `room ${fromName} may import only types from room ${targetName}`;
  const targetRoom = table.rooms[targetName];
  if (targetRoom?.door === true && target !== `${targetRoom.path}index.ts`) {
    return `room ${targetName} is entered by its index.ts, not by ${target}`;
  }
  return undefined;
}

function judgeFile(table: RoomTable, path: string, imports: readonly FoundImport[]): string[] {
  const name = roomOf(table, path);
  if (isTest(path)) return [];
  const complaints: string[] = [];
  const room = name === undefined ? undefined : table.rooms[name];
  if (!isFree(table, path) && room === undefined)
    complaints.push(`src/${path}: lies in no room of the table`);
  for (const found of imports) {
    const at = `src/${path}:${found.line}`;
    const target = resolveImport(path, found.specifier);
    if (target !== undefined && (isTest(target) || target.startsWith('..'))) {
      complaints.push(`${at}: ${found.specifier} is outside the sources`);
    } else if (room !== undefined && name !== undefined && !isFree(table, path)) {
      const complaint =
        target === undefined
          ? judgePackage(room, name, found.specifier)
          : judgeRoom(table, path, name, target, found);
      if (complaint !== undefined) complaints.push(`${at}: ${complaint}`);
    }
  }
  return complaints;
}

/** Each circle of files that import each other, types included, as the list of its files in order. */
export function findCircles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const circles: string[][] = [];
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (path: string): void => {
    const seenAt = trail.indexOf(path);
    if (seenAt >= 0) {
      circles.push(trail.slice(seenAt));
      return;
    }
    if (done.has(path)) return;
    trail.push(path);
    for (const next of graph.get(path) ?? []) visit(next);
    trail.pop();
    done.add(path);
  };
  for (const path of graph.keys()) visit(path);
  return circles;
}

/** Every violation of the table and every circle, one line each; an empty list is a pass. */
export function judge(table: RoomTable, sources: Sources): string[] {
  const complaints: string[] = [];
  const graph = new Map<string, string[]>();
  for (const [path, text] of sources) {
    const imports = findImports(text);
    complaints.push(...judgeFile(table, path, imports));
    const targets = imports.map((found) => resolveImport(path, found.specifier));
    graph.set(
      path,
      targets.filter((target) => target !== undefined),
    );
    for (const [index, target] of targets.entries()) {
      if (
        target !== undefined &&
        !target.startsWith('..') &&
        !sources.has(target) &&
        target.endsWith('.ts')
      ) {
        complaints.push(`src/${path}:${imports[index]?.line ?? 0}: ${target} does not exist`);
      }
    }
  }
  for (const circle of findCircles(graph)) {
    complaints.push(`circle of files: ${[...circle, circle[0]].join(' -> ')}`);
  }
  return complaints;
}
