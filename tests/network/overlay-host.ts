/**
 * One host of an overlay network: `overlay-host.ts CONFIG` in a network namespace of its own. Joins a namespace to the
 * network, prints its path, and then does what the lines on its input say, each answered by one line.
 */

import { createInterface } from 'node:readline';
import { backgroundCtx } from '#src/core/ctx.ts';
import type { NetworkRecord } from '#src/core/model/network.ts';
import type { OverlayPeer, OverlaySeal } from '#src/core/ports/overlay.ts';
import { createHost } from '#src/host/index.ts';
import { createFirewall, createOverlayDriver } from '#src/network/index.ts';
import { firewallNetwork } from '#src/services/networks/walls.ts';
import { derivedHex } from '#src/core/ids.ts';

export interface OverlayHostConfig {
  readonly instance: string;
  readonly localAddress: string;
  readonly network: NetworkRecord;
  readonly mac: string;
  readonly ipv4: string;
  readonly ipv6: string;
}

export type OverlayCommand =
  | { readonly do: 'addPeer' | 'removePeer'; readonly peer: OverlayPeer }
  | { readonly do: 'listPeers' | 'ensure' | 'leave' | 'list' }
  | { readonly do: 'seal' | 'unseal'; readonly seal: OverlaySealText; readonly former?: OverlaySealText };

/** Keys in hexadecimal digits. */
export interface OverlaySealText {
  readonly host: string;
  readonly sending: { readonly spi: number; readonly key: string };
  readonly receiving: readonly { readonly spi: number; readonly key: string }[];
}

function sealOf({ host, sending, receiving }: OverlaySealText): OverlaySeal {
  const keyOf = (one: OverlaySealText['sending']) => ({ spi: one.spi, key: Buffer.from(one.key, 'hex') });
  return { host, sending: keyOf(sending), receiving: receiving.map(keyOf) };
}

async function main(config: OverlayHostConfig): Promise<void> {
  const ctx = backgroundCtx();
  const host = createHost();
  const { instance, localAddress } = config;
  const known = new Map<string, OverlayPeer>();
  const driver = createOverlayDriver({
    host,
    instance,
    localAddress,
    peersOf: () => [...known.values()],
  });
  const firewall = createFirewall({ host, instance });
  const network = driver.validate(config.network);
  const namespace = await host.createNetns();
  const endpointId = derivedHex(64, config.mac);
  const plan = {
    network,
    endpointId,
    containerId: endpointId,
    interfaceName: 'eth0',
    hostInterfaceName: `veth${endpointId.slice(0, 8)}`,
    macAddress: config.mac,
    ipv4: config.ipv4,
    ipv4Gateway: '',
    ipv6: config.ipv6,
    ipv6Gateway: '',
    defaultRoute: true,
    sysctls: [],
    published: false,
  };
  const obey = async (command: OverlayCommand): Promise<unknown> => {
    switch (command.do) {
      case 'addPeer':
        known.set(command.peer.mac, command.peer);
        return await driver.addPeer(ctx, network, command.peer);
      case 'removePeer':
        known.delete(command.peer.mac);
        return await driver.removePeer(ctx, network, command.peer);
      case 'listPeers':
        return await driver.listPeers(ctx, network);
      case 'list':
        return await driver.list(ctx);
      case 'ensure':
        return await driver.ensure(ctx, network);
      case 'leave':
        await driver.detach(ctx, namespace, plan);
        return await driver.remove(ctx, network);
      case 'seal':
        return await driver.seal(ctx, sealOf(command.seal), command.former && sealOf(command.former));
      case 'unseal':
        return await driver.unseal(ctx, sealOf(command.seal));
    }
  };
  const answer = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      console.log(JSON.stringify({ result: await work() }));
    } catch (error) {
      console.log(JSON.stringify({ error: error instanceof Error ? error.message : String(error) }));
    }
  };
  await answer(async () => {
    const walls = firewallNetwork(network);
    await firewall.restore(ctx, walls === undefined ? [] : [walls], []);
    await driver.ensure(ctx, network);
    await driver.attach(ctx, namespace, plan);
    return namespace.path;
  });
  for await (const line of createInterface({ input: process.stdin }))
    await answer(() => obey(JSON.parse(line) as OverlayCommand));
  await host.close();
}

await main(JSON.parse(process.argv[2] ?? '{}') as OverlayHostConfig);
