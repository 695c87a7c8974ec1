import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newId } from '../../src/core/ids.ts';
import { createFakeRuntime, createFakeRuntimeWorld } from './fakes/runtime.ts';
import { runtimeContract } from './runtime.contract.ts';

runtimeContract('fake', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'slip-'));
  const world = createFakeRuntimeWorld();
  const process = (args: readonly string[]): unknown => ({ args });
  return {
    runtime: createFakeRuntime({ world }),
    restart: async () => createFakeRuntime({ world }),
    process,
    checkpoints: { directory },
    spec: (args, changes) => {
      const containerId = newId();
      return {
        containerId,
        bundle: join(directory, containerId),
        ociSpec: { process: process(args) },
        terminal: false,
        openStdin: false,
        stdinOnce: false,
        log: { path: join(directory, `${containerId}.log`), maxSize: 0, maxFile: 1 },
        exitPath: join(directory, `${containerId}.exit`),
        runtime: 'crun',
        cgroupPaths: [],
        attachments: [],
        ...changes,
      };
    },
    readLog: (spec) => readFile(spec.log.path ?? '', 'utf8').catch(() => ''),
    close: () => rm(directory, { recursive: true, force: true }),
  };
});
