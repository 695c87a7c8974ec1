/*
 * Asks a name server as fast as it answers: `dns-load SECONDS WINDOW NAME NAMESPACE...`. One UDP socket in each network
 * namespace (a path), towards 127.0.0.11:53, with WINDOW queries under way on each; a query that stays unanswered for
 * 200 ms is asked again. Queries leave as one message that the kernel cuts into datagrams (UDP_SEGMENT): the program
 * shares the processors with what it measures and must cost little. Prints answered queries a second, failed ones, and
 * the seconds of processor time that it took itself.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_SOCKETS = 256, BATCH = 64 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static int encode(unsigned char *out, const char *name) {
  static const unsigned char head[12] = {0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
  memcpy(out, head, sizeof head);
  size_t length = strlen(name);
  out[12] = (unsigned char)length;
  memcpy(out + 13, name, length);
  static const unsigned char tail[5] = {0, 0, 1, 0, 1};
  memcpy(out + 13 + length, tail, sizeof tail);
  return (int)(13 + length + sizeof tail);
}

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

static double own_time(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv) {
  if (argc < 5 || argc - 4 > MAX_SOCKETS) return 64;
  double seconds = atof(argv[1]);
  int window = atoi(argv[2]), count = argc - 4;
  unsigned char query[300];
  int size = encode(query, argv[3]);
  struct pollfd sockets[MAX_SOCKETS];
  double heard[MAX_SOCKETS];
  for (int at = 0; at < count; at++) {
    int ns = open(argv[4 + at], O_RDONLY | O_CLOEXEC);
    if (ns < 0 || setns(ns, CLONE_NEWNET) != 0) return perror(argv[4 + at]), 1;
    close(ns);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(53)};
    inet_pton(AF_INET, "127.0.0.11", &to.sin_addr);
    if (fd < 0 || setsockopt(fd, SOL_UDP, UDP_SEGMENT, &size, sizeof size) != 0) return perror("socket"), 1;
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) return perror("connect"), 1;
    sockets[at] = (struct pollfd){.fd = fd, .events = POLLIN};
    heard[at] = 0;
  }
  static unsigned char answers[BATCH][512], queries[BATCH * 300];
  struct iovec in[BATCH];
  struct mmsghdr receives[BATCH];
  memset(receives, 0, sizeof receives);
  for (int at = 0; at < BATCH; at++) {
    unsigned char *one = queries + at * size;
    memcpy(one, query, (size_t)size);
    one[1] = (unsigned char)at;
    in[at] = (struct iovec){answers[at], sizeof answers[at]};
    receives[at].msg_hdr = (struct msghdr){.msg_iov = &in[at], .msg_iovlen = 1};
  }
  long answered = 0, failed = 0;
  double start = now(), end = start + seconds, time = start;
  while (time < end) {
    poll(sockets, (nfds_t)count, 50);
    time = now();
    for (int at = 0; at < count; at++) {
      int due = 0;
      if (sockets[at].revents & POLLIN) {
        int got = recvmmsg(sockets[at].fd, receives, BATCH, MSG_DONTWAIT, NULL);
        for (int one = 0; one < got; one++)
          if ((answers[one][3] & 15) == 0 && answers[one][7] > 0) answered++;
          else failed++;
        if (got > 0) due = got, heard[at] = time;
      } else if (time - heard[at] > 0.2) {
        due = window;
        heard[at] = time;
      }
      while (due > 0) {
        int together = due < BATCH ? due : BATCH;
        if (send(sockets[at].fd, queries, (size_t)(together * size), 0) < 0) break;
        due -= together;
      }
    }
  }
  printf("%.0f %ld %.3f\n", answered / (time - start), failed, own_time());
  return 0;
}
