#include "CBLAS.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

// The interfaces: netlib.org/blas, "CBLAS"; netlib.org/lapack, dsyevd; OpenBLAS, cblas.h.

enum { row_major = 101, no_transpose = 111, transpose = 112, upper = 121 };

typedef void single_multiply(int order, int transpose_a, int transpose_b, int m, int n, int k,
                             float alpha, const float *a, int lda, const float *b, int ldb, float beta,
                             float *c, int ldc);
typedef void double_multiply(int order, int transpose_a, int transpose_b, int m, int n, int k,
                             double alpha, const double *a, int lda, const double *b, int ldb,
                             double beta, double *c, int ldc);
typedef void rank_update(int order, int triangle, int transpose_a, int n, int k, double alpha,
                         const double *a, int lda, double beta, double *c, int ldc);
// The last two are the lengths of the texts, which Fortran's compilers pass unseen.
typedef void eigenvalues(const char *jobz, const char *uplo, const int *n, double *a, const int *lda,
                         double *w, double *work, const int *lwork, int *iwork, const int *liwork,
                         int *info, size_t jobz_length, size_t uplo_length);
typedef void set_threads(int count);
typedef char *text(void);
typedef int end_threads(void);

// NULL unless OpenBLAS is linked into the program.
extern single_multiply cblas_sgemm __attribute__((weak));
extern double_multiply cblas_dgemm __attribute__((weak));
extern rank_update cblas_dsyrk __attribute__((weak));
extern eigenvalues dsyevd_ __attribute__((weak));
extern set_threads openblas_set_num_threads __attribute__((weak));
extern text openblas_get_config __attribute__((weak));
extern text openblas_get_corename __attribute__((weak));
// What OpenBLAS calls itself when a process forks. Missing where it was built without threads.
extern end_threads blas_thread_shutdown_ __attribute__((weak));

static struct {
  single_multiply *sgemm;
  double_multiply *dgemm;
  rank_update *dsyrk;
  eigenvalues *dsyevd;
  set_threads *set_threads;
  text *config;
  text *core;
  end_threads *end_threads;
} library;

static int is_there(void) {
  return library.sgemm && library.dgemm && library.dsyrk && library.dsyevd && library.set_threads &&
         library.config && library.core;
}

static void *opened(void) {
  static const char *const names[] = {
#if defined(__APPLE__)
      "/opt/homebrew/opt/openblas/lib/libopenblas.dylib",
      "/usr/local/opt/openblas/lib/libopenblas.dylib",
      "libopenblas.dylib",
#else
      "libopenblas.so.0",
      "libopenblas.so",
#endif
  };
  for (size_t index = 0; index < sizeof names / sizeof *names; index++) {
    void *handle = dlopen(names[index], RTLD_NOW | RTLD_LOCAL);
    if (handle) return handle;
  }
  return NULL;
}

static void load(void) {
  library.sgemm = cblas_sgemm;
  library.dgemm = cblas_dgemm;
  library.dsyrk = cblas_dsyrk;
  library.dsyevd = dsyevd_;
  library.set_threads = openblas_set_num_threads;
  library.config = openblas_get_config;
  library.core = openblas_get_corename;
  library.end_threads = blas_thread_shutdown_;
  if (!is_there()) {
    void *handle = opened();
    if (!handle) return;
    library.sgemm = (single_multiply *)dlsym(handle, "cblas_sgemm");
    library.dgemm = (double_multiply *)dlsym(handle, "cblas_dgemm");
    library.dsyrk = (rank_update *)dlsym(handle, "cblas_dsyrk");
    library.dsyevd = (eigenvalues *)dlsym(handle, "dsyevd_");
    library.set_threads = (set_threads *)dlsym(handle, "openblas_set_num_threads");
    library.config = (text *)dlsym(handle, "openblas_get_config");
    library.core = (text *)dlsym(handle, "openblas_get_corename");
    library.end_threads = (end_threads *)dlsym(handle, "blas_thread_shutdown_");
  }
  if (!is_there()) return;
  // Its own threads are used by nothing, and for their first tenth of a second they spin, beside those that
  // have work to do.
  library.set_threads(1);
  if (library.end_threads) library.end_threads();
}

int tfkit_has_blas(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load);
  return is_there();
}

/// Loads OpenBLAS, or ends the process. Whoever can say it better has asked `tfkit_has_blas` before.
static void require(void) {
  if (tfkit_has_blas()) return;
  fputs("OpenBLAS cannot be loaded: is it installed?\n", stderr);
  _exit(2);
}

void tfkit_end_blas_threads(void) {
  if (blas_thread_shutdown_) blas_thread_shutdown_();
}

void tfkit_blas_multiply_single(int transposes_b, int rows, int columns, int inner, const float *a,
                                int a_stride, const float *b, int b_stride, int accumulates, float *c,
                                int c_stride) {
  require();
  library.sgemm(row_major, no_transpose, transposes_b ? transpose : no_transpose, rows, columns,
                inner, 1, a, a_stride, b, b_stride, accumulates ? 1 : 0, c, c_stride);
}

void tfkit_blas_multiply_double(int transposes_b, int rows, int columns, int inner, const double *a,
                                int a_stride, const double *b, int b_stride, int accumulates,
                                double *c, int c_stride) {
  require();
  library.dgemm(row_major, no_transpose, transposes_b ? transpose : no_transpose, rows, columns,
                inner, 1, a, a_stride, b, b_stride, accumulates ? 1 : 0, c, c_stride);
}

void tfkit_blas_gram(int transposes_a, int order, int inner, const double *a, int a_stride,
                     double *c) {
  require();
  library.dsyrk(row_major, upper, transposes_a ? transpose : no_transpose, order, inner, 1, a,
                a_stride, 1, c, order);
}

int tfkit_blas_eigenvalues(int order, double *matrix, double *values, double *work, int work_size,
                           int *whole, int whole_size) {
  require();
  int info = 0;
  library.dsyevd("N", "L", &order, matrix, &order, values, work, &work_size, whole, &whole_size, &info,
                 1, 1);
  return info;
}

const char *tfkit_blas_config(void) {
  require();
  return library.config();
}

const char *tfkit_blas_core(void) {
  require();
  return library.core();
}

const char *tfkit_blas_core_of_processor(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
    return "SkylakeX";
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "Haswell";
#endif
  return NULL;
}
