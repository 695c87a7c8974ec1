import assert from 'node:assert/strict';
import { test } from 'node:test';
import { initialState, type ContainerRecord } from '../../core/model/container.ts';
import type { ContainerConfig, HostConfig } from '../../core/model/container-spec.ts';
import type { SpecInput } from '../../core/ports/spec-builder.ts';
import { containerCapabilities, defaultCapabilities, knownCapabilities } from './capabilities.ts';
import { cgroupDirectories, cgroupsPath, limitResources } from './cgroups.ts';
import { deviceNumbers } from '../../core/device-numbers.ts';
import { parseDeviceRule } from './devices.ts';
import { abilitiesOf } from './abilities.ts';
import type { MachineFacts } from './facts.ts';
import { createSpecBuilder } from './index.ts';
import { isFilter, shortcut } from './seccomp-cache.ts';
import { customSeccomp, defaultSeccomp } from './seccomp.ts';
import { parseSecurityOptions, rlimits } from './security.ts';
import { containerSpec, execProcess, seccompOf } from './spec.ts';

const lastCapability = 40;
const facts: MachineFacts = {
  arch: 'amd64',
  kernel: [6, 1],
  kernelRelease: '6.1.0',
  seccomp: true,
  capabilities: knownCapabilities(lastCapability),
  layout: { version: 2, controllers: {}, unified: '/sys/fs/cgroup' },
  abilities: abilitiesOf(
    { version: 2, controllers: {}, unified: '/sys/fs/cgroup' },
    () => true,
    (path) => (path.endsWith('controllers') ? 'cpuset cpu io memory pids' : '0-3'),
  ),
  cgroupParent: '/slipway',
  apparmor: { enabled: false, loaded: false },
  selinux: false,
};

function input(
  config: ContainerConfig = {},
  hostConfig: HostConfig = {},
  more: Partial<SpecInput> = {},
): SpecInput {
  const record = {
    id: 'c'.repeat(64),
    path: 'sh',
    args: ['-c', 'x'],
    config,
    hostConfig,
    runtime: 'crun',
    state: initialState,
  } as unknown as ContainerRecord;
  return {
    record,
    rootPath: '/root/fs',
    mounts: [],
    user: { uid: 5, gid: 6, additionalGids: [6], home: '/' },
    env: ['A=b'],
    hostname: 'host',
    namespaces: {
      network: { path: '/proc/1/fd/9' },
      pid: 'private',
      ipc: 'private',
      uts: 'private',
      cgroup: 'private',
    },
    initPath: undefined,
    workingDir: '/w',
    ...more,
  };
}

interface Spec {
  readonly process: {
    readonly args: string[];
    readonly capabilities: Record<string, string[]>;
    readonly noNewPrivileges?: boolean;
    readonly user: object;
  };
  readonly mounts: { readonly destination: string; readonly options: string[]; readonly source: string }[];
  readonly hostname?: string;
  readonly root: object;
  readonly annotations?: Record<string, string>;
  readonly linux: {
    readonly namespaces: object[];
    readonly maskedPaths?: string[];
    readonly readonlyPaths?: string[];
    readonly sysctl?: object;
    readonly cgroupsPath: string;
    readonly seccomp?: { readonly syscalls?: { readonly names: string[] }[]; readonly defaultAction: string };
    readonly rootfsPropagation?: string;
    readonly resources: object;
  };
}

const parts = { nodes: [], rules: [], seccomp: undefined, annotations: {} };
const spec = (given: SpecInput): Spec => containerSpec(facts, given, parts) as Spec;

test('an ordinary container: five namespaces, own network, fourteen capabilities, masked paths', () => {
  const made = spec(input());
  assert.deepEqual(made.linux.namespaces, [
    { type: 'mount' },
    { type: 'network', path: '/proc/1/fd/9' },
    { type: 'pid' },
    { type: 'ipc' },
    { type: 'uts' },
    { type: 'cgroup' },
  ]);
  assert.deepEqual(made.process.capabilities['bounding'], defaultCapabilities);
  assert.equal(defaultCapabilities.length, 14);
  assert.equal(made.process.capabilities['inheritable'], undefined);
  assert.equal(made.process.capabilities['ambient'], undefined);
  for (const path of [
    '/proc/kcore',
    '/proc/keys',
    '/proc/interrupts',
    '/sys/firmware',
    '/sys/devices/virtual/powercap',
  ]) {
    assert.ok(made.linux.maskedPaths?.includes(path), path);
  }
  assert.deepEqual(made.linux.readonlyPaths, [
    '/proc/bus',
    '/proc/fs',
    '/proc/irq',
    '/proc/sys',
    '/proc/sysrq-trigger',
  ]);
  assert.equal(made.hostname, 'host');
  assert.deepEqual(made.process.user, { uid: 5, gid: 6, additionalGids: [6] });
  assert.equal(made.linux.cgroupsPath, `/slipway/${'c'.repeat(64)}`);
  assert.deepEqual(made.linux.sysctl, {
    'net.ipv4.ip_unprivileged_port_start': '0',
    'net.ipv4.ping_group_range': '0 2147483647',
  });
});

test('privileged: everything, nothing masked, writable sys', () => {
  const made = spec(input({}, { Privileged: true }));
  assert.deepEqual(made.process.capabilities['effective'], facts.capabilities);
  assert.equal(made.linux.maskedPaths, undefined);
  assert.equal(made.linux.readonlyPaths, undefined);
  assert.ok(made.mounts.find((mount) => mount.destination === '/sys')?.options.includes('rw'));
  assert.equal(seccompOf(facts, { Privileged: true }), undefined);
});

test('own mounts replace defaults at the same place, parents come first', () => {
  const own = ['/a/b/c', '/dev/shm', '/a'].map((destination) => ({
    destination,
    type: 'bind',
    source: '/s',
    options: ['rbind', 'rshared'],
  }));
  const made = spec(input({}, {}, { mounts: own }));
  assert.equal(made.mounts.filter((mount) => mount.destination === '/dev/shm').length, 1);
  assert.deepEqual(
    made.mounts.slice(-3).map((mount) => mount.destination),
    ['/a', '/dev/shm', '/a/b/c'],
  );
  assert.equal(made.linux.rootfsPropagation, 'shared');
});

test('host namespaces are left out, and what depends on them', () => {
  const made = spec(
    input(
      { Domainname: 'd' },
      {},
      {
        hostname: '',
        namespaces: { network: 'host', pid: 'host', ipc: 'host', uts: 'host', cgroup: 'host' },
      },
    ),
  );
  assert.deepEqual(made.linux.namespaces, [{ type: 'mount' }]);
  assert.equal(made.linux.sysctl, undefined);
  assert.equal(made.hostname, undefined);
  assert.equal(
    made.mounts.some((mount) => mount.destination === '/dev/shm'),
    false,
  );
});

test('init goes in front, read-only root, no new privileges', () => {
  const made = spec(
    input({}, { ReadonlyRootfs: true, SecurityOpt: ['no-new-privileges'] }, { initPath: '/usr/bin/tini' }),
  );
  assert.deepEqual(made.process.args, ['/sbin/docker-init', '--', 'sh', '-c', 'x']);
  assert.equal(made.mounts.at(-1)?.source, '/usr/bin/tini');
  assert.equal(made.process.noNewPrivileges, true);
  assert.deepEqual(made.root, { path: '/root/fs', readonly: true });
});

test('capabilities as Docker combines them', () => {
  const of = (add: string[], drop: string[]): readonly string[] =>
    containerCapabilities({ add, drop, privileged: false, available: facts.capabilities });
  assert.deepEqual(of(['net_admin'], ['ALL']), ['CAP_NET_ADMIN']);
  assert.equal(of(['ALL'], ['CAP_SYS_ADMIN']).includes('CAP_SYS_ADMIN'), false);
  assert.equal(of(['ALL'], []).length, facts.capabilities.length);
  assert.equal(of([], ['chown']).includes('CAP_CHOWN'), false);
  assert.throws(() => of(['FLY'], []), {
    kind: 'invalid',
    message: 'invalid CapAdd: unknown capability: "CAP_FLY"',
  });
  assert.throws(() => of([], ['FLY']), {
    kind: 'invalid',
    message: 'invalid CapDrop: unknown capability: "CAP_FLY"',
  });
  // A daemon that lacks a capability cannot give it.
  assert.deepEqual(knownCapabilities(lastCapability, 0b101n), ['CAP_CHOWN', 'CAP_DAC_READ_SEARCH']);
});

const allowed = (capabilities: readonly string[], arch = 'amd64'): Set<string> =>
  new Set(
    (defaultSeccomp({ arch, kernel: [6, 1] }, capabilities).syscalls as { names: string[]; action: string }[])
      .filter((rule) => rule.action === 'SCMP_ACT_ALLOW')
      .flatMap((rule) => rule.names),
  );

test('the default profile allows what capabilities pay for', () => {
  assert.equal(allowed(defaultCapabilities).has('mount'), false);
  assert.equal(allowed([...defaultCapabilities, 'CAP_SYS_ADMIN']).has('mount'), true);
  assert.equal(allowed(defaultCapabilities).has('chroot'), true);
  assert.equal(allowed([]).has('chroot'), false);
  for (const call of [
    'socketcall',
    'io_uring_setup',
    'keyctl',
    'add_key',
    'kexec_load',
    'userfaultfd',
    'unshare',
    'setns',
  ]) {
    assert.equal(allowed(defaultCapabilities).has(call), false, call);
  }
  assert.equal(allowed(defaultCapabilities).has('arch_prctl'), true);
  assert.equal(allowed(defaultCapabilities, 'arm64').has('arch_prctl'), false);
});

test('the 32-bit call for all of sockets is refused as a whole, before any rule that would let it through', () => {
  const [first] = defaultSeccomp(facts, defaultCapabilities).syscalls as {
    names: string[];
    errnoRet?: number;
  }[];
  assert.deepEqual(first, { names: ['socketcall'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 });
});

test('sockets of AF_ALG and AF_VSOCK pass no rule, whatever the upper half says; all others pass one', () => {
  const rules = defaultSeccomp(facts, defaultCapabilities).syscalls as {
    names: string[];
    args?: { value: number; valueTwo: number }[];
  }[];
  const masks = rules.filter((rule) => rule.names[0] === 'socket').map((rule) => rule.args?.[0]);
  const passes = (family: bigint): boolean =>
    masks.some((arg) => arg !== undefined && (family & BigInt(arg.value)) === BigInt(arg.valueTwo));
  for (let family = 0n; family < 46n; family += 1n) {
    assert.equal(passes(family), family !== 38n && family !== 40n, String(family));
    assert.equal(passes(family + (1n << 32n)), family !== 38n && family !== 40n, String(family));
  }
});

test('a profile of the user: conditions, architectures, refusals', () => {
  const profile = JSON.stringify({
    defaultAction: 'SCMP_ACT_ERRNO',
    archMap: [{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] }],
    syscalls: [
      { names: ['read'], action: 'SCMP_ACT_ALLOW', args: null },
      { names: ['mount'], action: 'SCMP_ACT_ALLOW', includes: { caps: ['CAP_SYS_ADMIN'] } },
      { names: ['old'], action: 'SCMP_ACT_ALLOW', includes: { minKernel: '7.0' } },
      { name: 'single', action: 'SCMP_ACT_LOG', excludes: { arches: ['arm64'] } },
    ],
  });
  const made = customSeccomp(profile, facts, defaultCapabilities);
  assert.deepEqual(made.architectures, ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86']);
  assert.deepEqual(made.syscalls, [
    { names: ['read'], action: 'SCMP_ACT_ALLOW' },
    { names: ['single'], action: 'SCMP_ACT_LOG' },
  ]);
  assert.throws(() => customSeccomp('{', facts, []), {
    kind: 'invalid',
    message: /^Decoding seccomp profile failed/,
  });
  assert.throws(() => customSeccomp('[]', facts, []), { kind: 'invalid' });
});

test('the seccomp shortcut carries a deny-all section', () => {
  const { seccomp, annotations } = shortcut('QUJD');
  assert.deepEqual(seccomp, { defaultAction: 'SCMP_ACT_ERRNO' });
  assert.deepEqual(annotations, { 'run.oci.seccomp_bpf_data': 'QUJD' });
  assert.equal(isFilter(Buffer.alloc(0)), false);
  assert.equal(isFilter(Buffer.alloc(12)), false);
  assert.equal(isFilter(Buffer.alloc(16)), true);
});

test('only a runtime with a cache gets the shortcut; annotations of the user that could replace it are refused', async () => {
  const ctx = { signal: new AbortController().signal, log: console as never };
  const builder = createSpecBuilder({ facts, seccompCaches: new Map(), cdiDirectories: [] });
  const made = (await builder.container(ctx, input())) as Spec;
  assert.ok((made.linux.seccomp?.syscalls?.length ?? 0) > 10);
  assert.equal(made.annotations, undefined);
  const sly = { Annotations: { 'Run.OCI.seccomp_bpf_data': 'x' } };
  assert.throws(() => builder.validate(sly), { kind: 'invalid' });
  await assert.rejects(builder.container(ctx, input({}, sly)), { kind: 'invalid' });
});

test('limits become resources; without a controller nothing is asked', () => {
  const host: HostConfig = {
    Memory: 100,
    MemorySwap: 200,
    NanoCpus: 1_500_000_000,
    PidsLimit: 7,
    CpuShares: 5,
    CpusetCpus: '0',
    BlkioWeight: 20,
    MemorySwappiness: 3,
    OomKillDisable: true,
  };
  assert.deepEqual(limitResources(facts, host), {
    memory: { limit: 100, swap: 200 },
    cpu: { shares: 5, period: 100_000, quota: 150_000, cpus: '0' },
    blockIO: { weight: 20 },
    pids: { limit: 7 },
  });
  const v1 = {
    ...facts,
    layout: { version: 1 as const, controllers: {}, unified: undefined },
    abilities: abilitiesOf(
      { version: 1, controllers: {}, unified: undefined },
      () => false,
      () => '',
    ),
  };
  assert.deepEqual(limitResources(v1, host), {
    memory: { limit: 100, swappiness: 3, disableOOMKiller: true },
    cpu: { shares: 5, period: 100_000, quota: 150_000, cpus: '0' },
    blockIO: { weight: 20 },
  });
  assert.deepEqual(limitResources(facts, { PidsLimit: -1 }), {});
  assert.deepEqual(limitResources(facts, {}), {});
});

test('cgroup paths never leave their hierarchy', () => {
  assert.equal(cgroupsPath({ cgroupParent: '/slipway' }, {}, 'id'), '/slipway/id');
  assert.equal(cgroupsPath({ cgroupParent: '/slipway' }, { CgroupParent: '../../etc' }, 'id'), '/etc/id');
  const layout = {
    version: 'hybrid' as const,
    controllers: { cpu: '/c/cpu,cpuacct', cpuacct: '/c/cpu,cpuacct', memory: '/c/memory' },
    unified: '/c/unified',
  };
  assert.deepEqual(cgroupDirectories(layout, '/s/id'), [
    '/c/cpu,cpuacct/s/id',
    '/c/memory/s/id',
    '/c/unified/s/id',
  ]);
});

test('device rules and numbers', () => {
  assert.deepEqual(parseDeviceRule('c 1:* rwm'), { allow: true, type: 'c', major: 1, access: 'rwm' });
  for (const bad of ['x 1:1 r', 'c 1 r', 'c 1:1 z', 'c 1:1'])
    assert.throws(() => parseDeviceRule(bad), { kind: 'invalid' });
  assert.deepEqual(deviceNumbers(0x0103), { major: 1, minor: 3 });
  assert.deepEqual(deviceNumbers(0x100000 + 0x0800), { major: 8, minor: 256 });
});

test('security options and ulimits', () => {
  assert.deepEqual(
    parseSecurityOptions(['no-new-privileges:true', 'seccomp=unconfined', 'systempaths=unconfined']),
    {
      noNewPrivileges: true,
      seccomp: 'unconfined',
      apparmor: undefined,
      unmaskedSystemPaths: true,
      writableCgroups: false,
      labels: { disable: false, given: {} },
    },
  );
  assert.throws(() => parseSecurityOptions(['seccomp']), { message: 'invalid --security-opt 1: "seccomp"' });
  assert.throws(() => parseSecurityOptions(['x=y']), { message: 'invalid --security-opt 2: "x=y"' });
  assert.deepEqual(rlimits({ Ulimits: [{ Name: 'nofile', Soft: 1, Hard: 2 }] }), [
    { type: 'RLIMIT_NOFILE', soft: 1, hard: 2 },
  ]);
  const endless = JSON.stringify(rlimits({ Ulimits: [{ Name: 'core', Soft: -1, Hard: -1 }] }));
  assert.equal(endless, '[{"type":"RLIMIT_CORE","soft":18446744073709551615,"hard":18446744073709551615}]');
  assert.throws(() => rlimits({ Ulimits: [{ Name: 'nofile', Soft: 3, Hard: 2 }] }), { kind: 'invalid' });
  assert.throws(() => rlimits({ Ulimits: [{ Name: 'fun', Soft: 1, Hard: 2 }] }), {
    message: 'invalid ulimit type: fun',
  });
});

test('an exec has the capabilities of its container, all when privileged', () => {
  const { record, user } = input({}, { CapDrop: ['ALL'] });
  const exec = (privileged: boolean): { capabilities: { bounding: string[] } } =>
    execProcess(facts, {
      record,
      user,
      args: ['x'],
      env: [],
      workingDir: '/',
      terminal: false,
      privileged,
      consoleSize: undefined,
    }) as never;
  assert.deepEqual(exec(false).capabilities.bounding, []);
  assert.deepEqual(exec(true).capabilities.bounding, facts.capabilities);
});

test('a user namespace is joined by its path, with its map, and pings are for its own groups', () => {
  const mapping = {
    uids: [{ inside: 0, outside: 100_000, size: 65_536 }],
    gids: [
      { inside: 0, outside: 200_000, size: 1000 },
      { inside: 1000, outside: 300_000, size: 10 },
    ],
  };
  const made = spec(input({}, {}, { userNamespace: { path: '/proc/1/fd/8', mapping } }));
  assert.deepEqual(made.linux.namespaces.at(-1), { type: 'user', path: '/proc/1/fd/8' });
  const { uidMappings, gidMappings, sysctl } = made.linux as unknown as Record<string, unknown>;
  assert.deepEqual(uidMappings, [{ containerID: 0, hostID: 100_000, size: 65_536 }]);
  assert.deepEqual(gidMappings, [
    { containerID: 0, hostID: 200_000, size: 1000 },
    { containerID: 1000, hostID: 300_000, size: 10 },
  ]);
  assert.equal((sysctl as Record<string, string>)['net.ipv4.ping_group_range'], '0 1009');
  assert.equal(Object.hasOwn(spec(input()).linux, 'uidMappings'), false);
});
