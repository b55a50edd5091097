import Kernels
import Models
import TensorCore

extension [Rule] {
  /// A decoder as LitGPT names it, whatever its family: `transformer.h.0.attn.qkv`.
  ///
  /// - Parameters:
  ///   - feedForward: what the modules of feed-forward networks are called there, and here.
  ///   - isGrouped: whether queries, keys and values stand group by group under their name of before 0.5, or part
  ///     by part.
  static func litGPTDecoder(feedForward: ModuleNames, isGrouped: Bool) -> [Rule] {
    let (stored, block) = ("transformer.h.{i}.", "decoder.blocks.{i}.")
    let modules: ModuleNames = [
      "norm_1": "attention_norm", "norm_2": "feed_forward_norm", "attn.proj": "attention.output",
      "attn.norm_q": "attention.query_norm", "attn.norm_k": "attention.key_norm",
    ]
    var rules = rename("transformer.wte", "embeddings.word")
    rules += rename("transformer.ln_f", "decoder.norm")
    rules += rename("lm_head", "lm_head", writesTie: .always)
    for names in [modules, feedForward] {
      rules += names.flatMap { rename(stored + $0.key, block + $0.value) }
    }
    return rules
      + [".weight", ".bias"].flatMap { ending in
        isGrouped
          ? tensor(stored + "attn.attn" + ending, .keyHeadByKeyHead(ending))
          : tensor(stored + "attn.qkv" + ending, .partByPart(ending))
      }
  }
}

extension Dialect {
  /// A family's dialect of LitGPT as it is written today, and that of versions before 0.5, which it still reads.
  ///
  /// Source: litgpt 0.5.13 (model.py; scripts/convert_hf_checkpoint.py; `_load_from_state_dict` for what was).
  static func litGPT<Model: CausalDecoder>(
    _: Model.Type, feedForward: ModuleNames, limits: [Limit],
    config: @escaping @Sendable (Model) -> [JSONValue.Member]
  ) -> [Dialect] {
    [false, true].map { isGrouped in
      Dialect(
        name: "litgpt",
        architecture: Model.name,
        variant: isGrouped ? "grouped" : nil,
        rules: [.litGPTDecoder(feedForward: feedForward, isGrouped: isGrouped)],
        nativeConfig: .litGPT(config),
        limits: limits + [.headOfWords(Model.self)],
        evidence: [
          .name("transformer.h.0.attn.\(isGrouped ? "attn" : "qkv").weight")
        ],
        fileNames: ["torch": "lit_model.pth"])
    }
  }
}

extension NativeConfig {
  /// model_config.yaml. LitGPT keeps config.json beside it, and that is read.
  ///
  /// - Parameter members: what is not the same for all families.
  fileprivate static func litGPT<Model: CausalDecoder>(
    _ members: @escaping @Sendable (Model) -> [JSONValue.Member]
  ) -> NativeConfig {
    NativeConfig(
      fileName: "model_config.yaml", recognizes: { _ in false },
      usual: { config, _ in config },
      native: { config in
        var reader = ConfigReader(config)
        let model = Model(config: &reader) { $0 == "lm_head.weight" }
        guard reader.faults.isEmpty, reader.unsupported.isEmpty,
          let block = model.form.blocks.first, let rotary = model.form.rotaries.first
        else { return nil }
        let shape = block.attention.shape
        return .object(
          [
            .init("name", .string(Model.name)), .init("n_layer", .number(model.form.blocks.count)),
            .init("n_embd", .number(model.form.width)), .init("n_head", .number(shape.heads)),
            .init("n_query_groups", .number(shape.keyHeads)),
            .init("head_size", .number(shape.headSize)),
            .init("vocab_size", .number(model.form.vocabulary)),
            .init("padded_vocab_size", .number(model.form.vocabulary)),
            .init("block_size", config["max_position_embeddings"] ?? 4096),
            .init("norm_eps", .double(model.form.norm?.epsilon ?? 0)),
            .init("intermediate_size", .number(block.feedForward.hidden)),
            .init("rotary_percentage", .double(Double(rotary.turned) / Double(shape.headSize))),
            .init("rope_base", .double(rotary.base)),
          ] + members(model))
      })
  }
}
