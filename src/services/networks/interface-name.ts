/** What an endpoint's interface is called inside the container. */

import { internal } from '../../core/errors.ts';
import type { EndpointRecord } from '../../core/model/container.ts';

const option = 'com.docker.network.endpoint.ifname';

/** Names that the other endpoints of a container have, or will get because they were asked for. */
export interface OtherNames {
  readonly used: ReadonlySet<string>;
  readonly wanted: ReadonlySet<string>;
}

const wantedBy = ({ spec }: EndpointRecord): string => spec.DriverOpts?.[option] ?? '';

/** For one endpoint among those of a container; `used` by those that came before it. */
export function otherNames(all: Iterable<EndpointRecord>, used: Iterable<EndpointRecord>): OtherNames {
  return {
    used: new Set([...used].map((each) => each.interfaceName)),
    wanted: new Set([...all].map(wantedBy)),
  };
}

/** As the kernel takes names of interfaces: up to 15 bytes, no blank, slash or colon. */
const isName = (name: string): boolean =>
  Buffer.byteLength(name) <= 15 && !/[\s/:\0]/.test(name) && name !== '.' && name !== '..';

/**
 * The name that was asked for, else the first `<prefix><n>` that is free. The errors are an internal failure of the start or connect with dockerd 28, too, which hears
 * them from the kernel.
 */
export function chooseInterfaceName(endpoint: EndpointRecord, prefix: string, others: OtherNames): string {
  const wanted = wantedBy(endpoint);
  if (wanted !== '') {
    const why = !isName(wanted)
      ? 'invalid argument'
      : others.used.has(wanted) || wanted === 'lo'
        ? 'file exists'
        : undefined;
    if (why === undefined) return wanted;
    throw internal(
      `failed to set up container networking: error renaming interface to ${JSON.stringify(wanted)} on network ${endpoint.networkName}: ${why}`,
    );
  }
  for (let index = 0; ; index++) {
    const name = `${prefix}${index}`;
    if (!others.used.has(name) && !others.wanted.has(name)) return name;
  }
}
