import Models
import TensorCore

/// Tells how far work on models' weights is, in bytes, of which more may turn out to be needed.
public final class WeightProgress {
  private let report: (_ done: Int, _ total: Int) -> Void
  private var done = 0
  private var total = 0

  /// - Parameter report: hears how many bytes are done, and how many there are to do.
  public init(_ report: @escaping (_ done: Int, _ total: Int) -> Void) {
    self.report = report
  }

  /// There are that many bytes more to do.
  func expect(_ bytes: Int) { total += bytes }

  /// That many bytes are done.
  func add(_ bytes: Int) {
    done += bytes
    report(min(done, total), total)
  }
}

extension WeightGraph {
  /// How many bytes the weights at some paths have, as they are stored.
  func byteCount(at paths: some Sequence<String>) -> Int {
    paths.reduce(0) { $0 + (tensor(at: $1)?.byteCount ?? 0) }
  }

  /// How many bytes all weights have, tied ones once.
  var byteCount: Int { byteCount(at: slots.lazy.map(\.path).filter { self.ties[$0] == nil }) }
}
