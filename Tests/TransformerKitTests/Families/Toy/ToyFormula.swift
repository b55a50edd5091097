import Foundation

/// What the family's models compute, written down from the formulas with plain loops over stored numbers.
///
/// It shares nothing with the family: neither kernels, nor the table of a dialect, nor the reader of the
/// config. Su et al.: arXiv 2104.09864, eq. 34; Zhang, Sennrich: arXiv 1910.07467, eq. 4; Shazeer: arXiv
/// 2002.05202, eq. 6.
struct ToyFormula {
  typealias Vector = [Double]

  let form: ToyCase
  private var sizes: ToyCase.Sizes { form.sizes }

  init(_ form: ToyCase) { self.form = form }

  /// What is computed of a text: the vectors after the embeddings and after each block, those after the last
  /// normalisation, and the scores.
  struct Outputs {
    var hidden: [[Vector]] = []
    var last: [Vector] = []
    var logits: [Vector] = []
  }

  /// - Parameter allowed: whether others see a position; all if not given.
  func callAsFunction(_ ids: [Int], allowed: [Bool]? = nil) -> Outputs {
    let allowed = allowed ?? ids.map { _ in true }
    let words = form["words"]
    func word(_ id: Int) -> Vector {
      Array(words[id * sizes.width..<(id + 1) * sizes.width])
    }
    var x = ids.map(word)
    var outputs = Outputs(hidden: [x])
    for layer in 0..<sizes.layers {
      let y = x.map { normalized($0, form["h.\(layer).gain"]) }
      let attention = attended(y, layer, allowed)
      for row in x.indices {
        let added = plus(attention[row], network(y[row], layer))
        x[row] = plus(x[row], added)
      }
      outputs.hidden.append(x)
    }
    outputs.last = x.map { normalized($0, form["gain"]) }
    outputs.logits = outputs.last.map { row in
      (0..<sizes.vocabulary).map { dot(row, word($0)) }
    }
    return outputs
  }

  private func normalized(_ x: Vector, _ gain: Vector) -> Vector {
    let mean = dot(x, x) / Double(x.count)
    return zip(x, gain).map { $0 / (mean + sizes.epsilon).squareRoot() * $1 }
  }

  /// Heads of queries share those of keys, each with its neighbours.
  private func attended(_ x: [Vector], _ layer: Int, _ allowed: [Bool]) -> [Vector] {
    let (size, heads, keyHeads) = (sizes.head, sizes.heads, sizes.keyHeads)
    let all = x.map { times($0, "h.\(layer).qkv") }
    func part(_ row: Int, _ first: Int, _ head: Int) -> Vector {
      Array(all[row][(first + head) * size..<(first + head + 1) * size])
    }
    return x.indices.map { row in
      var result: Vector = []
      for head in 0..<heads {
        let query = turned(part(row, 0, head), at: row)
        let shared = head / (heads / keyHeads)
        let seen = (0...row).filter { allowed[$0] }
        let scores = seen.map { key in
          dot(query, turned(part(key, heads, shared), at: key)) / Double(size).squareRoot()
        }
        let sum = scores.reduce(0) { $0 + exp($1) }
        var mixed = Vector(repeating: 0, count: size)
        for (key, score) in zip(seen, scores) {
          let value = part(key, heads + keyHeads, shared)
          for i in 0..<size { mixed[i] += exp(score) / sum * value[i] }
        }
        result += mixed
      }
      return times(result, "h.\(layer).out")
    }
  }

  /// The first numbers of a head, turned pair by pair.
  private func turned(_ x: Vector, at position: Int) -> Vector {
    let count = sizes.turned
    var y = x
    for pair in 0..<count / 2 {
      let (i, j) = form.turnsNeighbours ? (2 * pair, 2 * pair + 1) : (pair, pair + count / 2)
      let angle = Double(position) * pow(sizes.base, -2 * Double(pair) / Double(count))
      y[i] = x[i] * cos(angle) - x[j] * sin(angle)
      y[j] = x[i] * sin(angle) + x[j] * cos(angle)
    }
    return y
  }

  private func network(_ x: Vector, _ layer: Int) -> Vector {
    func bent(_ x: Vector) -> Vector { x.map { $0 / (1 + exp(-$0)) } }
    var inner = times(x, "h.\(layer).up")
    if form.isGated {
      inner = zip(bent(times(x, "h.\(layer).gate")), inner).map { $0 * $1 }
    } else {
      inner = bent(inner)
    }
    return times(inner, "h.\(layer).down")
  }

  /// `x·K + b`, where K is stored `[in, out]`.
  private func times(_ x: Vector, _ name: String) -> Vector {
    let kernel = form[name + ".kernel"]
    var y = form[name + ".offset"]
    for (i, value) in x.enumerated() {
      for j in y.indices { y[j] += value * kernel[i * y.count + j] }
    }
    return y
  }

  private func dot(_ x: Vector, _ y: Vector) -> Double { zip(x, y).reduce(0) { $0 + $1.0 * $1.1 } }

  private func plus(_ x: Vector, _ y: Vector) -> Vector { zip(x, y).map { $0 + $1 } }
}
