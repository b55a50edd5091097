import Kernels
import Models
import TensorCore

extension NativeConfig {
  /// The key-values of a GGUF file about a decoder.
  static func gguf<Model: CausalDecoder>(_ config: GGUFConfig<Model>) -> NativeConfig {
    gguf(
      config, facts: { $0.form.ggufValues($1) },
      tensors: { $0.form.rotaries.first?.ggufTensors ?? [] })
  }
}

extension DecoderForm {
  /// What key-values say of any decoder.
  fileprivate func ggufValues(_ config: JSONValue) -> [JSONValue.Member] {
    let longest =
      embedding.positions?.count ?? config["max_position_embeddings"]?.int ?? longest ?? 2048
    var facts: [JSONValue.Member] = [
      .init("context_length", .number(longest)), .init("embedding_length", .number(width)),
      .init("block_count", .number(blocks.count)), .init("vocab_size", .number(vocabulary)),
    ]
    if let norm = norm ?? blocks.first?.norm {
      let kind = norm.kind == .rootMeanSquare ? "layer_norm_rms_epsilon" : "layer_norm_epsilon"
      facts.append(.init("attention.\(kind)", .double(norm.epsilon)))
    }
    return facts + attentionValues + (rotaries.first?.ggufValues ?? [])
  }

  /// What key-values say of attention and of feed-forward networks.
  fileprivate var attentionValues: [JSONValue.Member] {
    let shapes = blocks.map(\.attention.shape)
    guard let shape = shapes.first else { return [] }
    var members: [JSONValue.Member] = [
      .init("attention.head_count", .number(shape.heads)),
      .init("attention.head_count_kv", .number(shape.keyHeads)),
      .init("attention.key_length", .number(shape.headSize)),
      .init("attention.value_length", .number(shape.headSize)),
    ]
    if case .network(let network)? = blocks.first?.feedForward {
      members.append(.init("feed_forward_length", .number(network.hidden)))
    }
    if let window = shapes.lazy.compactMap(\.window).first {
      members.append(.init("attention.sliding_window", .number(window)))
    }
    if let bound = blocks.first?.attention.softcap {
      members.append(.init("attn_logit_softcapping", .double(bound)))
    }
    if let bound = head.softcap {
      members.append(.init("final_logit_softcapping", .double(bound)))
    }
    return members
  }
}
