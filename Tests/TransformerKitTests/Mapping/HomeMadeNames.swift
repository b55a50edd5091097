import Models
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// Ways to call weights that are no ecosystem's: what a person may call them who writes a model alone.
struct HomeMadeNames: Sendable, CustomTestStringConvertible {
  let testDescription: String
  private let words: [String: String]
  private let separator: String
  private let isCounted1: Bool
  private let isCamel: Bool

  static let all = [
    HomeMadeNames(
      testDescription: "slashes",
      words: [
        "blocks": "blk", "attention": "attn", "cross_attention": "xattn", "query": "wq",
        "key": "wk",
        "value": "wv", "output": "wo", "feed_forward": "mlp", "attention_norm": "attn_ln",
        "feed_forward_norm": "mlp_ln", "cross_attention_norm": "xattn_ln", "weight": "w",
        "bias": "b",
        "embeddings": "emb", "word": "tok", "position": "pos", "token_type": "seg", "norm": "ln",
        "encoder": "enc", "decoder": "dec", "lm_head": "logits", "relative_bias": "relbias",
        "fused": "qkv",
      ], separator: "/", isCounted1: false, isCamel: false),
    HomeMadeNames(
      testDescription: "camels counted from 1",
      words: [
        "blocks": "layer", "attention": "self_attn", "cross_attention": "cross_attn",
        "query": "q_proj", "key": "k_proj", "value": "v_proj", "output": "out_proj",
        "feed_forward": "feed_forward", "attention_norm": "attention_layer_norm",
        "feed_forward_norm": "feed_forward_layer_norm",
        "cross_attention_norm": "cross_attention_layer_norm", "embeddings": "embedding",
        "word": "tokens", "token_type": "segment", "lm_head": "lm_head", "fused": "qkv_proj",
      ], separator: ".", isCounted1: true, isCamel: true),
    HomeMadeNames(
      testDescription: "short",
      words: [
        "blocks": "L", "attention": "sa", "cross_attention": "ca", "query": "q", "key": "k",
        "value": "v", "output": "o", "feed_forward": "ff", "attention_norm": "sa_norm",
        "feed_forward_norm": "ff_norm", "cross_attention_norm": "ca_norm", "weight": "",
        "embeddings": "embed", "word": "vocab", "position": "positions", "token_type": "type",
        "encoder": "enc", "decoder": "dec", "lm_head": "unembed", "fused": "qkv",
      ], separator: "_", isCounted1: false, isCamel: false),
  ]

  /// What a tensor with some weights in it is called.
  func name(of paths: [String]) -> String {
    let path = paths[0]
    var parts: [String] = []
    for part in path.split(separator: ".").map(String.init) {
      if let number = Int(part) {
        let text = String(number + (isCounted1 ? 1 : 0))
        if let last = parts.last, !isCamel {
          parts[parts.count - 1] = last + text
        } else {
          parts.append(text)
        }
        continue
      }
      let isFused = paths.count > 1 && ["query", "key", "value"].contains(part)
      parts.append(words[isFused ? "fused" : part] ?? part)
    }
    let name = parts.filter { !$0.isEmpty }.joined(separator: separator)
    return isCamel ? camel(name) : name
  }

  private func camel(_ text: String) -> String {
    var (result, isNew) = ("", false)
    for character in text {
      if character == "_" {
        isNew = true
      } else {
        result += isNew ? character.uppercased() : String(character)
        isNew = false
      }
    }
    return result
  }
}
