/** The page of `info`. */
import { goText } from '../../template/index.ts';
import { VERSION } from '../version.ts';
import { binarySize } from './units.ts';

type Info = Readonly<Record<string, unknown>>;

const record = (value: unknown): Info =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Info) : {};
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const text = (value: unknown): string => (value == null ? '' : goText(value));

class Page {
  #out = '';

  line(label: string, value: unknown): void {
    this.#out += ` ${label}: ${text(value)}\n`;
  }

  /** Left out when empty. */
  given(label: string, value: unknown): void {
    if (text(value) !== '') this.line(label, value);
  }

  add(lines: string): void {
    this.#out += lines;
  }

  toString(): string {
    return this.#out;
  }
}

function plugins(info: Info): string {
  const kinds = record(info['Plugins']);
  const line = (kind: string): string => {
    const names = list(kinds[kind]).map(text);
    return names.length === 0 ? '' : `  ${kind}: ${names.join(' ')}\n`;
  };
  return ` Plugins:\n${['Volume', 'Network', 'Authorization', 'Log'].map(line).join('')}`;
}

function security(info: Info): string {
  const options = list(info['SecurityOptions']).map((option) =>
    text(option)
      .split(',')
      .map((field): [string, string] => {
        const at = field.indexOf('=');
        return at < 0 ? ['name', field] : [field.slice(0, at), field.slice(at + 1)];
      }),
  );
  if (options.length === 0) return '';
  const title = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);
  const lines = options.flatMap((fields) =>
    fields.map(([key, value]) => (key === 'name' ? `  ${value}\n` : `   ${title(key)}: ${value}\n`)),
  );
  return ` Security Options:\n${lines.join('')}`;
}

function registries(info: Info): string {
  const config = record(info['RegistryConfig']);
  const indexes = Object.values(record(config['IndexConfigs'])).map(record);
  const insecure = indexes
    .filter((index) => index['Secure'] === false)
    .map((index) => `  ${text(index['Name'])}\n`);
  const ranges = list(config['InsecureRegistryCIDRs']).map((range) => `  ${text(range)}\n`);
  const mirrors = list(config['Mirrors']).map((mirror) => `  ${text(mirror)}\n`);
  return (
    (insecure.length + ranges.length === 0
      ? ''
      : ` Insecure Registries:\n${[...insecure, ...ranges].join('')}`) +
    (mirrors.length === 0 ? '' : ` Registry Mirrors:\n${mirrors.join('')}`)
  );
}

function identity(page: Page, info: Info): void {
  page.given('Kernel Version', info['KernelVersion']);
  page.given('Operating System', info['OperatingSystem']);
  page.given('OSType', info['OSType']);
  page.given('Architecture', info['Architecture']);
  page.line('CPUs', info['NCPU']);
  page.line('Total Memory', binarySize(Number(info['MemTotal'] ?? 0)));
  page.given('Name', info['Name']);
  page.given('ID', info['ID']);
  page.line('Docker Root Dir', info['DockerRootDir']);
  page.line('Debug Mode', info['Debug'] ?? false);
  if (info['Debug'] === true) {
    page.add(
      `  File Descriptors: ${text(info['NFd'])}\n  Goroutines: ${text(info['NGoroutines'])}\n  System Time: ${text(info['SystemTime'])}\n  EventsListeners: ${text(info['NEventsListener'])}\n`,
    );
  }
  page.given('HTTP Proxy', info['HttpProxy']);
  page.given('HTTPS Proxy', info['HttpsProxy']);
  page.given('No Proxy', info['NoProxy']);
  const labels = list(info['Labels']);
  if (labels.length > 0) page.add(` Labels:\n${labels.map((label) => `  ${text(label)}\n`).join('')}`);
  page.line('Experimental', info['ExperimentalBuild'] ?? false);
}

export function serverInfo(info: Info): string {
  const page = new Page();
  page.line('Containers', info['Containers']);
  page.add(
    `  Running: ${text(info['ContainersRunning'])}\n  Paused: ${text(info['ContainersPaused'])}\n  Stopped: ${text(info['ContainersStopped'])}\n`,
  );
  page.line('Images', info['Images']);
  page.given('Server Version', info['ServerVersion']);
  page.given('Storage Driver', info['Driver']);
  for (const pair of list(info['DriverStatus'])) page.add(`  ${list(pair).map(text).join(': ')}\n`);
  page.given('Logging Driver', info['LoggingDriver']);
  page.given('Cgroup Driver', info['CgroupDriver']);
  page.given('Cgroup Version', info['CgroupVersion']);
  page.add(plugins(info));
  page.line('Swarm', record(info['Swarm'])['LocalNodeState'] ?? 'inactive');
  page.line('Runtimes', Object.keys(record(info['Runtimes'])).sort().join(' '));
  page.line('Default Runtime', info['DefaultRuntime']);
  page.given('Init Binary', info['InitBinary']);
  for (const [label, key] of [
    ['containerd', 'ContainerdCommit'],
    ['runc', 'RuncCommit'],
    ['init', 'InitCommit'],
  ] as const) {
    page.given(`${label} version`, record(info[key])['ID']);
  }
  page.add(security(info));
  identity(page, info);
  page.add(registries(info));
  page.line('Live Restore Enabled', info['LiveRestoreEnabled'] ?? false);
  page.given('Product License', info['ProductLicense']);
  const pools = list(info['DefaultAddressPools']).map(record);
  if (pools.length > 0)
    page.add(
      ` Default Address Pools:\n${pools.map((pool) => `   Base: ${text(pool['Base'])}, Size: ${text(pool['Size'])}\n`).join('')}`,
    );
  return `${page.toString()}\n`;
}

export const clientInfo = (debug: boolean): string =>
  `Client:\n Version:    ${VERSION}\n Debug Mode: ${String(debug)}\n\n`;

export const infoWarnings = (info: Info): string =>
  list(info['Warnings'])
    .map((warning) => `${text(warning)}\n`)
    .join('');
