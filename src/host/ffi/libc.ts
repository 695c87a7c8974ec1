/**
 * Every libc function that the engine calls, declared once. This is the only file that loads koffi, so that a bundle
 * needs to find it in one place. Buffers are handed over as plain pointers: whoever calls checks their length first,
 * because a pointer to too few bytes lets the kernel write over the daemon's memory.
 */

import koffi from 'koffi';

const lib = koffi.load('libc.so.6');

/** struct sock_fprog. */
const filterProgram = koffi.struct('sock_fprog', { length: 'uint16_t', filter: 'void *' });
const setFilter: (
  fd: number,
  level: number,
  name: number,
  program: { readonly length: number; readonly filter: Uint8Array },
  size: number,
) => number = lib.func(
  'int setsockopt(int fd, int level, int name, const sock_fprog *program, unsigned int size)',
);

type Pointer = Uint8Array | null;
type Call<A extends readonly unknown[]> = ((...args: A) => number) & {
  async(...args: [...A, (error: Error | null, result: number) => void]): void;
};

function declare<A extends readonly unknown[]>(signature: string): Call<A> {
  return lib.func(signature);
}

/** `errno` of this thread; valid only right after the call that failed. */
export const readErrno = (): number => koffi.errno();

/** Where a buffer's bytes lie, for structures that hold pointers; the buffer must outlive every use of it. */
export const addressOf = (buffer: Uint8Array): bigint => koffi.address(buffer);

export const libc = {
  close: declare<[number]>('int close(int fd)'),
  open: declare<[string, number, number]>('int open(const char *path, int flags, unsigned int mode)'),
  fcntl: declare<[number, number, number]>('int fcntl(int fd, int command, long argument)'),
  ioctl: declare<[number, number, Pointer]>('int ioctl(int fd, unsigned long request, void *value)'),
  chdir: declare<[string]>('int chdir(const char *path)'),
  syncfs: declare<[number]>('int syncfs(int fd)'),
  mallocTrim: declare<[number]>('int malloc_trim(size_t pad)'),
  madvise: declare<[number, number, number]>('int madvise(size_t address, size_t length, int advice)'),

  mount: declare<[string, string, string, number, string | null]>(
    'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
  ),
  umount2: declare<[string, number]>('int umount2(const char *target, int flags)'),

  unshare: declare<[number]>('int unshare(int flags)'),
  setns: declare<[number, number]>('int setns(int fd, int type)'),
  ifNameToIndex: declare<[string]>('unsigned int if_nametoindex(const char *name)'),

  socket: declare<[number, number, number]>('int socket(int domain, int type, int protocol)'),
  socketpair: declare<[number, number, number, Pointer]>(
    'int socketpair(int domain, int type, int protocol, void *pair)',
  ),
  bind: declare<[number, Pointer, number]>('int bind(int fd, const void *address, unsigned int length)'),
  connect: declare<[number, Pointer, number]>(
    'int connect(int fd, const void *address, unsigned int length)',
  ),
  listen: declare<[number, number]>('int listen(int fd, int backlog)'),
  getsockname: declare<[number, Pointer, Pointer]>('int getsockname(int fd, void *address, void *length)'),
  setsockopt: declare<[number, number, number, Pointer, number]>(
    'int setsockopt(int fd, int level, int name, const void *value, unsigned int length)',
  ),
  /** As `setsockopt` for SO_ATTACH_FILTER: `length` instructions of eight bytes each. */
  attachFilter: (fd: number, length: number, filter: Uint8Array): number =>
    setFilter(fd, 1, 26, { length, filter }, koffi.sizeof(filterProgram)),
  send: declare<[number, Pointer, number, number]>(
    'long send(int fd, const void *data, size_t length, int flags)',
  ),
  /** `messages` holds `count` struct mmsghdr whose pointers come from `addressOf`. */
  recvmmsg: declare<[number, Pointer, number, number, null]>(
    'int recvmmsg(int fd, void *messages, unsigned int count, int flags, void *timeout)',
  ),
  sendmmsg: declare<[number, Pointer, number, number]>(
    'int sendmmsg(int fd, void *messages, unsigned int count, int flags)',
  ),
  recv: declare<[number, Pointer, number, number]>('long recv(int fd, void *data, size_t length, int flags)'),

  waitid: declare<[number, number, Pointer, number]>(
    'int waitid(int type, unsigned int id, void *info, int options)',
  ),
  getrlimit: declare<[number, Pointer]>('int getrlimit(int resource, void *limit)'),
  setrlimit: declare<[number, Pointer]>('int setrlimit(int resource, const void *limit)'),
  prlimit: declare<[number, number, Pointer, Pointer]>(
    'int prlimit(int pid, int resource, const void *next, void *previous)',
  ),
  sigfillset: declare<[Pointer]>('int sigfillset(void *set)'),
  sigemptyset: declare<[Pointer]>('int sigemptyset(void *set)'),

  posixSpawn: declare<
    [Pointer, string, Pointer, Pointer, readonly (string | null)[], readonly (string | null)[]]
  >(
    'int posix_spawn(void *pid, const char *path, const void *actions, const void *attributes, const char **args, const char **env)',
  ),
  actionsInit: declare<[Pointer]>('int posix_spawn_file_actions_init(void *actions)'),
  actionsDestroy: declare<[Pointer]>('int posix_spawn_file_actions_destroy(void *actions)'),
  actionsDup2: declare<[Pointer, number, number]>(
    'int posix_spawn_file_actions_adddup2(void *actions, int fd, int target)',
  ),
  actionsOpen: declare<[Pointer, number, string, number, number]>(
    'int posix_spawn_file_actions_addopen(void *actions, int fd, const char *path, int flags, unsigned int mode)',
  ),
  actionsClose: declare<[Pointer, number]>('int posix_spawn_file_actions_addclose(void *actions, int fd)'),
  actionsCloseFrom: declare<[Pointer, number]>(
    'int posix_spawn_file_actions_addclosefrom_np(void *actions, int from)',
  ),
  actionsChdir: declare<[Pointer, string]>(
    'int posix_spawn_file_actions_addchdir_np(void *actions, const char *path)',
  ),
  attributesInit: declare<[Pointer]>('int posix_spawnattr_init(void *attributes)'),
  attributesFlags: declare<[Pointer, number]>('int posix_spawnattr_setflags(void *attributes, short flags)'),
  attributesDefaults: declare<[Pointer, Pointer]>(
    'int posix_spawnattr_setsigdefault(void *attributes, const void *set)',
  ),
  attributesMask: declare<[Pointer, Pointer]>(
    'int posix_spawnattr_setsigmask(void *attributes, const void *set)',
  ),
} as const;

const syscallWithNumbers = declare<[number, number, number, number, number]>(
  'long syscall(long number, long a, long b, long c, long d)',
);
const syscallOpenat2 = declare<[number, number, string, Pointer, number]>(
  'long syscall(long number, long directory, const char *path, void *how, size_t size)',
);

const syscallQuota = declare<[number, number, number, number, Pointer]>(
  'long syscall(long number, long fd, unsigned long command, unsigned long id, void *value)',
);
const syscallOpenTree = declare<[number, number, string, number]>(
  'long syscall(long number, long directory, const char *path, long flags)',
);
const syscallMountSetattr = declare<[number, number, string, number, Pointer, number]>(
  'long syscall(long number, long directory, const char *path, long flags, void *attributes, size_t size)',
);
const syscallMoveMount = declare<[number, number, string, number, string, number]>(
  'long syscall(long number, long from, const char *fromPath, long to, const char *toPath, long flags)',
);
const [OPEN_TREE_CLONE, O_CLOEXEC, AT_EMPTY_PATH, AT_FDCWD, MOVE_MOUNT_F_EMPTY_PATH] = [
  1, 0o2000000, 0x1000, -100, 4,
];

/** System calls for which the C library of Debian 12 has no function; the numbers are the same on x86-64 and arm64. */
export const syscalls = {
  pidfdOpen: (pid: number): number => syscallWithNumbers(434, pid, 0, 0, 0),
  pidfdSendSignal: (pidfd: number, signal: number): number => syscallWithNumbers(424, pidfd, signal, 0, 0),
  pidfdGetfd: (pidfd: number, fd: number): number => syscallWithNumbers(438, pidfd, fd, 0, 0),
  /** `quotactl` on the filesystem that `fd` is on; `value` has the size that the command wants. */
  quotactlFd: (fd: number, command: number, id: number, value: Uint8Array): number =>
    syscallQuota(443, fd, command, id, value),
  /** A detached copy of the mount at `path`, from there down. */
  openTree: (path: string): number => syscallOpenTree(428, AT_FDCWD, path, OPEN_TREE_CLONE | O_CLOEXEC),
  /** `attributes` is struct mount_attr: four 64-bit words, set, clear, propagation, user namespace. */
  mountSetattr: (tree: number, attributes: Uint8Array): number =>
    syscallMountSetattr(442, tree, '', AT_EMPTY_PATH, attributes, attributes.length),
  moveMount: (tree: number, target: string): number =>
    syscallMoveMount(429, tree, '', AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH),
  /** `how` is struct open_how: three 64-bit words, flags, mode, resolve. */
  openat2(
    directory: number,
    path: string,
    how: Uint8Array,
    done: (result: number, errno: number) => void,
  ): void {
    syscallOpenat2.async(437, directory, path, how, how.length, (error, result) =>
      done(error === null ? result : -1, readErrno()),
    );
  },
} as const;
