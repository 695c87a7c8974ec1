/** Encoders of NETLINK_XFRM: policies and security associations of IPsec. Pure; layouts are those of linux/xfrm.h. */

import type { IpsecKey, IpsecTraffic } from '../../core/ports/host.ts';
import { attribute, be16, be32, flag, message, u32, u8 } from './attributes.ts';
import { ipBytes } from './ip.ts';

const type = { newKey: 0x10, deleteKey: 0x11, deletePolicy: 0x14, updatePolicy: 0x19 } as const;
const aead = 18;
const template = 5;
const direction = { in: 0, out: 1 } as const;
const action = { allow: 0, block: 1 } as const;
const familyOf = { 4: 2, 6: 10 } as const;
const udp = 17;
const esp = 50;
const transport = 0;
const anyRequest = 0;
/** ESP's check value, in bits; the longest that GCM has. */
const checkBits = 128;
const replayWindow = 32;
/** A lower number is looked at first. */
const priority = { seal: 100, block: 200 } as const;

const change = flag.request | flag.ack;

/** xfrm_address_t: sixteen bytes, the rest zero for IPv4. */
function address(text: string | undefined): Buffer {
  const bytes = Buffer.alloc(16);
  if (text !== undefined) ipBytes(text).copy(bytes);
  return bytes;
}

/** struct xfrm_selector. */
function selector({ port, from, to, version }: IpsecTraffic): Buffer {
  const bits = version === 4 ? 32 : 128;
  return Buffer.concat([
    address(to),
    address(from),
    be16(port),
    be16(0xffff),
    be16(0),
    be16(0),
    Buffer.from([familyOf[version], 0, to === undefined ? 0 : bits, from === undefined ? 0 : bits, udp]),
    Buffer.alloc(3 + 8),
  ]);
}

/** struct xfrm_lifetime_cfg without a limit, and struct xfrm_lifetime_cur. */
function lifetimes(): Buffer {
  return Buffer.concat([Buffer.alloc(32, 0xff), Buffer.alloc(32), Buffer.alloc(32)]);
}

/** struct xfrm_user_tmpl: ESP between these two, with any cipher that both have a key for. */
function sealed(traffic: IpsecTraffic, spi: number | undefined): Buffer {
  return Buffer.concat([
    address(traffic.to),
    be32(spi ?? 0),
    Buffer.from([esp, 0, 0, 0, familyOf[traffic.version], 0, 0, 0]),
    address(traffic.from),
    u32(anyRequest),
    Buffer.from([transport, 0, 0, 0]),
    Buffer.alloc(12, 0xff),
  ]);
}

/** struct xfrm_userpolicy_info. Replaces the policy for the same traffic. */
export function encodePolicy(kind: 'block' | 'seal', traffic: IpsecTraffic, spi?: number): Buffer {
  const info = Buffer.concat([
    selector(traffic),
    lifetimes(),
    u32(priority[kind]),
    u32(0),
    Buffer.from([direction[traffic.direction], kind === 'block' ? action.block : action.allow, 0, 0]),
    Buffer.alloc(4),
  ]);
  const templates = kind === 'seal' ? [attribute(template, sealed(traffic, spi))] : [];
  return message(type.updatePolicy, change, info, ...templates);
}

/** struct xfrm_userpolicy_id. */
export function encodeRemovePolicy(traffic: IpsecTraffic): Buffer {
  const id = Buffer.concat([selector(traffic), u32(0), u8(direction[traffic.direction]), Buffer.alloc(3)]);
  return message(type.deletePolicy, change, id);
}

/** struct xfrm_usersa_info and the key as struct xfrm_algo_aead. Fails with EEXIST where the key is there. */
export function encodeAddKey({ from, to, spi, key }: IpsecKey): Buffer {
  const family = familyOf[to.includes(':') ? 6 : 4];
  const info = Buffer.concat([
    Buffer.alloc(56),
    address(to),
    be32(spi),
    Buffer.from([esp, 0, 0, 0]),
    address(from),
    lifetimes(),
    Buffer.alloc(12),
    u32(0),
    u32(anyRequest),
    Buffer.from([family, 0, transport, replayWindow, 0]),
    Buffer.alloc(7),
  ]);
  const name = Buffer.alloc(64);
  name.write('rfc4106(gcm(aes))', 'latin1');
  const cipher = Buffer.concat([name, u32(key.length * 8), u32(checkBits), key]);
  return message(type.newKey, change | flag.create | flag.exclusive, info, attribute(aead, cipher));
}

/** struct xfrm_usersa_id. */
export function encodeRemoveKey(to: string, spi: number): Buffer {
  const family = familyOf[to.includes(':') ? 6 : 4];
  const id = Buffer.concat([address(to), be32(spi), Buffer.from([family, 0, esp, 0])]);
  return message(type.deleteKey, change, id);
}
