import type { LinkOperation } from '../../core/ports/host.ts';
import type { EndpointPlan } from '../../core/ports/network-driver.ts';
import { planDefaultRoute } from './default-route.ts';

/** Addresses and routes of an endpoint inside its namespace. `routeByLink`: the default route needs no gateway (ipvlan l3). */
export function planInside(plan: EndpointPlan, routeByLink = false): readonly LinkOperation[] {
  const name = plan.interfaceName;
  const operations: LinkOperation[] = [
    // Neighbours and the bridge may still know the address, or its port, of an earlier container: an announcement corrects it at once.
    { op: 'sysctl', key: `net/ipv4/conf/${name}/arp_notify`, value: '1', optional: true },
    {
      op: 'sysctl',
      key: `net/ipv6/conf/${name}/disable_ipv6`,
      value: plan.ipv6 === '' ? '1' : '0',
      optional: true,
    },
  ];
  for (const setting of plan.sysctls) {
    const [key = '', value = ''] = setting.split('=', 2);
    operations.push({ op: 'sysctl', key: key.replaceAll('IFNAME', name).replaceAll('.', '/'), value });
  }
  for (const address of [plan.ipv4, plan.ipv6, ...(plan.moreAddresses ?? [])])
    if (address !== '') operations.push({ op: 'addAddress', name, address, noDad: true });
  operations.push({ op: 'setLink', name, up: true });
  if (plan.defaultRoute) operations.push(...planDefaultRoute(plan, 'add', routeByLink));
  return operations;
}
