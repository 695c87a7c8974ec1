/** Carries datagrams that the firewall's map cannot lead to the container; a flow is one asker's address and port. */

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { Relay, RelayTarget } from './tcp.ts';

/** Docker's proxy forgets a flow after this long. */
const idleMs = 90_000;
const maxFlows = 4096;

interface Flow {
  readonly socket: Socket;
  timer: NodeJS.Timeout;
}

/** Serves a bound descriptor, which it takes over. */
export function relayUdp(fd: number, version6: boolean, target: RelayTarget): Relay {
  const flows = new Map<string, Flow>();
  const near = createSocket(version6 ? 'udp6' : 'udp4');
  const forget = (key: string): void => {
    const flow = flows.get(key);
    if (flow === undefined) return;
    clearTimeout(flow.timer);
    flows.delete(key);
    flow.socket.close();
  };
  const start = (key: string, from: RemoteInfo): Flow => {
    const socket = createSocket(isIPv6(target.address) ? 'udp6' : 'udp4');
    socket.on('message', (message) => near.send(message, from.port, from.address, () => {}));
    socket.on('error', () => forget(key));
    socket.connect(target.port, target.address);
    const flow: Flow = { socket, timer: setTimeout(() => forget(key), idleMs) };
    flows.set(key, flow);
    return flow;
  };
  const send = (flow: Flow, message: Buffer): void => {
    flow.socket.send(message, () => {});
  };
  near.on('message', (message, from) => {
    const key = `${from.address} ${from.port}`;
    const known = flows.get(key);
    if (known !== undefined) {
      known.timer.refresh();
      send(known, message);
    } else if (flows.size < maxFlows) {
      const flow = start(key, from);
      flow.socket.once('connect', () => send(flow, message));
    }
  });
  near.on('error', () => {});
  near.bind({ fd });
  let open = true;
  const close = (): void => {
    if (!open) return;
    open = false;
    for (const key of flows.keys()) forget(key);
    near.close();
  };
  // A flow has no end of its own: the successor starts fresh ones.
  return { stop: close, ended: () => Promise.resolve(), close };
}
