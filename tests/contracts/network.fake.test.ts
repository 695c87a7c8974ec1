import { firewallContract } from './firewall.contract.ts';
import { createFakeFirewall, type FakeTable } from './fakes/firewall.ts';
import { createFakeNetHelper, FakeNetd } from './fakes/net-helper.ts';
import { createFakeIpam, FakePools } from './fakes/ipam.ts';
import { createFakeLinks, createFakeNetworkDriver } from './fakes/network-driver.ts';
import { ipamDriverContract } from './ipam-driver.contract.ts';
import { netHelperContract } from './net-helper.contract.ts';
import { networkDriverContract } from './network-driver.contract.ts';

networkDriverContract('fake', () => {
  const links = createFakeLinks();
  let last = 0;
  return Promise.resolve({
    driver: createFakeNetworkDriver(links),
    makesLinks: true,
    namespace: () => Promise.resolve({ path: `/fake/${++last}` }),
    interfaces: (namespace) =>
      Promise.resolve(
        [...links.endpoints.values()]
          .filter((endpoint) => endpoint.namespace === namespace.path)
          .map((endpoint) => `${endpoint.name} ${endpoint.address}`),
      ),
    close: () => Promise.resolve(),
  });
});

ipamDriverContract('fake', () =>
  Promise.resolve({ driver: createFakeIpam(new FakePools()), close: () => Promise.resolve() }),
);

firewallContract('fake', () => {
  const table: FakeTable = { current: undefined };
  return Promise.resolve({
    firewall: createFakeFirewall(table),
    again: () => createFakeFirewall(table),
    close: () => Promise.resolve(),
  });
});

netHelperContract('fake', () => {
  const netd = new FakeNetd();
  let last = 0;
  return Promise.resolve({
    helper: createFakeNetHelper(netd),
    again: () => createFakeNetHelper(netd),
    namespace: () => Promise.resolve(`/fake/${++last}`),
    lookup: (path, name) => Promise.resolve(netd.lookup(path, name)),
    occupy(port) {
      const key = `tcp ${port}`;
      if ([...netd.ports.values()].some((held) => held.hostPort === port))
        return Promise.reject(new Error('EADDRINUSE'));
      netd.strangers.add(key);
      return Promise.resolve(() => {
        netd.strangers.delete(key);
        return Promise.resolve();
      });
    },
    crash() {
      netd.crash();
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  });
});
