import Kernels
public import Models
import TensorCore

extension Family {
  /// GPT-Neo and its dialect.
  package static let gptNeo = Family(members: [GPTNeo.self], dialects: [.huggingFaceGPTNeo])
}

/// GPT-Neo: a causal Transformer decoder with pre-normalisation and learned positions, whose scores are not
/// scaled, and of whose layers some see a window of tokens only.
///
/// Black et al.: "GPT-Neo", doi 10.5281/zenodo.5297715; windows on alternate layers as in Brown et al., arXiv
/// 2005.14165, §2.1. Names of heads, defaults and outputs are those of Hugging Face
/// (models/gpt_neo/modeling_gpt_neo.py, 5.x).
public struct GPTNeo: CausalDecoder {
  public static let name = "gpt_neo"
  public static let classes = CausalHead.classes(of: "GPTNeo")

  public let form: DecoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let vocabulary = config.count("vocab_size", default: 50257, on: .weights)
    let width = config.count("hidden_size", default: 2048, on: .weights)
    let layers = config.count(
      "num_layers", or: "num_hidden_layers", default: 24, limit: ConfigReader.mostLayers,
      minimum: 0, on: .weights)
    let heads = config.count(
      "num_heads", or: "num_attention_heads", default: 16, on: .outputs(as: "heads"))
    let positions = config.count("max_position_embeddings", default: 2048, on: .weights)
    // At most the largest extent times four, which does not overflow.
    let hidden =
      config.optionalCount("intermediate_size", default: 4 * width, on: .weights) ?? 4 * width
    let activation = config.activation("activation_function", default: .geluTanh)
    let norm = NormForm.layer(epsilon: config.epsilon("layer_norm_epsilon", default: 1e-5))
    let windows = config.localWindows(layers: layers)
    let isTied = config.flag("tie_word_embeddings", default: true, on: .weights)
    let blocks = windows.map { window in
      BlockForm(
        attention: SelfAttentionForm(
          shape: AttentionShape(heads: heads, headSize: max(1, width / heads)), scale: 1,
          hasBias: false, window: window, fallback: .past,
          buffers: AttentionBuffers(causalMask: positions, maskedScore: -1e9)),
        feedForward: FeedForwardForm(hidden: hidden, activation: activation), norm: norm)
    }
    form = DecoderForm(
      vocabulary: vocabulary, width: width,
      embedding: EmbeddingForm(positions: LearnedPositions(positions), addsTypes: true),
      blocks: blocks, norm: norm,
      head: config.causalHead(
        Self.classes, isTied: isTied, endTokens: [50256], isStored: isStored))
    config.disregard(Self.withoutEffect)
    if config.faults.isEmpty, !width.isMultiple(of: heads) {
      config.reject("hidden_size \(width) is not a multiple of num_heads \(heads)")
    }
  }

  /// Settings of training, and keys of the first files.
  private static let withoutEffect = [
    "embed_dropout", "resid_dropout", "summary_activation", "summary_first_dropout",
    "summary_proj_to_labels", "summary_type", "summary_use_proj",
  ]
}

/// What a layer sees, by the names that configs have for it.
private enum LayerReach: String, CaseIterable {
  case global
  case local
}

extension ConfigReader {
  /// How many tokens each layer's queries see, `nil` for all: `attention_layers`, and where that is not there
  /// what `attention_types` says in groups.
  fileprivate mutating func localWindows(layers: Int) -> [Int?] {
    let grouped = attentionTypes(layers: layers)
    let types =
      choices("attention_layers", of: LayerReach.self, count: layers, default: grouped) ?? grouped
    let isLocal = types.contains(.local)
    let said = present("window_size")?.int ?? 256
    let own = min(max(said, 2), Self.largestExtent - 1)
    let window = count(
      "window_size", default: 256, usual: [own - 1, own + 1, 256],
      on: isLocal ? .outputs : .nothing)
    if unsupported.isEmpty, types.count != layers {
      let many = types.count > layers ? "more" : "fewer"
      reject("attention_types has \(many) layers than num_layers says, \(layers)")
    }
    return types.map { $0 == .local ? window : nil }
  }

  /// `[[["global", "local"], 12]]`: groups, each as often as it says.
  private mutating func attentionTypes(layers: Int) -> [LayerReach] {
    let usual = (0..<12).flatMap { _ in [LayerReach.global, .local] }
    return fact(
      "attention_types", .other, on: .nothing, default: usual,
      json: { .array($0.map { .string($0.rawValue) }) }
    ) { value in
      guard let groups = value.elements else {
        return .fault("must be a list of names and how often they come")
      }
      var types: [LayerReach] = []
      for group in groups {
        guard let pair = group.elements, pair.count == 2, let names = pair[0].elements,
          let times = pair[1].int, times >= 0
        else { return .fault("must be a list of names and how often they come") }
        let reaches = names.compactMap { $0.string.flatMap(LayerReach.init(rawValue:)) }
        guard reaches.count == names.count else {
          return .unsupported(
            "attention_types \(pair[0].text()) is not known; known are global, local")
        }
        // No more than what shows that they are too many.
        for _ in 0..<min(times, layers + 1) where types.count <= layers { types += reaches }
      }
      return .value(types)
    }
  }
}
