#pragma once
#include <stddef.h>

// Loops over numbers in single precision, compiled for several instruction sets, of which the processor's
// is taken at run time: Swift compiles for one.
//
// They work in sixteen lanes whatever the processor has, so sums are added up in one order, and results have
// the same bits everywhere.

/// Replaces every number x by e^(x − shift), to a few units of the last place; below e^−87.3, where results
/// are subnormal, by 0.
///
/// @return the sum of the results.
float tfkit_exp(float *x, size_t count, float shift);

/// Replaces every number by its hyperbolic tangent, to a few units of the last place.
void tfkit_tanh(float *x, size_t count);

/// Replaces every number by its error function, to a few units of the last place.
void tfkit_erf(float *x, size_t count);

/// Makes products of queries and keys into scores: replaces every number x by x·scale + bias, or by `masked`
/// where `hidden` is above 0.
///
/// @param bias as many numbers as x, or NULL.
/// @param hidden as many numbers as x, or NULL.
/// @return the largest score, or minus infinity if there is none. NaN is not larger than anything.
float tfkit_score(float *x, size_t count, float scale, const float *bias, const float *hidden,
                  float masked);

/// Products of a matrix with few vectors, for which reading the matrix takes longest:
/// y[v][r] = Σ_i weight[r][i]·x[v][i], added to y[v][r] if `accumulates`.
///
/// @param weight `rows` rows of `inner` numbers, `weight_stride` apart.
/// @param x `vectors` rows of `inner` numbers, `x_stride` apart.
/// @param y `vectors` rows, `y_stride` apart, of which the first `rows` numbers are written.
void tfkit_multiply(const float *weight, size_t rows, size_t weight_stride, size_t inner,
                    const float *x, size_t vectors, size_t x_stride, float *y, size_t y_stride,
                    int accumulates);

/// Sums of rows by a chain of fused steps from zero on: y[i] = fma(factors[n-1], rows[n-1][i], … fma(factors[0],
/// rows[0][i], 0)), each rounded once. A processor without such a step takes long, and finds the same bits.
///
/// @param rows `n` rows of `count` numbers, `stride` apart.
void tfkit_combine(const float *factors, size_t n, const float *rows, size_t stride, float *y, size_t count);
/// The same in double precision.
void tfkit_combine_doubles(const double *factors, size_t n, const double *rows, size_t stride, double *y,
                           size_t count);

/// Tells the processor that the thread waits for another one.
static inline void tfkit_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}
