import { runtimeContract } from '../contracts/runtime.contract.ts';
import { createMachine } from './machine.ts';

for (const name of ['crun', 'runc']) {
  runtimeContract(`shim with ${name}`, async () => {
    const machine = await createMachine(name);
    return { ...machine, restart: () => machine.newRuntime() };
  });
}
