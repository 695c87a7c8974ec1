/**
 * What Node's file functions lack: device nodes and extended attributes. Synchronous, never follows a symbolic link
 * in the last component; meant for worker threads. Errors carry `code` as Node's own do.
 */
export interface FileAttributes {
  /** `mode` with the type bits (S_IFCHR, S_IFBLK, S_IFIFO). */
  mknod(path: Buffer, mode: number, major: number, minor: number): void;
  setXattr(path: Buffer, name: string, value: Buffer): void;
  /** Undefined when the file has no such attribute, or the filesystem none at all. */
  getXattr(path: Buffer, name: string): Buffer | undefined;
  listXattrs(path: Buffer): readonly string[];
}
