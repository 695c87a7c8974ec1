/** What `info` tells about the machine. The parsers are pure. */

import { readFile } from 'node:fs/promises';
import * as os from 'node:os';
import type { HostFacts } from '../core/ports/host.ts';

/** A value of os-release (`KEY="value"`); '' when it is absent. */
export function osRelease(text: string, key: string): string {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${key}=`));
  if (line === undefined) return '';
  const value = line.slice(key.length + 1).trim();
  return /^(["']).*\1$/.test(value) ? value.slice(1, -1).replace(/\\(.)/g, '$1') : value;
}

/** The names in /proc/filesystems, those without a device included. */
export function parseFilesystems(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.split('\t').at(-1)?.trim() ?? '')
    .filter((name) => name !== '');
}

const orEmpty = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');

export async function readFacts(uplinkMtu: Promise<number>): Promise<HostFacts> {
  const [etc, lib, filesystems, mtu] = await Promise.all([
    orEmpty('/etc/os-release'),
    orEmpty('/usr/lib/os-release'),
    orEmpty('/proc/filesystems'),
    uplinkMtu,
  ]);
  const release = etc === '' ? lib : etc;
  return {
    kernelVersion: os.release(),
    operatingSystem: osRelease(release, 'PRETTY_NAME') || 'Linux',
    osVersion: osRelease(release, 'VERSION_ID'),
    architecture: os.machine(),
    cpus: os.availableParallelism(),
    memoryTotal: os.totalmem(),
    hostname: os.hostname(),
    uplinkMtu: mtu,
    filesystems: parseFilesystems(filesystems),
  };
}
