/** Errors of system calls: made in any thread, carried across a worker's message, thrown as SlipwayErrors. */

import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import { SlipwayError } from '../../core/errors.ts';
import { libc, readErrno } from './libc.ts';

/** The cause of every error that the kernel gave: `code` is ENOENT, EBUSY, ... */
export class KernelError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
  /** Position of the refused operation or message in the list that was sent; -1 where there is no list. */
  readonly index: number;

  constructor(fault: KernelFault) {
    super(fault.message);
    this.name = 'KernelError';
    this.code = fault.code;
    this.errno = fault.errno;
    this.syscall = fault.syscall;
    this.index = fault.index;
  }
}

/** The same as plain data: what a worker posts. */
export interface KernelFault {
  readonly message: string;
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
  readonly index: number;
}

export function errnoName(errno: number): string {
  return getSystemErrorMap().get(-errno)?.[0] ?? nameFromConstants(errno) ?? `E${errno}`;
}

function nameFromConstants(errno: number): string | undefined {
  return Object.entries(constants.errno).find(([, value]) => value === errno)?.[0];
}

function errnoText(errno: number): string {
  return getSystemErrorMap().get(-errno)?.[1] ?? errnoName(errno);
}

/** The thrown form of a failed system call. `what` names the object: a path, an interface. */
export function kernelError(syscall: string, errno: number, what = '', index = -1): SlipwayError {
  const code = errnoName(errno);
  const subject = what === '' ? syscall : `${syscall} ${what}`;
  return fromFault({ message: `${subject}: ${errnoText(errno)} (${code})`, code, errno, syscall, index });
}

export function fromFault(fault: KernelFault): SlipwayError {
  return new SlipwayError('internal', fault.message, { cause: new KernelError(fault) });
}

/** Any thrown value as plain data for a message. */
export function toFault(error: unknown): KernelFault {
  const cause = error instanceof SlipwayError ? error.cause : error;
  const message = error instanceof Error ? error.message : String(error);
  if (cause instanceof KernelError) {
    return { message, code: cause.code, errno: cause.errno, syscall: cause.syscall, index: cause.index };
  }
  const { code, errno, syscall } = (cause ?? {}) as NodeJS.ErrnoException;
  return { message, code: code ?? '', errno: Math.abs(errno ?? 0), syscall: syscall ?? '', index: -1 };
}

/** `ENOENT` and the like of a SlipwayError whose cause the kernel gave, or of Node's own errors; '' otherwise. */
export function errorCode(error: unknown): string {
  const cause = error instanceof SlipwayError ? error.cause : error;
  return cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? '') : '';
}

/** Throws when `result` is negative. Call it directly on the call's result: errno does not last. */
export function checked(result: number, syscall: string, what = ''): number {
  if (result >= 0) return result;
  throw kernelError(syscall, readErrno(), what);
}

/** Runs a call on the thread pool; resolves with its result and errno. */
export function offLoop<A extends readonly unknown[]>(
  call: { async(...args: [...A, (error: Error | null, result: number) => void]): void },
  ...args: A
): Promise<{ result: number; errno: number }> {
  return new Promise((resolve, reject) => {
    call.async(...args, (error, result) => {
      const errno = readErrno();
      if (error === null) resolve({ result, errno });
      else reject(error);
    });
  });
}

/** Closes a descriptor; nothing to do for a negative one. Errors are of no use: the number is free either way. */
export function closeQuietly(fd: number): void {
  if (fd >= 0) libc.close(fd);
}
