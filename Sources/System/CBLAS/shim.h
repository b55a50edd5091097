#pragma once
#include <cblas.h>
#include <stddef.h>

/// LAPACK: the eigenvalues of a symmetric matrix, in ascending order. OpenBLAS has it, and cblas.h does
/// not declare it. The last two are the lengths of the texts, which Fortran's compilers pass unseen.
extern void dsyevd_(const char *jobz, const char *uplo, const blasint *n, double *a,
                    const blasint *lda, double *w, double *work, const blasint *lwork,
                    blasint *iwork, const blasint *liwork, blasint *info, size_t jobz_length,
                    size_t uplo_length);

/// The kernels of OpenBLAS that this processor can run, at least: a name that OPENBLAS_CORETYPE takes,
/// or NULL where OpenBLAS has no choice of the kind.
static inline const char *tfkit_blas_core_of_processor(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
    return "SkylakeX";
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "Haswell";
#endif
  return 0;
}

/// What OpenBLAS calls itself when a process forks; its headers do not declare it. NULL where it was
/// built without threads.
extern int blas_thread_shutdown_(void) __attribute__((weak));

/// Ends the threads that OpenBLAS has started when it was loaded.
static inline void tfkit_end_blas_threads(void) {
  if (blas_thread_shutdown_) blas_thread_shutdown_();
}
