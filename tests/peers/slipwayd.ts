/** Our own engine as a peer of the reference: the built `dist/bin/slipwayd`, under the same conditions. */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startPeer, type Peer, type PeerOptions } from './process.ts';

const launcher = join(import.meta.dirname, '../../dist/bin/slipwayd');

export async function startSlipwayd(options: PeerOptions): Promise<Peer> {
  const { folder } = options;
  mkdirSync(folder, { recursive: true });
  const socket = join(folder, 'slipway.sock');
  const command = [
    launcher,
    `--instance=${options.name}`,
    `--data-root=${join(folder, 'data')}`,
    // On the /run of its own mount namespace: a tmpfs, as everywhere.
    '--run-root=/run/slipway',
    `--host=unix://${socket}`,
    ...(options.args ?? []),
  ];
  return await startPeer(options, { command, socket, log: join(folder, 'slipwayd.log') });
}
