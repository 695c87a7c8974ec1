/**
 * The default seccomp policy as data: which system calls a container may make, and under which conditions. It allows what
 * Docker's default allows, without io_uring (as Docker since version 25) and without the AF_ALG and AF_VSOCK socket families.
 */

export interface SyscallArg {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: 'SCMP_CMP_EQ' | 'SCMP_CMP_MASKED_EQ';
}

export interface SyscallRule {
  readonly names: readonly string[];
  readonly action: 'SCMP_ACT_ALLOW' | 'SCMP_ACT_ERRNO';
  readonly errnoRet?: number;
  /** All must hold. */
  readonly args?: readonly SyscallArg[];
  /** Only with one of these capabilities in the bounding set. */
  readonly withCapability?: readonly string[];
  /** Only without this capability. */
  readonly withoutCapability?: string;
  /** Only on these architectures (Go's names); `notOn` are those it is left out on. */
  readonly on?: readonly string[];
  readonly notOn?: readonly string[];
  /** Only from this kernel on, `[major, minor]`. */
  readonly minKernel?: readonly [number, number];
}

const words = (text: string): readonly string[] => text.trim().split(/\s+/);

const allow = (names: string, when: Omit<SyscallRule, 'names' | 'action'> = {}): SyscallRule => ({
  names: words(names),
  action: 'SCMP_ACT_ALLOW',
  ...when,
});

const enosys = 38;

/**
 * The old 32-bit call for all of sockets: a filter cannot look behind its pointer, so it would open every family. It is not enough to
 * leave it out: libseccomp lets it through for each call that is allowed (`socket`, `bind`), whatever their conditions say. ENOSYS makes C
 * libraries use the plain calls, which are there since Linux 4.3. It stands first: a rule for the whole call keeps those out.
 */
const withoutSocketcall: SyscallRule = {
  names: ['socketcall'],
  action: 'SCMP_ACT_ERRNO',
  errnoRet: enosys,
};

const always = `
  accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown chown32 clock_adjtime
  clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep
  clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1
  epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit
  exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2
  fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat
  fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futex futex_requeue futex_time64 futex_wait
  futex_waitv futex_wake futimesat get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid
  getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpeername getpgid getpgrp getpid
  getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32 getrlimit getrusage getsid getsockname
  getsockopt gettid gettimeofday getuid getuid32 getxattr getxattrat inotify_add_watch inotify_init inotify_init1
  inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit ioctl
  ioprio_get ioprio_set ipc kill landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lchown32
  lgetxattr link linkat listen listmount listxattr listxattrat llistxattr _llseek lremovexattr lseek lsetxattr lstat
  lstat64 madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock
  mlock2 mlockall mmap mmap2 mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64
  mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap
  name_to_handle_at nanosleep _newselect newfstatat open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2
  pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64 process_mrelease
  pselect6 pselect6_time64 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recv recvfrom recvmmsg
  recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat rename renameat renameat2 restart_syscall rmdir
  rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
  rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity
  sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64
  sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select semctl semget semop
  semtimedop semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto set_robust_list set_thread_area
  set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setpgid
  setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit setsid
  setsockopt setuid setuid32 setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4
  sigprocmask sigreturn socketpair splice stat stat64 statfs statfs64 statmount statx symlink symlinkat sync
  sync_file_range syncfs sysinfo tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime
  timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime
  timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname unlink unlinkat uretprobe utime utimensat
  utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write writev`;

// The kernel looks at the lower 32 bits of the family alone, so a plain 64-bit "not equal" could be passed by setting a
// higher bit. Ranges under a 32-bit mask cover every family but 38 (AF_ALG) and 40 (AF_VSOCK).
const families: readonly (readonly [mask: number, value: number])[] = [
  [0xffffffe0, 0],
  [0xfffffffc, 32],
  [0xfffffffe, 36],
  [0xffffffff, 39],
  [0xffffffff, 41],
  [0xfffffffe, 42],
  [0xfffffffc, 44],
  [0xfffffff0, 48],
];

const sockets = families.map(([mask, value]) =>
  allow('socket', { args: [{ index: 0, value: mask, valueTwo: value, op: 'SCMP_CMP_MASKED_EQ' }] }),
);

const personalities = [0x0, 0x0008, 0x20000, 0x20008, 0xffffffff].map((value) =>
  allow('personality', { args: [{ index: 0, value, op: 'SCMP_CMP_EQ' }] }),
);

// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
const newNamespaces = 0x7e020000;
const plainClone = (index: number): Partial<SyscallRule> => ({
  args: [{ index, value: newNamespaces, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
  withoutCapability: 'CAP_SYS_ADMIN',
});
const s390 = ['s390', 's390x'];

export const defaultRules: readonly SyscallRule[] = [
  withoutSocketcall,
  allow(always),
  allow('process_vm_readv process_vm_writev ptrace', { minKernel: [4, 8] }),
  ...sockets,
  ...personalities,
  allow('sync_file_range2 swapcontext', { on: ['ppc64le'] }),
  allow('arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2', {
    on: ['arm', 'arm64'],
  }),
  allow('arch_prctl', { on: ['amd64', 'x32'] }),
  allow('modify_ldt', { on: ['amd64', 'x32', '386'] }),
  allow('s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr', { on: s390 }),
  allow('riscv_flush_icache riscv_hwprobe', { on: ['riscv64'] }),
  allow('open_by_handle_at', { withCapability: ['CAP_DAC_READ_SEARCH'] }),
  allow(
    `bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr lsm_list_modules
     lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname
     sethostname setns syslog umount umount2 unshare`,
    { withCapability: ['CAP_SYS_ADMIN'] },
  ),
  allow('clone', { ...plainClone(0), notOn: s390 }),
  // s390 takes the flags as the second argument.
  allow('clone', { ...plainClone(1), on: s390 }),
  // Its flags lie behind a pointer: "no such call" makes the C library fall back to clone.
  { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: enosys, withoutCapability: 'CAP_SYS_ADMIN' },
  allow('reboot', { withCapability: ['CAP_SYS_BOOT'] }),
  allow('chroot', { withCapability: ['CAP_SYS_CHROOT'] }),
  allow('delete_module init_module finit_module', { withCapability: ['CAP_SYS_MODULE'] }),
  allow('acct', { withCapability: ['CAP_SYS_PACCT'] }),
  allow('kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace', {
    withCapability: ['CAP_SYS_PTRACE'],
  }),
  allow('iopl ioperm', { withCapability: ['CAP_SYS_RAWIO'] }),
  allow('settimeofday stime clock_settime clock_settime64', { withCapability: ['CAP_SYS_TIME'] }),
  allow('vhangup', { withCapability: ['CAP_SYS_TTY_CONFIG'] }),
  allow('get_mempolicy mbind set_mempolicy set_mempolicy_home_node', { withCapability: ['CAP_SYS_NICE'] }),
  allow('syslog', { withCapability: ['CAP_SYSLOG'] }),
  allow('bpf', { withCapability: ['CAP_BPF'] }),
  allow('perf_event_open', { withCapability: ['CAP_PERFMON'] }),
];

/** Architectures by Go's name: the native one first, then those whose programs it runs too. */
export const architectures: Readonly<Record<string, readonly string[]>> = {
  amd64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
  s390x: ['SCMP_ARCH_S390X', 'SCMP_ARCH_S390'],
  ppc64le: ['SCMP_ARCH_PPC64LE'],
  riscv64: ['SCMP_ARCH_RISCV64'],
};
