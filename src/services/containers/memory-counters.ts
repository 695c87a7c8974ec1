/** Which of the kernel's memory counters stats tell, as dockerd chooses them: the same names on every kernel, 0 for what it does not count. */

const ofGroup = [
  'cache',
  'rss',
  'rss_huge',
  'mapped_file',
  'dirty',
  'writeback',
  'pgpgin',
  'pgpgout',
  'pgfault',
  'pgmajfault',
  'inactive_anon',
  'active_anon',
  'inactive_file',
  'active_file',
  'unevictable',
];

const onV1 = [
  ...ofGroup,
  ...ofGroup.map((name) => `total_${name}`),
  'hierarchical_memory_limit',
  'hierarchical_memsw_limit',
];

const onV2 = [
  'anon',
  'file',
  'kernel_stack',
  'slab',
  'sock',
  'shmem',
  'file_mapped',
  'file_dirty',
  'file_writeback',
  'anon_thp',
  'inactive_anon',
  'active_anon',
  'inactive_file',
  'active_file',
  'unevictable',
  'slab_reclaimable',
  'slab_unreclaimable',
  'pgfault',
  'pgmajfault',
  'workingset_refault',
  'workingset_activate',
  'workingset_nodereclaim',
  'pgrefill',
  'pgscan',
  'pgsteal',
  'pgactivate',
  'pgdeactivate',
  'pglazyfree',
  'pglazyfreed',
  'thp_fault_alloc',
  'thp_collapse_alloc',
];

/** From `memory.stat`. Pure. */
export function toldMemoryCounters(
  version: 1 | 2,
  counted: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  return Object.fromEntries((version === 2 ? onV2 : onV1).map((name) => [name, counted[name] ?? 0]));
}
