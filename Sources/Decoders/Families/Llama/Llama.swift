import Kernels
public import Models
import TensorCore

extension Family {
  /// Llama, its members and their dialects.
  package static let llama = Family(
    members: [
      Llama<MetaLlama>.self, Llama<Ministral>.self, Llama<Ministral3>.self, Llama<Mistral>.self,
      Llama<Qwen2>.self, Llama<Qwen3>.self, Llama<SmolLM3>.self,
    ],
    configNames: ["params.json"], tokenizers: [.qwen2],
    dialects: Dialect.huggingFaceLlama + [.metaLlama, .llamaInFlax] + Dialect.ggufLlama
      + Dialect.litGPTLlama + Dialect.ctranslate2Llama)
}

/// Llama and its kin: a causal Transformer decoder with root-mean-square pre-normalisation, rotary
/// positions, grouped keys and gated feed-forward networks.
///
/// Touvron et al.: "LLaMA", arXiv 2302.13971, §2.2; "Llama 2", arXiv 2307.09288, §2.2. Names of heads,
/// defaults and outputs are those of Hugging Face (models/llama/modeling_llama.py, 5.x).
public struct Llama<Member: LlamaMember>: CausalDecoder {
  public static var name: String { Member.name }
  public static var classes: [(name: String, head: CausalHead)] {
    CausalHead.classes(of: Member.className)
  }

  public let form: DecoderForm
  let sizes: DecoderSizes
  let activation: Activation
  let rotary: RotarySettings
  /// What the members differ in.
  let variant: LlamaVariant

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let usual = Member.defaults
    sizes = config.decoderSizes(usual.sizes)
    activation = config.activation("hidden_act", default: .silu)
    let norm = NormForm.rootMeanSquare(
      epsilon: config.epsilon("rms_norm_eps", default: usual.epsilon))
    if let settings = usual.rotary, !config.has("rope_scaling") {
      config.assume("rope_parameters", settings)
    }
    rotary = config.rotary(
      RotaryDefaults(
        theta: usual.theta, headSize: sizes.headSize, positions: usual.positions))
    let isTied = config.flag("tie_word_embeddings", default: usual.isTied, on: .weights)
    variant = Member.variant(&config, layers: sizes.layers)
    form = DecoderForm(
      vocabulary: sizes.vocabulary, width: sizes.width,
      embedding: EmbeddingForm(mayHoldRotary: true), rotaries: [rotary],
      blocks: Self.blocks(
        sizes, variant, activation, norm, rotary, growth: Member.growth(&config, rotary)),
      norm: norm,
      head: config.causalHead(
        Self.classes, isTied: isTied, endTokens: usual.endTokens, padToken: usual.padToken,
        isStored: isStored))
    config.disregard(Self.withoutEffect)
    checkConsistency(&config)
  }

  private static func blocks(
    _ sizes: DecoderSizes, _ variant: LlamaVariant, _ activation: Activation, _ norm: NormForm,
    _ rotary: RotarySettings, growth: QueryGrowth?
  ) -> [BlockForm] {
    variant.windows.indices.map { layer in
      BlockForm(
        attention: SelfAttentionForm(
          shape: AttentionShape(
            heads: sizes.heads, keyHeads: sizes.keyHeads, headSize: sizes.headSize,
            rotary: variant.turns(layer) ? RotaryPart(.halves, size: rotary.turned) : nil,
            window: variant.windows[layer]),
          hasBias: variant.inputBias, hasOutputBias: variant.outputBias,
          norm: variant.hasHeadNorms ? QueryKeyNorm(.heads, norm) : nil,
          growth: growth, buffers: AttentionBuffers(frequencies: rotary)),
        feedForward: FeedForwardForm(
          hidden: sizes.feedForward, activation: activation, isGated: true,
          hasBias: variant.feedForwardBias),
        norm: norm)
    }
  }

  /// Settings of training, of how products were once computed, and of how long texts should be.
  private static var withoutEffect: [String] {
    ["max_position_embeddings", "mlp_dropout", "pretraining_tp", "token_classification_bias"]
  }

  private func checkConsistency(_ config: inout ConfigReader) {
    guard config.faults.isEmpty else { return }
    if Member.defaults.dividesWidth && !sizes.width.isMultiple(of: sizes.heads) {
      config.reject(
        "hidden_size \(sizes.width) is not a multiple of num_attention_heads \(sizes.heads)")
    }
    // transformers does not look at it unless frequencies are scaled, and then it fails.
    if rotary.turned != sizes.headSize {
      config.refuse("a partial_rotary_factor other than 1 is not supported for \(Self.name)")
    }
  }
}
