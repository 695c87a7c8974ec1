/** A real registry (Debian's docker-registry) on a free loopback port, with a store of its own. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export interface TestRegistry {
  /** `127.0.0.1:PORT` or the address asked for, as it stands in image names. */
  readonly host: string;
  readonly stop: () => Promise<void>;
}

export interface RegistryOptions {
  /** Where it keeps its store, configuration and log; `stop` removes it unless `keep` is set. */
  readonly folder: string;
  readonly keep?: boolean;
  /** Path of an htpasswd file (bcrypt): then it asks for a password. */
  readonly htpasswd?: string;
  /** Then it hands out nothing without a token of this server, signed by one of the certificates in the PEM file `roots`. */
  readonly token?: { readonly realm: string; readonly issuer: string; readonly roots: string };
  /** Paths of PEM files: then it speaks TLS only. */
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** `ADDRESS:PORT` to listen at, in a network namespace of the test's own; default a free port on loopback. */
  readonly address?: string;
  /** A command that it is started by, for example nsenter into a network namespace. */
  readonly prefix?: readonly string[];
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function configuration(options: RegistryOptions, address: string): string {
  const lines = [
    'version: 0.1',
    'log: { level: info }',
    'storage:',
    `  filesystem: { rootdirectory: ${join(options.folder, 'store')} }`,
    '  delete: { enabled: true }',
    'http:',
    `  addr: "${address}"`,
  ];
  if (options.tls !== undefined)
    lines.push(`  tls: { certificate: ${options.tls.certificate}, key: ${options.tls.key} }`);
  if (options.htpasswd !== undefined) {
    lines.push('auth:', `  htpasswd: { realm: test, path: ${options.htpasswd} }`);
  }
  if (options.token !== undefined) {
    const { realm, issuer, roots } = options.token;
    lines.push(
      'auth:',
      `  token: { realm: "${realm}", service: registry.test, issuer: ${issuer}, rootcertbundle: ${roots} }`,
    );
  }
  return `${lines.join('\n')}\n`;
}

/** Starts it and waits until it listens. */
export async function startRegistry(options: RegistryOptions): Promise<TestRegistry> {
  mkdirSync(join(options.folder, 'store'), { recursive: true });
  const address = options.address ?? `127.0.0.1:${await freePort()}`;
  const file = join(options.folder, 'config.yml');
  writeFileSync(file, configuration(options, address));
  const log = join(options.folder, 'registry.log');
  const output = openSync(log, 'w');
  const [program, ...args] = [...(options.prefix ?? []), 'docker-registry', 'serve', file];
  const child = spawn(program, args, { stdio: ['ignore', output, output] });
  closeSync(output);
  const exited = once(child, 'exit');
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await exited;
    if (options.keep !== true) await rm(options.folder, { recursive: true, force: true });
  };
  // The registry tells nobody that it is ready but the one who asks: it writes `listening on` to its log.
  const deadline = Date.now() + 20_000;
  while (!readFileSync(log, 'utf8').includes('listening on') && !(await answers(address))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      const told = readFileSync(log, 'utf8').slice(-2000);
      await stop();
      throw new Error(`docker-registry did not come up:\n${told}`);
    }
    await delay(20);
  }
  return { host: address, stop };
}

async function answers(address: string): Promise<boolean> {
  try {
    const response = await fetch(`http://${address}/v2/`);
    await response.arrayBuffer();
    return response.status === 200 || response.status === 401;
  } catch {
    return false;
  }
}
