/** What the service holds in memory: the networks with their claimed addresses, the ports, and who is attached where. */

import { conflict, invalid, notFound } from '../../core/errors.ts';
import type { ContainerRecord, EndpointRecord } from '../../core/model/container.ts';
import type { NetworkRecord } from '../../core/model/network.ts';
import { NetworkAddresses } from './ipam/addresses.ts';
import { PortClaims, type ClaimedPort } from './ports/claims.ts';
import type { NetworkReservation } from './types.ts';

export interface NetworkEntry {
  readonly network: NetworkRecord;
  readonly addresses: NetworkAddresses;
}

/** A container whose endpoints are in the kernel, with the record that they were made from. */
export interface Attached {
  readonly record: ContainerRecord;
  readonly endpoints: Readonly<Record<string, EndpointRecord>>;
}

export interface Claims extends NetworkReservation {
  readonly claimedPorts: readonly ClaimedPort[];
}

export class NetworkState {
  readonly #byId = new Map<string, NetworkEntry>();
  readonly #idByName = new Map<string, string>();
  readonly claims = new Map<string, Claims>();
  readonly attached = new Map<string, Attached>();
  /** Containers for which another program is being asked for addresses, by id. */
  readonly joining = new Map<string, { readonly name: string; readonly networkIds: readonly string[] }>();
  readonly ports: PortClaims;

  constructor(ephemeral: { readonly first: number; readonly last: number }) {
    this.ports = new PortClaims(ephemeral);
  }

  /** Claims the name and makes the network known. `conflict` when the name is taken. */
  add(network: NetworkRecord): NetworkEntry {
    if (this.#idByName.has(network.name)) throw conflict(`network with name ${network.name} already exists`);
    const label = `${network.name} (${network.id})`;
    const pools = network.configOnly === true ? [] : network.ipam.pools;
    const entry = { network, addresses: new NetworkAddresses(pools, label) };
    this.#byId.set(network.id, entry);
    this.#idByName.set(network.name, network.id);
    return entry;
  }

  /** The same network with other facts, its name and pools being the same. */
  replace(network: NetworkRecord): void {
    const entry = this.#byId.get(network.id);
    if (entry !== undefined) this.#byId.set(network.id, { ...entry, network });
  }

  remove(id: string): void {
    const entry = this.#byId.get(id);
    if (entry === undefined) return;
    this.#byId.delete(id);
    this.#idByName.delete(entry.network.name);
  }

  all(): readonly NetworkEntry[] {
    return [...this.#byId.values()];
  }

  byId(id: string): NetworkEntry | undefined {
    return this.#byId.get(id);
  }

  /** By full id, name, or unique prefix of the id, in this order as Docker looks. */
  find(reference: string): NetworkEntry {
    const exact = this.#byId.get(reference) ?? this.#byId.get(this.#idByName.get(reference) ?? '');
    if (exact !== undefined) return exact;
    const matches = /^[0-9a-f]+$/.test(reference)
      ? this.all().filter((entry) => entry.network.id.startsWith(reference))
      : [];
    if (matches.length > 1)
      throw invalid(`network ${reference} is ambiguous (${matches.length} matches found based on ID prefix)`);
    const [found] = matches;
    if (found === undefined) throw notFound(`network ${reference} not found`);
    return found;
  }

  /** Containers attached to a network, with their endpoint there. */
  members(
    networkId: string,
  ): readonly { readonly record: ContainerRecord; readonly endpoint: EndpointRecord }[] {
    return [...this.attached.values()].flatMap(({ record, endpoints }) =>
      Object.values(endpoints)
        .filter((endpoint) => endpoint.networkId === networkId)
        .map((endpoint) => ({ record, endpoint })),
    );
  }
}
