import Models
import TensorCore

/// Matrices that are the wrong way round, or stand for each other.
let matrixMistakes: [Plant] =
  [
    plant(
      "not transposed, square", in: { ground in linears(ground).filter { ground.isSquare($0) } },
      pair: "transposed in B", golden: "transposed"
    ) { ground, path in
      try ground.elements(path).gathered { ($1, $0) }
    },
    plant(
      "reshaped instead of transposed",
      in: { ground in linears(ground).filter { !ground.isSquare($0) && ground.isMatrix($0) } },
      pair: "given the other shape", golden: "given the other shape"
    ) { ground, path in
      // [out, in] was stored as [in, out], and its bytes taken as [out, in] again.
      let elements = try ground.elements(path)
      let (rows, columns) = (elements.rows, elements.columns)
      return elements.flat { $0 % rows * columns + $0 / rows }
    },
  ]
  + [
    ("query", "key"), ("key", "value"), ("query", "value"), ("gate", "up"),
    ("attention_norm", "feed_forward_norm"), ("attention", "cross_attention"), ("weight", "bias"),
    ("attention_norm", "attention_post_norm"), ("feed_forward_norm", "feed_forward_post_norm"),
    ("query_norm", "key_norm"),
  ].map(exchange)

/// Two parts of a module that are alike.
private func exchange(_ a: String, _ b: String) -> Plant {
  Plant({ $0.modules(with: a, b).filter { $0.contains(".") } }) { ground, module in
    var weights: [String: Tensor] = [:]
    let pairs = ground.weights(in: module).compactMap { path -> (String, String)? in
      let rest = path.dropFirst(module.count + 1)
      guard rest == a || rest.hasPrefix(a + ".") else { return nil }
      let other = "\(module).\(b)\(rest.dropFirst(a.count))"
      return ground.paths.contains(other) ? (path, other) : nil
    }
    for (left, right) in pairs {
      guard ground.shape(left) == ground.shape(right) else { return nil }
      weights[left] = try ground.tensor(right)
      weights[right] = try ground.tensor(left)
    }
    guard !weights.isEmpty else { return nil }
    var mutant = Mutant(
      a == "weight" ? "gamma and beta exchanged" : "\(a) and \(b) exchanged", at: module)
    mutant.weights = weights
    mutant.pair = [Mutant.Expected(module, "exchanged with \(module).\(b)")]
    mutant.golden = [Mutant.Expected(module, "\(a) and \(b) exchanged")]
    return mutant
  }
}

extension Ground {
  func isMatrix(_ path: String) -> Bool { shape(path).count == 2 && !shape(path).contains(1) }
  func isSquare(_ path: String) -> Bool { isMatrix(path) && shape(path)[0] == shape(path)[1] }
}
