import type { UnixDatagram } from '../../core/ports/unix-datagram.ts';
import { invalid } from '../../core/errors.ts';
import { checked, closeQuietly, errnoName, kernelError } from '../ffi/kernel-error.ts';
import { libc, readErrno } from '../ffi/libc.ts';

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC_NONBLOCK = 2 | 0o2000000 | 0o4000;
const MSG_NOSIGNAL = 0x4000;
/** sun_path with its final zero. */
const longestPath = 107;

function address(path: string): Buffer {
  const bytes = Buffer.from(path);
  if (bytes.length === 0 || bytes.length > longestPath || bytes.includes(0)) {
    throw invalid(`not a path of a unix socket: ${path}`);
  }
  const head = Buffer.alloc(2);
  head.writeUInt16LE(AF_UNIX, 0);
  return Buffer.concat([head, bytes, Buffer.alloc(1)]);
}

/** A unix datagram socket that is connected to the one at `path`. Never blocks. */
export function openUnixDatagram(path: string): UnixDatagram {
  const to = address(path);
  const fd = checked(libc.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC_NONBLOCK, 0), 'socket');
  try {
    checked(libc.connect(fd, to, to.length), 'connect', path);
  } catch (error) {
    closeQuietly(fd);
    throw error;
  }
  let isOpen = true;
  return {
    send: (message) => {
      if (!isOpen) throw invalid(`the socket to ${path} is closed`);
      if (libc.send(fd, message, message.length, MSG_NOSIGNAL) >= 0) return true;
      const errno = readErrno();
      if (['EAGAIN', 'ENOBUFS', 'EINTR'].includes(errnoName(errno))) return false;
      throw kernelError('send', errno, path);
    },
    close: () => {
      if (isOpen) closeQuietly(fd);
      isOpen = false;
    },
  };
}
