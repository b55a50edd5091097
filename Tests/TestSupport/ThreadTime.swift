#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The processor's time in seconds that a block takes on this thread: a machine that is busy with other
/// things does not make it longer, as it makes what a clock on the wall says.
public func threadSeconds(_ block: () throws -> Void) rethrows -> Double {
  func now() -> Double {
    var time = timespec()
    unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
  let start = now()
  try block()
  return now() - start
}
