/** Facts of an engine, for the encoders of info and version. */

import type { EngineFacts, EngineInfo } from '../../../src/services/system/index.ts';
import { readHostFacts } from '../../../src/services/system/host-facts.ts';

const engine: EngineFacts = {
  engineId: 'e',
  instance: 'slipway',
  version: '0.1.0',
  gitCommit: 'abc',
  buildTime: '2026-01-01T00:00:00Z',
  apiVersion: '1.55',
  minApiVersion: '1.24',
  dataRoot: '/var/lib/slipway',
  debug: false,
  labels: [],
  storage: { name: 'overlay2', status: () => [['Backing Filesystem', 'extfs']] },
  cgroupDriver: 'cgroupfs',
  cgroupVersion: 1,
  defaultRuntime: 'crun',
  runtimes: () => [],
  loggingDriver: 'json-file',
  logDrivers: ['json-file'],
  networkDrivers: ['bridge'],
  volumeDrivers: ['local'],
  initBinary: 'tini',
  firewallBackend: 'nftables',
  defaultAddressPools: [{ base: '172.17.0.0/12', size: 16 }],
  insecureRegistries: ['127.0.0.0/8', 'registry.local:5000'],
  registryMirrors: [],
  httpProxy: '',
  httpsProxy: '',
  noProxy: '',
  insecureListeners: [],
  cdiSpecDirs: [],
  devices: async () => ({ ids: [], problems: [] }),
};

export const engineInfo: EngineInfo = {
  engine,
  host: readHostFacts(1),
  containers: { running: 1, paused: 0, stopped: 2 },
  images: 1,
  driverStatus: engine.storage.status(),
  runtimes: [{ name: 'crun', path: '/usr/bin/crun', version: '1.8.1', warnings: [] }],
  devices: [],
  warnings: [],
  damaged: [],
  systemTime: '2026-01-01T00:00:00Z',
  openFiles: 3,
  eventListeners: 0,
};
