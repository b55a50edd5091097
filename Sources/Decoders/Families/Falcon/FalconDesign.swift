import Kernels
import Models
import TensorCore

/// What the flags of Falcon's config come to.
struct FalconDesign {
  var keyHeads: Int
  var arrangement: BlockForm.Arrangement
}

extension ConfigReader {
  /// The heads of keys, and how a block's layers go together. What transformers builds and cannot run is
  /// refused.
  mutating func falconDesign(heads: Int) -> FalconDesign {
    let isNew = flag("new_decoder_architecture", default: false, on: .weights)
    // Null is no default here, but false.
    let sharesKeys = flag("multi_query", default: !isNull("multi_query"), on: .weights)
    let isParallel = flag("parallel_attn", default: !isNull("parallel_attn"))
    let norms = optionalCount("num_ln_in_parallel_attn", minimum: 0, on: .weights)
    let keyHeads =
      optionalCount("num_kv_heads", on: isNew || !sharesKeys ? .weights : .nothing) ?? heads
    if isNew {
      if !isParallel { reject("new_decoder_architecture needs parallel_attn") }
      if let norms, !(1...2).contains(norms) {
        reject("num_ln_in_parallel_attn must be 1 or 2, is \(norms)")
      }
      if faults.isEmpty, !heads.isMultiple(of: keyHeads) {
        reject("num_attention_heads \(heads) is not a multiple of num_kv_heads \(keyHeads)")
      }
      return FalconDesign(keyHeads: keyHeads, arrangement: .parallel(sharesNorm: norms == 1))
    }
    if isParallel, norms == 2 {
      reject("num_ln_in_parallel_attn 2 needs new_decoder_architecture")
    }
    if !sharesKeys, keyHeads != heads {
      reject(
        "num_kv_heads \(keyHeads) other than num_attention_heads needs new_decoder_architecture")
    }
    return FalconDesign(
      keyHeads: sharesKeys ? 1 : heads,
      arrangement: isParallel ? .parallel(sharesNorm: true) : .normBefore)
  }

  /// The rotary positions, of whole heads.
  mutating func falconRotary(headSize: Int) -> RotarySettings {
    // Scaled frequencies may depend on it, and say so.
    let positions = count("max_position_embeddings", default: 2048, on: .nothing)
    let rotary = rotary(RotaryDefaults(headSize: headSize, positions: positions))
    if faults.isEmpty, rotary.turned != headSize {
      refuse("a partial_rotary_factor other than 1 is not supported for falcon")
    }
    return rotary
  }
}
