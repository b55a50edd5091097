#pragma once

#include <stddef.h>

// OpenBLAS, which is loaded when it is first asked for: most of what the commands do multiplies no matrices,
// and loading it takes as long as all else that happens before the first line of a program. Where it is
// linked into the program, as in releases, that one is used.
//
// It keeps to the calling thread. Matrices are row-major, a `stride` is the distance between two rows, in
// elements. All functions but the first two end the process with a sentence if there is no OpenBLAS.

/// Whether OpenBLAS is there, loading it if need be.
int tfkit_has_blas(void);

/// Ends the threads that an OpenBLAS has started that is linked into the program; one that is loaded later is
/// left none.
void tfkit_end_blas_threads(void);

/// C = A·B, or A·Bᵀ, in single precision, or C += that.
///
/// @param a `[rows, inner]`
/// @param b `[inner, columns]`, transposed `[columns, inner]`
/// @param c `[rows, columns]`
void tfkit_blas_multiply_single(int transposes_b, int rows, int columns, int inner, const float *a,
                                int a_stride, const float *b, int b_stride, int accumulates, float *c,
                                int c_stride);

/// The same in double precision.
void tfkit_blas_multiply_double(int transposes_b, int rows, int columns, int inner, const double *a,
                                int a_stride, const double *b, int b_stride, int accumulates,
                                double *c, int c_stride);

/// C += A·Aᵀ, or Aᵀ·A, of which the upper triangle is computed.
///
/// @param a `[order, inner]`, transposed `[inner, order]`
/// @param c `[order, order]`
void tfkit_blas_gram(int transposes_a, int order, int inner, const double *a, int a_stride,
                     double *c);

/// LAPACK's dsyevd: the eigenvalues of a symmetric matrix, in ascending order, of which the lower triangle is
/// read, counted in columns.
///
/// @param sizes how many elements `work` and `whole` have; -1 for both asks for how many they should have,
/// which is then the first element of each.
/// @return 0, or LAPACK's `info`.
int tfkit_blas_eigenvalues(int order, double *matrix, double *values, double *work, int work_size,
                           int *whole, int whole_size);

/// What OpenBLAS says of itself: `OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH …`.
const char *tfkit_blas_config(void);

/// The kernels that it has chosen: `Haswell`.
const char *tfkit_blas_core(void);

/// The kernels of OpenBLAS that this processor can run, at least: a name that OPENBLAS_CORETYPE takes,
/// or NULL where OpenBLAS has no choice of the kind.
const char *tfkit_blas_core_of_processor(void);
