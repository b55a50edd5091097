public import Models
public import TensorCore

/// What a tensor is for, roughly.
public enum TensorKind: String, Sendable, CaseIterable {
  case embedding
  case attention
  case feedForward = "feed-forward"
  case norm
  case head
  case other

  /// The kinds of a model's stored tensors, by the modules that their weights are in.
  public static func kinds(of graph: WeightGraph) -> [TensorName: TensorKind] {
    var kinds: [TensorName: TensorKind] = [:]
    func add(_ module: ModuleNode, inside outer: TensorKind) {
      let kind = TensorKind(module.kind, inside: outer)
      for slot in module.slots where graph.ties[slot.path] == nil {
        guard let name = graph.tensor(at: slot.path)?.name, kinds[name] == nil else { continue }
        kinds[name] = kind
      }
      for inner in module.modules { add(inner, inside: kind) }
    }
    add(graph.root, inside: .other)
    return kinds
  }

  private init(_ kind: ModuleKind, inside outer: TensorKind) {
    switch kind {
    case .embedding: self = .embedding
    case .attention: self = .attention
    case .feedForward, .experts, .router: self = .feedForward
    case .layerNorm, .rmsNorm: self = .norm
    case .head: self = .head
    case .linear: self = outer
    case .model, .sequence, .block: self = .other
    }
  }

  /// What names usually mean, for tensors of unknown models.
  public init(guessing name: TensorName) {
    let text = name.text.lowercased()
    func has(_ words: String...) -> Bool { words.contains { text.contains($0) } }
    self =
      if has("norm", "ln_", ".ln", "/ln") { .norm } else if has("attn", "attention") {
        .attention
      } else if has("mlp", "ffn", "feed_forward", "feedforward", "intermediate", "fc1", "fc2") {
        .feedForward
      } else if has("emb", "wte", "wpe") {
        .embedding
      } else if has("head", "classifier", "pooler") {
        .head
      } else {
        .other
      }
  }
}
