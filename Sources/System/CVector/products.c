#include "CVector.h"

#include "vectors.h"

/// How many vectors share a reading of the matrix.
#define TOGETHER 4

/// The products of one row with `count` vectors: a constant where it is called, so that each sum has a
/// register.
PART void multiply_row(const float *row, size_t inner, const float *x, size_t count, size_t x_stride,
                       float *results) {
  // Two sums each, since adding to one waits for what was added before.
  numbers sums[TOGETHER][2], weight, other;
  for (size_t v = 0; v < count; v++) sums[v][0] = sums[v][1] = 0.0f;
  size_t i = 0;
  for (; i + 2 * LANES <= inner; i += 2 * LANES)
    for (size_t part = 0; part < 2; part++) {
      load(&weight, row + i + part * LANES, LANES, 0);
      for (size_t v = 0; v < count; v++) {
        load(&other, x + v * x_stride + i + part * LANES, LANES, 0);
        sums[v][part] += weight * other;
      }
    }
  for (; i < inner; i += LANES) {
    const size_t here = inner - i < LANES ? inner - i : LANES;
    load(&weight, row + i, here, 0);
    for (size_t v = 0; v < count; v++) {
      load(&other, x + v * x_stride + i, here, 0);
      sums[v][0] += weight * other;
    }
  }
  for (size_t v = 0; v < count; v++) {
    sums[v][0] += sums[v][1];
    results[v] = sum(&sums[v][0]);
  }
}

EACH_PROCESSOR void tfkit_multiply(const float *weight, size_t rows, size_t weight_stride,
                                   size_t inner, const float *x, size_t vectors, size_t x_stride,
                                   float *y, size_t y_stride, int accumulates) {
  for (size_t first = 0; first < vectors; first += TOGETHER) {
    const size_t count = vectors - first < TOGETHER ? vectors - first : TOGETHER;
    const float *some = x + first * x_stride;
    for (size_t r = 0; r < rows; r++) {
      const float *row = weight + r * weight_stride;
      float results[TOGETHER];
      switch (count) {
        case 1: multiply_row(row, inner, some, 1, x_stride, results); break;
        case 2: multiply_row(row, inner, some, 2, x_stride, results); break;
        case 3: multiply_row(row, inner, some, 3, x_stride, results); break;
        default: multiply_row(row, inner, some, TOGETHER, x_stride, results);
      }
      for (size_t v = 0; v < count; v++) {
        float *place = y + (first + v) * y_stride + r;
        *place = accumulates ? *place + results[v] : results[v];
      }
    }
  }
}
