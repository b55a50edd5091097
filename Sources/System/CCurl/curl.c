#include "CCurl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

// The interface: curl/curl.h of libcurl, whose numbers and functions are the same since 7.55 (libcurl's ABI policy). The header is not
// needed; where it is there, it says whether the numbers are right.

#if defined(__has_include)
#if __has_include(<curl/curl.h>)
#include <curl/curl.h>
#define TFKIT_CHECK_NUMBERS 1
#endif
#endif

enum {
  global_all = 3,
  option_write_data = 10001,
  option_url = 10002,
  option_error_buffer = 10010,
  option_slow_bytes = 19,
  option_slow_seconds = 20,
  option_agent = 10018,
  option_fields = 10023,
  option_header_data = 10029,
  option_certificates = 10065,
  option_certificate_folder = 10097,
  option_no_signal = 99,
  option_whole_milliseconds = 155,
  option_connect_milliseconds = 156,
  option_protocols = 181,
  option_no_proxy_header = 265,
  option_write = 20011,
  option_header = 20079,
  fact_redirect = 0x100000 + 31,
  fact_status = 0x200000 + 2,
  protocol_http = 1,
  protocol_https = 2,
  error_failed_start = 2,
};

#ifdef TFKIT_CHECK_NUMBERS
#define SAME(a, b) _Static_assert((long)(a) == (long)(b), #b)
SAME(global_all, CURL_GLOBAL_ALL);
SAME(option_write_data, CURLOPT_WRITEDATA);
SAME(option_url, CURLOPT_URL);
SAME(option_error_buffer, CURLOPT_ERRORBUFFER);
SAME(option_slow_bytes, CURLOPT_LOW_SPEED_LIMIT);
SAME(option_slow_seconds, CURLOPT_LOW_SPEED_TIME);
SAME(option_agent, CURLOPT_USERAGENT);
SAME(option_fields, CURLOPT_HTTPHEADER);
SAME(option_header_data, CURLOPT_HEADERDATA);
SAME(option_certificates, CURLOPT_CAINFO);
SAME(option_certificate_folder, CURLOPT_CAPATH);
SAME(option_no_signal, CURLOPT_NOSIGNAL);
SAME(option_whole_milliseconds, CURLOPT_TIMEOUT_MS);
SAME(option_connect_milliseconds, CURLOPT_CONNECTTIMEOUT_MS);
SAME(option_no_proxy_header, CURLOPT_SUPPRESS_CONNECT_HEADERS);
SAME(option_write, CURLOPT_WRITEFUNCTION);
SAME(option_header, CURLOPT_HEADERFUNCTION);
SAME(fact_redirect, CURLINFO_REDIRECT_URL);
SAME(fact_status, CURLINFO_RESPONSE_CODE);
SAME(protocol_http, CURLPROTO_HTTP);
SAME(protocol_https, CURLPROTO_HTTPS);
#endif

struct list;

static struct {
  int (*start)(long flags);
  void *(*open)(void);
  void (*reset)(void *handle);
  void (*close)(void *handle);
  int (*set)(void *handle, int option, ...);
  int (*transfer)(void *handle);
  int (*fact)(void *handle, int fact, ...);
  const char *(*words)(int error);
  struct list *(*append)(struct list *list, const char *text);
  void (*free_list)(struct list *list);
  int is_there;
} library;

static void *opened(void) {
  static const char *const names[] = {
#if defined(__APPLE__)
      "/usr/lib/libcurl.4.dylib",
#else
      "libcurl.so.4",
      "libcurl-gnutls.so.4",
#endif
  };
  for (size_t index = 0; index < sizeof names / sizeof *names; index++) {
    void *handle = dlopen(names[index], RTLD_NOW | RTLD_LOCAL);
    if (handle) return handle;
  }
  return NULL;
}

static void load(void) {
  void *handle = opened();
  if (!handle) return;
  *(void **)&library.start = dlsym(handle, "curl_global_init");
  *(void **)&library.open = dlsym(handle, "curl_easy_init");
  *(void **)&library.reset = dlsym(handle, "curl_easy_reset");
  *(void **)&library.close = dlsym(handle, "curl_easy_cleanup");
  *(void **)&library.set = dlsym(handle, "curl_easy_setopt");
  *(void **)&library.transfer = dlsym(handle, "curl_easy_perform");
  *(void **)&library.fact = dlsym(handle, "curl_easy_getinfo");
  *(void **)&library.words = dlsym(handle, "curl_easy_strerror");
  *(void **)&library.append = dlsym(handle, "curl_slist_append");
  *(void **)&library.free_list = dlsym(handle, "curl_slist_free_all");
  library.is_there = library.start && library.open && library.reset && library.close && library.set &&
                     library.transfer && library.fact && library.words && library.append && library.free_list &&
                     library.start(global_all) == 0;
}

int tfkit_curl_is_there(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load);
  return library.is_there;
}

void *tfkit_curl_open(void) {
  return tfkit_curl_is_there() ? library.open() : NULL;
}

void tfkit_curl_close(void *connection) {
  library.close(connection);
}

// What libcurl calls: (bytes, 1, count, context).
static const struct tfkit_curl_request *request_of(void *context) {
  return context;
}

static size_t take_header(char *bytes, size_t size, size_t count, void *context) {
  return request_of(context)->header(request_of(context)->context, bytes, size * count);
}

static size_t take_body(char *bytes, size_t size, size_t count, void *context) {
  return request_of(context)->body(request_of(context)->context, bytes, size * count);
}

int tfkit_curl_transfer(
    void *connection, const struct tfkit_curl_request *request, long *status, const char **redirect,
    char *message) {
  *status = 0;
  *redirect = NULL;
  message[0] = 0;
  struct list *fields = NULL;
  for (size_t index = 0; index < request->field_count; index++) {
    struct list *longer = library.append(fields, request->fields[index]);
    if (!longer) {
      library.free_list(fields);
      return error_failed_start;
    }
    fields = longer;
  }
  // Connections that are open stay so.
  library.reset(connection);
  int failed =
      library.set(connection, option_url, request->url) ||
      library.set(connection, option_fields, fields) ||
      library.set(connection, option_error_buffer, message) ||
      library.set(connection, option_agent, "tfkit") ||
      library.set(connection, option_no_signal, 1L) ||
      library.set(connection, option_protocols, (long)(protocol_http | protocol_https)) ||
      library.set(connection, option_no_proxy_header, 1L) ||
      library.set(connection, option_connect_milliseconds, request->connect_milliseconds) ||
      library.set(connection, option_whole_milliseconds, request->whole_milliseconds) ||
      library.set(connection, option_slow_bytes, request->slow_bytes) ||
      library.set(connection, option_slow_seconds, request->slow_seconds) ||
      library.set(connection, option_header, take_header) ||
      library.set(connection, option_header_data, request) ||
      library.set(connection, option_write, take_body) ||
      library.set(connection, option_write_data, request) ||
      (request->certificates && library.set(connection, option_certificates, request->certificates)) ||
      (request->certificate_folder &&
       library.set(connection, option_certificate_folder, request->certificate_folder));
  int error = failed ? error_failed_start : library.transfer(connection);
  library.fact(connection, fact_status, status);
  library.fact(connection, fact_redirect, redirect);
  if (error && !message[0]) snprintf(message, 256, "%s", library.words(error));
  library.set(connection, option_error_buffer, NULL);
  library.set(connection, option_fields, NULL);
  library.free_list(fields);
  return error;
}
