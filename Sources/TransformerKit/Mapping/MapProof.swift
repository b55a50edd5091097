public import Containers
public import SystemPackage
import Models
public import TensorCore

/// What is proven of a map: that it gives every tensor a place in the model, and by a base or a golden that it is the
/// right one.
public struct MapProof: Sendable {
  /// What was proven, and what failed, a line each.
  public private(set) var lines: [String] = []
  /// Whether nothing is open, and no proof failed.
  public private(set) var holds: Bool

  /// Proves what can be proven.
  ///
  /// - Throws: `CheckpointError` when files cannot be read.
  public init(
    _ map: NameMap, _ checkpoint: Checkpoint, base: Checkpoint?, golden: FilePath?,
    options: OpenOptions
  ) throws(CheckpointError) {
    holds = map.isComplete
    let named: Checkpoint
    do throws(CheckpointError) {
      named = try checkpoint.applying(map.rules)
    } catch {
      guard error.category == .refused else { throw error }
      holds = false
      lines.append("the rules cannot be applied as they are: \(error.withDetails)")
      return
    }
    if map.lines.contains(where: { $0.evidence.hasPrefix("the base's") }) {
      let proven = map.lines.reduce(0) { $0 + ($1.hasElements ? $1.count : 0) }
      lines.append("\(proven) of \(map.tensorCount) tensors have the base's elements, bit for bit")
    }
    guard map.isComplete else {
      if golden != nil { lines.append("the golden was not computed: not every tensor has a place") }
      return
    }
    guard map.architecture != nil else {
      lines.append("every tensor has one of the base's names, and every name of the base a tensor")
      return
    }
    do throws(CheckpointError) {
      let config = checkpoint.config?.value ?? base?.config?.value
      let model = try Model(named, config: config, options: options.withoutNames)
      lines.append(
        "every tensor has a place in \(model.graph.architecture.head), and every weight a tensor")
      guard let golden else { return }
      let expected = try Golden(golden)
      let report = try model.check(expected)
      holds = report.isVerified
      lines.append(
        report.isVerified
          ? "it computes what \(displayed(golden)) says"
          : "it does not compute what \(displayed(golden)) says")
    } catch {
      guard error.category != .failed else { throw error }
      holds = false
      lines.append("the model cannot be made of it: \(error.withDetails)")
    }
  }
}

extension OpenOptions {
  /// The same without what says how names are spelled, which concerns other ones.
  public var withoutNames: OpenOptions {
    var options = self
    options.recognition.dialect = nil
    options.recognition.architecture = nil
    return options
  }
}
