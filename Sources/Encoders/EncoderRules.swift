import Models

/// Rules that dialects of encoders share.
extension [Rule] {
  /// Embeddings, blocks and pooler of an encoder as Hugging Face names most of them:
  /// `MODEL.encoder.layer.0.attention.self.query`.
  ///
  /// - Parameters:
  ///   - model: what all names begin with, and a dot.
  ///   - embeddingNorm: what the embeddings' normalisation is called.
  ///   - norms: what the blocks' normalisations are called there, and here.
  static func huggingFaceEncoder(
    _ model: String, embeddingNorm: String = "LayerNorm",
    norms: ModuleNames = [
      "attention.output.LayerNorm": "attention_norm", "output.LayerNorm": "feed_forward_norm",
    ]
  ) -> [Rule] {
    var rules = huggingFaceEmbeddings(model, norm: embeddingNorm)
    rules += encoderBlocks(
      "\(model)encoder.layer.{i}.",
      [
        "attention.self.query": "attention.query", "attention.self.key": "attention.key",
        "attention.self.value": "attention.value", "attention.output.dense": "attention.output",
        "intermediate.dense": "feed_forward.up", "output.dense": "feed_forward.down",
      ])
    rules += encoderBlocks("\(model)encoder.layer.{i}.", norms)
    rules += huggingFaceCrossAttention(model, norms: norms)
    return rules + rename("\(model)pooler.dense", "pooler")
  }

  /// Attention to another text, whose modules are called as those of attention are.
  private static func huggingFaceCrossAttention(_ model: String, norms: ModuleNames) -> [Rule] {
    var rules = encoderBlocks(
      "\(model)encoder.layer.{i}.crossattention.",
      [
        "self.query": "cross_attention.query", "self.key": "cross_attention.key",
        "self.value": "cross_attention.value", "output.dense": "cross_attention.output",
      ])
    for (stored, path) in norms where path == "attention_norm" {
      rules += encoderBlocks(
        "\(model)encoder.layer.{i}.", ["cross" + stored: "cross_attention_norm"])
    }
    return rules
  }

  /// Tables, their normalisation, and the numbers that files of older versions store beside them.
  static func huggingFaceEmbeddings(_ model: String, norm: String = "LayerNorm") -> [Rule] {
    let names: ModuleNames = [
      "word_embeddings": "word", "position_embeddings": "position",
      "token_type_embeddings": "token_type", norm: "norm",
    ]
    let modules = names.flatMap { rename("\(model)embeddings.\($0.key)", "embeddings.\($0.value)") }
    let numbers = ["position_ids", "token_type_ids"].flatMap { name in
      let path = "embeddings.\(name)"
      return tensor("\(model)\(path)", .unit(.weight(path), axis: 0), .weight(path))
    }
    return modules + numbers
  }

  /// Modules of each block.
  static func encoderBlocks(_ prefix: String, _ names: ModuleNames) -> [Rule] {
    names.flatMap { rename(prefix + $0.key, "encoder.blocks.{i}." + $0.value) }
  }

  /// Modules of each block of a group that blocks share. See `EncoderForm.weightsOf`.
  static func sharedBlocks(_ prefix: String, _ names: ModuleNames) -> [Rule] {
    names.flatMap { rename(prefix + $0.key, "encoder.groups.{i}.blocks.{e}." + $0.value) }
  }

  /// A head that scores words, where the bias stands beside the product.
  ///
  /// - Parameters:
  ///   - transform: what the linear layer is called, and
  ///   - norm: the normalisation.
  static func huggingFaceWordScores(_ head: String, transform: String, norm: String) -> [Rule] {
    var rules = rename("\(head)\(transform)", "mlm_head.transform")
    rules += rename("\(head)\(norm)", "mlm_head.norm")
    rules += rename("\(head)bias", "mlm_head.bias")
    rules += rename("\(head)decoder.weight", "mlm_head.decoder.weight")
    // transformers 5 reads an untied decoder without a bias of its own as one with a zero bias.
    return rules
      + rename(
        "\(head)decoder.bias", "mlm_head.decoder.bias",
        writesTie: .unlessTied("mlm_head.decoder.weight"))
  }

  /// A classifier of texts behind a linear layer, `HEAD.dense` and `HEAD.out_proj`; one of positions or
  /// choices, which has none, is `HEAD` itself.
  static func huggingFaceClassifier(_ head: String = "classifier") -> [Rule] {
    let dense = "classifier_dense.weight"
    var rules = rename("\(head).dense", "classifier_dense")
    rules += with(dense, rename("\(head).out_proj", "classifier"))
    return rules + without(dense, rename(head, "classifier"))
  }
}

/// How the first releases called a normalisation's gain and offset.
let formerNormNames = [
  (other: "LayerNorm.gamma", usual: "LayerNorm.weight"),
  (other: "LayerNorm.beta", usual: "LayerNorm.bias"),
]

/// How dialects fuse matrices of an encoder's block.
extension Layout {
  /// The queries of all heads, then keys, then values.
  static func encoderQueryKeyValue(_ ending: String) -> Layout {
    .encoderParts(["attention.query", "attention.key", "attention.value"], ending)
  }

  /// The gate, then what it multiplies.
  static func encoderGateUp(_ ending: String) -> Layout {
    .encoderParts(["feed_forward.gate", "feed_forward.up"], ending)
  }

  private static func encoderParts(_ parts: [String], _ ending: String) -> Layout {
    .joined(parts.map { .weight("encoder.blocks.{i}.\($0)\(ending)") }, axis: 0)
  }
}
