#pragma once

#include <stddef.h>

// SHA-256 by libcrypto, which is loaded when the first digest begins: few commands make one. Where it is linked into
// the program, as in releases, that one is used. Without it `tfkit_sha256_start` ends the process with a sentence.

/// Begins a digest, which `tfkit_sha256_free` ends; NULL if there is no memory.
void *tfkit_sha256_start(void);

/// Adds bytes; 1, or 0 if that failed.
int tfkit_sha256_add(void *digest, const void *bytes, size_t count);

/// Writes the digest of all that was added, 32 bytes; 1, or 0 if that failed.
int tfkit_sha256_finish(void *digest, unsigned char *bytes);

/// Gives back what a digest needed.
void tfkit_sha256_free(void *digest);
