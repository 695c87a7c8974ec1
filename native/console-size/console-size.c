/*
 * Loaded into crun while it execs a process with a terminal (LD_PRELOAD, by the shim). crun makes the terminal in the child and sets
 * its size from the parent, while the child already goes on to the program: one that asks for the size first thing found 0 x 0. Here
 * the child sets it itself, right when it takes the terminal as its own; before the seccomp filter and the change of the user.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#define SIZE_VARIABLE "SLIPWAY_CONSOLE_SIZE" /* rows and columns, with a blank between */

static long system_ioctl(int fd, unsigned long request, void *argument) {
  long result;
#if defined(__x86_64__)
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(SYS_ioctl), "D"(fd), "S"(request), "d"(argument)
                   : "rcx", "r11", "memory");
#elif defined(__aarch64__)
  register long x8 __asm__("x8") = SYS_ioctl, x0 __asm__("x0") = fd;
  register unsigned long x1 __asm__("x1") = request;
  register void *x2 __asm__("x2") = argument;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
  result = x0;
#else
#error "the system call of this architecture is missing"
#endif
  return result;
}

int ioctl(int fd, unsigned long request, ...) {
  va_list arguments;
  va_start(arguments, request);
  void *argument = va_arg(arguments, void *);
  va_end(arguments);
  long result = system_ioctl(fd, request, argument);
  if (result < 0) {
    errno = (int)-result;
    return -1;
  }
  const char *text = request == TIOCSCTTY ? getenv(SIZE_VARIABLE) : NULL;
  if (text) {
    char *rest;
    struct winsize size = {0};
    size.ws_row = (unsigned short)strtoul(text, &rest, 10);
    size.ws_col = (unsigned short)strtoul(rest, NULL, 10);
    system_ioctl(fd, TIOCSWINSZ, &size);
  }
  return (int)result;
}
