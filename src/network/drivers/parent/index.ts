/**
 * What macvlan and ipvlan networks share: they hang on an interface of the host (the parent), which may be a VLAN
 * sub-interface that the engine makes, or a dummy one where the user names none. Called by both drivers.
 */

import { invalid, isErrno, notImplemented } from '../../../core/errors.ts';
import { shortId } from '../../../core/ids.ts';
import type { NetworkRecord } from '../../../core/model/network.ts';
import type { Host, LinkOperation } from '../../../core/ports/host.ts';

export type ParentHost = Pick<Host, 'link' | 'links'>;

export const parentOption = 'parent';
export const mtuOption = 'com.docker.network.driver.mtu';
const interfaceName = /^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,14}$/;
const highestVlan = 4094;

/** Marks sub-interfaces and dummies as this engine's. */
export const parentAlias = (instance: string): string => `slipway:${instance}:parent`;

/** The parent's name: the user's, or that of a dummy interface of the network's own. */
export function parentOf(network: NetworkRecord): string {
  const asked = network.options[parentOption] ?? '';
  return asked === '' ? `dm-${shortId(network.id)}` : asked;
}

export function checkParent(network: NetworkRecord): void {
  const asked = network.options[parentOption] ?? '';
  if (asked !== '' && !interfaceName.test(asked))
    throw invalid(`invalid parent interface name ${JSON.stringify(asked)}`);
  if (asked === 'lo') throw invalid('loopback interface is not a valid parent link');
  if (asked.includes('.')) vlanOf(asked);
  const mtu = Number(network.options[mtuOption] || '1500');
  if (!Number.isInteger(mtu) || mtu < 68 || mtu > 65_535)
    throw invalid(
      `invalid value for option ${mtuOption}: ${JSON.stringify(network.options[mtuOption])} is no MTU between 68 and 65535`,
    );
}

/** `eth0.10` is VLAN 10 of eth0. */
function vlanOf(name: string): { readonly under: string; readonly id: number } {
  const at = name.lastIndexOf('.');
  const id = Number(name.slice(at + 1));
  if (!/^\d+$/.test(name.slice(at + 1)) || id < 1 || id > highestVlan)
    throw invalid(`vlan id must be between 1-${highestVlan}, received: ${name.slice(at + 1)}`);
  return { under: name.slice(0, at), id };
}

/** Whether an error, or the one behind it, carries the code. */
export const hasCode = (error: unknown, code: string): boolean =>
  isErrno(error, code) || (error instanceof Error && isErrno(error.cause, code));

const isUnknownKind = (error: unknown): boolean => hasCode(error, 'EOPNOTSUPP') || hasCode(error, 'ENOTSUP');

/** What the kernel says of a kind of interface that it does not know, in words that tell what to do. */
export function explained(kind: string, error: unknown): unknown {
  if (!isUnknownKind(error)) return error;
  return notImplemented(
    `this kernel has no ${kind} interfaces: load or install its module ${kind === 'vlan' ? '8021q' : kind}`,
    error,
  );
}

function planParent(name: string, asked: string, alias: string): readonly LinkOperation[] {
  if (asked === '') return [{ op: 'createDummy', name, alias }];
  const { under, id } = vlanOf(asked);
  return [{ op: 'createVlan', name, parent: under, id, alias }];
}

/** Makes the parent where it is ours to make, and raises it. `invalid` where the user's interface does not exist. */
export async function ensureParent(
  host: ParentHost,
  instance: string,
  network: NetworkRecord,
): Promise<void> {
  const name = parentOf(network);
  const asked = network.options[parentOption] ?? '';
  const present = (await host.links()).find((link) => link.name === name);
  if (present === undefined) {
    if (asked !== '' && !asked.includes('.'))
      throw invalid(`the requested parent interface ${asked} was not found on the host`);
    try {
      await host.link(undefined, planParent(name, asked, parentAlias(instance)));
    } catch (error) {
      throw explained(asked === '' ? 'dummy' : 'vlan', error);
    }
  }
  if (present?.up !== true) await host.link(undefined, [{ op: 'setLink', name, up: true }]);
}

/** Takes a parent away that the engine made. */
export async function removeParent(
  host: ParentHost,
  instance: string,
  network: NetworkRecord,
): Promise<void> {
  const links = await host.links();
  const link = links.find((one) => one.name === parentOf(network));
  if (link === undefined || link.alias !== parentAlias(instance)) return;
  await host.link(undefined, [{ op: 'deleteLink', name: link.name }]);
}

export async function listParents(host: ParentHost, instance: string): Promise<readonly string[]> {
  const links = await host.links();
  return links.filter((link) => link.alias === parentAlias(instance)).map((link) => link.name);
}
