/** Checks of single flags of `run` and `create`, made while the command line is read. */
import net from 'node:net';
import { parseMount } from './mounts.ts';
import { parseNetwork } from './networks.ts';
import { parseGpus, parseUlimit } from './resources.ts';

function checkLabel(text: string): void {
  if (/^\s*=/.test(text) || text === '') throw new Error(`invalid label '${text}': empty name`);
}

function checkEnv(text: string): void {
  if (text === '' || text.startsWith('=')) throw new Error(`invalid environment variable: ${text}`);
}

function checkHost(text: string): void {
  const at = text.search(/[=:]/);
  const address = at < 0 ? '' : text.slice(at + 1).replace(/^\[(.*)\]$/, '$1');
  if (at <= 0) throw new Error(`bad format for add-host: ${JSON.stringify(text)}`);
  if (address !== 'host-gateway' && net.isIP(address) === 0)
    throw new Error(`invalid IP address in add-host: ${JSON.stringify(address)}`);
}

function checkIp(text: string): void {
  if (net.isIP(text) === 0) throw new Error(`IP address is not correctly formatted: ${text}`);
}

function checkAttach(text: string): void {
  if (!['stdin', 'stdout', 'stderr'].includes(text.toLowerCase()))
    throw new Error('valid streams are STDIN, STDOUT and STDERR');
}

function checkLink(text: string): void {
  const parts = text.split(':');
  if (text === '' || parts.length > 2)
    throw new Error(text === '' ? 'empty string specified for links' : `bad format for links: ${text}`);
}

function checkSysctl(text: string): void {
  const name = text.split('=')[0] ?? '';
  const known =
    /^(kernel\.(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)|net\..+|fs\.mqueue\..+)$/;
  if (!text.includes('=') || !known.test(name)) throw new Error(`sysctl '${text}' is not allowed`);
}

const ignore =
  (parse: (text: string) => unknown) =>
  (text: string): void => {
    parse(text);
  };

export const RUN_CHECKS: Readonly<Record<string, (text: string) => void>> = {
  label: checkLabel,
  env: checkEnv,
  'add-host': checkHost,
  dns: checkIp,
  'link-local-ip': checkIp,
  attach: checkAttach,
  link: checkLink,
  sysctl: checkSysctl,
  mount: ignore(parseMount),
  network: ignore(parseNetwork),
  net: ignore(parseNetwork),
  ulimit: ignore(parseUlimit),
  gpus: ignore(parseGpus),
};
