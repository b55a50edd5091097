// Preloaded into tfconvert by Tools/faults: what strace cannot do to a system call.
//
// SHIM_SHORT=1                reads and writes do about half of what they are asked for
// SHIM_ZERO=N                 from the Nth write on, nothing is written, and no error said
// SHIM_PART=N                 the Nth write writes half, and all that follow fail: a disk that fills up
// SHIM_LATE=CALL SHIM_AT=N    the Nth call of that name is carried out, and reports EIO all the same
// SHIM_READ=N SHIM_HOW=…      at the Nth read, something happens to SHIM_SOURCE:
//    cut (to SHIM_SIZE bytes), grow, change (every hundredth byte), replace (by SHIM_OTHER), remove
//    slow (from there on, reads take longer)
// SHIM_STOP=N                 at the Nth write, the process stops itself
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int number(const char *name) {
  const char *text = getenv(name);
  return text ? atoi(text) : 0;
}

static int fails_late(const char *call) {
  static atomic_int calls;
  const char *name = getenv("SHIM_LATE");
  return name && !strcmp(name, call) && ++calls == number("SHIM_AT");
}

static void disturb(void) {
  static atomic_int calls;
  int call = ++calls, first = number("SHIM_READ");
  const char *path = getenv("SHIM_SOURCE"), *how = getenv("SHIM_HOW");
  if (!first || call < first) return;
  if (!strcmp(how, "slow")) usleep(400000);
  if (call != first) return;
  if (!strcmp(how, "cut") && truncate(path, number("SHIM_SIZE"))) abort();
  if (!strcmp(how, "replace") && rename(getenv("SHIM_OTHER"), path)) abort();
  if (!strcmp(how, "remove") && unlink(path)) abort();
  if (!strcmp(how, "grow")) {
    int fd = open(path, O_WRONLY | O_APPEND);
    if (fd < 0 || write(fd, "\377\377\377\377", 4) != 4) abort();
    close(fd);
  }
  if (!strcmp(how, "change")) {
    FILE *file = fopen(path, "r+");
    if (!file || fseek(file, 0, SEEK_END)) abort();
    for (long place = ftell(file) - 1; place > 0; place -= 100) {
      if (fseek(file, place, SEEK_SET) || fputc('?', file) == EOF) abort();
    }
    if (fclose(file)) abort();
  }
}

#define REAL(result, name, ...) \
  static result (*real)(__VA_ARGS__); \
  if (!real) real = dlsym(RTLD_NEXT, #name)

ssize_t pread(int fd, void *bytes, size_t count, off_t offset) {
  REAL(ssize_t, pread, int, void *, size_t, off_t);
  disturb();
  if (number("SHIM_SHORT") && count > 1) count = count / 2;
  return real(fd, bytes, count, offset);
}
ssize_t pread64(int fd, void *bytes, size_t count, off_t offset) {
  return pread(fd, bytes, count, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
  REAL(ssize_t, pwrite, int, const void *, size_t, off_t);
  static atomic_int calls;
  int call = ++calls, zero = number("SHIM_ZERO"), part = number("SHIM_PART");
  if (call == number("SHIM_STOP")) raise(SIGSTOP);
  if (zero && call >= zero) return 0;
  if (part && call > part) return errno = ENOSPC, -1;
  if ((number("SHIM_SHORT") || part == call) && count > 1) count -= count / 2;
  return real(fd, bytes, count, offset);
}
ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t offset) {
  return pwrite(fd, bytes, count, offset);
}

#define LATE(name, parameters, arguments) \
  int name parameters { \
    REAL(int, name, ); \
    int result = ((int (*) parameters)real) arguments; \
    if (fails_late(#name)) return errno = EIO, -1; \
    return result; \
  }
LATE(close, (int fd), (fd))
LATE(fsync, (int fd), (fd))
LATE(rename, (const char *old, const char *new), (old, new))
LATE(renameat2, (int a, const char *old, int b, const char *new, unsigned flags),
     (a, old, b, new, flags))
LATE(mkdir, (const char *path, mode_t mode), (path, mode))
LATE(linkat, (int a, const char *old, int b, const char *new, int flags), (a, old, b, new, flags))
