import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { runtimeContract } from '../contracts/runtime.contract.ts';
import { installedCriu, workingCriu } from '../helpers/criu.ts';
import { createMachine } from './machine.ts';

/** The virtual machine reaches no mirror: where it has no criu, the suite holds what is said of that. */
const isOffline = process.env['OFFLINE'] === '1';

for (const name of ['crun', 'runc']) {
  runtimeContract(`shim with ${name}`, async () => {
    const criu = isOffline ? await installedCriu() : await workingCriu();
    const machine = await createMachine(name, criu === undefined ? {} : { criu });
    const directory = join(machine.directory, 'checkpoints');
    mkdirSync(directory);
    const withoutCriu = { problem: /criu, which is not installed on this host: install the package criu$/ };
    const checkpoints =
      name === 'crun'
        ? { problem: /the runtime crun .*: create the container with --runtime runc$/ }
        : criu === undefined
          ? withoutCriu
          : { directory };
    return { ...machine, checkpoints, restart: () => machine.newRuntime() };
  });
}
