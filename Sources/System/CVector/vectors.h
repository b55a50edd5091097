#pragma once
#include <stdint.h>
#include <string.h>

// What the loops have in common: sixteen numbers at a time, whatever the processor has registers for.

// No multiplying and adding in one step, which not every processor can: the same bits on all of them.
#pragma STDC FP_CONTRACT OFF

#define LANES 16
typedef float numbers __attribute__((ext_vector_type(LANES)));
typedef uint32_t patterns __attribute__((ext_vector_type(LANES)));

// One copy of a function for each instruction set. Only Linux takes its pick when a program is loaded, and
// not with ThreadSanitizer, which is not ready by then.
#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__x86_64__) && defined(__linux__) && !__has_feature(thread_sanitizer)
#define EACH_PROCESSOR __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define EACH_PROCESSOR
#endif
// A part of every copy of what calls it.
#define PART static inline __attribute__((always_inline))

/// The first `count` numbers at `from`, and `filler` in the other lanes.
PART void load(numbers *x, const float *from, size_t count, float filler) {
  *x = filler;
  memcpy(x, from, count * sizeof *from);
}

PART void store(float *to, const numbers *x, size_t count) { memcpy(to, x, count * sizeof *to); }

/// The sum of all lanes: halves are added to halves.
PART float sum(const numbers *x) {
  float lanes[LANES];
  memcpy(lanes, x, sizeof lanes);
  for (int half = LANES / 2; half > 0; half /= 2)
    for (int lane = 0; lane < half; lane++) lanes[lane] += lanes[lane + half];
  return lanes[0];
}

/// Goes through `count` numbers at `x`, `LANES` at a time and then the rest: `body` sees how many there
/// are as `here`.
#define FOR_EACH_GROUP(index, here, count, body)                                \
  do {                                                                          \
    size_t index = 0;                                                           \
    for (const size_t here = LANES; index + LANES <= (count); index += LANES) { \
      body                                                                      \
    }                                                                           \
    if (index < (count)) {                                                      \
      const size_t here = (count) - index;                                      \
      body                                                                      \
    }                                                                           \
  } while (0)
