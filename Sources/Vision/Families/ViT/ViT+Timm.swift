import Models
import TensorCore

extension Dialect {
  /// A member as timm stores it (timm/models/vision_transformer.py, deit.py): queries, keys and values are one matrix.
  static func timm<Member: ViTMember>(_: Member.Type) -> Dialect {
    let token = "dist_token"
    return Dialect(
      name: "timm",
      architecture: Member.name,
      rules: [
        .timmImageEncoder(),
        .rename("head", "classifier"),
        .rename("head_dist", "teacher_classifier"),
      ],
      nativeConfig: .timm(Member.self),
      limits: [
        .fact("epsilon", "\(1e-6)"), .activation("gelu"),
        .of(ViT<Member>.self, "the head") { model in
          let isThere = Member.classTokens == 1 || model.form.head.task != .classification
          return isThere ? nil : ("of the first token alone", "of both tokens")
        },
      ],
      evidence: [Member.classTokens > 1 ? .name(token) : .timmImageEncoder(without: token)])
  }
}

extension NativeConfig {
  /// timm's config.json, which names the architecture: heads follow from that, and all else from the weights.
  fileprivate static func timm<Member: ViTMember>(_: Member.Type) -> NativeConfig {
    NativeConfig(
      fileName: "config.json",
      recognizes: { $0["model_type"] == nil && $0["architecture"]?.string != nil },
      usual: { config, table throws(CheckpointError) in
        let name = config["architecture"]?.string ?? ""
        // vit_base_patch16_224, deit_tiny_distilled_patch16_224
        let words = name.split(separator: "_")
        let isDeiT = Member.classTokens > 1
        let rest = isDeiT ? ["distilled", "patch", "size"] : ["patch", "size"]
        let sizes = ["tiny": 3, "small": 6, "base": 12, "large": 16, "huge": 16, "giant": 16]
        guard words.count == 2 + rest.count, words[0] == "vit" || words[0] == "deit",
          let heads = sizes[String(words[1])], !isDeiT || words[2] == "distilled",
          words[words.count - 2].hasPrefix("patch"), words.last?.allSatisfy(\.isNumber) == true
        else {
          throw CheckpointError(
            .unsupported("the architecture \"\(escaped(name))\" of timm is not supported"),
            advice: "pass --config FILE with a config.json of Hugging Face's, if it is a plain one")
        }
        return try timmConfig(
          table, model: Member.name, prefix: Member.prefix, heads: heads,
          classTokens: Member.classTokens)
      })
  }

  /// The facts that the weights show.
  private static func timmConfig(
    _ table: TensorTable, model: String, prefix: String, heads: Int, classTokens: Int
  ) throws(CheckpointError) -> JSONValue {
    func shape(_ name: String, _ count: Int) throws(CheckpointError) -> [Int] {
      guard let shape = table[TensorName(name)]?.shape, shape.count == count else {
        throw CheckpointError(
          .malformed("\(name) is missing, or not of \(count) axes: it shows the model's sizes"))
      }
      return shape
    }
    let patch = try shape("patch_embed.proj.weight", 4)
    let positions = try shape("pos_embed", 3)[1] - classTokens
    let side = Int(Double(max(0, positions)).squareRoot())
    guard side > 0, side <= 1 << 15, side * side == positions, patch[2] == patch[3],
      patch[2] <= 1 << 15
    else {
      throw CheckpointError(
        .unsupported("pos_embed has \(positions) positions of patches, which are no square"))
    }
    let layers = table.names(matching: "blocks.", ".norm1.weight")
    let hidden = table["blocks.0.mlp.fc1.weight"]?.shape.first ?? patch[0]
    let labels = table["head.weight"]?.shape.first
    let both = table["head_dist.weight"] != nil
    let ending =
      labels == nil ? "Model" : "ForImageClassification" + (both ? "WithTeacher" : "")
    return .object(
      [
        .init("model_type", .string(model)), .init("architectures", [.string(prefix + ending)]),
        .init("hidden_size", .number(patch[0])), .init("num_channels", .number(patch[1])),
        .init("patch_size", .number(patch[2])), .init("image_size", .number(side * patch[2])),
        .init("num_hidden_layers", .number(layers)), .init("num_attention_heads", .number(heads)),
        .init("intermediate_size", .number(hidden)), .init("hidden_act", "gelu"),
        .init("layer_norm_eps", .double(1e-6)),
        .init("qkv_bias", .bool(table["blocks.0.attn.qkv.bias"] != nil || layers == 0)),
      ] + (labels.map { [.init("num_labels", .number($0))] } ?? []))
  }
}

extension TensorTable {
  /// How many layers there are whose tensors are called so.
  func names(matching start: String, _ end: String) -> Int {
    (0..<ConfigReader.mostLayers).first { self[TensorName("\(start)\($0)\(end)")] == nil }
      ?? ConfigReader.mostLayers
  }
}
