/** What Docker refuses at create, in its words. Pure. */

import { invalid } from '../../core/errors.ts';
import { parseIp } from '../../core/ip.ts';
import type {
  ContainerConfig,
  HostConfig,
  Resources,
  RestartPolicy,
} from '../../core/model/container-spec.ts';
import { healthCheckOf } from './health-rules.ts';
import { parseSignal } from './signals.ts';
import { checkStorage } from './writable-size.ts';

const minMemory = 6 * 1024 * 1024;
const minShares = 2;

function checkMemory(resources: Resources): void {
  const memory = resources.Memory ?? 0;
  const swap = resources.MemorySwap ?? 0;
  const reservation = resources.MemoryReservation ?? 0;
  if (memory !== 0 && memory < minMemory) throw invalid('Minimum memory limit allowed is 6MB');
  if (memory > 0 && swap > 0 && swap < memory) {
    throw invalid('Minimum memoryswap limit should be larger than memory limit, see usage');
  }
  if (memory === 0 && swap > 0) {
    throw invalid('You should always set the Memory limit when using Memoryswap limit, see usage');
  }
  const swappiness = resources.MemorySwappiness;
  if (swappiness != null && swappiness !== -1 && (swappiness < 0 || swappiness > 100)) {
    throw invalid(`Invalid value: ${swappiness}, valid memory swappiness range is 0-100`);
  }
  if (reservation > 0 && reservation < minMemory) throw invalid('Minimum memory reservation allowed is 6MB');
  if (memory > 0 && reservation > 0 && memory < reservation) {
    throw invalid('Minimum memory limit can not be less than memory reservation limit, see usage');
  }
}

function checkCpu(resources: Resources, cpus: number): void {
  const { NanoCpus: nano = 0, CpuPeriod: period = 0, CpuQuota: quota = 0, CpuShares: shares = 0 } = resources;
  if (nano > 0 && period > 0)
    throw invalid('Conflicting options: Nano CPUs and CPU Period cannot both be set');
  if (nano > 0 && quota > 0) throw invalid('Conflicting options: Nano CPUs and CPU Quota cannot both be set');
  if (nano < 0 || nano > cpus * 1e9) {
    throw invalid(`Range of CPUs is from 0.01 to ${cpus}.00, as there are only ${cpus} CPUs available`);
  }
  if (shares < 0) throw invalid(`invalid CPU shares (${shares}): value must be a positive integer`);
  if (shares > 0 && shares < minShares) throw invalid(`The minimum allowed cpu-shares is ${minShares}`);
  if (period !== 0 && (period < 1000 || period > 1_000_000)) {
    throw invalid('CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)');
  }
  if (quota > 0 && quota < 1000) throw invalid('CPU cfs quota can not be less than 1ms (i.e. 1000)');
  const { CpuRealtimePeriod: realtimePeriod = 0, CpuRealtimeRuntime: realtimeRuntime = 0 } = resources;
  if (realtimeRuntime !== 0 && realtimePeriod !== 0 && realtimeRuntime > realtimePeriod)
    throw invalid('cpu real-time runtime cannot be higher than cpu real-time period');
}

const cpuList = /^\d+(-\d+)?(,\d+(-\d+)?)*$/;

/** Whether they are there is asked of the kernel later. */
function checkCpuset(list: string | undefined, what: string): void {
  if (list === undefined || list === '') return;
  if (!cpuList.test(list)) throw invalid(`Invalid value ${list} for ${what}: invalid format: ${list}`);
}

/** Limits; also for `update`. */
export function checkResources(resources: Resources, cpus: number): void {
  checkMemory(resources);
  checkCpu(resources, cpus);
  checkCpuset(resources.CpusetCpus, 'cpuset cpus');
  checkCpuset(resources.CpusetMems, 'cpuset mems');
  if (resources.IOMaximumIOps)
    throw invalid('Invalid QoS settings: linux does not support configuration of maximum IOPs');
  if (resources.IOMaximumBandwidth)
    throw invalid('Invalid QoS settings: linux does not support configuration of maximum bandwidth');
  const weight = resources.BlkioWeight ?? 0;
  if (weight > 0 && (weight < 10 || weight > 1000)) throw invalid('Range of blkio weight is from 10 to 1000');
}

export function checkRestartPolicy(policy: RestartPolicy | undefined, autoRemove: boolean): void {
  const name: string = policy?.Name ?? '';
  const retries = policy?.MaximumRetryCount ?? 0;
  if (!['', 'no', 'always', 'unless-stopped', 'on-failure', 'on-unhealthy'].includes(name)) {
    throw invalid(
      `invalid restart policy: unknown policy '${name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
    );
  }
  if (retries < 0) throw invalid('invalid restart policy: maximum retry count cannot be negative');
  if (retries !== 0 && name !== 'on-failure' && name !== 'on-unhealthy') {
    throw invalid(`invalid restart policy: maximum retry count can only be used with 'on-failure'`);
  }
  if (autoRemove && name !== '' && name !== 'no') {
    throw invalid(`can't create 'AutoRemove' container with restart policy`);
  }
}

/** A policy that waits for a health check needs one. */
export function checkHealthPolicy(policy: RestartPolicy | undefined, config: ContainerConfig): void {
  if (policy?.Name !== 'on-unhealthy' || healthCheckOf({ config }) !== undefined) return;
  throw invalid(`invalid restart policy: 'on-unhealthy' needs a health check, and the container has none`);
}

const portKey = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/i;

const badPort = (text: string): boolean => !/^\d{1,5}$/.test(text) || Number(text) > 65_535;

function checkPorts(config: ContainerConfig, hostConfig: HostConfig): void {
  for (const key of Object.keys(config.ExposedPorts ?? {})) {
    const match = portKey.exec(key);
    if (match === null || badPort(match[1] ?? '')) throw invalid(`invalid port specification: "${key}"`);
  }
  for (const [key, bindings] of Object.entries(hostConfig.PortBindings ?? {})) {
    const match = portKey.exec(key);
    const [port = ''] = key.split('/');
    if (badPort(port)) throw invalid(`invalid port specification: "${port}"`);
    if (match === null) throw invalid(`invalid port specification: "${key}"`);
    for (const binding of bindings ?? []) {
      const range = (binding.HostPort ?? '').split('-');
      if (
        binding.HostPort !== undefined &&
        binding.HostPort !== '' &&
        (range.length > 2 || range.some(badPort))
      ) {
        throw invalid(`invalid port specification: "${binding.HostPort}"`);
      }
    }
  }
}

function checkHealth(config: ContainerConfig): void {
  const health = config.Healthcheck;
  if (health == null) return;
  const millisecond = 1_000_000;
  const durations = {
    Interval: 'Interval',
    Timeout: 'Timeout',
    StartPeriod: 'StartPeriod',
    StartInterval: 'StartInterval',
  } as const;
  for (const [key, label] of Object.entries(durations)) {
    const value = health[key as keyof typeof durations] ?? 0;
    if (value !== 0 && value < millisecond) throw invalid(`${label} in Healthcheck cannot be less than 1ms`);
  }
  if ((health.Retries ?? 0) < 0) throw invalid('Retries in Healthcheck cannot be negative');
}

const modePrefixes = ['container:'];
const isOneOf = (mode: string | undefined, plain: readonly string[]): boolean =>
  mode === undefined ||
  mode === '' ||
  plain.includes(mode) ||
  modePrefixes.some((prefix) => mode.startsWith(prefix) && mode.length > prefix.length);

function checkModes(hostConfig: HostConfig): void {
  if (!isOneOf(hostConfig.IpcMode, ['host', 'private', 'shareable', 'none']))
    throw invalid(`invalid IPC mode: ${hostConfig.IpcMode}`);
  if (!isOneOf(hostConfig.PidMode, ['host'])) throw invalid(`invalid PID mode: ${hostConfig.PidMode}`);
  if (!['', 'host', undefined].includes(hostConfig.UTSMode))
    throw invalid(`invalid UTS mode: ${hostConfig.UTSMode}`);
  if (!['', 'host', 'private', undefined].includes(hostConfig.CgroupnsMode)) {
    throw invalid(`invalid cgroup namespace mode: ${hostConfig.CgroupnsMode}`);
  }
  if (!['', 'host', undefined].includes(hostConfig.UsernsMode))
    throw invalid(`invalid USER mode: ${hostConfig.UsernsMode}`);
}

/** `name:address`; the docker CLI turns `name=address` and brackets into that. */
function checkExtraHost(text: string): void {
  const [, name, address = ''] = /^([^:=]*)[:=](.*)$/.exec(text) ?? [];
  if (name === undefined || name === '') throw invalid(`bad format for add-host: ${JSON.stringify(text)}`);
  if (address !== 'host-gateway' && parseIp(address) === undefined)
    throw invalid(`invalid IP address in add-host: ${JSON.stringify(address)}`);
}

function checkNetworkModes(config: ContainerConfig, hostConfig: HostConfig): void {
  const mode = hostConfig.NetworkMode ?? '';
  if (mode === 'container:')
    throw invalid('Invalid network mode: invalid container format container:<name|id>');
  const shared = mode.startsWith('container:');
  if (shared && (config.Hostname ?? '') !== '')
    throw invalid('conflicting options: hostname and the network mode');
  if (shared && (hostConfig.Links ?? []).length > 0)
    throw invalid(
      "conflicting options: container type network can't be used with links. This would result in undefined behavior",
    );
  if (mode === 'host' && (hostConfig.Links ?? []).length > 0)
    throw invalid(
      "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
    );
  if (shared && (hostConfig.Dns ?? []).length > 0)
    throw invalid('conflicting options: dns and the network mode');
  if (shared && (hostConfig.ExtraHosts ?? []).length > 0)
    throw invalid('conflicting options: custom host-to-IP mapping and the network mode');
  const publishes =
    Object.keys(hostConfig.PortBindings ?? {}).length > 0 || hostConfig.PublishAllPorts === true;
  if (shared && publishes)
    throw invalid('conflicting options: port publishing and the container type network mode');
  if (shared && Object.keys(config.ExposedPorts ?? {}).length > 0)
    throw invalid('conflicting options: port exposing and the container type network mode');
  if (hostConfig.UTSMode === 'host' && (config.Hostname ?? '') !== '')
    throw invalid('conflicting options: hostname and the UTS mode');
}

function checkIsolation(isolation: string | undefined): void {
  if (!['', 'default'].includes((isolation ?? '').toLowerCase()))
    throw invalid(`Invalid isolation: "${isolation}" - linux only supports 'default'`);
}

export interface ValidationFacts {
  readonly cpus: number;
  readonly runtimes: readonly string[];
  /** As `SnapshotDriver.unlimited`. */
  readonly unlimited: string | undefined;
}

/** Everything about the two halves of a spec that does not need other objects. */
export function validateCreate(
  config: ContainerConfig,
  hostConfig: HostConfig,
  facts: ValidationFacts,
): void {
  if (config.WorkingDir !== undefined && config.WorkingDir !== '' && !config.WorkingDir.startsWith('/')) {
    throw invalid(`the working directory '${config.WorkingDir}' is invalid, it needs to be an absolute path`);
  }
  for (const variable of config.Env ?? []) {
    if (variable === '' || variable.startsWith('='))
      throw invalid(`invalid environment variable: ${variable}`);
  }
  if (config.StopSignal !== undefined && config.StopSignal !== '') parseSignal(config.StopSignal);
  checkHealth(config);
  checkResources(hostConfig, facts.cpus);
  checkRestartPolicy(hostConfig.RestartPolicy, hostConfig.AutoRemove === true);
  checkPorts(config, hostConfig);
  checkModes(hostConfig);
  checkNetworkModes(config, hostConfig);
  for (const host of hostConfig.ExtraHosts ?? []) checkExtraHost(host);
  checkIsolation(hostConfig.Isolation);
  checkStorage(hostConfig.StorageOpt, facts.unlimited);
  if (Object.hasOwn(hostConfig.Annotations ?? {}, ''))
    throw invalid('invalid Annotations: the empty string is not permitted as an annotation key');
  if ((hostConfig.ShmSize ?? 0) < 0) throw invalid('SHM size can not be less than 0');
  const score = hostConfig.OomScoreAdj ?? 0;
  if (score < -1000 || score > 1000)
    throw invalid(`Invalid value ${score}, range for oom score adj is [-1000, 1000]`);
  const runtime = hostConfig.Runtime ?? '';
  if (runtime !== '' && !facts.runtimes.includes(runtime))
    throw invalid(`unknown or invalid runtime name: ${runtime}`);
}
