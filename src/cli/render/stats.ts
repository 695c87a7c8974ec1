/** One container's row in `stats`. */
import { Struct } from '../../template/index.ts';
import { binarySize, humanSize, shortId } from './units.ts';

interface CpuStats {
  readonly cpu_usage?: { readonly total_usage?: number; readonly percpu_usage?: readonly number[] | null };
  readonly system_cpu_usage?: number;
  readonly online_cpus?: number;
}

/** The parts of the engine's answer that the row needs. */
export interface StatsAnswer {
  readonly id?: string;
  readonly name?: string;
  readonly read?: string;
  readonly pids_stats?: { readonly current?: number };
  readonly blkio_stats?: {
    readonly io_service_bytes_recursive?: readonly { readonly op: string; readonly value: number }[] | null;
  };
  readonly cpu_stats?: CpuStats;
  readonly precpu_stats?: CpuStats;
  readonly memory_stats?: {
    readonly usage?: number;
    readonly limit?: number;
    readonly stats?: Readonly<Record<string, number>>;
  };
  readonly networks?: Readonly<Record<string, { readonly rx_bytes: number; readonly tx_bytes: number }>>;
}

export const STATS_TITLES = {
  Container: 'CONTAINER',
  ID: 'CONTAINER ID',
  Name: 'NAME',
  CPUPerc: 'CPU %',
  MemUsage: 'MEM USAGE / LIMIT',
  MemPerc: 'MEM %',
  NetIO: 'NET I/O',
  BlockIO: 'BLOCK I/O',
  PIDs: 'PIDS',
} as const;
export const STATS_TABLE =
  '{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}';

function cpuPercent(now: CpuStats | undefined, before: CpuStats | undefined): number {
  const used = (now?.cpu_usage?.total_usage ?? 0) - (before?.cpu_usage?.total_usage ?? 0);
  const all = (now?.system_cpu_usage ?? 0) - (before?.system_cpu_usage ?? 0);
  const cpus = now?.online_cpus ?? now?.cpu_usage?.percpu_usage?.length ?? 0;
  return used > 0 && all > 0 ? (used / all) * cpus * 100 : 0;
}

/** Without the page cache that the kernel could drop at once, as `docker stats` counts. */
function memoryUsed(memory: StatsAnswer['memory_stats']): number {
  const usage = memory?.usage ?? 0;
  const inactive = memory?.stats?.['total_inactive_file'] ?? memory?.stats?.['inactive_file'] ?? 0;
  return inactive < usage ? usage - inactive : usage;
}

function blockBytes(answer: StatsAnswer): { read: number; write: number } {
  let [read, write] = [0, 0];
  for (const { op, value } of answer.blkio_stats?.io_service_bytes_recursive ?? []) {
    if (/^r/i.test(op)) read += value;
    else if (/^w/i.test(op)) write += value;
  }
  return { read, write };
}

/** `undefined` stands for a container of which nothing is known (yet). */
export function statsRow(container: string, answer: StatsAnswer | undefined, truncate: boolean): Struct {
  const used = memoryUsed(answer?.memory_stats);
  const limit = answer?.memory_stats?.limit ?? 0;
  const networks = Object.values(answer?.networks ?? {});
  const total = (key: 'rx_bytes' | 'tx_bytes'): number =>
    networks.reduce((sum, network) => sum + network[key], 0);
  const blocks = answer === undefined ? { read: 0, write: 0 } : blockBytes(answer);
  const id = answer?.id ?? container;
  const known = (text: string, none = '--'): string => (answer === undefined ? none : text);
  return new Struct('*container.statsContext', {
    BlockIO: () => known(`${humanSize(blocks.read)} / ${humanSize(blocks.write)}`),
    CPUPerc: () => known(`${cpuPercent(answer?.cpu_stats, answer?.precpu_stats).toFixed(2)}%`),
    Container: () => container,
    ID: () => (truncate ? shortId(id) : id),
    MemPerc: () => known(`${(limit === 0 ? 0 : (used / limit) * 100).toFixed(2)}%`),
    MemUsage: () => known(`${binarySize(used)} / ${binarySize(limit)}`, '-- / --'),
    Name: () => known((answer?.name ?? '').replace(/^\//, '')),
    NetIO: () => known(`${humanSize(total('rx_bytes'))} / ${humanSize(total('tx_bytes'))}`),
    PIDs: () => known(String(answer?.pids_stats?.current ?? 0)),
  });
}
