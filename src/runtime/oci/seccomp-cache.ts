/**
 * Compiled seccomp filters for crun. libseccomp takes 16 to 20 ms to compile a profile at every start; crun accepts the
 * finished filter in an annotation instead. Each is compiled once, by crun itself (`crun create` leaves it in its state).
 */

import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Ctx } from '../../core/ctx.ts';
import { SingleFlight } from '../../core/single-flight.ts';
import { denyAllSeccomp, type SeccompSection } from './seccomp.ts';

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
  readonly #flights = new SingleFlight<string | undefined>();

  constructor(options: SeccompCacheOptions) {
    this.#options = options;
  }

  /** Base64 of the compiled filter; undefined when crun could not be brought to compile it (then the full profile is used). */
  async filter(ctx: Ctx, profile: SeccompSection): Promise<string | undefined> {
    const text = JSON.stringify(profile);
    const known = this.#ready.get(text);
    if (known !== undefined) return known;
    return await this.#flights.run(text, async () => {
      const filter = await this.#load(ctx, text, profile);
      if (filter !== undefined) this.#ready.set(text, filter);
      return filter;
    });
  }

  async #load(ctx: Ctx, text: string, profile: SeccompSection): Promise<string | undefined> {
    const key = createHash('sha256').update(this.#options.versions).update('\0').update(text).digest('hex');
    const file = join(this.#options.directory, `${key}.bpf`);
    try {
      const bytes = await readFile(file);
      if (isFilter(bytes)) return bytes.toString('base64');
    } catch {
      // Not compiled yet.
    }
    try {
      const bytes = await this.#compile(key, profile);
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

function compileSpec(rootfs: string, profile: SeccompSection): object {
  return {
    ociVersion: '1.0.2',
    root: { path: rootfs, readonly: true },
    process: { user: { uid: 0, gid: 0 }, cwd: '/', args: ['/never'], env: [], noNewPrivileges: true },
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
