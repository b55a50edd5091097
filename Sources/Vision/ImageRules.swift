import Models

/// Rules that dialects of encoders of pictures share.
extension [Rule] {
  /// Embeddings, attention and the last normalisation as Hugging Face names them: `MODEL.encoder.layer.0.…`.
  ///
  /// - Parameters:
  ///   - model: what all names begin with, and a dot.
  ///   - blocks: what the names of a block's modules begin with after that.
  ///   - attention: what attention's layers are called there, and here.
  ///   - norms: what the blocks' normalisations are called there, and here.
  ///   - maskAxes: how many axes of one element stand before the mask token's.
  static func huggingFaceImageEncoder(
    _ model: String, blocks: String = "encoder.layer.{i}.",
    attention: ModuleNames = imageAttention, norms: ModuleNames, maskAxes: Int
  ) -> [Rule] {
    let embeddings = "\(model)embeddings."
    var rules = rename("\(embeddings)patch_embeddings.projection", "embeddings.patch")
    rules += tensor("\(embeddings)cls_token", .leading("embeddings.class.weight", axes: 1))
    rules += tensor(
      "\(embeddings)distillation_token", .leading("embeddings.distillation.weight", axes: 1))
    rules += tensor(
      "\(embeddings)register_tokens", .leading("embeddings.registers.weight", axes: 1))
    rules += tensor(
      "\(embeddings)mask_token", .leading("embeddings.mask.weight", axes: maskAxes - 1))
    rules += tensor(
      "\(embeddings)position_embeddings", .leading("embeddings.position.weight", axes: 1))
    rules += imageBlocks(model + blocks, attention) + imageBlocks(model + blocks, norms)
    return rules + rename("\(model)layernorm", "encoder.norm")
  }

  /// What attention's layers are called in files.
  static var imageAttention: ModuleNames {
    [
      "attention.attention.query": "attention.query", "attention.attention.key": "attention.key",
      "attention.attention.value": "attention.value", "attention.output.dense": "attention.output",
    ]
  }

  /// What they are called in transformers 5's own modules, and so by `state_dict()`: files have other names
  /// (conversion_mapping.py).
  static var imageAttentionModules: ModuleNames {
    [
      "attention.q_proj": "attention.query", "attention.k_proj": "attention.key",
      "attention.v_proj": "attention.value", "attention.o_proj": "attention.output",
    ]
  }

  /// Modules of each block.
  static func imageBlocks(_ prefix: String, _ names: ModuleNames) -> [Rule] {
    names.flatMap { rename(prefix + $0.key, "encoder.blocks.{i}." + $0.value) }
  }

  /// What the results of each block's layers are multiplied by, as DINO's code names it.
  static func imageScales(_ prefix: String) -> [Rule] {
    tensor(
      "\(prefix)layer_scale1.lambda1", .weight("encoder.blocks.{i}.attention_scale.weight"))
      + tensor(
        "\(prefix)layer_scale2.lambda1", .weight("encoder.blocks.{i}.feed_forward_scale.weight"))
  }
}

extension [Rule] {
  /// Embeddings, blocks and the last normalisation as timm names them: `blocks.0.attn.qkv`, part by part.
  static func timmImageEncoder() -> [Rule] {
    var rules = rename("patch_embed.proj", "embeddings.patch")
    rules += tensor("cls_token", .leading("embeddings.class.weight", axes: 1))
    rules += tensor("dist_token", .leading("embeddings.distillation.weight", axes: 1))
    rules += tensor("pos_embed", .leading("embeddings.position.weight", axes: 1))
    rules += timmBlocks("blocks.{i}.", "encoder.blocks.{i}.", mayBeGated: true)
    for (stored, layer) in [("ls1", "attention"), ("ls2", "feed_forward")] {
      rules += tensor(
        "blocks.{i}.\(stored).gamma", .weight("encoder.blocks.{i}.\(layer)_scale.weight"))
    }
    return rules + rename("norm", "encoder.norm")
  }

  /// Blocks as timm names them.
  ///
  /// - Parameters:
  ///   - stored: what their names begin with, and
  ///   - path: what the paths of their weights begin with, each with a dot.
  ///   - suffix: what the paths of their normalisations end with.
  ///   - hasBiases: whether queries, keys and values have theirs as one, too; else queries and values have their own.
  ///   - mayBeGated: whether feed-forward networks may have a gate, which is one matrix with what it multiplies.
  static func timmBlocks(
    _ stored: String, _ path: String, suffix: String = "_norm", hasBiases: Bool = true,
    mayBeGated: Bool = false
  ) -> [Rule] {
    func joined(_ parts: [String], _ ending: String) -> Layout {
      .joined(parts.map { .weight("\(path)\($0)\(ending)") }, axis: 0)
    }
    let gate = "\(path)feed_forward.gate.weight"
    let attention = ["attention.query", "attention.key", "attention.value"]
    let fed = ["feed_forward.gate", "feed_forward.up"]
    let names: ModuleNames = [
      "norm1": "attention\(suffix)", "norm2": "feed_forward\(suffix)",
      "attn.proj": "attention.output", "mlp.fc2": "feed_forward.down",
    ]
    var rules = names.flatMap { rename(stored + $0.key, path + $0.value) }
    for ending in [".weight", ".bias"] {
      if hasBiases || ending == ".weight" {
        rules += tensor("\(stored)attn.qkv\(ending)", joined(attention, ending))
      }
      if mayBeGated {
        rules += with(gate, tensor("\(stored)mlp.fc1\(ending)", joined(fed, ending)))
      }
    }
    if !hasBiases {
      rules += tensor("\(stored)attn.q_bias", .weight("\(path)attention.query.bias"))
      rules += tensor("\(stored)attn.v_bias", .weight("\(path)attention.value.bias"))
    }
    let up = rename("\(stored)mlp.fc1", "\(path)feed_forward.up")
    return rules + (mayBeGated ? without(gate, up) : up)
  }
}

extension Evidence {
  /// An encoder of pictures of timm's, whose layers are not scaled, and which is none of those that begin alike.
  static func timmImageEncoder(without token: String) -> Evidence {
    .name(
      "patch_embed.proj.weight", without: token, "blocks.0.ls1.gamma", "reg_token",
      "attn_pool.latent", "norm_pre.weight", "blocks.0.attn.q_bias", "decoder_pos_embed",
      "layers.0.blocks.0.attn.qkv.weight")
  }
}

extension Layout {
  /// A weight with so many axes of one element before its own.
  static func leading(_ path: String, axes: Int) -> Layout {
    (0..<axes).reduce(.weight(path)) { layout, _ in .unit(layout, axis: 0) }
  }
}
