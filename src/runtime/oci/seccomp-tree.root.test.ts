import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { run } from '../../../tests/helpers/bpf-machine.ts';
import { backgroundCtx } from '../../core/ctx.ts';
import { runProgram } from '../../daemon/run-program.ts';
import { SeccompCache } from './seccomp-cache.ts';
import { defaultSeccomp } from './seccomp.ts';
import { decodeFilter, quickerFilter } from './seccomp-tree.ts';

const folder = mkdtempSync('/tmp/slip-bpf-');
after(() => rmSync(folder, { recursive: true }));

/** What crun itself makes of the profile, before anything is done to it. */
async function compiled(profile: Parameters<SeccompCache['filter']>[1]): Promise<Buffer> {
  const raw: Buffer[] = [];
  const cache = new SeccompCache({
    run: async (path, args) => {
      const done = await runProgram(path, args);
      const state = join(args[1] ?? '', args.at(-1) ?? '', 'seccomp.bpf');
      if (args.includes('create')) raw.push(readFileSync(state));
      return done;
    },
    crun: '/usr/bin/crun',
    versions: '',
    directory: folder,
  });
  const given = Buffer.from((await cache.filter(backgroundCtx(), profile)) ?? '', 'base64');
  const [own] = raw;
  assert.ok(own);
  assert.deepEqual(given, quickerFilter(own), 'containers get the quicker one');
  assert.equal(readdirSync(folder).length > 0, true);
  return own;
}

for (const capabilities of [[], ['CAP_SYS_ADMIN', 'CAP_SYS_PTRACE']]) {
  test(`the default profile says the same of every call, with ${capabilities.length} more capabilities`, async () => {
    const facts = { arch: 'amd64', kernel: [6, 1] as const };
    const before = await compiled(defaultSeccomp(facts, capabilities));
    const after = quickerFilter(before);
    assert.ok(after.length < before.length * 0.7, `${after.length} of ${before.length} bytes`);
    const [old, next] = [decodeFilter(before), decodeFilter(after)];
    // x86-64, i386, x32 by its bit in the number, arm64 and one that there is not.
    for (const arch of [0xc000_003e, 0x4000_0003, 0xc000_00b7, 1])
      for (const base of [0, 0x4000_0000, 0xffff_fe00])
        for (let offset = 0; offset < 512; offset++)
          for (const word of [0, 1, 8, 40, 0x20000, 0x7e02_0000, 0xffff_ffff]) {
            const call = { number: base + offset, arch, words: Array.from({ length: 14 }, () => word) };
            assert.equal(run(next, call).action, run(old, call).action, JSON.stringify(call));
          }
  });
}
