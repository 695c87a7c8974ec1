/** What the options of a bridge network mean. Docker's option names; used by the driver and for the firewall's view. */

import { invalid } from '../errors.ts';
import { parseIp } from '../ip.ts';
import type { NetworkRecord } from './network.ts';

export const bridgeOption = {
  name: 'com.docker.network.bridge.name',
  icc: 'com.docker.network.bridge.enable_icc',
  masquerade: 'com.docker.network.bridge.enable_ip_masquerade',
  hostBinding: 'com.docker.network.bridge.host_binding_ipv4',
  defaultBridge: 'com.docker.network.bridge.default_bridge',
  mtu: 'com.docker.network.driver.mtu',
  containerInterfacePrefix: 'com.docker.network.container_iface_prefix',
} as const;

export interface BridgeSettings {
  /** Inter-container communication. */
  readonly icc: boolean;
  readonly masquerade: boolean;
  /** Address for published ports that name none; `0.0.0.0` is every one. */
  readonly hostBinding: string;
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

function flagOption(network: Pick<NetworkRecord, 'options'>, name: string, otherwise: boolean): boolean {
  const text = network.options[name];
  if (text === undefined || text === '') return otherwise;
  const parsed = truth[text];
  if (parsed === undefined)
    throw invalid(`invalid value for option ${name}: ${JSON.stringify(text)} is neither true nor false`);
  return parsed;
}

/** Throws `invalid` for values that mean nothing. */
export function bridgeSettings(network: Pick<NetworkRecord, 'options'>): BridgeSettings {
  const hostBinding = network.options[bridgeOption.hostBinding] || '0.0.0.0';
  if (parseIp(hostBinding)?.family !== 4)
    throw invalid(
      `invalid value for option ${bridgeOption.hostBinding}: ${JSON.stringify(hostBinding)} is no IPv4 address`,
    );
  const mtuText = network.options[bridgeOption.mtu];
  const mtu = mtuText === undefined || mtuText === '' || mtuText === '0' ? undefined : Number(mtuText);
  if (mtu !== undefined && !(Number.isInteger(mtu) && mtu >= 68 && mtu <= 65_535))
    throw invalid(
      `invalid value for option ${bridgeOption.mtu}: ${JSON.stringify(mtuText)} is no MTU between 68 and 65535`,
    );
  return {
    icc: flagOption(network, bridgeOption.icc, true),
    masquerade: flagOption(network, bridgeOption.masquerade, true),
    hostBinding,
    mtu,
    interfacePrefix: network.options[bridgeOption.containerInterfacePrefix] || 'eth',
  };
}
