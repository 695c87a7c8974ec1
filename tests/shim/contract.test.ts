import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { runtimeContract } from '../contracts/runtime.contract.ts';
import { workingCriu } from '../helpers/criu.ts';
import { createMachine } from './machine.ts';

for (const name of ['crun', 'runc']) {
  runtimeContract(`shim with ${name}`, async () => {
    const machine = await createMachine(name, { criu: await workingCriu() });
    const directory = join(machine.directory, 'checkpoints');
    mkdirSync(directory);
    const checkpoints =
      name === 'runc'
        ? { directory }
        : { problem: /the runtime crun .*: create the container with --runtime runc$/ };
    return { ...machine, checkpoints, restart: () => machine.newRuntime() };
  });
}
