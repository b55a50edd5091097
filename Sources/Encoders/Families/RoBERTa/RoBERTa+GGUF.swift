import Models
import TensorCore

extension Dialect {
  /// RoBERTa and XLM-RoBERTa under the tensor names of GGUF, where they are a BERT (gguf's `tensor_mapping`,
  /// architecture `bert`; llama.cpp: conversion/bert.py) whose positions count from 0: the first rows of their table, up to
  /// and with that of padding, are not there.
  ///
  /// What llama.cpp computes stands in src/models/bert.cpp; its `gelu` is the tanh form. The pooler, which no embedding
  /// needs, and word scores have no place there.
  static let ggufRoBERTa = [ggufRoBERTa(PlainRoBERTa.self), ggufRoBERTa(XLMRoBERTa.self)]

  private static func ggufRoBERTa<Member: GGUFRoBERTa>(_ member: Member.Type) -> Dialect {
    Dialect(
      name: "gguf",
      architecture: member.name,
      rules: [
        .rename("token_embd", "embeddings.word"),
        .tensor(
          "position_embd.weight",
          .withoutFirst(.weight("embeddings.position.weight"), rows: "padding_rows")),
        .rename("token_types", "embeddings.token_type"),
        .rename("token_embd_norm", "embeddings.norm"),
        .encoderBlocks(
          "blk.{i}.",
          [
            "attn_q": "attention.query", "attn_k": "attention.key", "attn_v": "attention.value",
            "attn_output": "attention.output", "attn_output_norm": "attention_norm",
            "ffn_up": "feed_forward.up", "ffn_down": "feed_forward.down",
            "layer_output_norm": "feed_forward_norm",
          ]),
      ],
      nativeConfig: .ggufRoBERTa(member),
      limits: [
        .fact("activation", "gelu_new"), .fact("attention", "bidirectional"),
        .firstTokenType(RoBERTa<Member>.self),
      ],
      evidence: [.name("token_types.weight")],
      ownFiles: .gguf)
  }
}

/// A member that GGUF files tell from BERT, and from each other, by the kind of their tokenizer alone.
protocol GGUFRoBERTa: RoBERTaMember {
  /// What `tokenizer.ggml.model` says.
  static var tokenizer: String { get }
}

extension PlainRoBERTa: GGUFRoBERTa {
  static let tokenizer = "gpt2"
}

extension XLMRoBERTa: GGUFRoBERTa {
  static let tokenizer = "t5"
}

extension NativeConfig {
  /// The key-values. The file does not say the activation, which llama.cpp has but one of, nor what rows of the table of
  /// positions were left out but by the number of the padding token.
  fileprivate static func ggufRoBERTa<Member: GGUFRoBERTa>(_: Member.Type) -> NativeConfig {
    .gguf(
      GGUFConfig<RoBERTa<Member>>(
        architecture: "bert", className: Member.className + "Model", names: ggufEncoderNames,
        facts: { facts in
          let padding = facts.tokens.first { $0.key == "pad_token_id" }?.value.int ?? 1
          var members: [JSONValue.Member] = [
            .init("hidden_act", "gelu_new"), .init("pad_token_id", .number(padding)),
          ]
          if let rows = facts.shape("token_types.weight")?.first {
            members.append(.init("type_vocab_size", .number(rows)))
          }
          if let rows = facts.shape("position_embd.weight")?.first,
            (0..<ConfigReader.largestExtent).contains(padding)
          {
            members.append(.init("max_position_embeddings", .number(rows + padding + 1)))
          }
          return members
        },
        values: { model, _ in
          guard let table = model.form.embedding.positions, let token = table.padToken else {
            return []
          }
          return [.init("context_length", .number(table.rows - token - 1))]
        },
        isMember: { $0.has("token_types.weight") && $0.tokenizer == Member.tokenizer }))
  }
}
