/** What the parts of the host contract share. */

import assert from 'node:assert/strict';
import type { Host, LinkOperation, NamespaceRef } from '../../../src/core/ports/host.ts';

/** Whether an error is the host's own kind, with this code; `index` is checked where it is given. */
export function fails(code: string, index?: number): (error: unknown) => boolean {
  return (error) => {
    const { kind, cause } = error as { kind?: string; cause?: { code?: string; index?: number } };
    assert.deepEqual([kind, cause?.code], ['internal', code], String(error));
    if (index !== undefined) assert.equal(cause?.index, index);
    return true;
  };
}

export const table = { family: 'ip', table: 'contract' } as const;
export const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

export const bridge = (name: string): LinkOperation[] => [
  { op: 'createBridge', name, mtu: 1400, mac: '02:42:00:00:00:01', alias: 'a bridge' },
  { op: 'addAddress', name, address: '10.99.0.1/24' },
  { op: 'setLink', name, up: true },
];

export const veth = (namespace: NamespaceRef): LinkOperation => ({
  op: 'createVeth',
  name: 'veth0',
  mtu: 1400,
  bridge: 'br0',
  alias: 'of x',
  peer: { name: 'eth0', mac: '02:42:0a:63:00:02', namespace },
});

/** A namespace that is closed when the body ends. */
export async function inNetns(
  host: Host,
  body: (namespace: { fd: number; path: string }) => Promise<void>,
): Promise<void> {
  const namespace = await host.createNetns();
  try {
    await body(namespace);
  } finally {
    host.closeFd(namespace.fd);
  }
}

export const names = async (host: Host, namespace: NamespaceRef): Promise<string[]> =>
  (await host.links(namespace)).map(({ name }) => name);
