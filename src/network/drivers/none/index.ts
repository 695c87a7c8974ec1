/** A namespace with nothing but loopback. Docker calls the driver `null` and its network `none`. */

import type { NetworkDriver } from '../../../core/ports/network-driver.ts';

export function createNoneDriver(): NetworkDriver {
  return {
    name: 'null',
    validate: (network) => network,
    ensure: () => Promise.resolve(),
    remove: () => Promise.resolve(),
    attach: () => Promise.resolve(),
    detach: () => Promise.resolve(),
    list: () => Promise.resolve({ networks: [], endpoints: [] }),
    removeStray: () => Promise.resolve(),
  };
}
