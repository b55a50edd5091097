import Kernels
import TensorCore

extension Family {
  /// Llama, its members and their dialects.
  static let llama = Family(
    members: [
      Llama<MetaLlama>.self, Llama<Mistral>.self, Llama<Qwen2>.self, Llama<Qwen3>.self,
    ],
    dialects: Dialect.huggingFaceLlama + [.metaLlama] + Dialect.ggufLlama)
}

/// Llama and its kin: a causal Transformer decoder with root-mean-square pre-normalisation, rotary
/// positions, grouped keys and gated feed-forward networks.
///
/// Touvron et al.: "LLaMA", arXiv 2302.13971, §2.2; "Llama 2", arXiv 2307.09288, §2.2. Names of heads,
/// defaults and outputs are those of Hugging Face (models/llama/modeling_llama.py, 5.x).
public struct Llama<Member: LlamaMember>: Architecture {
  public static var name: String { Member.name }

  let vocabulary: Int
  let width: Int
  let layers: Int
  let heads: Int
  let keyHeads: Int
  let headSize: Int
  let feedForwardWidth: Int
  let activation: Activation
  let epsilon: Double
  let rotary: RotarySettings
  let isTied: Bool
  let labels: Int
  let endTokens: [Int]
  let padToken: Int?
  /// What the members differ in.
  let variant: LlamaVariant
  let task: LlamaHead

  public var head: String { task.className(of: Member.self) }

  public var dimensions: [String: Int] { ["head_size": headSize] }

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let usual = Member.defaults
    vocabulary = config.count("vocab_size", default: usual.vocabulary, on: .weights)
    width = config.count("hidden_size", default: 4096, on: .weights)
    layers = config.count(
      "num_hidden_layers", default: 32, limit: ConfigReader.mostLayers, minimum: 0, on: .weights)
    heads = config.count("num_attention_heads", default: 32, on: .outputs(as: "heads"))
    // Null is as many as queries have; what is absent is the member's.
    keyHeads =
      config.optionalCount(
        "num_key_value_heads",
        default: config.isNull("num_key_value_heads") ? nil : usual.keyHeads, on: .weights)
      ?? heads
    headSize =
      config.optionalCount(
        "head_dim", default: config.isNull("head_dim") ? nil : usual.headSize, on: .weights)
      ?? max(1, width / heads)
    feedForwardWidth = config.count(
      "intermediate_size", default: usual.feedForwardWidth, on: .weights)
    activation = config.activation("hidden_act", default: .silu)
    epsilon = config.epsilon("rms_norm_eps", default: 1e-6)
    rotary = config.rotary(
      RotaryDefaults(headSize: headSize, positions: usual.positions))
    isTied = config.flag("tie_word_embeddings", default: false, on: .weights)
    variant = Member.variant(&config, layers: layers)
    labels = config.labelCount()
    endTokens = config.tokens("eos_token_id", default: usual.endTokens, on: .nothing)
    let isTied = isTied
    task = config.head(LlamaHead.classes(of: Member.self)) {
      LlamaHead(isTied: isTied, isStored: isStored)
    }
    padToken = config.token(
      "pad_token_id", default: nil, on: task == .sequenceClassification ? .outputs : .nothing)
    config.disregard(Self.withoutEffect)
    checkConsistency(&config)
  }

  /// Settings of training, of how products were once computed, and of how long texts should be.
  private static var withoutEffect: [String] {
    ["max_position_embeddings", "mlp_dropout", "pretraining_tp", "token_classification_bias"]
  }

  private func checkConsistency(_ config: inout ConfigReader) {
    guard config.faults.isEmpty else { return }
    if Member.defaults.dividesWidth && !width.isMultiple(of: heads) {
      config.reject("hidden_size \(width) is not a multiple of num_attention_heads \(heads)")
    }
    if !heads.isMultiple(of: keyHeads) {
      config.reject(
        "num_attention_heads \(heads) is not a multiple of num_key_value_heads \(keyHeads)")
    }
    // transformers does not look at it unless frequencies are scaled, and then it fails.
    if rotary.turned != headSize {
      config.refuse("a partial_rotary_factor other than 1 is not supported for \(Self.name)")
    }
  }
}
