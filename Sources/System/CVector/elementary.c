#include "CVector.h"

#include <math.h>

#include "vectors.h"

/// Replaces results by ±1 where x is beyond ±`bound`, and by x where it is no number.
PART void saturate(numbers *y, const numbers *x, float bound) {
  *y = *x > bound ? (numbers)1.0f : *y;
  *y = *x < -bound ? (numbers)-1.0f : *y;
  *y = *x != *x ? *x : *y;
}

/// e^x = 2^n·e^r with x = n·ln 2 + r, and a polynomial of degree 7 for e^r. Moshier: Cephes, expf.
PART void exponential(numbers *y) {
  const numbers x = *y;
  // Adding 1.5·2^23 rounds to an integer, which then stands in the lowest bits.
  const numbers magic = 12582912.0f;
  const numbers shifted = x * 1.44269504f + magic;
  const numbers n = shifted - magic;
  const numbers r = x - n * 0.693359375f - n * -2.12194440e-4f;
  numbers p = r * 1.98756915e-4f + 1.39819995e-3f;
  p = p * r + 8.33345191e-3f;
  p = p * r + 4.16657959e-2f;
  p = p * r + 1.66666655e-1f;
  p = p * r + 5.00000012e-1f;
  const numbers fraction = p * (r * r) + r + 1.0f;
  patterns exponent, bits;
  memcpy(&exponent, &shifted, sizeof exponent);
  memcpy(&bits, &fraction, sizeof bits);
  bits += exponent << 23;
  memcpy(y, &bits, sizeof bits);
  *y = x < -87.3f ? (numbers)0.0f : *y;
  *y = x > 88.3f ? (numbers)INFINITY : *y;
  *y = x != x ? x : *y;
}

/// By a rational function of degree 13 and 6 between ±7.9, beyond which it is ±1. The coefficients are
/// Eigen's (generic_fast_tanh_float).
PART void hyperbolic_tangent(numbers *y) {
  const numbers x = *y;
  const numbers s = x * x;
  numbers p = s * -2.76076847e-16f + 2.00018790e-13f;
  p = p * s + -8.60467152e-11f;
  p = p * s + 5.12229709e-8f;
  p = p * s + 1.48572236e-5f;
  p = p * s + 6.37261929e-4f;
  p = p * s + 4.89352456e-3f;
  numbers q = s * 1.19825839e-6f + 1.18534706e-4f;
  q = q * s + 2.26843463e-3f;
  q = q * s + 4.89352519e-3f;
  *y = x * p / q;
  saturate(y, &x, 7.9053111f);
}

/// By a rational function of degree 13 and 8 between ±4, beyond which it is ±1. The coefficients are
/// Eigen's (generic_fast_erf_float).
PART void error_function(numbers *y) {
  const numbers x = *y;
  const numbers s = x * x;
  numbers p = s * -2.72614226e-10f + 2.77068142e-8f;
  p = p * s + -2.10102403e-6f;
  p = p * s + -5.69250640e-5f;
  p = p * s + -7.34990630e-4f;
  p = p * s + -2.95459980e-3f;
  p = p * s + -1.60960333e-2f;
  numbers q = s * -1.45660718e-5f + -2.13374056e-4f;
  q = q * s + -1.68282698e-3f;
  q = q * s + -7.37332917e-3f;
  q = q * s + -1.42647391e-2f;
  *y = x * p / q;
  saturate(y, &x, 4.0f);
}

EACH_PROCESSOR float tfkit_exp(float *x, size_t count, float shift) {
  numbers sums = 0.0f, y;
  FOR_EACH_GROUP(i, here, count, {
    // e^−∞ adds nothing.
    load(&y, x + i, here, -INFINITY);
    y -= shift;
    exponential(&y);
    store(x + i, &y, here);
    sums += y;
  });
  return sum(&sums);
}

EACH_PROCESSOR void tfkit_tanh(float *x, size_t count) {
  numbers y;
  FOR_EACH_GROUP(i, here, count, {
    load(&y, x + i, here, 0);
    hyperbolic_tangent(&y);
    store(x + i, &y, here);
  });
}

EACH_PROCESSOR void tfkit_erf(float *x, size_t count) {
  numbers y;
  FOR_EACH_GROUP(i, here, count, {
    load(&y, x + i, here, 0);
    error_function(&y);
    store(x + i, &y, here);
  });
}

EACH_PROCESSOR float tfkit_score(float *x, size_t count, float scale, const float *bias,
                                 const float *hidden, float masked) {
  numbers largest = -INFINITY, y, other;
  FOR_EACH_GROUP(i, here, count, {
    load(&y, x + i, here, 0);
    y *= scale;
    if (bias) {
      load(&other, bias + i, here, 0);
      y += other;
    }
    if (hidden) {
      load(&other, hidden + i, here, 0);
      y = other > 0.0f ? (numbers)masked : y;
    }
    store(x + i, &y, here);
    // What the last group has too much of is not looked at.
    load(&y, x + i, here, -INFINITY);
    largest = y > largest ? y : largest;
  });
  float lanes[LANES], result = -INFINITY;
  memcpy(lanes, &largest, sizeof lanes);
  for (int lane = 0; lane < LANES; lane++) result = lanes[lane] > result ? lanes[lane] : result;
  return result;
}
