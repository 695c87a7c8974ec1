import { createMemoryRegistry } from './fakes/memory-registry.ts';
import { registryContract } from './registry.contract.ts';

registryContract('fake', async () => ({
  registry: createMemoryRegistry(),
  domain: 'registry.test',
  close: async () => {},
}));
