import Kernels
import Models

/// The extents of a model.
public struct DeepSeekSizes: Sendable, Equatable {
  var vocabulary: Int
  var width: Int
  var layers: Int
  var heads: Int
  /// The number of units inside the network of a layer without experts, and inside an expert.
  var feedForward: Int
  var expert: Int
  /// How many experts' units all positions go through.
  var shared: Int
  /// How many layers at the beginning have no experts.
  var dense: Int
  /// The width of what keys and values are made of, and of what queries are, if not of the stream.
  var latent = 512
  var queryLatent: Int? = 1536
  /// How many numbers of a head are compared as they are, and how many are turned by position.
  var plainSize = 128
  var turnedSize = 64
  var valueSize = 128

  var headSize: Int { plainSize + turnedSize }
}

extension ConfigReader {
  mutating func deepSeekSizes(_ usual: DeepSeekSizes) -> DeepSeekSizes {
    var sizes = usual
    sizes.vocabulary = count("vocab_size", default: usual.vocabulary, on: .weights)
    sizes.width = count("hidden_size", default: usual.width, on: .weights)
    sizes.layers = count(
      "num_hidden_layers", default: usual.layers, limit: Self.mostLayers, minimum: 0)
    sizes.heads = count("num_attention_heads", default: usual.heads, on: .outputs(as: "heads"))
    sizes.feedForward = count("intermediate_size", default: usual.feedForward, on: .weights)
    sizes.expert = count("moe_intermediate_size", default: usual.expert, on: .weights)
    sizes.shared = count("n_shared_experts", default: usual.shared, limit: 1 << 10, on: .weights)
    sizes.dense = count(
      "first_k_dense_replace", default: usual.dense, limit: Self.mostLayers, minimum: 0,
      on: .weights)
    sizes.latent = count("kv_lora_rank", default: usual.latent, on: .weights)
    sizes.queryLatent = optionalCount(
      "q_lora_rank", default: isNull("q_lora_rank") ? nil : usual.queryLatent, on: .weights)
    sizes.plainSize = count("qk_nope_head_dim", default: usual.plainSize, on: .weights)
    sizes.turnedSize = count("qk_rope_head_dim", default: usual.turnedSize, on: .weights)
    sizes.valueSize = count("v_head_dim", default: usual.valueSize, on: .weights)
    checkKeyHeads(sizes.heads)
    if !sizes.turnedSize.isMultiple(of: 2) {
      reject("qk_rope_head_dim \(sizes.turnedSize) is odd, and pairs are turned")
    }
    // The models' own code reads it, transformers does not.
    if count("moe_layer_freq", default: 1, on: .nothing) != 1 {
      refuse("a moe_layer_freq other than 1 is not supported")
    }
    return sizes
  }

  /// Keys are made for each head.
  private mutating func checkKeyHeads(_ heads: Int) {
    let keyHeads = optionalCount("num_key_value_heads", default: heads, on: .nothing) ?? heads
    if keyHeads != heads {
      reject("num_key_value_heads \(keyHeads) is not num_attention_heads \(heads)")
    }
  }
}

extension DeepSeekSizes {
  /// Attention, with what YaRN does to the scale of its scores.
  func attention(_ variant: DeepSeekVariant, _ rotary: RotarySettings) -> SelfAttentionForm {
    SelfAttentionForm(
      shape: AttentionShape(
        heads: heads, headSize: headSize, valueSize: valueSize,
        rotary: RotaryPart(variant.layout, size: turnedSize, first: plainSize)),
      scale: rotary.scoreFactor / Double(headSize).squareRoot(), hasBias: variant.attentionBias,
      hasOutputBias: variant.attentionBias,
      latent: LatentForm(
        width: latent, queryWidth: queryLatent,
        // The class's own, whatever the config says of the others.
        norm: .rootMeanSquare(epsilon: 1e-6)))
  }
}

extension RotarySettings {
  /// The square of what `mscale_all_dim` makes of queries and of keys (transformers: `yarn_apply_mscale`).
  fileprivate var scoreFactor: Double {
    guard case .yarn(let yarn) = scaling, let weight = yarn.mscaleAllDimensions else {
      return 1
    }
    return yarn.magnitude(weight) * yarn.magnitude(weight)
  }
}
