/**
 * Encoders and parsers of rtnetlink for tunnels between hosts: vxlan interfaces, their forwarding entries, and neighbours. Pure; layouts are
 * those of linux/if_link.h and linux/neighbour.h.
 */

import type { NeighbourInfo } from '../../core/ports/host.ts';
import { attribute, be16, container, flag, message, text, u32, u8 } from './attributes.ts';
import { ipBytes, ipText, macBytes, macText } from './ip.ts';
import { parseAttributes, type NetlinkMessage } from './parse.ts';
import { family, ifla, infoKind } from './rtnetlink.ts';

const type = { newLink: 16, newNeighbour: 28, deleteNeighbour: 29, getNeighbour: 30 } as const;
const infoData = 2;
const vxlan = { id: 1, local: 4, learning: 7, proxy: 11, port: 15, local6: 17 } as const;
const neighbour = { address: 1, mac: 2 } as const;
const ofDevice = 0x02;
const permanent = 0x80;
const noArp = 0x40;
const headBytes = 12;

const make = flag.request | flag.ack | flag.create | flag.exclusive;
const put = flag.request | flag.ack | flag.create | flag.replace;
const take = flag.request | flag.ack;

/** Learns nothing from what comes in, and answers for neighbours instead of flooding. `bridge` is resolved by the caller. */
export function encodeCreateVxlan(input: {
  name: string;
  id: number;
  local: string;
  port: number;
  mtu: number;
  bridge: number;
}): Buffer {
  const local = ipBytes(input.local);
  return message(
    type.newLink,
    make,
    Buffer.alloc(16),
    attribute(ifla.name, text(input.name)),
    attribute(ifla.mtu, u32(input.mtu)),
    attribute(ifla.master, u32(input.bridge)),
    container(
      ifla.linkInfo,
      attribute(infoKind, Buffer.from('vxlan')),
      container(
        infoData,
        attribute(vxlan.id, u32(input.id)),
        attribute(local.length === 4 ? vxlan.local : vxlan.local6, local),
        attribute(vxlan.port, be16(input.port)),
        attribute(vxlan.learning, u8(0)),
        attribute(vxlan.proxy, u8(1)),
      ),
    ),
  );
}

/** struct ndmsg. */
function head(of: number, index: number, state: number, flags: number): Buffer {
  const bytes = Buffer.alloc(headBytes);
  bytes.writeUInt8(of, 0);
  bytes.writeInt32LE(index, 4);
  bytes.writeUInt16LE(state, 8);
  bytes.writeUInt8(flags, 10);
  return bytes;
}

/** Frames to `mac` go to the host at `address`, which replaces what was said of that address before. */
export function encodeForwarding(
  action: 'add' | 'remove',
  input: { index: number; mac: string; address: string },
): Buffer {
  return message(
    action === 'add' ? type.newNeighbour : type.deleteNeighbour,
    action === 'add' ? put : take,
    head(family.bridge, input.index, permanent | noArp, ofDevice),
    attribute(neighbour.mac, macBytes(input.mac)),
    attribute(neighbour.address, ipBytes(input.address)),
  );
}

export function encodeNeighbour(
  action: 'add' | 'remove',
  input: { index: number; mac?: string; address: string },
): Buffer {
  const address = ipBytes(input.address);
  return message(
    action === 'add' ? type.newNeighbour : type.deleteNeighbour,
    action === 'add' ? put : take,
    head(address.length === 4 ? family.inet : family.inet6, input.index, permanent, 0),
    attribute(neighbour.address, address),
    ...(input.mac === undefined ? [] : [attribute(neighbour.mac, macBytes(input.mac))]),
  );
}

/** `bridge` asks for forwarding entries, the others for neighbours. */
export function encodeNeighbourDump(of: 'inet' | 'inet6' | 'bridge'): Buffer {
  const dump = flag.request | flag.dump;
  // The kernel tells a dump of forwarding entries by the head of an interface message.
  return message(type.getNeighbour, dump, of === 'bridge' ? linkHead() : head(family[of], 0, 0, 0));
}

function linkHead(): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt8(family.bridge, 0);
  return bytes;
}

/** Entries that someone has set; undefined for what the kernel has found out by itself, and for entries that lead to no host. */
export function parseNeighbour(answer: NetlinkMessage): NeighbourInfo | undefined {
  if (answer.type !== type.newNeighbour || answer.body.length < headBytes) return undefined;
  const attributes = parseAttributes(answer.body, headBytes);
  const address = attributes.get(neighbour.address);
  const mac = attributes.get(neighbour.mac);
  const isSet = (answer.body.readUInt16LE(8) & permanent) !== 0;
  if (address === undefined || mac === undefined || mac.length !== 6 || !isSet) return undefined;
  return {
    kind: answer.body.readUInt8(0) === family.bridge ? 'forwarding' : 'neighbour',
    linkIndex: answer.body.readInt32LE(4),
    mac: macText(mac),
    address: ipText(address),
  };
}
