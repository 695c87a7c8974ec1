/**
 * A network namespace for registries that are not on loopback, where TLS counts: engines join it (`networkOf`), registries and
 * token servers are started in it, and names are those of an /etc that only one engine sees.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { issue, makeAuthority, type Issued } from '../helpers/images/certificates.ts';
import { startRegistry, type RegistryOptions, type TestRegistry } from '../helpers/images/registry.ts';
import type { TokenServerConfig } from '../helpers/images/token-server.ts';
import type { Peer } from './process.ts';

const tokenProgram = join(import.meta.dirname, '../helpers/images/token-server.ts');
/** Of the range for benchmarks: nowhere else. */
const address = '198.18.0.10';
export const registryName = 'registry.test';

export interface RegistryWorld {
  readonly folder: string;
  readonly address: string;
  /** A process in the namespace. */
  readonly pid: number;
  /** What a command is started by to be inside. */
  readonly prefix: readonly string[];
  /** Issued the certificates of the servers here. */
  readonly authority: Issued;
  readonly servers: Issued;
  /** A registry at `registry.test:<port>`. */
  readonly registry: (port: number, options?: Partial<RegistryOptions>) => Promise<TestRegistry>;
  /** A token server at `https://registry.test:<port>/token`; its folder. */
  readonly tokens: (port: number, users: Readonly<Record<string, string>>) => Promise<string>;
  readonly stop: () => Promise<void>;
}

export async function openRegistryWorld(): Promise<RegistryWorld> {
  const folder = mkdtempSync('/tmp/slip-regw-');
  const script = `ip link set lo up && ip address add ${address}/32 dev lo && echo up && exec sleep infinity`;
  const child = spawn('unshare', ['--net', 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  const pid = child.pid ?? 0;
  const prefix = ['nsenter', `--net=/proc/${pid}/ns/net`];
  const authority = makeAuthority(folder, 'authority');
  const servers = issue(folder, authority, 'servers', [
    `subjectAltName=DNS:${registryName},IP:${address},IP:127.0.0.1`,
  ]);
  const stops: (() => Promise<void>)[] = [];
  const registry: RegistryWorld['registry'] = async (port, options) => {
    const started = await startRegistry({
      folder: join(folder, `registry-${port}`),
      address: `${address}:${port}`,
      prefix,
      ...options,
    });
    stops.push(started.stop);
    return { ...started, host: `${registryName}:${port}` };
  };
  const tokens: RegistryWorld['tokens'] = async (port, users) => {
    const own = join(folder, `tokens-${port}`);
    mkdirSync(own);
    const config: TokenServerConfig = {
      address,
      port,
      issuer: 'issuer.test',
      users,
      tls: servers,
      signing: servers,
      folder: own,
    };
    writeFileSync(join(own, 'config.json'), JSON.stringify(config));
    const [program, ...args] = [...prefix, process.execPath, tokenProgram, join(own, 'config.json')];
    const server = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const gone = once(server, 'exit');
    stops.push(async () => {
      server.kill('SIGKILL');
      await gone;
    });
    await Promise.race([
      once(server.stdout, 'data'),
      gone.then(() => Promise.reject(new Error('the token server did not come up'))),
    ]);
    return own;
  };
  const stop = async (): Promise<void> => {
    await Promise.all(stops.map((end) => end()));
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
    rmSync(folder, { recursive: true, force: true });
  };
  return { folder, address, pid, prefix, authority, servers, registry, tokens, stop };
}

const inside = (peer: Peer, name: string): string => join(`/proc/${peer.pid}/root/etc`, name);

/** Writes a file below the /etc of an engine that was started with one of its own (`etc`). */
export function writeEtc(peer: Peer, name: string, text: string): void {
  mkdirSync(dirname(inside(peer, name)), { recursive: true });
  writeFileSync(inside(peer, name), text);
}

export function removeEtc(peer: Peer, name: string): void {
  rmSync(inside(peer, name), { recursive: true });
}

export const hostsFile = `127.0.0.1 localhost\n${address} ${registryName}\n`;
export const authorityOf = (world: RegistryWorld): string =>
  readFileSync(world.authority.certificate, 'utf8');
