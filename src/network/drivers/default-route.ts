/** The default routes of an endpoint, given and taken while its container runs. Pure. */

import type { LinkOperation } from '../../core/ports/host.ts';
import type { EndpointPlan } from '../../core/ports/network-driver.ts';

/** `byLink`: the route needs no gateway (ipvlan l3). What is taken may be gone. */
export function planDefaultRoute(
  plan: EndpointPlan,
  action: 'add' | 'remove',
  byLink = false,
): readonly LinkOperation[] {
  const routes = [
    ['0.0.0.0/0', plan.ipv4, plan.ipv4Gateway],
    ['::/0', plan.ipv6, plan.ipv6Gateway],
  ] as const;
  return routes
    .filter(([, address, gateway]) => address !== '' && (gateway !== '' || byLink))
    .map(([destination, , gateway]): LinkOperation => {
      const op = action === 'add' ? 'addRoute' : 'removeRoute';
      return { op, destination, name: plan.interfaceName, ...(byLink ? {} : { gateway }) };
    });
}
