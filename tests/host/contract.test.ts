import { join } from 'node:path';
import { createHost } from '../../src/host/index.ts';
import { hostContract } from '../contracts/host.contract.ts';

hostContract('kernel', () =>
  createHost({ shimPath: join(import.meta.dirname, '../../dist/bin/slipway-shim') }),
);
