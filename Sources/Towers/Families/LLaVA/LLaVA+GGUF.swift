import Kernels
import Models
import TensorCore
import Vision

extension Dialect {
  /// What LLaVA makes of pictures in a GGUF file, which llama.cpp reads beside one with the decoder: an encoder of
  /// pictures and the projector "mlp" (tools/mtmd/legacy-models/convert_image_encoder_to_gguf.py with
  /// `--llava-projector`; what is computed: tools/mtmd/models/llava.cpp, tools/mtmd/clip.cpp).
  ///
  /// The normalisation behind the encoder's last block has no place, since llama.cpp would apply it, and the decoder
  /// has none.
  static func ggufLLaVA<Parts: FamilyList>(of _: Parts.Type) -> Dialect {
    Dialect(
      name: "gguf",
      architecture: LLaVA<Parts>.name,
      rules: [
        .ggufTower("vision.", isNormed: false),
        .rename("mm.0", "projector.up"), .rename("mm.2", "projector.down"),
      ],
      nativeConfig: .ggufLLaVA(of: Parts.self),
      limits: .ggufTower(LLaVA<Parts>.self) { $0.pictures?.form } + [
        .of(LLaVA<Parts>.self, "the projector's activation") { model in
          let own = model.features.activation
          return own == .geluTanh ? nil : ("\(own.rawValue) in the config", "gelu_new")
        },
        .of(LLaVA<Parts>.self, "the projector") {
          $0.features.hasBias ? nil : ("without biases in the config", "with some")
        },
        .of(LLaVA<Parts>.self, "what is read of a picture") { $0.unreadableStates },
      ],
      evidence: [.name("mm.2.weight", without: "mm.1.weight", "mm.3.weight")],
      ownFiles: .gguf)
  }
}

extension LLaVA {
  /// How what is read of the encoder's states differs from what llama.cpp reads: each state once, from the first to the
  /// last one, of patches alone.
  fileprivate var unreadableStates: Limit.Mismatch? {
    let layers = features.layers
    if zip(layers, layers.dropFirst()).contains(where: { $0 >= $1 }) {
      let list = layers.map { "\($0)" }.joined(separator: ", ")
      return ("states \(list) in the config", "each once, in their order,")
    }
    guard let pictures else { return nil }
    let hasClass = pictures.form.embedding.classTokens > 0
    if features.leavesFirst == hasClass { return nil }
    return hasClass
      ? ("the class token with the patches in the config", "the patches alone")
      : ("all patches but the first in the config", "all")
  }

  /// Whether a file's names are those of the encoder and the two layers behind it, and of nothing more.
  fileprivate static func isWhole(_ facts: GGUFFacts) -> Bool {
    let others = [
      "mm.1.weight", "mm.3.weight", "model.image_newline", "v.image_newline", "t.token_embd.weight",
    ]
    return facts["projector_type"]?.string == "mlp"
      && facts.has("mm.0.weight") && facts.has("mm.2.weight")
      && facts.has("v.position_embd.weight") && !others.contains(where: facts.has)
  }
}

extension NativeConfig {
  /// The key-values of such a file.
  fileprivate static func ggufLLaVA<Parts: FamilyList>(of _: Parts.Type) -> NativeConfig {
    .gguf(
      GGUFConfig<LLaVA<Parts>>(
        architecture: "clip", className: LLaVA<Parts>.featuresClass, names: [:],
        facts: { facts throws(CheckpointError) in try LLaVA<Parts>.config(of: facts) },
        isMember: { LLaVA<Parts>.isWhole($0) }, isOfWords: false),
      facts: { model, config in model.ggufValues(config) })
  }
}

extension LLaVA {
  /// What the config of such a file is. Of a file that does not say which states are read, llama.cpp reads the last one but
  /// one.
  fileprivate static func config(
    of facts: GGUFFacts
  ) throws(CheckpointError) -> [JSONValue.Member] {
    let hasClass = facts.has("v.class_embd")
    let tower: [JSONValue.Member] = [
      .init("model_type", hasClass ? "clip_vision_model" : "siglip_vision_model")
    ]
    let last = try facts.count("vision.block_count")
    var members: [JSONValue.Member] = [
      .init(
        pictureKey,
        .object(
          tower + facts.towerSizes
            + (hasClass
              ? facts.towerProjection
              : [.init("vision_use_head", .bool(facts.has("v.head.probe")))]))),
      .init("vision_feature_select_strategy", hasClass ? "default" : "full"),
      .init("projector_hidden_act", "gelu_new"),
      .init("multimodal_projector_bias", .bool(facts.has("mm.0.bias"))),
    ]
    let layers = facts["vision.feature_layer"]
    members.append(
      .init(
        "vision_feature_layer",
        layers.map { ($0.elements?.count ?? 0) == 1 ? $0.elements?[0] ?? $0 : $0 }
          ?? .number(last - 1)))
    if let width = facts.shape("mm.2.weight")?.first {
      members.append(.init(textKey, .object([.init("hidden_size", .number(width))])))
    }
    return members
  }

  /// What key-values say. Which states are read is always said.
  fileprivate func ggufValues(_ config: JSONValue) -> [JSONValue.Member] {
    guard let pictures else { return [] }
    let hasClass = pictures.form.embedding.classTokens > 0
    let projection = hasClass ? config[Self.pictureKey]?["projection_dim"]?.int ?? 512 : 0
    // What each tower's own processor has.
    let colours = hasClass ? CLIPVision.ggufColours : FirstSigLIP.ggufColours
    return pictures.form.ggufValues(projection: projection, colours: colours) + [
      .init("has_llava_projector", true),
      .init("projector_type", "mlp"),
      .init("vision.feature_layer", .array(features.layers.map { .number($0) })),
    ]
  }
}
