// What OpenBLAS's LAPACK needs of Fortran's runtime library, which is no part of a release: one function.

#include <stddef.h>
#include <string.h>

/// The texts `a` and `b` one after the other, cut off or filled up with spaces to `length`.
void _gfortran_concat_string(size_t length, char *result, size_t a_length, const char *a,
                             size_t b_length, const char *b) {
  const size_t first = a_length < length ? a_length : length;
  const size_t rest = length - first;
  const size_t second = b_length < rest ? b_length : rest;
  memmove(result, a, first);
  memmove(result + first, b, second);
  memset(result + first + second, ' ', rest - second);
}
