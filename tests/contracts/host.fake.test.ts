import { createFakeHost } from './fakes/host/index.ts';
import { hostContract } from './host.contract.ts';

hostContract('fake', () => createFakeHost());
