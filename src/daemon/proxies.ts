/** The proxies through which registries are reached. */

import type { DaemonOptions } from './options.ts';

const environment = (name: string): string => process.env[name.toUpperCase()] ?? process.env[name] ?? '';

/** Proxies of the options where they are given, else of the environment. */
export function proxyEnvironment({ proxies }: DaemonOptions): Record<string, string | undefined> {
  const of = (name: string): string => proxies[name.toUpperCase()] ?? environment(name);
  const names = ['http_proxy', 'https_proxy', 'no_proxy'];
  const given = names.map((name) => [name.toUpperCase(), of(name)] as const);
  return Object.fromEntries(given.filter(([, value]) => value !== ''));
}

/** A proxy's address without its password: `info` is for everybody. */
export const masked = (address = ''): string => address.replace(/\/\/[^@/]*@/, '//xxxxx:xxxxx@');
