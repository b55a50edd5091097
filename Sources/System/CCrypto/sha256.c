#include "CCrypto.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

// The interface: OpenSSL, EVP_DigestInit(3). It is the same in 1.1 and 3.

typedef void *make(void);
typedef const void *algorithm(void);
typedef int begin(void *context, const void *type, void *engine);
typedef int add(void *context, const void *bytes, size_t count);
typedef int finish(void *context, unsigned char *digest, unsigned *size);
typedef void dispose(void *context);

// NULL unless libcrypto is linked into the program.
extern make EVP_MD_CTX_new __attribute__((weak));
extern algorithm EVP_sha256 __attribute__((weak));
extern begin EVP_DigestInit_ex __attribute__((weak));
extern add EVP_DigestUpdate __attribute__((weak));
extern finish EVP_DigestFinal_ex __attribute__((weak));
extern dispose EVP_MD_CTX_free __attribute__((weak));

static struct {
  make *make;
  algorithm *sha256;
  begin *begin;
  add *add;
  finish *finish;
  dispose *dispose;
} library;

static int is_there(void) {
  return library.make && library.sha256 && library.begin && library.add && library.finish &&
         library.dispose;
}

static void *opened(void) {
  static const char *const names[] = {
#if defined(__APPLE__)
      "/opt/homebrew/opt/openssl@3/lib/libcrypto.3.dylib",
      "/usr/local/opt/openssl@3/lib/libcrypto.3.dylib",
#else
      "libcrypto.so.3",
      "libcrypto.so.1.1",
#endif
  };
  for (size_t index = 0; index < sizeof names / sizeof *names; index++) {
    void *handle = dlopen(names[index], RTLD_NOW | RTLD_LOCAL);
    if (handle) return handle;
  }
  return NULL;
}

static void load(void) {
  library.make = EVP_MD_CTX_new;
  library.sha256 = EVP_sha256;
  library.begin = EVP_DigestInit_ex;
  library.add = EVP_DigestUpdate;
  library.finish = EVP_DigestFinal_ex;
  library.dispose = EVP_MD_CTX_free;
  if (is_there()) return;
  void *handle = opened();
  if (!handle) return;
  library.make = (make *)dlsym(handle, "EVP_MD_CTX_new");
  library.sha256 = (algorithm *)dlsym(handle, "EVP_sha256");
  library.begin = (begin *)dlsym(handle, "EVP_DigestInit_ex");
  library.add = (add *)dlsym(handle, "EVP_DigestUpdate");
  library.finish = (finish *)dlsym(handle, "EVP_DigestFinal_ex");
  library.dispose = (dispose *)dlsym(handle, "EVP_MD_CTX_free");
}

void *tfkit_sha256_start(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load);
  if (!is_there()) {
    fputs("OpenSSL's libcrypto, which makes digests, cannot be loaded: is it installed?\n", stderr);
    _exit(2);
  }
  void *digest = library.make();
  if (digest && library.begin(digest, library.sha256(), NULL) == 1) return digest;
  if (digest) library.dispose(digest);
  return NULL;
}

int tfkit_sha256_add(void *digest, const void *bytes, size_t count) {
  return library.add(digest, bytes, count) == 1;
}

int tfkit_sha256_finish(void *digest, unsigned char *bytes) {
  return library.finish(digest, bytes, NULL) == 1;
}

void tfkit_sha256_free(void *digest) {
  library.dispose(digest);
}
