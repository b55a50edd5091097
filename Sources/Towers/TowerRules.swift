import Models

/// Rules that dialects of two towers share.
extension [Rule] {
  /// A tower's blocks as Hugging Face names them: `text_model.encoder.layers.0.self_attn.q_proj`.
  ///
  /// - Parameters:
  ///   - stored: what the tower's names begin with, and a dot.
  ///   - path: what its weights' paths begin with.
  private static func towerBlocks(_ stored: String, _ path: String) -> [Rule] {
    let names: ModuleNames = [
      "layer_norm1": "attention_norm", "layer_norm2": "feed_forward_norm",
      "self_attn.q_proj": "attention.query", "self_attn.k_proj": "attention.key",
      "self_attn.v_proj": "attention.value", "self_attn.out_proj": "attention.output",
      "mlp.fc1": "feed_forward.up", "mlp.fc2": "feed_forward.down",
    ]
    return names.flatMap {
      rename("\(stored)encoder.layers.{i}.\($0.key)", "\(path)encoder.blocks.{i}.\($0.value)")
    }
  }

  /// The numbers of positions that files of transformers 4 hold.
  private static func places(_ stored: String, _ path: String) -> [Rule] {
    let place = Layout.weight("\(path)embeddings.position_ids")
    return tensor("\(stored)embeddings.position_ids", .unit(place, axis: 0), place)
  }

  /// An encoder of texts.
  static func huggingFaceTextTower(_ stored: String = "text_model.", _ path: String = "") -> [Rule]
  {
    towerBlocks(stored, path) + places(stored, path)
      + rename("\(stored)embeddings.token_embedding", "\(path)embeddings.word")
      + rename("\(stored)embeddings.position_embedding", "\(path)embeddings.position")
      + rename("\(stored)final_layer_norm", "\(path)encoder.norm")
  }

  /// An encoder of pictures.
  static func huggingFaceVisionTower(
    _ stored: String = "vision_model.", _ path: String = ""
  ) -> [Rule] {
    towerBlocks(stored, path) + places(stored, path)
      + tensor(
        "\(stored)embeddings.class_embedding",
        .merged(.weight("\(path)embeddings.class.weight"), axis: 0))
      + rename("\(stored)embeddings.patch_embedding", "\(path)embeddings.patch")
      + rename("\(stored)embeddings.position_embedding", "\(path)embeddings.position")
      + rename("\(stored)pre_layrnorm", "\(path)embeddings.norm")
      + rename("\(stored)post_layernorm", "\(path)encoder.norm")
  }
}
