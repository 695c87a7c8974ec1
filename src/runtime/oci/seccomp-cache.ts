/**
 * Compiled seccomp filters for crun. libseccomp takes 16 to 20 ms to compile a profile at every start; crun accepts the
 * finished filter in an annotation instead. Each is compiled once, by crun itself (`crun create` leaves it in its state), and
 * made quicker by seccomp-tree.ts.
 */

import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Ctx } from '../../core/ctx.ts';
import { SingleFlight } from '../../core/single-flight.ts';
import { denyAllSeccomp, type SeccompSection } from './seccomp.ts';
import { quickerFilter } from './seccomp-tree.ts';

/** Runs a program to its end. Given by the daemon, which owns spawning. */
export type RunProgram = (
  path: string,
  args: readonly string[],
) => Promise<{ readonly status: number; readonly stdout: string; readonly stderr: string }>;

export interface SeccompCacheOptions {
  readonly run: RunProgram;
  /** Absolute path of crun. */
  readonly crun: string;
  /** Everything that decides what libseccomp makes of a profile: versions of crun, libseccomp, kernel. */
  readonly versions: string;
  /** Directory of the cache; survives the daemon, may vanish at any time. */
  readonly directory: string;
}

const instructionSize = 8;
const maxInstructions = 4096;

/** Whether these bytes can be a classic BPF program of the kernel. */
export function isFilter(bytes: Buffer): boolean {
  return (
    bytes.length > 0 &&
    bytes.length % instructionSize === 0 &&
    bytes.length / instructionSize <= maxInstructions
  );
}

export class SeccompCache {
  readonly #options: SeccompCacheOptions;
  readonly #ready = new Map<string, string>();
  /** The same by identity: a profile is long, and most starts come with the same one. */
  readonly #known = new WeakMap<SeccompSection, string>();
  readonly #flights = new SingleFlight<string | undefined>();

  constructor(options: SeccompCacheOptions) {
    this.#options = options;
  }

  /** Base64 of the compiled filter; undefined when crun could not be brought to compile it (then the full profile is used). */
  async filter(ctx: Ctx, profile: SeccompSection): Promise<string | undefined> {
    const same = this.#known.get(profile);
    if (same !== undefined) return same;
    const text = JSON.stringify(profile);
    const filter =
      this.#ready.get(text) ?? (await this.#flights.run(text, () => this.#load(ctx, text, profile)));
    if (filter === undefined) return undefined;
    this.#ready.set(text, filter);
    this.#known.set(profile, filter);
    return filter;
  }

  /**
   * Whether this crun honours the annotation: a container with the deny-all section can run a program only if the
   * compiled filter (which allows everything) took its place.
   */
  async probe(ctx: Ctx, program: string): Promise<boolean> {
    const filter = await this.filter(ctx, { defaultAction: 'SCMP_ACT_ALLOW' });
    if (filter === undefined) return false;
    const { directory, crun, run } = this.#options;
    const bundle = join(directory, 'probe');
    const state = join(bundle, 'state');
    const rootfs = join(bundle, 'rootfs');
    const id = `slipway-seccomp-probe-${process.pid}`;
    await rm(bundle, { recursive: true, force: true });
    for (const path of ['dev', 'proc']) await mkdir(join(rootfs, path), { recursive: true, mode: 0o700 });
    await mkdir(state);
    await copyFile(program, join(rootfs, 'program'));
    const short = shortcut(filter);
    const spec = {
      ...compileSpec(rootfs, short.seccomp, ['/program', '--version']),
      annotations: short.annotations,
    };
    await writeFile(join(bundle, 'config.json'), JSON.stringify(spec));
    try {
      const args = ['--root', state, '--cgroup-manager=disabled', 'run', '--bundle', bundle, id];
      // The same program outside of any container: whatever it says there, it must say inside.
      const [inside, outside] = [await run(crun, args), await run(program, ['--version'])];
      return (
        inside.status === outside.status &&
        inside.stderr === outside.stderr &&
        inside.stdout === outside.stdout
      );
    } finally {
      await rm(bundle, { recursive: true, force: true });
    }
  }

  async #load(ctx: Ctx, text: string, profile: SeccompSection): Promise<string | undefined> {
    const key = createHash('sha256')
      .update(`tree 1\n${this.#options.versions}`)
      .update('\0')
      .update(text)
      .digest('hex');
    const file = join(this.#options.directory, `${key}.bpf`);
    try {
      const bytes = await readFile(file);
      if (isFilter(bytes)) return bytes.toString('base64');
    } catch {
      // Not compiled yet.
    }
    try {
      const bytes = quickerFilter(await this.#compile(key, profile));
      await writeFile(`${file}.new`, bytes, { mode: 0o600 });
      await rename(`${file}.new`, file);
      return bytes.toString('base64');
    } catch (error) {
      ctx.log.warn('crun did not compile the seccomp profile; starts will be slower', { error });
      return undefined;
    }
  }

  async #compile(key: string, profile: SeccompSection): Promise<Buffer> {
    const { directory, crun, run } = this.#options;
    const bundle = join(directory, `compile-${key.slice(0, 16)}`);
    const state = join(bundle, 'state');
    const rootfs = join(bundle, 'rootfs');
    const id = `slipway-seccomp-${key.slice(0, 16)}`;
    await rm(bundle, { recursive: true, force: true });
    await mkdir(join(rootfs, 'dev'), { recursive: true, mode: 0o700 });
    await mkdir(join(rootfs, 'proc'));
    await mkdir(state);
    // Never run: crun only checks that there is something executable before it waits for `start`.
    await writeFile(join(rootfs, 'never'), '', { mode: 0o755 });
    await writeFile(join(bundle, 'config.json'), JSON.stringify(compileSpec(rootfs, profile)));
    const base = ['--root', state, '--cgroup-manager=disabled'];
    try {
      const made = await run(crun, [...base, 'create', '--bundle', bundle, id]);
      if (made.status !== 0) throw new Error(`crun create: ${made.stderr.trim()}`);
      const bytes = await readFile(join(state, id, 'seccomp.bpf'));
      if (!isFilter(bytes)) throw new Error('crun left no usable filter');
      return bytes;
    } finally {
      await run(crun, [...base, 'delete', '--force', id]);
      await rm(bundle, { recursive: true, force: true });
    }
  }
}

function compileSpec(rootfs: string, profile: SeccompSection, args: readonly string[] = ['/never']): object {
  return {
    ociVersion: '1.0.2',
    root: { path: rootfs, readonly: true },
    process: { user: { uid: 0, gid: 0 }, cwd: '/', args, env: [], noNewPrivileges: true },
    mounts: [],
    linux: { namespaces: [{ type: 'mount' }, { type: 'pid' }], seccomp: profile },
  };
}

/** Section and annotation for a runtime that takes compiled filters. */
export function shortcut(filter: string): {
  readonly seccomp: SeccompSection;
  readonly annotations: Readonly<Record<string, string>>;
} {
  return { seccomp: denyAllSeccomp, annotations: { 'run.oci.seccomp_bpf_data': filter } };
}
