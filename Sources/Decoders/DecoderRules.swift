import Models

/// Rules that dialects of decoders share.
extension [Rule] {
  /// A decoder and its heads as Hugging Face names them: `model.layers.0.self_attn.q_proj`.
  ///
  /// - Parameters:
  ///   - norms: what the blocks' normalisations are called there, and here.
  ///   - splitsGate: whether the gate and what it multiplies are two tensors; without any gate they may be.
  ///   - answering: what stands in place of `model` where the head answers questions, if there is that head.
  static func huggingFaceDecoder(
    norms: ModuleNames, splitsGate: Bool = true, answering: String? = nil
  ) -> [Rule] {
    var rules = rename("lm_head", "lm_head")
    rules += with("score.weight", rename("score", "score"))
    rules += with("classifier.weight", rename("score", "classifier"))
    guard let answering else {
      return rules + huggingFaceBase("model", norms: norms, splitsGate: splitsGate)
    }
    rules += rename("qa_outputs", "qa_head")
    rules += without(
      "qa_head.weight", huggingFaceBase("model", norms: norms, splitsGate: splitsGate))
    return rules
      + with("qa_head.weight", huggingFaceBase(answering, norms: norms, splitsGate: splitsGate))
  }

  /// A decoder that stands under a name.
  private static func huggingFaceBase(
    _ model: String, norms: ModuleNames, splitsGate: Bool
  ) -> [Rule] {
    let layer = model + ".layers.{i}."
    let gate: ModuleNames = ["gate_proj": "feed_forward.gate", "up_proj": "feed_forward.up"]
    var rules = rename(model + ".embed_tokens", "embeddings.word")
    rules += rename(model + ".norm", "decoder.norm")
    rules += blocks(layer, norms)
    rules += blocks(
      layer + "self_attn.",
      [
        "q_proj": "attention.query", "k_proj": "attention.key", "v_proj": "attention.value",
        "o_proj": "attention.output", "q_norm": "attention.query_norm",
        "k_norm": "attention.key_norm",
      ])
    rules += blocks(layer + "mlp.", ["down_proj": "feed_forward.down"])
    return splitsGate ? rules + blocks(layer + "mlp.", gate) : rules
  }

  /// A decoder under the tensor names of GGUF (gguf's `tensor_mapping`).
  ///
  /// - Parameters:
  ///   - inPairs: whether queries and keys are stored in rotary pairs, where canonically the two halves of
  ///     a head are turned together.
  ///   - norms: what the blocks' normalisations are called there, and here.
  ///   - addend: what is added to the weights of all normalisations.
  ///   - splitsGate: whether the gate and what it multiplies are two tensors.
  ///   - writesTie: whether the head over the words is written although it is tied.
  static func ggufDecoder(
    inPairs: Bool, norms: ModuleNames, addend: Double = 0, splitsGate: Bool = true,
    writesTie: Rule.TieWriting = .never
  ) -> [Rule] {
    let gate: ModuleNames = ["ffn_gate": "feed_forward.gate", "ffn_up": "feed_forward.up"]
    var rules = rename("token_embd", "embeddings.word")
    rules += rename("output", "lm_head", writesTie: writesTie)
    rules += norm("output_norm", "decoder.norm", addend)
    for (stored, path) in norms { rules += blockNorm(stored, path, addend) }
    for part in ["query", "key"] {
      let (stored, path) = ("attn_\(part.prefix(1))", "attention.\(part)")
      rules += blockNorm(stored + "_norm", path + "_norm", addend)
      rules +=
        inPairs
        ? inRotaryPairs("blk.{i}." + stored, "decoder.blocks.{i}." + path)
        : blocks("blk.{i}.", [stored: path])
    }
    rules += blocks(
      "blk.{i}.",
      [
        "attn_v": "attention.value", "attn_output": "attention.output",
        "ffn_down": "feed_forward.down",
      ])
    return splitsGate ? rules + blocks("blk.{i}.", gate) : rules
  }

  /// A module of each block under its name in GGUF: `blk.0.attn_output`.
  static func ggufBlock(_ stored: String, _ path: String) -> [Rule] {
    rename("blk.{i}." + stored, "decoder.blocks.{i}." + path)
  }

  private static func blockNorm(_ stored: String, _ path: String, _ addend: Double) -> [Rule] {
    norm("blk.{i}." + stored, "decoder.blocks.{i}." + path, addend)
  }

  private static func norm(_ stored: String, _ path: String, _ addend: Double) -> [Rule] {
    addend == 0
      ? rename(stored, path)
      : tensor("\(stored).weight", .plus(.weight("\(path).weight"), addend))
        + tensor("\(stored).bias", .weight("\(path).bias"))
  }

  /// Modules of each block.
  private static func blocks(_ prefix: String, _ names: ModuleNames) -> [Rule] {
    names.flatMap { rename(prefix + $0.key, "decoder.blocks.{i}." + $0.value) }
  }

  /// A projection to queries or keys whose heads are stored in rotary pairs: neighbours are turned
  /// together, where canonically the two halves of a head are.
  static func inRotaryPairs(
    _ stored: String, _ path: String, parts: [String] = ["weight", "bias"]
  ) -> [Rule] {
    parts.flatMap { part in
      tensor(
        "\(stored).\(part)",
        .interleavedHeads(.weight("\(path).\(part)"), axis: 0, size: "head_size"))
    }
  }
}
