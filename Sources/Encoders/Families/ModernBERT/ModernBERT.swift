import Kernels
public import Models
import TensorCore

extension Family {
  /// ModernBERT and its dialects.
  package static let modernBERT = Family(
    members: [ModernBERT.self], dialects: [.huggingFaceModernBERT, .ggufModernBERT])
}

/// ModernBERT: a bidirectional Transformer encoder with pre-normalisation, gated feed-forward networks, and layers
/// that see everything or what is near, each kind with rotary positions of its own.
///
/// Warner et al.: "Smarter, Better, Faster, Longer", arXiv 2412.13663, §2.1. Names of heads, defaults and outputs
/// are those of Hugging Face (models/modernbert/modeling_modernbert.py, 5.x).
public struct ModernBERT: TextEncoder {
  public static let name = "modernbert"
  public static let classes = EncoderHead.classes(
    of: "ModernBert",
    [
      .base, .maskedLM, .sequenceClassification, .multipleChoice, .tokenClassification,
      .questionAnswering,
    ])

  public let form: EncoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let sizes = config.modernSizes()
    let norm = sizes.norm
    let types = config.alternatingTypes(sizes.layers)
    let rotaries = config.rotaries(of: types, headSize: sizes.headSize)
    let windows = config.nearKeys(of: types)
    let attentionBias = config.flag("attention_bias", default: false, on: .weights)
    let feedForwardBias = config.flag("mlp_bias", default: false, on: .weights)
    let blocks = types.indices.map { layer in
      var block = BlockForm(
        attention: SelfAttentionForm(
          shape: AttentionShape(
            heads: sizes.heads, headSize: sizes.headSize,
            rotary: RotaryPart(.halves, size: rotaries[0].turned)),
          rotary: types[layer] == .full ? 0 : 1, hasBias: attentionBias,
          hasOutputBias: attentionBias, window: windows[layer], seesAhead: true),
        feedForward: FeedForwardForm(
          hidden: sizes.feedForward, activation: sizes.activation, isGated: true,
          hasBias: feedForwardBias),
        norm: norm)
      // The first one reads embeddings that are normalised already.
      block.hasAttentionNorm = layer > 0
      return block
    }
    form = EncoderForm(
      vocabulary: sizes.vocabulary, width: sizes.width,
      embedding: TextEmbeddingForm(width: sizes.width, norm: norm), rotaries: rotaries,
      blocks: blocks, norm: norm, head: config.modernHead(Self.classes, sizes, isStored))
    config.disregard(Self.withoutEffect)
  }

  /// Settings of training and of kernels, and positions, of which there is no end.
  private static let withoutEffect = [
    "classifier_dropout", "deterministic_flash_attn", "embedding_dropout",
    "initializer_cutoff_factor", "layer_norm_eps", "max_position_embeddings", "mlp_dropout",
    "position_embedding_type", "reference_compile", "repad_logits_with_grad",
    "sparse_pred_ignore_index", "sparse_prediction",
  ]
}

extension ConfigReader {
  fileprivate mutating func modernSizes() -> EncoderSizes {
    let epsilon = epsilon("norm_eps", default: 1e-5)
    let sizes = EncoderSizes(
      vocabulary: count("vocab_size", default: 50368, on: .weights),
      width: count("hidden_size", default: 768, on: .weights),
      layers: count(
        "num_hidden_layers", default: 22, limit: Self.mostLayers, minimum: 0, on: .weights),
      heads: count("num_attention_heads", default: 12, on: .outputs(as: "heads")),
      feedForward: count("intermediate_size", default: 1152, on: .weights),
      activation: activation("hidden_activation", default: .gelu),
      norm: .layer(
        epsilon: epsilon, hasBias: flag("norm_bias", default: false, on: .weights)),
      positions: 0, isCausal: false,
      isTied: flag("tie_word_embeddings", default: true, on: .weights))
    rejectUndivided(sizes.width, "hidden_size", by: sizes.heads, "num_attention_heads")
    return sizes
  }

  /// Which layers see everything: those listed, or one in so many from the first on.
  fileprivate mutating func alternatingTypes(_ layers: Int) -> [LayerType] {
    let every = count("global_attn_every_n_layers", default: 3, on: .nothing)
    return layerTypes(usual: (0..<layers).map { $0.isMultiple(of: every) ? .full : .sliding })
  }

  /// The rotary positions of layers that see everything, and of the others.
  fileprivate mutating func rotaries(of types: [LayerType], headSize: Int) -> [RotarySettings] {
    if has("rope_scaling") { refuse("rope_scaling beside two bases is not supported") }
    let global = 160_000.0
    // transformers 4 takes the base of the other layers where this one is null.
    let local =
      isNull("local_rope_theta") ? present("global_rope_theta")?.double ?? global : 10_000
    let bases = [
      (LayerType.full, global, "global_rope_theta"), (.sliding, local, "local_rope_theta"),
    ]
    let settings = bases.map { type, theta, key in
      rotary(
        RotaryDefaults(theta: theta, headSize: headSize, positions: 8192, thetaKey: key), of: type,
        isUsed: types.contains(type))
    }
    if faults.isEmpty, settings.contains(where: { $0.turned != headSize }) {
      refuse("a partial_rotary_factor other than 1 is not supported")
    }
    return settings
  }

  /// How many keys each layer's queries see to one side, their own included: `local_attention` says how many they
  /// see to both sides.
  fileprivate mutating func nearKeys(of types: [LayerType]) -> [Int?] {
    let slides = types.contains(.sliding)
    let both = count(
      "local_attention", default: 128, usual: [64, 126, 130, 256],
      on: slides ? .outputs : .nothing)
    return types.map { $0 == .full ? nil : both / 2 + 1 }
  }

  /// Every head normalises what it has made of the states; words are scored by that, too.
  fileprivate mutating func modernHead(
    _ classes: [(name: String, head: EncoderHead)], _ sizes: EncoderSizes,
    _ isStored: (String) -> Bool
  ) -> EncoderHeadForm {
    // The base model has no head, so that nothing depends on it. Read again below, once the head is known.
    let activation = activation("classifier_activation", default: .gelu, on: .nothing)
    let hasBias = flag("classifier_bias", default: false, on: .weights)
    let wordBias = flag("decoder_bias", default: true, on: .weights)
    let words = WordScoring(
      width: sizes.width, activation: activation, norm: sizes.norm, isTied: sizes.isTied,
      bias: wordBias ? .own : .none, hasTransformBias: hasBias)
    func summary(_ pooling: EncoderHeadForm.Pooling) -> EncoderHeadForm.Summary {
      .normalised(activation, sizes.norm, hasBias: hasBias, pooling)
    }
    let usual = summary(.first)
    var head = encoderHead(
      classes, words: words, summary: (texts: usual, choices: usual),
      isStored: { path in
        // A file calls all classifiers the same, and the layers before them and before words.
        let classifies = isStored("classifier.weight")
        switch path {
        case "qa_head.weight": return false
        case "mlm_head.transform.weight": return isStored(path) && !classifies
        case "classifier_dense.weight": return isStored(path) && classifies
        default: return isStored(path)
        }
      })
    if head.task != .base {
      _ = self.activation(
        "classifier_activation", default: .gelu, on: .outputs(as: "head activation"))
    }
    guard [.sequenceClassification, .multipleChoice].contains(head.task) else {
      disregard(["classifier_pooling"])
      return head
    }
    let pooling = choice("classifier_pooling", default: ModernPooling.cls)
    let first = EncoderHeadForm.Pooling.first
    head.summary = summary(
      pooling == .mean ? .mean : head.task == .multipleChoice ? .firstAllowed : first)
    return head
  }
}

/// Which states a text is classified by.
private enum ModernPooling: String, CaseIterable {
  case cls
  case mean
}
