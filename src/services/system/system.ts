import { readdirSync } from 'node:fs';
import { formatNano, nowNano } from '../../core/time.ts';
import type { SystemDeps } from './deps.ts';
import { diskUsage } from './disk-usage.ts';
import { eventStream } from './events.ts';
import { explainAction } from './repair.ts';
import { hostWarnings, readHostFacts } from './host-facts.ts';
import type { EngineFacts, EngineInfo, HostFacts, SystemService } from './types.ts';

function countOpenFiles(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return 0;
  }
}

function engineWarnings(engine: EngineFacts): string[] {
  const open = engine.insecureListeners.map(
    (address) =>
      `WARNING: API is accessible on ${address} without encryption.\n         Access to the remote API is equivalent to root access on the host.`,
  );
  const runtimes = engine
    .runtimes()
    .flatMap((runtime) =>
      runtime.warnings.map((words) => `WARNING: runtime ${runtime.name} ${runtime.version}: ${words}`),
    );
  return [...open, ...runtimes];
}

async function info(deps: SystemDeps, host: HostFacts): Promise<EngineInfo> {
  const [images, damaged, devices] = await Promise.all([
    deps.images.list({ all: true }),
    deps.records.damaged(),
    deps.engine.devices(),
  ]);
  const lost = damaged.map(
    (record) => `WARNING: damaged record set aside: ${record.kind} ${record.id}: ${record.reason}`,
  );
  return {
    engine: deps.engine,
    // The name and the switches of the kernel may change while the daemon runs.
    host: { ...host, ...readHostFacts(deps.engine.cgroupVersion, deps.engine.userNamespaces) },
    containers: deps.containers.counts(),
    images: images.length,
    driverStatus: deps.engine.storage.status(),
    runtimes: deps.engine.runtimes(),
    devices: devices.ids,
    warnings: [
      ...engineWarnings(deps.engine),
      ...hostWarnings(host, deps.engine.cgroupVersion),
      ...deps.warnings(),
      ...lost,
      ...devices.problems.map((words) => `WARNING: CDI: ${words}`),
    ],
    damaged,
    systemTime: formatNano(nowNano()),
    openFiles: countOpenFiles(),
    eventListeners: eventStream.listeners(deps.events),
  };
}

export function createSystemService(deps: SystemDeps): SystemService {
  const host = readHostFacts(deps.engine.cgroupVersion, deps.engine.userNamespaces);
  return {
    info: () => info(deps, host),
    repair: async (ctx, dryRun) => (await deps.repair(ctx, { dryRun })).map(explainAction),
    version: () => ({
      engine: deps.engine,
      kernelVersion: host.kernelVersion,
      architecture: host.architecture,
      runtimes: deps.engine.runtimes(),
      nodeVersion: process.version,
    }),
    events: (ctx, input) => eventStream.open(deps.events, ctx, input),
    diskUsage: (ctx, kinds) => diskUsage(deps, ctx, kinds),
  };
}
