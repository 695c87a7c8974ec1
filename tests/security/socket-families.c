/* Tries to make sockets of families that containers must not have; prints one letter each: y made, n refused.
   AF_ALG and AF_VSOCK by the native call, then by the 32-bit call table of x86 (socketcall), which takes its arguments from memory. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ALG = 38, VSOCK = 40 };

static char native(int family) {
  int fd = socket(family, family == ALG ? SOCK_SEQPACKET : SOCK_STREAM, 0);
  return fd < 0 && errno != EAFNOSUPPORT ? 'n' : 'y';
}

#if defined(__x86_64__)
/* An address below 4 GB, which a 32-bit call can name. */
static char by_socketcall(int family) {
  uint32_t *args = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  if (args == MAP_FAILED) return '?';
  args[0] = (uint32_t)family;
  args[1] = family == ALG ? SOCK_SEQPACKET : SOCK_STREAM;
  args[2] = 0;
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(102), "b"(1), "c"((uint32_t)(uintptr_t)args) : "memory", "r8", "r9", "r10", "r11");
  return (int)result < 0 && (int)result != -EAFNOSUPPORT ? 'n' : 'y';
}
#endif

int main(void) {
  char out[8] = {native(AF_INET), native(ALG), native(VSOCK), '-', '-', '\n', 0};
#if defined(__x86_64__)
  out[3] = by_socketcall(ALG);
  out[4] = by_socketcall(VSOCK);
#endif
  fputs(out, stdout);
  return 0;
}
