internal import CBLAS
internal import Dispatch
internal import Synchronization
package import TensorCore

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

  /// Ends the threads that an OpenBLAS starts which is linked into the program. Nothing uses them, and for their
  /// first tenth of a second they spin, beside those that have work to do.
  public static func endIdleThreads() {
    tfkit_end_blas_threads()
  }

  /// Calls `body` once for each index below `count`, on several cores, in no particular order.
  ///
  /// The calls run at the same time, so each must write only to places of its own.
  package static func forEach(count: Int, _ body: (Int) -> Void) {
    forEach(count: count, scratch: {}) { _, index in body(index) }
  }

  /// Likewise, with something in which each worker keeps what its next call uses again.
  package static func forEach<Scratch>(
    count: Int, scratch: () -> Scratch, _ body: (inout Scratch, Int) -> Void
  ) {
    let workers = min(workers, count)
    if workers <= 1 {
      var scratch = scratch()
      for index in 0..<count { body(&scratch, index) }
      return
    }
    let next = Atomic<Int>(0)
    withoutActuallyEscaping(body) { body in
      withoutActuallyEscaping(scratch) { scratch in
        // Callers write to disjoint places, index by index.
        nonisolated(unsafe) let (body, scratch) = (body, scratch)
        spread(over: workers) {
          var index = next.wrappingAdd(1, ordering: .relaxed).oldValue
          if index >= count { return }
          var own = unsafe scratch()
          while index < count {
            unsafe body(&own, index)
            index = next.wrappingAdd(1, ordering: .relaxed).oldValue
          }
        }
      }
    }
  }

  /// Runs `task` on several threads at once, on each once or more often.
  private static func spread(over workers: Int, _ task: @escaping @Sendable () -> Void) {
    if WorkerTeam.shared.run(helpers: workers - 1, task) { return }
    DispatchQueue.concurrentPerform(iterations: workers) { _ in task() }
  }
}

/// Calls `body` for each index below `count` on several cores, in no particular order.
///
/// - Returns: the results, in order.
/// - Throws: an error of `body`; when several calls fail, that of the lowest index that was tried.
package func inParallel<Result: Sendable>(
  _ count: Int, _ body: (Int) throws(CheckpointError) -> Result
) throws(CheckpointError) -> [Result] {
  let state = Mutex<(results: [Result?], failure: (index: Int, error: CheckpointError)?)>(
    (Array(repeating: nil, count: count), nil))
  Parallel.forEach(count: count) { index in
    if state.withLock({ $0.failure != nil }) { return }
    do throws(CheckpointError) {
      let result = try body(index)
      state.withLock { $0.results[index] = result }
    } catch {
      state.withLock { state in
        if state.failure.map({ index < $0.index }) ?? true { state.failure = (index, error) }
      }
    }
  }
  return try state.withLock { state throws(CheckpointError) in
    if let failure = state.failure { throw failure.error }
    return state.results.compactMap(\.self)
  }
}

/// The pieces of `count` items in steps of `size`: shapes alone decide how work is cut.
func pieces(of count: Int, size: Int) -> [Range<Int>] {
  stride(from: 0, to: count, by: size).map { $0..<min($0 + size, count) }
}

/// Calls `body` with where the elements of each array are; of an empty one, nowhere to read.
@inline(__always)
func withPointers<Element, Result>(
  to arrays: [[Element]], _ body: ([UnsafePointer<Element>]) -> Result
) -> Result {
  func with(
    _ rest: ArraySlice<[Element]>, _ pointers: [UnsafePointer<Element>]
  ) -> Result {
    guard let first = rest.first else { return unsafe body(pointers) }
    return unsafe first.withUnsafeBufferPointer { buffer in
      let aligned = unsafe UnsafePointer<Element>(bitPattern: MemoryLayout<Element>.alignment)
      guard let start = unsafe buffer.baseAddress ?? aligned else {
        preconditionFailure("no alignment is 0")
      }
      return unsafe with(rest.dropFirst(), pointers + [start])
    }
  }
  return unsafe with(arrays[...], [])
}
