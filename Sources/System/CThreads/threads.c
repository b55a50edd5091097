#define _GNU_SOURCE
#include "CThreads.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

/// What a thread does.
struct task {
  void (*body)(void *);
  void *context;
#ifdef __linux__
  cpu_set_t allowed;
#endif
};

/// Where the thread with a number starts.
static void place(pthread_attr_t *attributes, const struct task *task, unsigned number) {
#ifdef __linux__
  const int count = CPU_COUNT(&task->allowed);
  int found = sched_getcpu();
  if (found < 0 || count == 0) return;
  for (unsigned left = number % (unsigned)count; left > 0;) {
    found = (found + 1) % CPU_SETSIZE;
    if (CPU_ISSET(found, &task->allowed)) left--;
  }
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(found, &one);
  pthread_attr_setaffinity_np(attributes, sizeof one, &one);
#else
  (void)attributes, (void)task, (void)number;
#endif
}

static void *run(void *context) {
  const struct task *task = context;
#ifdef __linux__
  if (CPU_COUNT(&task->allowed) > 0) sched_setaffinity(0, sizeof task->allowed, &task->allowed);
#endif
  task->body(task->context);
  return NULL;
}

/// Starts the thread with a number.
static int start(pthread_t *thread, struct task *task, unsigned number) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  place(&attributes, task, number);
  int result = pthread_create(thread, &attributes, run, task);
  // The processor may have been taken away since.
  if (result != 0) result = pthread_create(thread, NULL, run, task);
  pthread_attr_destroy(&attributes);
  return result;
}

void tfkit_on_threads(unsigned count, void (*body)(void *), void *context) {
  struct task task = {.body = body, .context = context};
#ifdef __linux__
  // With more processors than a set has room for, the system chooses.
  if (sched_getaffinity(0, sizeof task.allowed, &task.allowed) != 0) CPU_ZERO(&task.allowed);
#endif
  pthread_t *threads = calloc(count, sizeof *threads);
  unsigned started = 0;
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  while (threads && started + 1 < count && start(&threads[started], &task, started + 1) == 0)
    started++;
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  body(context);
  for (unsigned number = 0; number < started; number++) pthread_join(threads[number], NULL);
  free(threads);
}
