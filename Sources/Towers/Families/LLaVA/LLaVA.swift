import Kernels
public import Models
import TensorCore
import Vision

extension Family {
  /// Models that read pictures in texts, of models of some families, and their dialects.
  package static func llava<Parts: FamilyList>(of _: Parts.Type) -> Family {
    Family(
      members: [LLaVA<Parts>.self],
      processors: [
        PictureProcessor(
          "LlavaImageProcessor", size: .shorterEdge(224, longest: nil), crop: [224, 224],
          resampling: 3, .pairs)
      ],
      dialects: [.huggingFaceLLaVA(of: Parts.self), .ggufLLaVA(of: Parts.self)])
  }
}

/// LLaVA: an encoder of pictures, a small network behind it, and a decoder of texts, where what the network makes of a
/// picture's patches takes the places of a token.
///
/// Liu et al.: "Visual Instruction Tuning", arXiv 2304.08485, §4.1; "Improved Baselines", arXiv 2310.03744, §3.3. Names,
/// defaults and outputs are those of Hugging Face (models/llava/modeling_llava.py, 5.x). One class is none of theirs:
/// what comes before the decoder (`get_image_features` there), which llama.cpp has as a file of its own.
public struct LLaVA<Parts: FamilyList>: Architecture {
  public static var name: String { "llava" }

  /// The class of all of it, and the one of what comes before the decoder.
  static var wholeClass: String { "LlavaForConditionalGeneration" }
  static var featuresClass: String { "LlavaImageFeatures" }

  /// What sees, and what writes; `nil` where the config is at fault. Features alone have no decoder.
  let pictures: (any ImageEncoder)?
  let text: (any Architecture)?
  /// How wide the decoder's words are.
  let width: Int?
  /// What of the encoder is read, and how.
  let features: PictureFeatures
  /// The token whose places they take.
  let token: Int
  /// After which tokens a text is finished, and what fills it up.
  let endTokens: [Int]
  let padToken: Int?

  public let head: String

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let isWhole = config.head([(Self.wholeClass, true), (Self.featuresClass, false)]) { true }
    head = isWhole ? Self.wholeClass : Self.featuresClass
    // The decoder says it, too, and is read later: it may say more than this model.
    let isTied = config.within(Self.textKey) {
      $0.flag("tie_word_embeddings", default: false, on: .nothing)
    }
    let encoder = config.model(
      Self.pictureKey, named: "vision", as: .pictures, among: Parts.families, isStored: isStored)
    pictures = encoder as? any ImageEncoder
    text =
      isWhole
      ? config.model(
        Self.textKey, named: "text", as: .words, among: Parts.families, isStored: isStored) : nil
    width = isWhole ? text.map { $0.hiddenWidth ?? 0 } : config.widthOfWords(Self.textKey)
    let key = config.has("image_token_id") ? "image_token_id" : "image_token_index"
    let bearing: ConfigFact.Bearing = isWhole ? .outputs(as: "image_token") : .nothing
    token = config.token(key, default: 32000, on: bearing) ?? -1
    features = PictureFeatures(
      &config, layers: pictures?.form.blocks.count, tokens: pictures?.form.embedding.tokens)
    let rules = text?.generation
    endTokens = config.tokens("eos_token_id", default: rules?.endTokens ?? [], on: .nothing)
    padToken = config.token("pad_token_id", default: rules?.padToken, on: .nothing)
    let mayTie = config.flag("tie_word_embeddings", default: false, on: .nothing)
    if mayTie && !isTied && isWhole {
      config.refuse("tie_word_embeddings true is not supported where text_config does not say it")
    }
    config.disregard(["image_seq_length", "ignore_index", "vocab_size", "bos_token_id"])
    // What all settings have that there are, and these parts do not read.
    config.within(Self.pictureKey) { $0.disregard(["vocab_size", "projection_dim"]) }
    if config.faults.isEmpty { checkConsistency(&config) }
  }

  static var pictureKey: String { "vision_config" }
  static var textKey: String { "text_config" }

  private func checkConsistency(_ config: inout ConfigReader) {
    guard let text else { return }
    if text.wordVectors == nil {
      config.refuse("text_config is of a decoder to whose words something is added")
    }
    if text.generation?.renewedBeyond != nil {
      config.refuse("text_config is of a decoder that computes long texts anew")
    }
    if let words = text.words(of: "input_ids"), !(0..<words).contains(token) {
      config.reject("image_token_index \(token) is no word of text_config, which has \(words)")
    }
  }

  public static func == (a: Self, b: Self) -> Bool {
    func isSame(_ a: (any Architecture)?, _ b: (any Architecture)?) -> Bool {
      guard let a, let b else { return a == nil && b == nil }
      return a.isSame(as: b)
    }
    return isSame(a.pictures, b.pictures) && isSame(a.text, b.text) && a.width == b.width
      && a.features == b.features && a.token == b.token && a.endTokens == b.endTokens
      && a.padToken == b.padToken
  }

  public var dimensions: [String: Int] {
    var dimensions: [String: Int] = [:]
    let parts: [(String, (any Architecture)?)] = [("vision", pictures), ("text", text)]
    for (part, model) in parts {
      for (name, size) in model?.dimensions ?? [:] { dimensions["\(part).\(name)"] = size }
    }
    return dimensions
  }

  public var hiddenWidth: Int? { text?.hiddenWidth }

  public var reach: Reach { text?.reach ?? Reach() }

  public var pictureToken: PictureToken? {
    text == nil ? nil : PictureToken(id: token, count: features.count)
  }

  public var generation: GenerationRules? {
    guard let rules = text?.generation else { return nil }
    return GenerationRules(
      ids: rules.ids, mask: rules.mask, scores: "text." + rules.scores, endTokens: endTokens,
      padToken: padToken, longest: rules.longest, singleSteps: rules.singleSteps,
      limits: rules.limits)
  }
}

extension ConfigReader {
  /// How wide the words of the decoder are whose settings stand under a key, of which nothing else is read.
  fileprivate mutating func widthOfWords(_ key: String) -> Int {
    let keys = present(key)?.members?.map(\.key) ?? []
    return within(key) { reader in
      reader.disregard(keys)
      return reader.count("hidden_size", default: 4096, on: .weights)
    }
  }
}

/// Which states of an encoder of pictures a text reads, and what a network makes of them.
struct PictureFeatures: Equatable {
  /// The hidden states, 0 for the first one, that of the embeddings.
  let layers: [Int]
  /// Whether that of the first token is left out.
  let leavesFirst: Bool
  /// How many there are for a picture.
  let count: Int
  /// What the network applies, and whether its layers have a bias.
  let activation: Activation
  let hasBias: Bool

  /// Of the states of a picture which are read.
  private enum Strategy: String, CaseIterable {
    case usual = "default"
    case full
  }

  /// Reads a config.
  ///
  /// - Parameters:
  ///   - layers: how many blocks the encoder has.
  ///   - tokens: how many states it gives of a picture.
  init(_ config: inout ConfigReader, layers blocks: Int?, tokens: Int?) {
    let strategy = config.choice("vision_feature_select_strategy", default: Strategy.usual)
    leavesFirst = strategy == .usual
    activation = config.activation("projector_hidden_act", default: .gelu)
    hasBias = config.flag("multimodal_projector_bias", default: true, on: .weights)
    let states = (blocks ?? 0) + 1
    let key = "vision_feature_layer"
    let chosen = config.fact(
      key, .other, on: .outputs, default: [-2],
      json: { $0.count == 1 ? .number($0[0]) : .array($0.map { .number($0) }) },
      // Counted from the first one: files may lack layers, which are behind those that are read.
      text: { $0.map { "\($0 < 0 ? $0 + states : $0)" }.joined(separator: ",") }
    ) { value in
      let numbers = value.elements.map { $0.map(\.int) } ?? [value.int]
      let known = numbers.compactMap { $0 }.filter { (-states..<states).contains($0) }
      guard !known.isEmpty, known.count == numbers.count,
        known.count <= ConfigReader.mostLayers
      else {
        return blocks == nil
          ? .value([-1])
          : .fault(
            "must be a number from \(-states) to \(states - 1), or a list, is \(value.text())")
      }
      return .value(known)
    }
    layers = chosen.map { $0 < 0 ? $0 + states : $0 }
    count = max(0, (tokens ?? 1) - (leavesFirst ? 1 : 0))
    if tokens != nil, count == 0 { config.reject("of a picture of one patch nothing is left") }
    if blocks != nil, layers.contains(where: { $0 < 0 }) {
      config.reject("\(key) is beyond the encoder's layers")
    }
  }
}
