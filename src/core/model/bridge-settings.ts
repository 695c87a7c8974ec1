/** What the options of a bridge network mean. Docker's option names; used by the driver and for the firewall's view. */

import { invalid } from '../errors.ts';
import { parseIp } from '../ip.ts';
import type { NetworkRecord } from './network.ts';

export const bridgeOption = {
  name: 'com.docker.network.bridge.name',
  icc: 'com.docker.network.bridge.enable_icc',
  masquerade: 'com.docker.network.bridge.enable_ip_masquerade',
  hostBinding: 'com.docker.network.bridge.host_binding_ipv4',
  /** Address for what leaves, instead of the uplink's own. */
  sourceIpv4: 'com.docker.network.host_ipv4',
  sourceIpv6: 'com.docker.network.host_ipv6',
  inhibitIpv4: 'com.docker.network.bridge.inhibit_ipv4',
  gatewayModeIpv4: 'com.docker.network.bridge.gateway_mode_ipv4',
  gatewayModeIpv6: 'com.docker.network.bridge.gateway_mode_ipv6',
  trustedInterfaces: 'com.docker.network.bridge.trusted_host_interfaces',
  defaultBridge: 'com.docker.network.bridge.default_bridge',
  mtu: 'com.docker.network.driver.mtu',
  containerInterfacePrefix: 'com.docker.network.container_iface_prefix',
} as const;

/**
 * How a network's addresses are reached from beyond it. `nat`: through published ports of the host. `routed`: directly, at
 * published ports only, without translation. `nat-unprotected`: as `nat`, and directly at every port. `isolated`: not
 * at all, also not from the host (internal networks only).
 */
export type GatewayMode = 'nat' | 'routed' | 'nat-unprotected' | 'isolated';

export interface BridgeSettings {
  /** Inter-container communication. */
  readonly icc: boolean;
  readonly masquerade: boolean;
  /** Address for published ports that name none; undefined leaves it to the engine. */
  readonly hostBinding: string | undefined;
  readonly gatewayModes: { readonly ipv4: GatewayMode; readonly ipv6: GatewayMode };
  /** Empty: that of the interface by which a packet leaves. */
  readonly sourceAddresses: { readonly ipv4: string; readonly ipv6: string };
  /** The bridge gets no IPv4 address. */
  readonly inhibitIpv4: boolean;
  /** Interfaces of the host from which containers are reached directly. */
  readonly trustedInterfaces: readonly string[];
  /** Bytes; undefined follows the uplink. */
  readonly mtu: number | undefined;
  /** `eth` unless an option says else. */
  readonly interfacePrefix: string;
}

/** Go's ParseBool, which Docker reads such options by. */
const truth: Readonly<Record<string, boolean>> = {
  __proto__: null as never,
  '1': true,
  t: true,
  T: true,
  true: true,
  TRUE: true,
  True: true,
  '0': false,
  f: false,
  F: false,
  false: false,
  FALSE: false,
  False: false,
};

/** In dockerd's words. */
const unreadable = (name: string, text: string, why: string): Error =>
  invalid(`failed to parse ${name} value: ${text} (${why})`);

function flagOption(network: Pick<NetworkRecord, 'options'>, name: string, otherwise: boolean): boolean {
  const text = network.options[name];
  if (text === undefined) return otherwise;
  const parsed = truth[text];
  if (parsed === undefined)
    throw unreadable(name, text, `strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
  return parsed;
}

type Options = Pick<NetworkRecord, 'options'>;

function addressOption(network: Options, name: string, family: 4 | 6): string {
  const text = network.options[name];
  if (text === undefined) return '';
  const parsed = parseIp(text);
  if (parsed === undefined) throw unreadable(name, text, 'nil ip');
  if (parsed.family !== family) throw unreadable(name, text, `no IPv${family} address`);
  return text;
}

const gatewayModes: readonly string[] = ['nat', 'routed', 'nat-unprotected', 'isolated'];

function gatewayMode(network: Options & Partial<Pick<NetworkRecord, 'internal'>>, name: string): GatewayMode {
  const text = network.options[name] || 'nat';
  if (!gatewayModes.includes(text)) throw invalid(`unknown gateway mode ${text}`);
  if (text === 'isolated' && network.internal !== true)
    throw invalid(`gateway mode 'isolated' can only be used for an internal network`);
  return text as GatewayMode;
}

/** Undefined, and 0, follow the uplink. */
function mtuOption(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[+-]?\d+$/.test(text))
    throw unreadable(bridgeOption.mtu, text, `strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
  const mtu = Number(text);
  if (mtu === 0) return undefined;
  if (mtu < 68 || mtu > 65_535) throw invalid(`invalid MTU number: ${text}`);
  return mtu;
}

/** Throws `invalid` for values that mean nothing. */
export function bridgeSettings(network: Options & Partial<Pick<NetworkRecord, 'internal'>>): BridgeSettings {
  const hostBinding = addressOption(network, bridgeOption.hostBinding, 4);
  flagOption(network, bridgeOption.defaultBridge, false);
  const mtuText = network.options[bridgeOption.mtu];
  const mtu = mtuOption(mtuText);
  return {
    icc: flagOption(network, bridgeOption.icc, true),
    masquerade: flagOption(network, bridgeOption.masquerade, true),
    hostBinding: hostBinding === '' ? undefined : hostBinding,
    gatewayModes: {
      ipv4: gatewayMode(network, bridgeOption.gatewayModeIpv4),
      ipv6: gatewayMode(network, bridgeOption.gatewayModeIpv6),
    },
    sourceAddresses: {
      ipv4: addressOption(network, bridgeOption.sourceIpv4, 4),
      ipv6: addressOption(network, bridgeOption.sourceIpv6, 6),
    },
    inhibitIpv4: flagOption(network, bridgeOption.inhibitIpv4, false),
    trustedInterfaces: (network.options[bridgeOption.trustedInterfaces] ?? '')
      .split(':')
      .filter((name) => name !== ''),
    mtu,
    interfacePrefix: network.options[bridgeOption.containerInterfacePrefix] || 'eth',
  };
}
