import Containers
import Kernels
import Models
import TensorCore
import TransformerKit

/// A model that is as it should be, only stored otherwise.
public struct CleanOutcome: Sendable {
  /// How it is stored: `npz`, `google-bert`, `cast to BF16`.
  public let form: String
  /// What a gate said instead of yes; `nil` if all said yes.
  public let alarm: String?
}

extension Subject {
  /// Stores the model in every way that must make no difference, and asks both gates.
  public func cleanOutcomes() throws -> [CleanOutcome] {
    let (graph, config) = (model.graph, model.graph.completedConfig)
    let translation = try graph.translated(to: dialect)
    let own = translation.map(\.tensor)
    // What a dialect stores plus a number is rounded as it is stored, and no cast of the weight.
    let hasSums = translation.contains { $0.layout.contains("plus ") }
    var outcomes: [CleanOutcome] = []
    // npy holds one tensor, and names in GGUF are short.
    for format in ContainerFormat.written where ![.npy, .gguf, .ggml].contains(format) {
      outcomes.append(try ask(write(own, config: config, to: format), as: format.name))
    }
    outcomes.append(try ask(write(own, config: config, maxShardSize: 4096), as: "shards"))
    let dialects = options.recognition.families.dialects
    for dialect in dialects where dialect.architecture == graph.dialect.architecture {
      guard let tensors = try? graph.translated(to: dialect.fullName).map(\.tensor) else {
        continue
      }
      outcomes.append(try ask(write(tensors, config: config), as: dialect.fullName))
    }
    for threads in [1, 3] {
      let workers = Parallel.workers
      Parallel.workers = threads
      defer { Parallel.workers = workers }
      outcomes.append(try ask(model, as: "\(threads) threads"))
    }
    return outcomes + (hasSums ? [] : [try cast(own, config)].compactMap(\.self))
  }

  private func ask(_ other: Model, as form: String) throws -> CleanOutcome {
    let verdict = try compare(model, other, precision: Float.self).verdict
    if verdict != .identical { return CleanOutcome(form: form, alarm: "pair: \(verdict)") }
    let isVerified = try other.check(golden).isVerified
    return CleanOutcome(form: form, alarm: isVerified ? nil : "golden: different")
  }

  /// A cast by the planter's own arithmetic, where the model is in single precision.
  private func cast(_ tensors: [Tensor], _ config: JSONValue) throws -> CleanOutcome? {
    guard tensors.allSatisfy({ $0.dtype == .f32 }) else { return nil }
    let cast = try tensors.map { try Elements($0).converted(to: .bf16, bfloat16) }
    let verdict = try compare(model, write(cast, config: config), precision: Float.self).verdict
    return CleanOutcome(
      form: "cast to bf16", alarm: verdict == .cast(.bf16) ? nil : "pair: \(verdict)")
  }
}
