/** The frame of an nfnetlink batch. Pure; linux/netfilter/nfnetlink.h. */

import { flag, message } from '../attributes.ts';

export const nfnl = { batchBegin: 0x10, batchEnd: 0x11 } as const;
export const subsystem = { conntrack: 1, nftables: 10 } as const;

/** struct nfgenmsg: family, version 0, resource in network order. */
export function generic(family: number, resource = 0): Buffer {
  return Buffer.from([family, 0, resource >> 8, resource & 0xff]);
}

export function batchBegin(): Buffer {
  return message(nfnl.batchBegin, flag.request, generic(0, subsystem.nftables));
}

export function batchEnd(): Buffer {
  return message(nfnl.batchEnd, flag.request, generic(0, subsystem.nftables));
}
