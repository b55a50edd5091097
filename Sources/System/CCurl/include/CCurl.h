#pragma once

#include <stddef.h>

// Transfers by libcurl, which is loaded when the first one begins: few commands read from another machine. Redirects are not followed: who
// asks decides what is sent where.

/// Takes bytes that arrive; what is returned is how many were taken, and fewer than came end the transfer.
typedef size_t tfkit_curl_take(void *context, const char *bytes, size_t count);

/// What is asked of a server.
struct tfkit_curl_request {
  const char *url;
  /// Fields of the header, each "Name: value"; `field_count` of them.
  const char *const *fields;
  size_t field_count;
  long connect_milliseconds;
  long whole_milliseconds;
  /// The transfer ends when it has been slower than `slow_bytes` a second for `slow_seconds`.
  long slow_bytes;
  long slow_seconds;
  /// A file, and a folder, of certificates that are trusted; NULL for libcurl's own.
  const char *certificates;
  const char *certificate_folder;
  /// Called for each line of the header, and for each piece of the body.
  tfkit_curl_take *header;
  tfkit_curl_take *body;
  void *context;
};

/// 1 if libcurl is there.
int tfkit_curl_is_there(void);

/// A connection for transfers one after the other, on one thread at a time; NULL if there is none to be had.
void *tfkit_curl_open(void);

void tfkit_curl_close(void *connection);

/// Transfers.
///
/// @param status becomes the server's status, 0 if it sent none.
/// @param redirect becomes the address that the server sends to, or NULL; it stays until the next transfer.
/// @param message becomes libcurl's words for what failed: 256 bytes.
/// @return libcurl's number of what failed, 0 if nothing did.
int tfkit_curl_transfer(
    void *connection, const struct tfkit_curl_request *request, long *status, const char **redirect,
    char *message);
