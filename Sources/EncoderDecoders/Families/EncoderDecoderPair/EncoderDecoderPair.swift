import Kernels
public import Models
import TensorCore

extension Family {
  /// Pairs of models of some families, and their dialects.
  package static func pairs<Parts: FamilyList>(of _: Parts.Type) -> Family {
    Family(members: [EncoderDecoderPair<Parts>.self], dialects: [.huggingFacePairs(of: Parts.self)])
  }
}

/// An encoder and a decoder, each a model of its own: the decoder looks at what the encoder made of a text.
///
/// Rothe, Narayan, Severyn: "Leveraging Pre-trained Checkpoints for Sequence Generation Tasks", arXiv 1907.12461.
/// Inputs, outputs and names are those of Hugging Face (models/encoder_decoder/modeling_encoder_decoder.py, 5.x).
public struct EncoderDecoderPair<Parts: FamilyList>: Architecture {
  public static var name: String { "encoder-decoder" }

  /// What reads the text that there is, and what writes the one that becomes; `nil` where the config is at fault.
  let encoder: (any Architecture)?
  let decoder: (any Architecture)?
  /// What a text that is written begins with, after which tokens it is finished, and what fills it up.
  let startToken: Int?
  let endTokens: [Int]
  let padToken: Int?
  /// What a continued text must have, and what it must not.
  let limits: TokenLimits

  public let head: String

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    head = config.head([("EncoderDecoderModel", "EncoderDecoderModel")]) { "EncoderDecoderModel" }
    // What the pair does not say of tokens, its decoder does. It is read first: the decoder may take more from it.
    let ofDecoder = config.within(Stack.decoder.rawValue) { $0.generatedTokens(GeneratedTokens()) }
    let crossWidth = config.within(Stack.decoder.rawValue) {
      $0.optionalCount("cross_attention_hidden_size", on: .nothing)
    }
    encoder = config.model(
      Stack.encoder.rawValue, as: .states, among: Parts.families, isStored: isStored)
    decoder = config.model(
      Stack.decoder.rawValue, as: .words, among: Parts.families, isStored: isStored)
    let tokens = config.generatedTokens(ofDecoder)
    (startToken, endTokens, padToken) = (tokens.start ?? tokens.begin, tokens.end, tokens.pad)
    limits = config.tokenLimits(last: [], endTokens: tokens.end)
    config.disregard(["tie_encoder_decoder", "tie_word_embeddings", "vocab_size"])
    for stack in [Stack.encoder, .decoder] {
      // Not all read what all configs in a pair have.
      config.within(stack.rawValue) { $0.disregard(["is_decoder", "add_cross_attention"]) }
    }
    if config.faults.isEmpty { checkConsistency(&config, crossWidth: crossWidth) }
  }

  private func checkConsistency(_ config: inout ConfigReader, crossWidth: Int?) {
    guard let decoder, let encoder else { return }
    if !decoder.inputs.contains(where: { $0.name == InputSlot.encoderStates }) {
      config.reject("decoder.add_cross_attention is not true, so that it does not see the encoder")
    }
    if let crossWidth, encoder.hiddenWidth != decoder.hiddenWidth {
      config.refuse("decoder.cross_attention_hidden_size \(crossWidth) is not supported")
    }
  }

  public static func == (a: Self, b: Self) -> Bool {
    func isSame(_ a: (any Architecture)?, _ b: (any Architecture)?) -> Bool {
      guard let a, let b else { return a == nil && b == nil }
      return a.isSame(as: b)
    }
    return isSame(a.encoder, b.encoder) && isSame(a.decoder, b.decoder)
      && a.startToken == b.startToken && a.endTokens == b.endTokens && a.padToken == b.padToken
      && a.limits == b.limits
  }

  public var dimensions: [String: Int] {
    var dimensions: [String: Int] = [:]
    for (stack, model) in [(Stack.encoder, encoder), (.decoder, decoder)] {
      for (name, size) in model?.dimensions ?? [:] {
        dimensions["\(stack.rawValue).\(name)"] = size
      }
    }
    return dimensions
  }

  public var hiddenWidth: Int? { decoder?.hiddenWidth }

  public var reach: Reach {
    [encoder, decoder].compactMap { $0?.reach }.reduce(Reach()) { $0.joined($1) }
  }
}

/// The tokens with which a written text begins and ends.
private struct GeneratedTokens {
  var start: Int?
  var begin: Int?
  var end: [Int] = []
  var pad: Int?
}

extension ConfigReader {
  /// The tokens of written texts; those that are absent are `others`.
  fileprivate mutating func generatedTokens(_ others: GeneratedTokens) -> GeneratedTokens {
    GeneratedTokens(
      start: token("decoder_start_token_id", default: others.start, on: .nothing),
      begin: token("bos_token_id", default: others.begin, on: .nothing),
      end: tokens("eos_token_id", default: others.end, on: .nothing),
      pad: token("pad_token_id", default: others.pad, on: .nothing))
  }
}
