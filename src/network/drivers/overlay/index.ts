/**
 * The local half of networks over many hosts: a bridge for each with a vxlan tunnel as one of its ports, and what the
 * cluster says of the endpoints on other hosts. Built by whoever runs the cluster; the kernel is the state.
 */

import type { Ctx } from '../../../core/ctx.ts';
import { invalid, isErrno, notImplemented } from '../../../core/errors.ts';
import { parseIp } from '../../../core/ip.ts';
import { KeyedQueue } from '../../../core/keyed-queue.ts';
import type { NetworkRecord } from '../../../core/model/network.ts';
import type { Host, LinkInfo } from '../../../core/ports/host.ts';
import type { EndpointPlan } from '../../../core/ports/network-driver.ts';
import type { OverlayDriver, OverlayPeer } from '../../../core/ports/overlay.ts';
import { planEndpoint } from '../bridge/plan.ts';
import {
  aliasOf,
  bridgeOf,
  isEncrypted,
  isSealedAlias,
  mtuOf,
  numberOf,
  overlayPrefix,
  peersFrom,
  planNetwork,
  planPeer,
  planPeerRemoval,
  tunnelOf,
} from './plan.ts';
import {
  planBlock,
  planProbe,
  planSeal,
  planSealTable,
  planSealTableRemoval,
  planUnblock,
  planUnseal,
} from './seal.ts';

export type OverlayHost = Pick<
  Host,
  'link' | 'links' | 'neighbours' | 'ipsec' | 'nftApply' | 'networkProgram' | 'facts'
>;

export interface OverlayOptions {
  readonly host: OverlayHost;
  readonly instance: string;
  /** Where this host receives tunnelled packets: one of its addresses on the network between the hosts. */
  readonly localAddress: string;
  /** Of all hosts of the cluster. */
  readonly port?: number;
  /** Encrypted networks have one of their own; on the wire it is inside ESP. */
  readonly sealedPort?: number;
  /** What the cluster knows of the endpoints on other hosts; asked when a network is made or put right. */
  readonly peersOf: (networkId: string) => readonly OverlayPeer[];
}

/** RFC 7348, and as Docker has it. */
const defaultPort = 4789;
const defaultSealedPort = 4788;
/** Not used by keys of hosts, which are random. */
const probeSpi = 256;

const hasCode = (error: unknown, code: string): boolean =>
  isErrno(error, code) || (error instanceof Error && isErrno(error.cause, code));

function explainedTunnel(network: NetworkRecord, error: unknown): unknown {
  if (hasCode(error, 'EOPNOTSUPP') || hasCode(error, 'ENOTSUP'))
    return notImplemented('this kernel has no vxlan interfaces: load or install its module vxlan', error);
  if (hasCode(error, 'EEXIST'))
    return invalid(`the vxlan number ${numberOf(network)} is used by another interface of this host`, error);
  return error;
}

const noSeal = (error: unknown): Error =>
  notImplemented(
    'this kernel cannot encrypt networks: it lacks IPsec (modules xfrm_user, esp4, esp6) or its cipher (modules gcm, aes)',
    error,
  );

/** Everything of encrypted networks together; which of them are left, the aliases of their bridges tell. */
function walls({ host, instance }: OverlayOptions, port: number) {
  return {
    async raise(): Promise<void> {
      try {
        await host.ipsec(undefined, planProbe(probeSpi));
      } catch (error) {
        throw noSeal(error);
      }
      await host.ipsec(undefined, planBlock(port));
      await host.nftApply(undefined, planSealTable(instance, port));
    },
    async lowerUnlessUsed(links: readonly LinkInfo[]): Promise<void> {
      const ours = links.filter(({ alias }) => alias.startsWith(overlayPrefix(instance)));
      if (ours.some(({ alias }) => isSealedAlias(alias))) return;
      await host.nftApply(undefined, planSealTableRemoval(instance));
      try {
        await host.ipsec(undefined, planUnblock(port));
      } catch (error) {
        // Where there is no IPsec nothing was blocked.
        if (!hasCode(error, 'EPROTONOSUPPORT')) throw error;
      }
    },
  };
}

export function createOverlayDriver(options: OverlayOptions): OverlayDriver {
  const { host, instance, localAddress, peersOf } = options;
  const { port = defaultPort, sealedPort = defaultSealedPort } = options;
  if (parseIp(localAddress) === undefined) throw invalid(`invalid IP address: ${localAddress}`);
  const seals = walls(options, sealedPort);
  // Walls are never lowered after one network while another one is being made that needs them.
  const changes = new KeyedQueue();
  const sealFacts = { local: localAddress, port: sealedPort };
  const isOurs = (link: LinkInfo): boolean =>
    link.kind === 'bridge' && link.alias.startsWith(overlayPrefix(instance));

  const underlayMtu = async (): Promise<number> => (await host.facts()).uplinkMtu;

  const removeLinks = async (names: readonly string[]): Promise<void> => {
    for (const name of names) await host.link(undefined, [{ op: 'deleteLink', name }]);
  };

  const listPeers = async (network: NetworkRecord): Promise<readonly OverlayPeer[]> => {
    const tunnel = (await host.links()).find(({ name }) => name === tunnelOf(network));
    if (tunnel === undefined) return [];
    const entries = await host.neighbours();
    return peersFrom(entries.filter(({ linkIndex }) => linkIndex === tunnel.index));
  };

  const makeLinks = async (network: NetworkRecord): Promise<void> => {
    const links = await host.links();
    const [bridge, tunnel] = [bridgeOf(network), tunnelOf(network)].map((name) =>
      links.find((link) => link.name === name),
    );
    const stands = bridge?.alias === aliasOf(instance, network) && bridge.up && tunnel?.up === true;
    if (stands && tunnel.master === bridge.index) return;
    await removeLinks([tunnelOf(network), bridgeOf(network)]);
    const mtu = mtuOf(network, await underlayMtu(), localAddress);
    const used = isEncrypted(network) ? sealedPort : port;
    try {
      await host.link(undefined, planNetwork(network, { instance, localAddress, port: used, mtu }));
    } catch (error) {
      await removeLinks([tunnelOf(network), bridgeOf(network)]);
      throw explainedTunnel(network, error);
    }
  };

  return {
    name: 'overlay',

    validate(network) {
      numberOf(network);
      mtuOf(network, 1500, localAddress);
      return { ...network, bridgeName: bridgeOf(network) };
    },

    async ensure(_ctx: Ctx, network) {
      await changes.run('links', async () => {
        // Before the tunnel is there: no packet ever leaves open.
        if (isEncrypted(network)) await seals.raise();
        await makeLinks(network);
      });
      const wanted = peersOf(network.id);
      const macs = new Set(wanted.map(({ mac }) => mac.toLowerCase()));
      const stale = (await listPeers(network)).filter(({ mac }) => !macs.has(mac));
      const operations = [
        ...stale.flatMap((peer) => planPeerRemoval(network, peer)),
        ...wanted.flatMap((peer) => planPeer(network, peer)),
      ];
      if (operations.length > 0) await host.link(undefined, operations);
    },

    async remove(_ctx: Ctx, network) {
      await changes.run('links', async () => {
        await removeLinks([tunnelOf(network), bridgeOf(network)]);
        if (isEncrypted(network)) await seals.lowerUnlessUsed(await host.links());
      });
    },

    async attach(_ctx: Ctx, namespace, plan: EndpointPlan) {
      const mtu = mtuOf(plan.network, await underlayMtu(), localAddress);
      // The way to the outside is another network's; here is no gateway.
      await host.networkProgram(
        planEndpoint(namespace.path, { ...plan, defaultRoute: false, published: false }, mtu),
      );
    },

    async detach(_ctx: Ctx, _namespace, plan: EndpointPlan) {
      if (plan.hostInterfaceName !== '') await removeLinks([plan.hostInterfaceName]);
    },

    async list(_ctx: Ctx) {
      const links = await host.links();
      const bridges = links.filter(isOurs);
      const indexes = new Set(bridges.map(({ index }) => index));
      return {
        networks: bridges.map(({ name }) => name),
        endpoints: links
          .filter(({ master, kind }) => kind !== 'vxlan' && indexes.has(master))
          .map(({ name }) => name),
      };
    },

    async removeStray(_ctx: Ctx, stray) {
      const tunnels = stray.networks.map((bridge) => bridge.replace(/^ov-/, 'vx-'));
      await changes.run('links', async () => {
        await removeLinks([...stray.endpoints, ...tunnels, ...stray.networks]);
        if (stray.networks.length > 0) await seals.lowerUnlessUsed(await host.links());
      });
    },

    async addPeer(_ctx: Ctx, network, peer) {
      await host.link(undefined, planPeer(network, peer));
    },

    async removePeer(_ctx: Ctx, network, peer) {
      await host.link(undefined, planPeerRemoval(network, peer));
    },

    listPeers: (_ctx: Ctx, network) => listPeers(network),

    async seal(_ctx: Ctx, seal, former) {
      await host.ipsec(undefined, planSeal(sealFacts, seal, former));
    },

    async unseal(_ctx: Ctx, seal) {
      await host.ipsec(undefined, planUnseal(sealFacts, seal));
    },
  };
}
