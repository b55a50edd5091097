// The checksum of TFZ, for mending what the fuzzer has changed.
#include <xxhash.h>
