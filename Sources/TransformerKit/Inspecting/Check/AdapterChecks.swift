import Containers
import SystemPackage
import TensorCore

extension CheckReport {
  private static let adapterAdvice = CheckpointError(
    .malformed(""),
    advice:
      "the adapter's config is not the one that it was saved with, or tensors were lost or renamed")

  /// Whether the parts of an adapter fit each other and its config.
  mutating func checkAdapter(_ checkpoint: Checkpoint) {
    do throws(CheckpointError) {
      let adapter = try Adapter(checkpoint)
      for fault in adapter.faults { add(.weights, fault.tensor, fault.text) }
      take(adviceOf: Self.adapterAdvice, on: .weights)
      for obstacle in adapter.config.obstacles {
        note(.config, nil, "cannot be merged: \(obstacle)")
      }
      if !adapter.config.unknownKeys.isEmpty {
        let keys = adapter.config.unknownKeys.map(escaped).joined(separator: ", ")
        note(.config, nil, "keys of adapter_config.json that are not known: \(keys)")
      }
    } catch {
      if case .system = error.problem {
        note(.config, nil, "not held against its config: \(error)")
      } else {
        add(error, to: .config)
      }
    }
  }
}
