/**
 * Whether this host can checkpoint and restore: criu does the work, the OCI runtime calls it. Asked when somebody wants a checkpoint,
 * never on the way of a plain start.
 */
import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { release } from 'node:os';
import { dirname } from 'node:path';
import type { ConfiguredRuntime } from './configured-runtime.ts';

/** The first criu that takes network namespaces which somebody else made (`--external net[...]`). */
const minimum = [3, 11] as const;
const timeoutMs = 30_000;

interface Outcome {
  readonly status: number;
  readonly text: string;
}

function run(path: string, args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(path, args, { timeout: timeoutMs }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 127;
      resolve({ status: code, text: `${stdout}${stderr}` });
    });
  });
}

/** Lines of criu's that follow from others, or that come with every failure. */
const consequence = /^(rlimit: |cg: cgroupd: |(Dumping|Restoring) FAILED)|failed with -1$/;

/** What criu says is wrong, from its log or output: its last errors, without times and places in its source. Pure. */
export function criuErrors(text: string): string {
  const found = text
    .split('\n')
    .map((line) => /\bError \([^)]*\): (.*)$/.exec(line)?.[1]?.trim() ?? '')
    .filter((line) => line !== '' && !consequence.test(line));
  const words = found.slice(-2).join('; ');
  // It calls iptables for the network and tar for file systems in memory, and the runtime calls it.
  const missing = /execvp\("([\w-]+)".*failed: No such file/.exec(words)?.[1];
  return missing === undefined ? words : `${words}: criu needs ${missing} on the host: install its package`;
}

/** Pure; undefined for a version that will do, `text` being the output of `criu --version`. */
export function versionProblem(text: string): string | undefined {
  const found = /^Version: (\d+)\.(\d+)/m.exec(text);
  if (found === null) return undefined;
  const [major, minor] = [Number(found[1]), Number(found[2])];
  const isOld = major < minimum[0] || (major === minimum[0] && minor < minimum[1]);
  return isOld ? `is version ${major}.${minor}, and ${minimum.join('.')} or newer is needed` : undefined;
}

/**
 * Whether a runtime was built with criu, from what its `--version` and `features` print. Not a crun where cgroups are v1: it restores
 * the processes outside of their cgroups (seen with 1.21), without any limit. Pure.
 */
export function takesCheckpoints(version: string, features: string, unifiedCgroups: boolean): boolean {
  if (version.startsWith('crun version ') && !unifiedCgroups) return false;
  const flag = /"[\w.]*\bcheckpoint\.enabled"\s*:\s*"(\w+)"/.exec(features)?.[1];
  if (flag !== undefined) return flag === 'true';
  // crun lists what it was built with; runc 1.0, which knows no `features`, always has it.
  return version.startsWith('crun version ')
    ? version.includes('+CRIU')
    : version.startsWith('runc version ');
}

const install = 'install a criu that does (Debian: package criu), the engine finds it without a restart';

/** What the host can, remembered for as long as the program is the same file. */
export class CheckpointSupport {
  readonly #find: () => string | undefined;
  readonly #runtimes: ReadonlyMap<string, ConfiguredRuntime>;
  #checked: { readonly key: string; readonly problem: Promise<string | undefined> } | undefined;
  readonly #able = new Map<string, Promise<boolean>>();

  readonly #unifiedCgroups: () => boolean;

  constructor(
    find: () => string | undefined,
    runtimes: ReadonlyMap<string, ConfiguredRuntime>,
    unifiedCgroups: () => boolean,
  ) {
    this.#find = find;
    this.#runtimes = runtimes;
    this.#unifiedCgroups = unifiedCgroups;
  }

  /** A directory that the runtime must find criu in, by PATH; undefined when there is none. */
  directory(): string | undefined {
    const path = this.#find();
    return path === undefined ? undefined : dirname(path);
  }

  /** Why not, as a sentence; undefined when nothing stands in the way. */
  async problem(name: string): Promise<string | undefined> {
    const runtime = this.#runtimes.get(name);
    if (runtime === undefined) return `unknown or invalid runtime name: ${name}`;
    if (!(await this.#isAble(runtime))) return await this.#runtimeProblem(runtime);
    return await this.#criuProblem();
  }

  async #criuProblem(): Promise<string | undefined> {
    const path = this.#find();
    if (path === undefined) {
      return 'checkpoint and restore need criu, which is not installed on this host: install the package criu';
    }
    const { ino, mtimeMs, size } = statSync(path);
    const key = [path, ino, mtimeMs, size].join(' ');
    if (this.#checked?.key !== key) this.#checked = { key, problem: this.#check(path) };
    return await this.#checked.problem;
  }

  async #check(path: string): Promise<string | undefined> {
    const version = await run(path, ['--version']);
    if (version.status !== 0) return `${path} cannot be run: ${version.text.trim()}`;
    const old = versionProblem(version.text);
    if (old !== undefined) return `checkpoint and restore: ${path} ${old}: ${install}`;
    const check = await run(path, ['check']);
    if (check.status === 0) return undefined;
    const why = criuErrors(check.text) || check.text.trim();
    return `checkpoint and restore: ${path} does not work with the kernel ${release()} (${why}): ${install}`;
  }

  async #runtimeProblem(runtime: ConfiguredRuntime): Promise<string> {
    const others: string[] = [];
    for (const other of this.#runtimes.values()) if (await this.#isAble(other)) others.push(other.name);
    const instead =
      others.length > 0 ? `create the container with --runtime ${others.join(' or ')}` : 'install runc';
    return `checkpoint and restore: the runtime ${runtime.name} (${runtime.path}) does not do them on this host: ${instead}`;
  }

  #isAble(runtime: ConfiguredRuntime): Promise<boolean> {
    let able = this.#able.get(runtime.name);
    if (able === undefined) {
      able = Promise.all([run(runtime.path, ['--version']), run(runtime.path, ['features'])]).then(
        ([version, features]) =>
          version.status === 0 &&
          takesCheckpoints(version.text, features.status === 0 ? features.text : '', this.#unifiedCgroups()),
      );
      this.#able.set(runtime.name, able);
    }
    return able;
  }
}
