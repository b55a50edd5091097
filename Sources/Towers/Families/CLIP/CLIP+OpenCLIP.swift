import Encoders
import Kernels
import Models
import TensorCore
import Vision

extension Dialect {
  /// CLIP as OpenAI's code names it (openai/CLIP: clip/model.py), and OpenCLIP (open_clip: model.py, transformer.py):
  /// queries, keys and values are one matrix, and the projections are `[in, out]`.
  ///
  /// What stands for a text is the state of its largest id. Files of OpenAI's hold three sizes beside the weights.
  static var openCLIP: Dialect {
    Dialect(
      name: "openclip",
      architecture: CLIP.name,
      rules: [
        .openCLIPBlocks("transformer.", "text."),
        .rename("token_embedding", "text.embeddings.word"),
        .tensor("positional_embedding", .weight("text.embeddings.position.weight")),
        .rename("ln_final", "text.encoder.norm"),
        .tensor("text_projection", .transposed(.weight("text_projection.weight"))),
        .openCLIPBlocks("visual.transformer.", "vision."),
        .rename("visual.conv1", "vision.embeddings.patch"),
        .tensor(
          "visual.class_embedding", .merged(.weight("vision.embeddings.class.weight"), axis: 0)),
        .tensor("visual.positional_embedding", .weight("vision.embeddings.position.weight")),
        .rename("visual.ln_pre", "vision.embeddings.norm"),
        .rename("visual.ln_post", "vision.encoder.norm"),
        .tensor("visual.proj", .transposed(.weight("visual_projection.weight"))),
        .tensor("logit_scale", .weight("similarity.scale")),
      ],
      unread: ["input_resolution", "context_length", "vocab_size"].map {
        (stored: $0, reason: "a size, which the weights have, too")
      },
      nativeConfig: .openCLIP,
      limits: [
        .fact("text.epsilon", "\(1e-5)"), .fact("vision.epsilon", "\(1e-5)"),
        .of(CLIP.self, "the activation") { model in
          let found = Set(OpenCLIPConfig.activations(of: model))
          let known: Set<Activation> = [.gelu, .quickGELU]
          return found.count <= 1 && found.isSubset(of: known)
            ? nil : (found.map(\.rawValue).sorted().joined(separator: ", "), "gelu or quick_gelu")
        },
        .of(CLIP.self, "what stands for a text") { model in
          guard let text = model.form.text, case .firstOf(let end)? = text.summary?.pooling,
            end != text.vocabulary - 1
          else { return nil }
          return ("the state of id \(end) in the config", "that of the largest id")
        },
      ],
      evidence: [.name("visual.class_embedding")])
  }
}

extension [Rule] {
  /// A tower's blocks.
  fileprivate static func openCLIPBlocks(_ stored: String, _ path: String) -> [Rule] {
    let (block, inner) = ("\(stored)resblocks.{i}.", "\(path)encoder.blocks.{i}.")
    func joined(_ ending: String) -> Layout {
      .joined(
        ["query", "key", "value"].map { .weight("\(inner)attention.\($0).\(ending)") }, axis: 0)
    }
    let names: ModuleNames = [
      "ln_1": "attention_norm", "ln_2": "feed_forward_norm", "attn.out_proj": "attention.output",
      "mlp.c_fc": "feed_forward.up", "mlp.c_proj": "feed_forward.down",
    ]
    return names.flatMap { rename(block + $0.key, inner + $0.value) }
      + tensor("\(block)attn.in_proj_weight", joined("weight"))
      + tensor("\(block)attn.in_proj_bias", joined("bias"))
  }
}

extension NativeConfig {
  /// `model_cfg`, from which OpenCLIP builds a model.
  fileprivate static var openCLIP: NativeConfig {
    NativeConfig(
      fileName: "open_clip_config.json",
      recognizes: { $0["model_cfg"]?["vision_cfg"] != nil },
      usual: { config, _ throws(CheckpointError) in
        try OpenCLIPConfig(config["model_cfg"] ?? [:]).config
      },
      native: { OpenCLIPConfig.native(for: $0) })
  }
}

/// What open_clip_config.json says; defaults are those of `CLIPTextCfg` and `CLIPVisionCfg`.
private struct OpenCLIPConfig {
  let model: JSONValue

  init(_ model: JSONValue) throws(CheckpointError) {
    self.model = model
    let known: [String: Set<String>] = [
      "text_cfg": ["context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio"],
      "vision_cfg": ["image_size", "layers", "width", "head_width", "patch_size", "mlp_ratio"],
    ]
    // What is usual where it is said, and else another model.
    let usual: [String: JSONValue] = [
      "pool_type": .null, "no_ln_pre": false, "attentional_pool": false, "no_causal_mask": false,
      "embed_cls": false, "final_ln_after_pool": false, "proj_bias": false, "output_tokens": false,
      "timm_model_name": .null, "hf_model_name": .null, "ls_init_value": .null,
    ]
    // Of training, and of reading texts.
    let irrelevant: Set<String> = [
      "patch_dropout", "hf_tokenizer_name", "tokenizer_kwargs", "tokenizer_mode", "pad_id",
    ]
    for (tower, keys) in known.sorted(by: { $0.key < $1.key }) {
      let pooled: JSONValue = tower == "text_cfg" ? "argmax" : "tok"
      for member in model[tower]?.members ?? [] {
        let expected = member.key == "pool_type" ? pooled : usual[member.key]
        let isKnown = keys.contains(member.key) || irrelevant.contains(member.key)
        if isKnown || expected == member.value || member.value == .null { continue }
        throw CheckpointError(
          .unsupported(
            "config: \(tower).\(escaped(member.key)) \(member.value.text()) is not supported"))
      }
    }
  }

  /// A count; it is checked where it is read, as a key of Hugging Face's.
  private func count(_ tower: String, _ key: String, _ standard: Int) throws(CheckpointError) -> Int
  {
    guard let value = model[tower]?[key] else { return standard }
    guard let count = value.int, (1...ConfigReader.largestExtent).contains(count) else {
      throw CheckpointError(
        .malformed("config: \(tower).\(key) must be a positive integer, is \(value.text())"))
    }
    return count
  }

  /// The width of a tower's feed-forward networks.
  private func hidden(_ tower: String, width: Int) throws(CheckpointError) -> Int {
    let ratio = model[tower]?["mlp_ratio"]?.double ?? 4
    guard ratio > 0, ratio < 1024 else {
      throw CheckpointError(
        .malformed("config: \(tower).mlp_ratio must be positive, and not large"))
    }
    // The width is 2³¹ at most, so nothing overflows.
    return Int(Double(width) * ratio)
  }

  /// The same facts as Hugging Face writes them.
  var config: JSONValue {
    get throws(CheckpointError) {
      let activation: JSONValue = model["quick_gelu"]?.bool == true ? "quick_gelu" : "gelu"
      func shared(_ tower: String, width: Int) throws(CheckpointError) -> [JSONValue.Member] {
        [
          .init("hidden_act", activation), .init("layer_norm_eps", .double(1e-5)),
          .init("hidden_size", .number(width)),
          .init("num_hidden_layers", .number(try count(tower, "layers", 12))),
          .init("intermediate_size", .number(try hidden(tower, width: width))),
        ]
      }
      let (text, vision) = ("text_cfg", "vision_cfg")
      let texts = try count(text, "width", 512)
      let pictures = try count(vision, "width", 768)
      let head = try count(vision, "head_width", 64)
      let image = model[vision]?["image_size"] ?? 224
      guard let embedding = model["embed_dim"]?.int,
        (1...ConfigReader.largestExtent).contains(embedding)
      else { throw CheckpointError(.malformed("config: embed_dim must be a positive integer")) }
      guard pictures.isMultiple(of: head) else {
        throw CheckpointError(
          .malformed("config: vision_cfg.width \(pictures) is no multiple of head_width \(head)"))
      }
      return [
        "model_type": .string(CLIP.name), "architectures": ["CLIPModel"],
        "projection_dim": .number(embedding),
        "text_config": .object(
          try shared(text, width: texts) + [
            .init("vocab_size", .number(try count(text, "vocab_size", 49408))),
            .init("max_position_embeddings", .number(try count(text, "context_length", 77))),
            .init("num_attention_heads", .number(try count(text, "heads", 8))),
            // So transformers says that the largest id ends a text.
            .init("eos_token_id", 2),
          ]),
        "vision_config": .object(
          try shared(vision, width: pictures) + [
            .init("num_attention_heads", .number(pictures / head)), .init("image_size", image),
            .init("patch_size", .number(try count(vision, "patch_size", 16))),
          ]),
      ]
    }
  }

  /// What is applied in the blocks.
  static func activations(of model: CLIP) -> [Activation] {
    let form = model.form
    return ((form.text?.blocks ?? []) + form.pictures.blocks).compactMap(\.feedForward.activation)
  }

  /// open_clip_config.json for a config; `nil` where OpenCLIP has no keys for it.
  static func native(for config: JSONValue) -> JSONValue? {
    var reader = ConfigReader(config)
    let model = CLIP(config: &reader) { _ in false }
    guard reader.faults.isEmpty, reader.unsupported.isEmpty, let text = model.form.text,
      let words = text.blocks.first, let patches = model.form.pictures.blocks.first,
      let positions = text.embedding.positions, let projection = model.form.comparison.projection
    else { return nil }
    let pictures = model.form.pictures
    func ratio(_ block: BlockForm, _ width: Int) -> JSONValue {
      .double(Double(block.feedForward.hidden) / Double(width))
    }
    return [
      "model_cfg": [
        "embed_dim": .number(projection),
        "quick_gelu": .bool(patches.feedForward.activation == .quickGELU),
        "vision_cfg": [
          "image_size": .number(pictures.embedding.image[0]),
          "layers": .number(pictures.blocks.count), "width": .number(pictures.width),
          "head_width": .number(patches.attention.shape.headSize),
          "patch_size": .number(pictures.embedding.patch[0]),
          "mlp_ratio": ratio(patches, pictures.width),
        ],
        "text_cfg": [
          "context_length": .number(positions.rows), "vocab_size": .number(text.vocabulary),
          "width": .number(text.width), "heads": .number(words.attention.shape.heads),
          "layers": .number(text.blocks.count), "mlp_ratio": ratio(words, text.width),
        ],
      ]
    ]
  }
}
