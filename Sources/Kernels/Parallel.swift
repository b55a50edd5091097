internal import CBLAS
internal import Dispatch
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// How work is spread over cores.
///
/// OpenBLAS gives the same bits for the same shapes on one thread, and other bits on another number
/// of threads. It is therefore kept to one thread, work is cut into pieces that depend on shapes
/// alone, and the pieces run on as many workers as wanted: results never depend on that number.
public enum Parallel {
  private static let limit = Atomic<Int>(0)

  /// The number of workers; 0 asks for one a core. Results do not depend on it.
  public static var workers: Int {
    get {
      let limit = limit.load(ordering: .relaxed)
      return limit > 0 ? limit : cores
    }
    set { limit.store(max(0, newValue), ordering: .relaxed) }
  }

  private static let cores = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))

  /// Keeps OpenBLAS to the calling thread, and ends its own ones.
  private static let singleThreadedBLAS: Void = {
    openblas_set_num_threads(1)
    endIdleThreads()
  }()

  /// Ends the threads that OpenBLAS starts when it is loaded. Nothing uses them, and for their first
  /// tenth of a second they spin, beside those that have work to do.
  public static func endIdleThreads() {
    tfkit_end_blas_threads()
  }

  /// Keeps OpenBLAS to the calling thread; before its first product.
  static func prepare() {
    singleThreadedBLAS
  }

  /// Calls `body` once for each index below `count`, on several cores, in no particular order.
  ///
  /// The calls run at the same time, so each must write only to places of its own.
  package static func forEach(count: Int, _ body: (Int) -> Void) {
    prepare()
    let workers = min(workers, count)
    if workers <= 1 {
      for index in 0..<count { body(index) }
      return
    }
    let next = Atomic<Int>(0)
    withoutActuallyEscaping(body) { body in
      // Callers write to disjoint places, index by index.
      nonisolated(unsafe) let body = body
      DispatchQueue.concurrentPerform(iterations: workers) { _ in
        while true {
          let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
          if index >= count { return }
          unsafe body(index)
        }
      }
    }
  }
}

/// The pieces of `count` items in steps of `size`: shapes alone decide how work is cut.
func pieces(of count: Int, size: Int) -> [Range<Int>] {
  stride(from: 0, to: count, by: size).map { $0..<min($0 + size, count) }
}
