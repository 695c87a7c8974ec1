/** Paths in containers that mean something to the engine, or are its own. */

/** Not to be read in a container: they tell of, or reach into, the host. */
export const maskedPaths: readonly string[] = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];

export const readonlyPaths: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
];

/** Where the init program appears in a container that asked for one. */
export const initDestination = '/sbin/docker-init';

/** An empty file that programs know Docker's containers by. */
export const engineFile = '/.dockerenv';

/** A link that Docker makes where the image has none. */
export const mtab = { directory: '/etc', name: 'mtab', target: '/proc/mounts' } as const;
