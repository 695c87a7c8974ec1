/**
 * Which commands exist: each path with the module that runs it, loaded only when called. The first name of an entry
 * is the canonical one; the others are docker's shortcuts at the top level and aliases inside the noun.
 */
import type { CommandModule } from './command.ts';

type Load = () => Promise<{ readonly command: CommandModule }>;

interface Entry {
  readonly path: string;
  /** Full paths that run the same command and have a help page of their own (`ps` for `container ls`). */
  readonly shortcuts: readonly string[];
  /** Other last words inside the same noun (`container list`). */
  readonly aliases: readonly string[];
  readonly load: Load;
}

const entry = (
  path: string,
  load: Load,
  shortcuts: readonly string[] = [],
  aliases: readonly string[] = [],
): Entry => ({
  path,
  shortcuts,
  aliases,
  load,
});

export const NOUNS: readonly string[] = [
  'checkpoint',
  'container',
  'image',
  'manifest',
  'network',
  'system',
  'volume',
];

const entries: readonly Entry[] = [
  entry('checkpoint create', () => import('./commands/checkpoint/create.ts')),
  entry('checkpoint ls', () => import('./commands/checkpoint/ls.ts'), [], ['list']),
  entry('checkpoint rm', () => import('./commands/checkpoint/rm.ts'), [], ['remove']),
  entry('container attach', () => import('./commands/container/attach.ts'), ['attach']),
  entry('container commit', () => import('./commands/container/commit.ts'), ['commit']),
  entry('container cp', () => import('./commands/container/cp.ts'), ['cp']),
  entry('container create', () => import('./commands/container/create.ts'), ['create']),
  entry('container diff', () => import('./commands/container/diff.ts'), ['diff']),
  entry('container exec', () => import('./commands/container/exec.ts'), ['exec']),
  entry('container export', () => import('./commands/container/export.ts'), ['export']),
  entry('container inspect', () => import('./commands/container/inspect.ts')),
  entry('container kill', () => import('./commands/container/kill.ts'), ['kill']),
  entry('container logs', () => import('./commands/container/logs.ts'), ['logs']),
  entry('container ls', () => import('./commands/container/ls.ts'), ['ps'], ['ps', 'list']),
  entry('container pause', () => import('./commands/container/pause.ts'), ['pause']),
  entry('container port', () => import('./commands/container/port.ts'), ['port']),
  entry('container prune', () => import('./commands/container/prune.ts')),
  entry('container rename', () => import('./commands/container/rename.ts'), ['rename']),
  entry('container restart', () => import('./commands/container/restart.ts'), ['restart']),
  entry('container rm', () => import('./commands/container/rm.ts'), ['rm'], ['remove']),
  entry('container run', () => import('./commands/container/run.ts'), ['run']),
  entry('container start', () => import('./commands/container/start.ts'), ['start']),
  entry('container stats', () => import('./commands/container/stats.ts'), ['stats']),
  entry('container stop', () => import('./commands/container/stop.ts'), ['stop']),
  entry('container top', () => import('./commands/container/top.ts'), ['top']),
  entry('container unpause', () => import('./commands/container/unpause.ts'), ['unpause']),
  entry('container update', () => import('./commands/container/update.ts'), ['update']),
  entry('container wait', () => import('./commands/container/wait.ts'), ['wait']),
  entry('image gc', () => import('./commands/image/gc.ts')),
  entry('image history', () => import('./commands/image/history.ts'), ['history']),
  entry('image import', () => import('./commands/image/import.ts'), ['import']),
  entry('image inspect', () => import('./commands/image/inspect.ts')),
  entry('image copy', () => import('./commands/image/copy.ts')),
  entry('image layers', () => import('./commands/image/layers.ts')),
  entry('image load', () => import('./commands/image/load.ts'), ['load']),
  entry('image ls', () => import('./commands/image/ls.ts'), ['images'], ['list']),
  entry('image prune', () => import('./commands/image/prune.ts')),
  entry('image pull', () => import('./commands/image/pull.ts'), ['pull']),
  entry('image push', () => import('./commands/image/push.ts'), ['push']),
  entry('image rm', () => import('./commands/image/rm.ts'), ['rmi'], ['remove']),
  entry('image save', () => import('./commands/image/save.ts'), ['save']),
  entry('image tag', () => import('./commands/image/tag.ts'), ['tag']),
  entry('manifest annotate', () => import('./commands/manifest/annotate.ts')),
  entry('manifest create', () => import('./commands/manifest/create.ts')),
  entry('manifest inspect', () => import('./commands/manifest/inspect.ts')),
  entry('manifest push', () => import('./commands/manifest/push.ts')),
  entry('manifest rm', () => import('./commands/manifest/rm.ts')),
  entry('network connect', () => import('./commands/network/connect.ts')),
  entry('network create', () => import('./commands/network/create.ts')),
  entry('network disconnect', () => import('./commands/network/disconnect.ts')),
  entry('network exposure', () => import('./commands/network/exposure.ts')),
  entry('network inspect', () => import('./commands/network/inspect.ts')),
  entry('network ls', () => import('./commands/network/ls.ts'), [], ['list']),
  entry('network prune', () => import('./commands/network/prune.ts')),
  entry('network rm', () => import('./commands/network/rm.ts'), [], ['remove']),
  entry('network trace', () => import('./commands/network/trace.ts')),
  entry('system df', () => import('./commands/system/df.ts')),
  entry('system events', () => import('./commands/system/events.ts'), ['events']),
  entry('system info', () => import('./commands/system/info.ts'), ['info']),
  entry('system prune', () => import('./commands/system/prune.ts')),
  entry('system repair', () => import('./commands/system/repair.ts')),
  entry('volume create', () => import('./commands/volume/create.ts')),
  entry('volume inspect', () => import('./commands/volume/inspect.ts')),
  entry('volume ls', () => import('./commands/volume/ls.ts'), [], ['list']),
  entry('volume prune', () => import('./commands/volume/prune.ts')),
  entry('volume rm', () => import('./commands/volume/rm.ts'), [], ['remove']),
  entry('inspect', () => import('./commands/system/inspect.ts')),
  entry('login', () => import('./commands/system/login.ts')),
  entry('logout', () => import('./commands/system/logout.ts')),
  entry('search', () => import('./commands/image/search.ts')),
  entry('version', () => import('./commands/system/version.ts')),
];

/** Commands of our own, which docker's help does not know. */
export const OWN_COMMANDS: readonly string[] = [
  'image gc',
  'image copy',
  'image layers',
  'network exposure',
  'network trace',
  'system repair',
];

/** Every path that has a help page: nouns, canonical paths and shortcuts. */
export function commandPaths(): string[] {
  return [...NOUNS, ...entries.flatMap((e) => [e.path, ...e.shortcuts])];
}

export interface Found {
  /** The path as the help page and messages name it. */
  readonly path: string;
  readonly load: Load;
}

/** The command that these words name (`ps`, `container list`), or undefined. */
export function findCommand(words: readonly string[]): Found | undefined {
  const name = words.join(' ');
  for (const e of entries) {
    if (e.path === name || e.shortcuts.includes(name)) return { path: name, load: e.load };
    const noun = words.length === 2 ? words[0] : undefined;
    if (noun !== undefined && e.path.startsWith(`${noun} `) && e.aliases.includes(words[1] ?? '')) {
      return { path: e.path, load: e.load };
    }
  }
  return undefined;
}

/** The verbs of a noun, sorted as the help lists them. */
export function verbsOf(noun: string): string[] {
  const verbs = entries
    .filter((e) => e.path.startsWith(`${noun} `))
    .map((e) => e.path.slice(noun.length + 1));
  return verbs.sort();
}
