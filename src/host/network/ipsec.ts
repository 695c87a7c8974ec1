/** Runs changes of IPsec's databases on the calling thread, in its present namespace. */

import type { IpsecChange } from '../../core/ports/host.ts';
import { closeQuietly, errorCode } from '../ffi/kernel-error.ts';
import { netlinkFamily, openNetlink, transact } from '../netlink/socket.ts';
import { encodeAddKey, encodePolicy, encodeRemoveKey, encodeRemovePolicy } from '../netlink/xfrm.ts';

function unless(codes: readonly string[], change: () => void): void {
  try {
    change();
  } catch (error) {
    if (!codes.includes(errorCode(error))) throw error;
  }
}

function run(fd: number, change: IpsecChange): void {
  switch (change.change) {
    case 'block':
    case 'seal': {
      const spi = change.change === 'seal' ? change.spi : undefined;
      const message = encodePolicy(change.change, change.traffic, spi);
      return void transact(fd, message, `${change.change} UDP port ${change.traffic.port}`);
    }
    case 'unblock':
    case 'unseal':
      return unless(['ENOENT'], () => transact(fd, encodeRemovePolicy(change.traffic), 'remove a policy'));
    case 'addKey':
      return unless(['EEXIST'], () =>
        transact(fd, encodeAddKey(change), `key ${change.spi} to ${change.to}`),
      );
    case 'removeKey':
      return unless(['ESRCH'], () => transact(fd, encodeRemoveKey(change.to, change.spi), 'remove a key'));
  }
}

export function runIpsec(changes: readonly IpsecChange[]): void {
  const fd = openNetlink(netlinkFamily.ipsec);
  try {
    for (const change of changes) run(fd, change);
  } finally {
    closeQuietly(fd);
  }
}
