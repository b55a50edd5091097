#pragma once
#include <zlib.h>

/// `inflateInit2` is a macro, which Swift does not import.
static inline int tfkit_inflate_raw_init(z_stream *stream) {
  return inflateInit2(stream, -MAX_WBITS);
}

/// The same for data with gzip's header and trailer.
static inline int tfkit_inflate_gzip_init(z_stream *stream) {
  return inflateInit2(stream, MAX_WBITS + 16);
}
