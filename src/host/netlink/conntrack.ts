/** Encoders and parsers of connection tracking over nfnetlink. Pure; linux/netfilter/nfnetlink_conntrack.h. */

import { attribute, be16, flag, message, nested, u8 } from './attributes.ts';
import { generic, subsystem } from './nft/batch.ts';
import { ipText } from './ip.ts';
import { parseAttributes, type NetlinkMessage } from './parse.ts';

const command = { new: 0, get: 1, delete: 2 } as const;
const ctaTupleOriginal = 1;
const ctaId = 12;
const ctaZone = 18;
const tuple = { ip: 1, protocol: 2 } as const;
const ipv4 = { source: 1, destination: 2 } as const;
const ipv6 = { source: 3, destination: 4 } as const;
const proto = { number: 1, sourcePort: 2, destinationPort: 3 } as const;

export const inetFamily = { v4: 2, v6: 10 } as const;

/** A connection as its first packet went. */
export interface Connection {
  readonly family: number;
  readonly protocol: number;
  readonly destination: string;
  readonly destinationPort: number;
  /** The original tuple, its id and zone as the kernel sent them: what names the entry when it is deleted. */
  readonly identity: readonly Uint8Array[];
}

const typeOf = (what: number): number => (subsystem.conntrack << 8) | what;

export function encodeConntrackDump(family: number): Buffer {
  return message(typeOf(command.get), flag.request | flag.dump, generic(family));
}

/** Undefined for messages of another kind and for protocols without ports. */
export function parseConnection(answer: NetlinkMessage): Connection | undefined {
  if (answer.type !== typeOf(command.new) || answer.body.length < 4) return undefined;
  const attributes = parseAttributes(answer.body, 4);
  const original = attributes.get(ctaTupleOriginal);
  if (original === undefined) return undefined;
  const parts = parseAttributes(original);
  const ip = parseAttributes(parts.get(tuple.ip) ?? Buffer.alloc(0));
  const transport = parseAttributes(parts.get(tuple.protocol) ?? Buffer.alloc(0));
  const destination = ip.get(ipv4.destination) ?? ip.get(ipv6.destination);
  const port = transport.get(proto.destinationPort);
  const number = transport.get(proto.number);
  if (destination === undefined || port?.length !== 2 || number?.length !== 1) return undefined;
  const id = attributes.get(ctaId);
  const zone = attributes.get(ctaZone);
  return {
    family: answer.body.readUInt8(0),
    protocol: number.readUInt8(0),
    destination: ipText(destination),
    destinationPort: port.readUInt16BE(0),
    identity: [
      attribute(ctaTupleOriginal | 0x8000, original),
      ...(id === undefined ? [] : [attribute(ctaId, id)]),
      ...(zone === undefined ? [] : [attribute(ctaZone, zone)]),
    ],
  };
}

export function encodeConntrackDelete(connection: Pick<Connection, 'family' | 'identity'>): Buffer {
  const flags = flag.request | flag.ack;
  return message(typeOf(command.delete), flags, generic(connection.family), ...connection.identity);
}

/** The original tuple of an IPv4 connection in the kernel's form, for `identity`. */
export function encodeTuple(input: {
  protocol: number;
  source: Uint8Array;
  destination: Uint8Array;
  sourcePort: number;
  destinationPort: number;
}): Buffer {
  const names = input.source.length === 4 ? ipv4 : ipv6;
  return nested(
    ctaTupleOriginal,
    nested(tuple.ip, attribute(names.source, input.source), attribute(names.destination, input.destination)),
    nested(
      tuple.protocol,
      attribute(proto.number, u8(input.protocol)),
      attribute(proto.sourcePort, be16(input.sourcePort)),
      attribute(proto.destinationPort, be16(input.destinationPort)),
    ),
  );
}
