import CThreads
import Synchronization
import TensorCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// How many threads containers use to compress and decompress. The bytes never depend on it.
public enum Workers {
  private static let limit = Atomic<Int>(0)
  private static let cores = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
  /// More would only take memory: the bytes have to come from, or go to, one file.
  private static let most = 16

  /// The number of threads; 0 asks for one a core, but no more than 16.
  public static var count: Int {
    get {
      let limit = limit.load(ordering: .relaxed)
      return min(limit > 0 ? limit : cores, most)
    }
    set { limit.store(max(0, newValue), ordering: .relaxed) }
  }

  /// Threads that help others, in all calls of `inParallel` together.
  private static let helpers = Atomic<Int>(0)

  /// Takes helpers, as many as there still may be, and says how many; give them back.
  ///
  /// Calls inside of calls find none: the number of threads is bounded, and their memory with it.
  fileprivate static func takeHelpers(_ wanted: Int) -> Int {
    var busy = helpers.load(ordering: .relaxed)
    while true {
      let taken = min(wanted, count - 1 - busy)
      guard taken > 0 else { return 0 }
      let (isDone, found) = helpers.weakCompareExchange(
        expected: busy, desired: busy + taken, ordering: .relaxed)
      if isDone { return taken }
      busy = found
    }
  }

  fileprivate static func giveBack(helpers count: Int) {
    helpers.subtract(count, ordering: .relaxed)
  }
}

/// Calls `body` once for each index below `count`, on several threads, started in rising order.
///
/// The calls run at the same time, so each must write only to places of its own, or lock.
///
/// - Throws: the error of the lowest index that throws; what comes after it may not have run.
func inParallel(
  _ count: Int, _ body: (Int) throws(CheckpointError) -> Void
) throws(CheckpointError) {
  let helpers = Workers.takeHelpers(count - 1)
  defer { Workers.giveBack(helpers: helpers) }
  if helpers == 0 {
    for index in 0..<count { try body(index) }
    return
  }
  let next = Atomic<Int>(0)
  let failure = Mutex<(index: Int, error: CheckpointError)?>(nil)
  withoutActuallyEscaping(body) { body in
    // See above: what the calls share, they lock.
    nonisolated(unsafe) let body = body
    onThreads(1 + helpers) {
      while true {
        let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
        if index >= count { return }
        do throws(CheckpointError) {
          try unsafe body(index)
        } catch {
          failure.withLock { first in
            if index < first?.index ?? .max { first = (index, error) }
          }
          // Indices are taken in order, so nothing below this one is left out.
          next.store(count, ordering: .relaxed)
        }
      }
    }
  }
  if let error = failure.withLock({ $0?.error }) { throw error }
}

/// Calls `body` once for each index below `count`, on so many threads, which mostly wait.
func atOnce(_ count: Int, threads: Int, _ body: @Sendable (Int) -> Void) {
  let next = Atomic<Int>(0)
  onThreads(min(count, threads)) {
    while case let index = next.wrappingAdd(1, ordering: .relaxed).oldValue, index < count {
      body(index)
    }
  }
}

/// Calls `body` on `count` threads at once, of which this is one, or on fewer if the system has no more.
private func onThreads(_ count: Int, _ body: @Sendable () -> Void) {
  withoutActuallyEscaping(body) { body in
    let job = Job(body)
    withExtendedLifetime(job) {
      unsafe tfkit_on_threads(
        UInt32(count),
        { context in
          guard let context = unsafe context else { return }
          unsafe Unmanaged<Job>.fromOpaque(context).takeUnretainedValue().body()
        }, Unmanaged.passUnretained(job).toOpaque())
    }
  }
}

/// What threads do.
private final class Job: Sendable {
  let body: @Sendable () -> Void

  init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}
