#include "CVector.h"

#include "vectors.h"

typedef double doubles __attribute__((ext_vector_type(LANES)));

/// A function that combines rows: four groups at a time, as each step waits for the one before it.
#define COMBINE(name, scalar, group)                                                                  \
  EACH_PROCESSOR void name(const scalar *factors, size_t n, const scalar *rows, size_t stride,        \
                           scalar *y, size_t count) {                                                 \
    size_t i = 0;                                                                                     \
    for (; i + 4 * LANES <= count; i += 4 * LANES) {                                                  \
      group sums[4] = {0, 0, 0, 0}, row;                                                              \
      for (size_t k = 0; k < n; k++)                                                                  \
        for (size_t part = 0; part < 4; part++) {                                                     \
          memcpy(&row, rows + k * stride + i + part * LANES, sizeof row);                             \
          sums[part] = __builtin_elementwise_fma((group)factors[k], row, sums[part]);                 \
        }                                                                                             \
      memcpy(y + i, sums, sizeof sums);                                                               \
    }                                                                                                 \
    for (; i < count; i += LANES) {                                                                   \
      const size_t here = count - i < LANES ? count - i : LANES;                                      \
      group sum = 0, row = 0;                                                                         \
      for (size_t k = 0; k < n; k++) {                                                                \
        memcpy(&row, rows + k * stride + i, here * sizeof(scalar));                                   \
        sum = __builtin_elementwise_fma((group)factors[k], row, sum);                                 \
      }                                                                                               \
      memcpy(y + i, &sum, here * sizeof(scalar));                                                     \
    }                                                                                                 \
  }

COMBINE(tfkit_combine, float, numbers)
COMBINE(tfkit_combine_doubles, double, doubles)
