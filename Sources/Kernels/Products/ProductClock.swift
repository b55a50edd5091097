internal import Dispatch
internal import Synchronization

/// How long matrix products take, summed over all workers: what a forward pass cannot do without.
public enum ProductClock {
  private static let isOn = Atomic<Bool>(false)
  private static let sum = Atomic<UInt64>(0)

  /// Runs `body` and returns the nanoseconds that products took in it, on all workers together.
  ///
  /// One measurement at a time.
  public static func nanoseconds<Failure: Error>(
    in body: () throws(Failure) -> Void
  ) throws(Failure) -> UInt64 {
    sum.store(0, ordering: .relaxed)
    isOn.store(true, ordering: .relaxed)
    defer { isOn.store(false, ordering: .relaxed) }
    try body()
    return sum.load(ordering: .relaxed)
  }

  /// The time, if it is measured.
  @inline(__always)
  static func start() -> UInt64? {
    isOn.load(ordering: .relaxed) ? DispatchTime.now().uptimeNanoseconds : nil
  }

  /// Adds the time since `start`.
  @inline(__always)
  static func stop(_ start: UInt64?) {
    guard let start else { return }
    sum.add(DispatchTime.now().uptimeNanoseconds - start, ordering: .relaxed)
  }
}
