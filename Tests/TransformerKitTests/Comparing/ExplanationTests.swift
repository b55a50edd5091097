import Models
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// The verifier says what was done to the weights that differ.
@Suite struct ExplanationTests {
  fileprivate let layer = "encoder.layer.1."

  /// What is said of a planted mistake.
  fileprivate func explained(
    _ name: String = "bert/base", _ plant: (inout Variant) throws -> Void
  ) throws -> [Explanation] {
    var variant = try Variant(of: name)
    try plant(&variant)
    let report = try compare(openModel(name), variant.model())
    guard case .different = report.verdict else {
      Issue.record("not different: \(report.verdict)")
      return []
    }
    return report.explanations
  }

  @Test func `a transposed matrix`() throws {
    let found = try explained { try $0.transpose(layer + "attention.self.query.weight") }
    #expect(found.map(\.cause) == [.transposed])
    #expect(found[0].place == "encoder.blocks.1.attention.query.weight")
    #expect(found[0].isSufficient)
  }

  /// The matrix that holds queries, keys and values, saved as `[outputs, inputs]` under the other shape.
  @Test func `a common matrix given the other shape`() throws {
    let (inputs, outputs, name) = (24, 72, "h.1.attn.c_attn.weight")
    let found = try explained("gpt2/base") { variant in
      let matrix = try variant.floats(name)
      variant.set(
        name, floats: matrix.indices.map { matrix[$0 % inputs * outputs + $0 / inputs] })
    }
    #expect(found.map(\.place) == ["decoder.blocks.1.attention"])
    #expect(found.map(\.cause) == [.reshaped])
  }

  @Test(arguments: [([2, 1, 0], "reversed"), ([1, 2, 0], "in the order 1, 2, 0")])
  func `channels of pictures in another order`(_ order: [Int], _ words: String) throws {
    let name = "embeddings.patch_embeddings.projection.weight"
    let found = try explained("vit/base") { variant in
      let kernel = try variant.floats(name)
      let plane = kernel.count / 3 / 6
      variant.set(
        name,
        floats: kernel.indices.map { index in
          let (place, inner) = (index / plane, index % plane)
          return kernel[(place / 3 * 3 + order[place % 3]) * plane + inner]
        })
    }
    #expect(found.map(\.text).first?.contains("channels \(words) in B") == true)
    #expect(found.map(\.isSufficient) == [true])
  }

  /// Neighbours that were rounded to one number are no constant.
  @Test func `two elements that became the same number`() throws {
    let found = try explained { variant in
      let name = layer + "output.LayerNorm.weight"
      var numbers = try variant.floats(name)
      (numbers[3], numbers[5]) = (1.03125, 1.03125)
      variant.set(name, floats: numbers)
    }
    #expect(found.map(\.cause) == [nil])
    #expect(found.first?.text.contains("2 of 24 elements differ") == true)
  }

  /// A's elements are shown as they are in B's type, and are called so.
  @Test func `elements of A that were rounded before are not called A's`() throws {
    let found = try explained { variant in
      try variant.convert(to: .bf16) { UInt16(DType.bf16.roundedBits(of: Double($0))) }
      let name = layer + "output.LayerNorm.weight"
      var bytes = try variant.bytes(name)
      for element in [3, 5] { bytes[2 * element + 1] ^= 0x3E }
      variant.set(name, bytes: bytes)
    }
    #expect(found.map(\.cause) == [nil])
    #expect(found.first?.text.contains(" in A rounded to BF16 and ") == true)
  }

  /// What `--allow-lossy` makes of gains that the target keeps as w + 1.
  @Test func `gains rounded as their sum with one`() throws {
    let found = try explained("gemma/base") { variant in
      for name in ["norm.weight", "layers.0.input_layernorm.weight"] {
        let gains = try variant.floats(name)
        variant.set(name, floats: gains.map { ($0 + 1) - 1 })
      }
    }
    #expect(found.map(\.cause) == [.roundedSum(1, .f32)])
    #expect(found.first?.paths.count == 2)
    #expect(found.first?.text.contains("rounded in B as the sum with 1.0 is in F32") == true)
  }

  @Test func `the same mistake in all layers is one line`() throws {
    let found = try explained { variant in
      for index in 0..<2 {
        try variant.transpose("encoder.layer.\(index).attention.self.key.weight")
      }
    }
    #expect(found.map(\.place) == ["encoder.blocks.*.attention.key.weight"])
    #expect(found[0].paths.count == 2)
  }

  @Test(arguments: [("query", "key"), ("key", "value"), ("query", "value")])
  func `two projections exchanged`(_ a: String, _ b: String) throws {
    let found = try explained { variant in
      for part in ["weight", "bias"] {
        try variant.swap(
          layer + "attention.self.\(a).\(part)", layer + "attention.self.\(b).\(part)")
      }
    }
    #expect(found.count == 1)
    #expect(found[0].place == "encoder.blocks.1.attention.\(a)")
    #expect(found[0].cause == .exchanged(with: "encoder.blocks.1.attention.\(b)"))
    #expect(found[0].paths.count == 4)
    #expect(found[0].isSufficient)
  }

  /// Each is explained by itself, whichever stand before it.
  @Test func `queries, keys and values split wrongly in every layer`() throws {
    let (heads, size) = (3, 8)
    let found = try explained { variant in
      for index in 0..<2 {
        for part in ["weight", "bias"] {
          let names = ["query", "key", "value"].map { name in
            "encoder.layer.\(index).attention.self.\(name).\(part)"
          }
          // The common matrix has the three parts one after the other, and was read head by head.
          let all: [Float] = try names.flatMap(variant.floats)
          let block = all.count / (3 * heads)
          #expect(block == (part == "weight" ? size * heads * size : size))
          for (place, name) in names.enumerated() {
            var own: [Float] = []
            for head in 0..<heads {
              let start = (head * 3 + place) * block
              own += all[start..<start + block]
            }
            variant.set(name, floats: own)
          }
        }
      }
    }
    #expect(found.map(\.place) == ["encoder.blocks.*.attention"])
    #expect(found.map(\.paths.count) == [12])
  }

  @Test func `gamma and beta exchanged`() throws {
    let found = try explained {
      try $0.swap(layer + "output.LayerNorm.weight", layer + "output.LayerNorm.bias")
    }
    #expect(
      found.map(\.cause) == [.exchanged(with: "encoder.blocks.1.feed_forward_norm.bias")])
  }

  @Test func `one tensor exchanged between two layers is not two blocks exchanged`() throws {
    func found(_ names: [String]) throws -> [Explanation] {
      try explained { variant in
        for name in names { try variant.swap("encoder.layer.0.\(name)", layer + name) }
      }
    }
    let one = try found(["attention.self.query.weight"])
    #expect(one.map(\.place) == ["encoder.blocks.0.attention.query.weight"])
    #expect(one.map(\.cause) == [.exchanged(with: "encoder.blocks.1.attention.query.weight")])
    #expect(one.map(\.paths.count) == [2])
    let parts = ["attention.self.query.weight", "attention.self.query.bias"]
    let two = try found(parts + ["output.dense.bias"])
    #expect(
      two.map(\.place) == [
        "encoder.blocks.0.attention.query", "encoder.blocks.0.feed_forward.down.bias",
      ])
    let all = try Variant("base").tensors.map(\.name.text).filter { $0.hasPrefix(layer) }
    let block = try found(all.map { String($0.dropFirst(layer.count)) })
    #expect(block.map(\.place) == ["encoder.blocks.0"])
    #expect(block.map(\.cause) == [.exchanged(with: "encoder.blocks.1")])
  }

  @Test func `a weight of ones is no copy of another one of ones`() throws {
    let name = layer + "output.LayerNorm.weight"
    var a = try Variant("base")
    a.set("encoder.layer.0.output.LayerNorm.weight", floats: try a.floats(name).map { _ in 1 })
    var b = a
    b.set(name, floats: try b.floats(name).map { _ in 1 })
    let found = try compare(a.model(), b.model()).explanations
    #expect(found.map(\.cause) == [.constant(1)])
  }

  @Test func `a layer that is a copy of another`() throws {
    let found = try explained { variant in
      for tensor in variant.tensors where tensor.name.text.hasPrefix(layer) {
        let source = tensor.name.text.replacing("layer.1.", with: "layer.0.")
        variant.set(tensor.name.text, bytes: try variant.bytes(source))
      }
    }
    #expect(found.map(\.place) == ["encoder.blocks.1"])
    #expect(found.map(\.cause) == [.copied(from: "encoder.blocks.0")])
    #expect(found.map(\.isSufficient) == [true])
  }

  @Test(arguments: [1, -1])
  func `position rows moved`(_ offset: Int) throws {
    let name = "embeddings.position_embeddings.weight"
    let found = try explained { variant in
      let rows = try variant.floats(name)
      variant.set(
        name,
        floats: rows.indices.map { rows[($0 + offset * 24 + rows.count) % rows.count] })
    }
    #expect(found.map(\.cause) == [.shifted(axis: 0, offset: offset)])
  }

  @Test func `heads read in the wrong order`() throws {
    let name = layer + "attention.self.value.weight"
    let found = try explained { variant in
      let old = try variant.floats(name)  // [3 heads × 8, 24]
      variant.set(
        name,
        floats: old.indices.map { index in
          let (row, column) = (index / 24, index % 24)
          return old[(row % 3 * 8 + row / 3) * 24 + column]
        })
    }
    #expect(found.map(\.cause) == [.headsTransposed(axis: 0, heads: 3)])
  }

  @Test func `rotary pairs interleaved`() throws {
    let name = layer + "attention.self.query.weight"
    let found = try explained { variant in
      let old = try variant.floats(name)
      variant.set(
        name,
        floats: old.indices.map { index in
          let (row, column) = (index / 24, index % 24)
          return old[(row / 8 * 8 + row % 2 * 4 + row % 8 / 2) * 24 + column]
        })
    }
    #expect(found.map(\.cause) == [.interleaved(axis: 0, headSize: 8, inverse: false)])
  }

  @Test func `columns of the output in another order of heads`() throws {
    let name = layer + "attention.output.dense.weight"
    let found = try explained { variant in
      let old = try variant.floats(name)
      variant.set(
        name,
        floats: old.indices.map { index in
          let (row, column) = (index / 24, index % 24)
          return old[row * 24 + (column + 8) % 24]
        })
    }
    #expect(found.map(\.cause) == [.permuted(axis: 1, block: 8)])
  }

  @Test func `a scale folded in, and a bias lost`() throws {
    let (weight, bias) = (
      layer + "attention.self.query.weight", layer + "attention.self.query.bias"
    )
    let scaled = try explained { $0.set(weight, floats: try $0.floats(weight).map { $0 / 8 }) }
    #expect(scaled.map(\.cause) == [.scaled(0.125)])
    let lost = try explained { $0.set(bias, floats: try $0.floats(bias).map { _ in 0 }) }
    #expect(lost.map(\.cause) == [.constant(0)])
  }

  @Test func `one flipped bit is no known mistake`() throws {
    let name = layer + "attention.self.key.bias"
    let found = try explained { variant in
      var values = try variant.floats(name)
      values[3] = Float(bitPattern: values[3].bitPattern ^ 1)
      variant.set(name, floats: values)
    }
    #expect(found.map(\.cause) == [nil])
    #expect(found[0].text.contains("by no known mistake"))
  }

  @Test func `a config that differs is named`() throws {
    var variant = try Variant("base")
    variant["hidden_act"] = "gelu_new"
    variant["layer_norm_eps"] = 0
    let report = try compare(openModel("bert/base"), variant.model())
    #expect(
      report.configDifferences == [
        "activation: gelu in A, gelu_new in B", "epsilon: 0.001 in A, 0.0 in B",
      ])
    #expect(report.explanations.isEmpty)
  }
}

extension ExplanationTests {
  @Test func `rows, columns and elements that alone were changed are named`() throws {
    let (matrix, bias) = (
      layer + "attention.self.query.weight", layer + "attention.self.query.bias"
    )
    func found(_ name: String, _ change: (Int, Float) -> Float) throws -> Cause? {
      try explained { variant in
        variant.set(name, floats: try variant.floats(name).enumerated().map { change($0, $1) })
      }.first?.cause
    }
    #expect(try found(matrix) { $0 / 24 == 5 ? 0 : $1 } == .part(axis: 0, [5], .constant(0)))
    #expect(
      try found(matrix) { (2...4).contains($0 % 24) ? 2 * $1 : $1 }
        == .part(axis: 1, [2, 3, 4], .scaled(2)))
    #expect(try found(bias) { $0 == 3 ? 0 : $1 } == .part(axis: nil, [3], .constant(0)))
    #expect(try found(matrix) { $0 == 77 ? $1 + 1 : $1 } == nil)
  }

  @Test func `a matrix given the other shape, and rows exchanged`() throws {
    let name = layer + "intermediate.dense.weight"
    let reshaped = try explained { variant in
      let old = try variant.floats(name)  // [40, 24]
      variant.set(name, floats: old.indices.map { old[$0 % 40 * 24 + $0 / 40] })
    }
    #expect(reshaped.map(\.cause) == [.reshaped])
    let exchanged = try explained { variant in
      let old = try variant.floats(name)
      let order = (0..<40).map { $0 == 3 ? 7 : $0 == 7 ? 3 : $0 }
      variant.set(name, floats: order.flatMap { old[$0 * 24..<($0 + 1) * 24] })
    }
    #expect(exchanged.map(\.cause) == [.blocksExchanged(axis: 0, block: 1, 3, 7)])
  }
}
