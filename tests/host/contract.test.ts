import { createHost } from '../../src/host/index.ts';
import { hostContract } from '../contracts/host.contract.ts';

hostContract('kernel', () => createHost());
