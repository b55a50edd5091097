import Containers
import Models
import TensorCore
import Tokenizers

extension CheckReport {
  /// Weights that the config ties, stored twice and different.
  mutating func checkTies(_ graph: WeightGraph) {
    // Where the config says that words are untied, weights that could be tied may differ.
    guard graph.architecture.expectsTies, !graph.isUntied else { return }
    for slot in graph.slots {
      guard let partner = slot.tie, graph.ties[slot.path] == nil,
        let own = graph.tensor(at: slot.path), let other = graph.tensor(at: partner)
      else { continue }
      add(.ties, own.name, "differs from \(escaped(other.name.text)), to which the config ties it")
    }
  }

  /// Ids of special tokens in the config that the vocabulary has no row for, and of a tokenizer beside the weights. Ids
  /// below 0 say that there is none.
  mutating func checkTokens(_ graph: WeightGraph, of checkpoint: Checkpoint) {
    let vocabularies = graph.inputs.compactMap { slot in
      if case .ids(let count) = slot.content { count } else { nil }
    }
    guard let vocabulary = vocabularies.max() else { return }
    for member in graph.config.members ?? [] where member.key.hasSuffix("_token_id") {
      let ids = (member.value.elements ?? [member.value]).compactMap(\.int)
      for id in ids where id >= vocabulary {
        note(
          .config, nil,
          "\(escaped(member.key)) is \(id), and the vocabulary ends with \(vocabulary - 1)")
      }
    }
    // What cannot be read says so where texts are asked for.
    if let found = try? FoundTokenizer(checkpoint.path), found.tokenizer.idCount > vocabulary {
      note(
        .config, nil,
        "the tokenizer has ids up to \(found.tokenizer.idCount - 1), and the vocabulary ends with \(vocabulary - 1)"
      )
    }
  }

  /// The same weight of several layers in different types; and whether there are several types.
  mutating func checkTypes(_ tensors: [Tensor], _ graph: WeightGraph?) {
    let buffers = Set(graph?.dropped.map(\.name) ?? [])
    let skipped = buffers.union(decoded)
    let weights = tensors.lazy.filter {
      $0.dtype.isFloatingPoint && !skipped.contains($0.name)
    }
    var (types, layers): ([DType: Int], [String: [DType: Int]]) = ([:], [:])
    for tensor in weights {
      types[tensor.dtype, default: 0] += 1
      layers[withoutLayers(tensor.name.text), default: [:]][tensor.dtype, default: 0] += 1
    }
    guard types.count > 1 else { return }
    let usual = layers.filter { $0.value.count > 1 }.compactMapValues(mostFrequent)
    guard usual.isEmpty else {
      for tensor in weights {
        if let usual = usual[withoutLayers(tensor.name.text)], tensor.dtype != usual {
          add(.types, tensor.name, "is \(tensor.dtype), in most other layers \(usual.name)")
        }
      }
      return
    }
    let list = types.sorted {
      $0.value == $1.value ? $0.key.name < $1.key.name : $0.value > $1.value
    }
    .map { "\($0.value) \($0.key)" }
    note(.types, nil, "there are several types: \(list.joined(separator: ", "))")
  }

  /// The type that occurs most often; of equally many, the widest.
  private func mostFrequent(_ types: [DType: Int]) -> DType? {
    types.max {
      ($0.value, $0.key.bitWidth, $0.key.name) < ($1.value, $1.key.bitWidth, $1.key.name)
    }?
    .key
  }
}

/// A name with `*` for the numbers of layers: `h.0`, `layer_0`, but not `fc1`.
private func withoutLayers(_ name: String) -> String {
  let parts = name.split(omittingEmptySubsequences: false) { $0 == "." || $0 == "/" }
  return parts.map { part in
    let stem = part.lastIndex(of: "_").map { part[...$0] } ?? ""
    let number = part.dropFirst(stem.count)
    let isNumber = !number.isEmpty && number.allSatisfy { $0.isASCII && $0.isNumber }
    return isNumber ? stem + "*" : String(part)
  }.joined(separator: ".")
}
