/** Boots the test machine under qemu's software emulation (KVM is not asked for) and reads what its suite says. */

import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { VmBase } from './base.ts';

export interface MachineOptions {
  readonly base: VmBase;
  /** A tar archive that the guest sees as its second disk and unpacks to /payload. */
  readonly payload: string;
  /** Where the kernel's and systemd's console goes. */
  readonly consoleLog: string;
  readonly timeoutMs: number;
  /** More of the kernel's command line. */
  readonly append?: string;
  /** Each line of the guest's second serial port. */
  readonly onLine: (line: string) => void;
}

export interface MachineEnd {
  readonly code: number | null;
  readonly timedOut: boolean;
  readonly errors: string;
}

const kernelArguments =
  'console=ttyS0 root=/dev/vda rw mitigations=off loglevel=4 systemd.show_status=1 systemd.unified_cgroup_hierarchy=1 net.ifnames=0';

function qemuArguments(options: MachineOptions): string[] {
  const { base } = options;
  const command = options.append === undefined ? kernelArguments : `${kernelArguments} ${options.append}`;
  const groups = [
    ['-machine', 'q35,graphics=off', '-accel', 'tcg,thread=multi,tb-size=1024', '-cpu', 'max'],
    ['-smp', '2', '-m', '3072', '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ['-kernel', base.kernel, '-initrd', base.initrd, '-append', command],
    ['-drive', `file=${base.disk},format=raw,if=virtio,snapshot=on,cache=unsafe`],
    ['-drive', `file=${options.payload},format=raw,if=virtio,readonly=on`],
    ['-netdev', 'user,id=net0,restrict=on', '-device', 'virtio-net-pci,netdev=net0'],
    ['-device', 'virtio-rng-pci'],
    ['-chardev', 'stdio,id=results,signal=off', '-serial', `file:${options.consoleLog}`],
    ['-serial', 'chardev:results'],
  ];
  return groups.flat();
}

export async function runMachine(options: MachineOptions): Promise<MachineEnd> {
  closeSync(openSync(options.consoleLog, 'w'));
  const child = spawn('qemu-system-x86_64', qemuArguments(options), { stdio: ['ignore', 'pipe', 'pipe'] });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  createInterface({ input: child.stdout }).on('line', (line) => options.onLine(line.replace(/\r$/, '')));
  return await new Promise((resolve, reject) => {
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, options.timeoutMs);
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code, timedOut, errors });
    });
  });
}
