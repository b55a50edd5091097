import Kernels
import Models
import TensorCore
import Vision

/// What configs of encoders of pictures call what key-values say.
let ggufTowerNames: KeyValuePairs = [
  "vision.block_count": "num_hidden_layers", "vision.embedding_length": "hidden_size",
  "vision.feed_forward_length": "intermediate_size",
  "vision.attention.head_count": "num_attention_heads",
  "vision.attention.layer_norm_epsilon": "layer_norm_eps", "vision.image_size": "image_size",
  "vision.patch_size": "patch_size",
]

extension [Rule] {
  /// An encoder of pictures as llama.cpp names it (tools/mtmd/legacy-models/convert_image_encoder_to_gguf.py,
  /// `get_tensor_name`). The layer that widens is called `ffn_down` there, and the one behind it `ffn_up`.
  ///
  /// - Parameters:
  ///   - path: what its weights' paths begin with.
  ///   - isNormed: whether the normalisation behind the last block has a place.
  static func ggufTower(_ path: String = "", isNormed: Bool = true) -> [Rule] {
    let names: ModuleNames = [
      "ln1": "attention_norm", "ln2": "feed_forward_norm", "attn_q": "attention.query",
      "attn_k": "attention.key", "attn_v": "attention.value", "attn_out": "attention.output",
      "ffn_down": "feed_forward.up", "ffn_up": "feed_forward.down",
    ]
    return names.flatMap { rename("v.blk.{i}.\($0.key)", "\(path)encoder.blocks.{i}.\($0.value)") }
      + tensor("v.class_embd", .merged(.weight("\(path)embeddings.class.weight"), axis: 0))
      + rename("v.patch_embd", "\(path)embeddings.patch")
      + rename("v.position_embd", "\(path)embeddings.position")
      + rename("v.pre_ln", "\(path)embeddings.norm")
      + (isNormed ? rename("v.post_ln", "\(path)encoder.norm") : [])
      + ggufPooler("\(path)pooler.")
  }

  /// A pooler whose attention is one of torch's modules.
  private static func ggufPooler(_ pooler: String) -> [Rule] {
    func joined(_ ending: String) -> Layout {
      .joined(
        ["query", "key", "value"].map { .weight("\(pooler)attention.\($0).\(ending)") }, axis: 0)
    }
    return tensor("v.head.probe", .merged(.weight("\(pooler)probe.weight"), axis: 0))
      + tensor("v.head.attention.in_weight", joined("weight"))
      + tensor("v.head.attention.in_bias", joined("bias"))
      + rename("v.head.attention.out", "\(pooler)attention.output")
      + rename("v.head.ln", "\(pooler)norm")
      + rename("v.head.ffn_down", "\(pooler)feed_forward.up")
      + rename("v.head.ffn_up", "\(pooler)feed_forward.down")
  }
}

extension GGUFFacts {
  /// The activation that the file's flags mean in llama.cpp, whose `gelu` is the tanh form (tools/mtmd,
  /// `load_hparams`), under a config's key.
  var towerActivation: JSONValue.Member {
    let name: Activation =
      self["use_gelu"]?.bool == true
      ? .geluTanh : self["use_silu"]?.bool == true ? .silu : .quickGELU
    return .init("hidden_act", .string(name.rawValue))
  }

  /// What a tower's config says, of those keys that have names of their own there.
  var towerSizes: [JSONValue.Member] {
    ggufTowerNames.compactMap { name in
      self[name.key].map { JSONValue.Member(name.value, $0) }
    } + [towerActivation]
  }

  /// The width of what stands for a picture beside a text, which is 0 where nothing does, under a config's key.
  var towerProjection: [JSONValue.Member] {
    guard let width = self["vision.projection_dim"]?.int, width > 0 else { return [] }
    return [.init("projection_dim", .number(width))]
  }

  /// Whether the file has an encoder of pictures and none of texts, which nothing is behind that reads it.
  var isTowerAlone: Bool {
    self["has_text_encoder"]?.bool != true && self["projector_type"] == nil && !has("mm.0.weight")
  }
}

extension ImageEncoderForm {
  /// What key-values say of it, as llama.cpp's script says them.
  ///
  /// - Parameters:
  ///   - projection: the width of what stands for a picture beside a text, 0 if nothing does.
  ///   - colours: what is taken off red, green and blue, and what they are divided by.
  func ggufValues(
    projection: Int, colours: (mean: [Double], deviation: [Double])
  ) -> [JSONValue.Member] {
    let activation = feedForward?.activation
    var members: [JSONValue.Member] = [
      .init("has_text_encoder", false), .init("has_vision_encoder", true),
      .init("use_gelu", .bool([.gelu, .geluTanh].contains(activation))),
    ]
    if activation == .silu { members.append(.init("use_silu", true)) }
    let sizes: KeyValuePairs = [
      "image_size": embedding.image[0], "patch_size": embedding.patch[0],
      "embedding_length": width, "feed_forward_length": feedForward?.hidden ?? 0,
      "projection_dim": projection, "attention.head_count": heads ?? 1,
      "block_count": blocks.count,
    ]
    members += sizes.map { .init("vision.\($0.key)", .number($0.value)) }
    members.append(.init("vision.attention.layer_norm_epsilon", .double(norm.epsilon)))
    members += [("image_mean", colours.mean), ("image_std", colours.deviation)].map {
      key, numbers in
      .init("vision.\(key)", .array(numbers.map { .double($0) }))
    }
    return members
  }

  private var heads: Int? { blocks.first?.attention.shape.heads }

  /// The networks between attention, which all blocks have alike.
  fileprivate var feedForward: FeedForwardForm? {
    guard case .network(let network)? = blocks.first?.feedForward else { return nil }
    return network
  }
}

extension [Limit] {
  /// What llama.cpp's code for encoders of pictures computes whatever a config says.
  static func ggufTower<Model: Architecture>(
    _: Model.Type, _ form: @escaping @Sendable (Model) -> ImageEncoderForm?
  ) -> [Limit] {
    func limit(
      _ subject: String, _ mismatch: @escaping @Sendable (ImageEncoderForm) -> Limit.Mismatch?
    ) -> Limit {
      .of(Model.self, subject) { form($0).flatMap(mismatch) }
    }
    return [
      limit("num_channels") { form in
        let own = form.embedding.channels
        return own == 3 ? nil : ("\(own) in the config", "3")
      },
      limit("num_hidden_layers") { $0.blocks.isEmpty ? ("0 in the config", "not known") : nil },
      limit("the encoder's activation") { form in
        guard let own = form.feedForward?.activation,
          ![.geluTanh, .quickGELU, .silu].contains(own)
        else { return nil }
        return ("\(own.rawValue) in the config", "gelu_new, quick_gelu or silu")
      },
      // Which of the two matrices is which is told by their shapes.
      limit("intermediate_size") { form in
        guard let own = form.feedForward?.hidden, own <= form.width else { return nil }
        return ("\(own) in the config", "larger than hidden_size, \(form.width),")
      },
    ]
  }
}
