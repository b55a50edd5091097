import Synchronization

private let lock = Mutex<Void>(())

/// Calls `body` while nobody else is in here.
///
/// For tests that change what belongs to the whole process, such as the number of workers: suites run
/// at the same time.
public func exclusively<Result>(_ body: () throws -> Result) rethrows -> Result {
  try lock.withLock { _ throws in try body() }
}
