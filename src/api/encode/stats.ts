/** One reading of a container's counters, in Docker's layout for cgroup v1 and v2. */

import { never } from '../../core/model/container.ts';
import { hasStatsOsType, type ApiVersion } from '../versions.ts';
import type {
  BlkioEntry,
  CpuCounters,
  InterfaceCounters,
  StatsSample,
} from '../../services/containers/index.ts';

const noCpu = {
  cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
};

function encodeCpu(cpu: CpuCounters | undefined): object {
  if (cpu === undefined) return noCpu;
  return {
    cpu_usage: {
      total_usage: cpu.totalUsage,
      ...(cpu.perCpuUsage === undefined ? {} : { percpu_usage: cpu.perCpuUsage }),
      usage_in_kernelmode: cpu.kernelUsage,
      usage_in_usermode: cpu.userUsage,
    },
    system_cpu_usage: cpu.systemUsage,
    online_cpus: cpu.onlineCpus,
    throttling_data: {
      periods: cpu.throttling.periods,
      throttled_periods: cpu.throttling.throttledPeriods,
      throttled_time: cpu.throttling.throttledTime,
    },
  };
}

function encodeMemory(memory: StatsSample['memory']): object {
  if (memory === undefined) return {};
  return {
    usage: memory.usage,
    ...(memory.maxUsage === undefined ? {} : { max_usage: memory.maxUsage }),
    stats: memory.stats,
    ...(memory.failcnt === 0 ? {} : { failcnt: memory.failcnt }),
    limit: memory.limit,
  };
}

/** v1 says `Read`, v2 `read`: given as the kernel has it. */
function encodeBlkio(sample: StatsSample): object {
  const entries = (list: readonly BlkioEntry[] | undefined): readonly BlkioEntry[] | null =>
    list === undefined || list.length === 0 ? null : list;
  const absent = sample.cgroupVersion === 1 && sample.running ? [] : null;
  return {
    io_service_bytes_recursive: entries(sample.blkio?.serviceBytes) ?? absent,
    io_serviced_recursive: entries(sample.blkio?.serviced) ?? absent,
    io_queue_recursive: absent,
    io_service_time_recursive: absent,
    io_wait_time_recursive: absent,
    io_merged_recursive: absent,
    io_time_recursive: absent,
    sectors_recursive: absent,
  };
}

function encodeInterface(counters: InterfaceCounters): object {
  return {
    rx_bytes: counters.rxBytes,
    rx_packets: counters.rxPackets,
    rx_errors: counters.rxErrors,
    rx_dropped: counters.rxDropped,
    tx_bytes: counters.txBytes,
    tx_packets: counters.txPackets,
    tx_errors: counters.txErrors,
    tx_dropped: counters.txDropped,
  };
}

function encodeNetworks(sample: StatsSample): object {
  if (sample.networks === undefined || Object.keys(sample.networks).length === 0) return {};
  const networks = Object.entries(sample.networks).map(([name, counters]) => [
    name,
    encodeInterface(counters),
  ]);
  return { networks: Object.fromEntries(networks) as object };
}

/** Known to the engine that runs this, not yet to the compiler's library. */
const { rawJSON } = JSON as unknown as { rawJSON(this: void, text: string): object };

/** What Docker says on v2 for no limit: the greatest number of 64 bits, which no JavaScript number holds. */
const unlimited = rawJSON('18446744073709551615');

function encodePids(sample: StatsSample): object {
  if (sample.pids === undefined) return {};
  const { current, limit = sample.cgroupVersion === 2 ? unlimited : undefined } = sample.pids;
  return { current, ...(limit === undefined ? {} : { limit }) };
}

export function encodeStats(sample: StatsSample, version: ApiVersion): object {
  return {
    ...(hasStatsOsType(version) ? { os_type: 'linux' } : {}),
    read: sample.running ? sample.read : never,
    preread: sample.preread,
    pids_stats: encodePids(sample),
    blkio_stats: encodeBlkio(sample),
    num_procs: 0,
    storage_stats: {},
    cpu_stats: encodeCpu(sample.cpu),
    precpu_stats: encodeCpu(sample.precpu),
    memory_stats: encodeMemory(sample.memory),
    name: `/${sample.name}`,
    id: sample.id,
    ...encodeNetworks(sample),
  };
}
