import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HostConfig } from '../../core/model/container-spec.ts';
import { defaultProfile, defaultProfileName, profileOf } from './apparmor.ts';
import { noDefaults, withDefaults } from './defaults.ts';
import { parseSecurityOptions } from './security.ts';
import { parseLabels, processLabel } from './selinux.ts';
import { checkSysctls } from './sysctls.ts';

test('AppArmor: the engine’s profile unless another is named, none for privileged ones, nothing without AppArmor', () => {
  const loaded = { enabled: true, loaded: true };
  assert.equal(profileOf({}, loaded), defaultProfileName);
  assert.equal(profileOf({ SecurityOpt: ['apparmor=mine'] }, loaded), 'mine');
  assert.equal(profileOf({ SecurityOpt: ['apparmor:mine'] }, loaded), 'mine');
  assert.equal(profileOf({ SecurityOpt: ['apparmor=unconfined'] }, loaded), 'unconfined');
  assert.equal(profileOf({ Privileged: true }, loaded), 'unconfined');
  assert.equal(profileOf({ Privileged: true, SecurityOpt: ['apparmor=mine'] }, loaded), 'mine');
  assert.equal(profileOf({}, { enabled: true, loaded: false }), undefined);
  assert.equal(profileOf({ SecurityOpt: ['apparmor=mine'] }, { enabled: false, loaded: false }), undefined);
  assert.match(defaultProfile, /deny mount,/);
});

test('SELinux: labels in parts, refused when they are none', () => {
  assert.equal(processLabel(parseLabels([])), undefined);
  assert.equal(processLabel(parseLabels(['disable'])), undefined);
  assert.equal(processLabel(parseLabels(['type:svirt_t'])), 'system_u:system_r:svirt_t:s0');
  const all = ['user:u', 'role:r', 'type:t', 'level:s0:c1,c2', 'filetype:f'];
  assert.equal(processLabel(parseLabels(all)), 'u:r:t:s0:c1,c2');
  assert.throws(() => parseSecurityOptions(['label=colour:red']), {
    kind: 'invalid',
    message: /bad label option "colour:red"/,
  });
  assert.throws(() => parseLabels(['type']), { kind: 'invalid' });
});

test('booleans of security options', () => {
  assert.equal(parseSecurityOptions(['writable-cgroups=true']).writableCgroups, true);
  assert.equal(parseSecurityOptions(['no-new-privileges:false']).noNewPrivileges, false);
  assert.throws(() => parseSecurityOptions(['writable-cgroups=maybe']), {
    message: /"writable-cgroups=maybe"/,
  });
});

test('sysctls: only what the container’s own namespaces have', () => {
  const check = (name: string, more: HostConfig = {}): void =>
    checkSysctls({ Sysctls: { [name]: '1' }, ...more });
  for (const name of [
    'net.ipv4.ip_forward',
    'net/ipv4/ip_forward',
    'kernel.msgmax',
    'fs.mqueue.msg_max',
    'kernel.domainname',
  ])
    check(name);
  const refused: readonly (readonly [string, HostConfig, RegExp])[] = [
    ['kernel.core_pattern', {}, /is not in a separate kernel namespace/],
    ['vm.overcommit_memory', {}, /is not in a separate kernel namespace/],
    ['net.ipv4.ip_forward', { NetworkMode: 'host' }, /not allowed in host network namespace/],
    ['net/ipv4/ip_forward', { NetworkMode: 'host' }, /not allowed in host network namespace/],
    ['kernel.msgmax', { IpcMode: 'host' }, /is not allowed in the hosts ipc namespace/],
    ['net/../kernel/core_pattern', {}, /invalid sysctl name/],
    ['net.ipv4.x\0', {}, /invalid sysctl name/],
  ];
  for (const [name, more, message] of refused)
    assert.throws(() => check(name, more), { kind: 'invalid', message });
});

test('the daemon’s defaults hold where the container says nothing', () => {
  const defaults = {
    ulimits: [
      { Name: 'nofile', Soft: 5, Hard: 6 },
      { Name: 'core', Soft: 0, Hard: 0 },
    ],
    noNewPrivileges: true,
    seccompProfile: 'unconfined',
  };
  assert.deepEqual(withDefaults({}, defaults), {
    Ulimits: defaults.ulimits,
    SecurityOpt: ['no-new-privileges', 'seccomp=unconfined'],
  });
  const own = {
    Ulimits: [{ Name: 'nofile', Soft: 1, Hard: 1 }],
    SecurityOpt: ['no-new-privileges=false', 'seccomp=builtin'],
  };
  assert.deepEqual(withDefaults(own, defaults), {
    Ulimits: [
      { Name: 'nofile', Soft: 1, Hard: 1 },
      { Name: 'core', Soft: 0, Hard: 0 },
    ],
    SecurityOpt: own.SecurityOpt,
  });
  const host = {};
  assert.equal(withDefaults(host, noDefaults), host);
});
