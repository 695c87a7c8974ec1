import type { Ctx } from '../ctx.ts';
import type { NetworkRecord } from '../model/network.ts';
import type { NetworkDriver } from './network-driver.ts';

/** An endpoint of an overlay network on another host. */
export interface OverlayPeer {
  readonly mac: string;
  /** Its addresses on the overlay network, without prefix length. */
  readonly addresses: readonly string[];
  /** Where its host receives tunnelled packets. */
  readonly host: string;
}

/** Keys between this host and another one, for all encrypted networks together. */
export interface OverlaySeal {
  /** Where the other host receives tunnelled packets. */
  readonly host: string;
  /** What we seal with. */
  readonly sending: OverlayKey;
  /** What may come; the one before stays among them until the other host uses the new one. */
  readonly receiving: readonly OverlayKey[];
}

export interface OverlayKey {
  /** 256 to 4294967295. */
  readonly spi: number;
  /** 20 or 36 bytes: AES key and four bytes of salt. */
  readonly key: Uint8Array;
}

/**
 * The local half of networks over many hosts: tunnels, and whom they lead to. Who is where is told by the caller, which
 * is the cluster; nothing is learned from packets. Errors: `invalid` for what no network can be, `notImplemented` where the kernel lacks it.
 */
export interface OverlayDriver extends NetworkDriver {
  /** Idempotent; a hardware address that moves to another host replaces what was said before. */
  addPeer(ctx: Ctx, network: NetworkRecord, peer: OverlayPeer): Promise<void>;
  /** Idempotent. */
  removePeer(ctx: Ctx, network: NetworkRecord, peer: OverlayPeer): Promise<void>;
  /** As the kernel has them, in no order. */
  listPeers(ctx: Ctx, network: NetworkRecord): Promise<readonly OverlayPeer[]>;
  /** Begins to seal what goes between this host and another, or goes over to other keys; `former` is what was said before. */
  seal(ctx: Ctx, seal: OverlaySeal, former?: OverlaySeal): Promise<void>;
  /** From now on nothing of encrypted networks passes between this host and the other one. Idempotent. */
  unseal(ctx: Ctx, seal: OverlaySeal): Promise<void>;
}
