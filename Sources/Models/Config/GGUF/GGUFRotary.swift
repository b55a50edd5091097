import Kernels
package import TensorCore

extension RotarySettings {
  /// What key-values say of them; factors of their frequencies are tensors.
  package var ggufValues: [JSONValue.Member] {
    var members: [JSONValue.Member] = [
      .init("rope.dimension_count", .number(turned)),
      .init("rope.freq_base", .double(base)),
    ]
    func add(_ key: String, _ value: JSONValue?) {
      if let value { members.append(.init("rope.scaling.\(key)", value)) }
    }
    switch scaling {
    case .linear(let factor):
      add("type", "linear")
      add("factor", .double(factor))
    case .yarn(let yarn):
      add("type", "yarn")
      add("factor", .double(yarn.factor))
      add("original_context_length", .number(yarn.trained))
      add("yarn_attn_factor", yarn.attentionFactor.map { .double($0) })
      add("yarn_beta_fast", .double(yarn.betaFast))
      add("yarn_beta_slow", .double(yarn.betaSlow))
    case .longRoPE(let longRoPE):
      add("type", "longrope")
      add("original_context_length", .number(longRoPE.trained))
      add("attn_factor", .double(frequencies(length: 1).attentionFactor))
    default: break
    }
    return members
  }

  /// The factors of their frequencies, which are tensors in a file.
  package var ggufTensors: [Tensor] {
    func tensor(_ name: TensorName, _ numbers: [Double]) -> Tensor {
      let bytes = numbers.flatMap { number in
        (0..<4).map { UInt8(truncatingIfNeeded: Float(number).bitPattern >> (8 * $0)) }
      }
      return Tensor(name: name, dtype: .f32, shape: [numbers.count], bytes: ByteArray(bytes))
    }
    switch scaling {
    case .llama3:
      let factors = (0..<pairs).map {
        plainFrequency($0) / llama3Frequency($0)
      }
      return [tensor("rope_freqs.weight", factors)]
    case .longRoPE(let factors):
      return [
        tensor("rope_factors_long.weight", factors.long),
        tensor("rope_factors_short.weight", factors.short),
      ]
    default: return []
    }
  }
}
