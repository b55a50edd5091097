#pragma once
#include <cblas.h>

// Ends OpenBLAS's own threads. Exported for forking programs, and declared in no header.
int blas_thread_shutdown_(void);
