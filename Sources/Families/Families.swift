import Decoders
import EncoderDecoders
import Encoders
import Hearing
public import Models
public import TensorCore
import Towers
import Vision

extension Family {
  /// The families that there are, a line each.
  public static let all: [Family] = [
    .albert,
    .bart,
    .beit,
    .bert,
    .bloom,
    .clip,
    .codeGen,
    .cohere,
    .deberta,
    .deepSeek,
    .dinov2,
    .dinov3,
    .distilBERT,
    .electra,
    .encoderDecoderPair,
    .esm,
    .falcon,
    .gemma,
    .glm,
    .gpt1,
    .gpt2,
    .gptBigCode,
    .gptJ,
    .gptNeo,
    .gptNeoX,
    .gptOSS,
    .granite,
    .llama,
    .llava,
    .mae,
    .mixtral,
    .modernBERT,
    .moonshine,
    .mpnet,
    .mpt,
    .nemotron,
    .nomicBERT,
    .olmo,
    .openNMTTransformer,
    .opt,
    .parakeet,
    .persimmon,
    .phi,
    .roberta,
    .roFormer,
    .siglip,
    .stableLM,
    .starCoder2,
    .swin,
    .t5,
    .torchTransformer,
    .vit,
    .wav2Vec2,
    .whisper,
    .xglm,
    .xlnet,
  ]
}

extension Family {
  /// Pairs of an encoder and a decoder of any of them.
  private static let encoderDecoderPair = Family.pairs(of: AllFamilies.self)
  /// Texts with pictures in them, of an encoder and a decoder of any of them.
  private static let llava = Family.llava(of: AllFamilies.self)
}

/// What a model inside another one may be of.
public enum AllFamilies: FamilyList {
  public static var families: [Family] { Family.all }
}

extension RecognitionOptions {
  /// Options with all families; nothing given means: recognise it.
  public init(
    architecture: String? = nil, dialect: String? = nil, className: String? = nil,
    dropsTrainingState: Bool = false, allowsExtra: Bool = false
  ) {
    self.init(
      architecture: architecture, dialect: dialect, className: className,
      dropsTrainingState: dropsTrainingState, allowsExtra: allowsExtra, families: Family.all)
  }
}

extension WeightGraph {
  /// Understands a checkpoint of any family: recognises architecture and dialect, and places every tensor.
  ///
  /// - Throws: what `init(_:config:options:)` throws.
  public init(_ table: TensorTable, config: JSONValue?) throws(CheckpointError) {
    try self.init(table, config: config, options: RecognitionOptions())
  }
}
