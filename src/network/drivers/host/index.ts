/** The host's own stack: a container in it has no namespace, no interface and no address of its own. */

import type { NetworkDriver } from '../../../core/ports/network-driver.ts';

export function createHostDriver(): NetworkDriver {
  return {
    name: 'host',
    validate: (network) => network,
    ensure: () => Promise.resolve(),
    remove: () => Promise.resolve(),
    attach: () => Promise.resolve(),
    detach: () => Promise.resolve(),
    list: () => Promise.resolve({ networks: [], endpoints: [] }),
    removeStray: () => Promise.resolve(),
  };
}
