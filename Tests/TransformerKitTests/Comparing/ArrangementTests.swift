import Models
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// Elements in another order, and what else was done to them, are named alike by the comparison of two models, by their diff
/// and by the check against a base.
@Suite struct ArrangementTests {
  private let attention = "encoder.layer.1.attention.self."
  private let kernel = "embeddings.patch_embeddings.projection.weight"

  /// What is said of a planted mistake.
  private struct Said {
    var explanations: [Explanation]
    var diff: [TensorChange]
    var faults: [String]
  }

  private func said(_ name: String, _ plant: (inout Variant) throws -> Void) throws -> Said {
    var variant = try Variant(of: name)
    try plant(&variant)
    let (base, model) = (try openModel(name), try variant.model())
    let check = try BaseCheck(model.checkpoint, against: base, options: OpenOptions())
    return Said(
      explanations: try compare(base, model).explanations,
      diff: try diff(base.checkpoint, model.checkpoint).changes,
      faults: check.faults.map { "\($0.tensor?.text ?? ""): \($0.text)" })
  }

  /// Rows of heads of 8 whose halves became neighbours.
  private func interleaved(_ values: [Float], _ columns: Int) -> [Float] {
    values.indices.map { index in
      let row = index / columns
      return values[(row / 8 * 8 + row % 2 * 4 + row % 8 / 2) * columns + index % columns]
    }
  }

  // MARK: Exchanged and in another order

  @Test func `queries and keys exchanged and interleaved`() throws {
    let said = try said("bert/base") { variant in
      for (part, columns) in [("weight", 24), ("bias", 1)] {
        let names = ["query", "key"].map { attention + "\($0).\(part)" }
        try variant.swap(names[0], names[1])
        for name in names {
          variant.set(name, floats: interleaved(try variant.floats(name), columns))
        }
      }
    }
    let there = "encoder.blocks.1.attention.key"
    #expect(said.explanations.map(\.place) == ["encoder.blocks.1.attention.query"])
    #expect(
      said.explanations.map(\.cause) == [
        .both(
          .exchanged(with: there), .interleaved(axis: 0, headSize: 8, inverse: false))
      ])
    #expect(said.explanations.map(\.isSufficient) == [true])
    #expect(said.diff.allSatisfy { $0.rearrangement?.text.contains("interleaved") == true })
    #expect(
      said.faults == [
        "encoder.blocks.1.attention.query.{weight,bias}: exchanged with \(there).{weight,bias}, "
          + "rows of each head of 8 interleaved"
      ])
  }

  /// One of two that only looks exchanged: the other one is as it was.
  @Test func `a copy of the keys in another order`() throws {
    let said = try said("bert/base") { variant in
      let keys = try variant.floats(attention + "key.weight")
      variant.set(attention + "query.weight", floats: interleaved(keys, 24))
    }
    #expect(
      said.explanations.map(\.cause) == [
        .both(
          .copied(from: "encoder.blocks.1.attention.key.weight"),
          .interleaved(axis: 0, headSize: 8, inverse: false))
      ])
  }

  @Test func `a weight of ones is none of another one in another order`() throws {
    let said = try said("bert/base") { variant in
      for part in ["query.bias", "key.bias"] {
        let values = try variant.floats(attention + part)
        variant.set(attention + part, floats: values.map { _ in 1 })
      }
    }
    #expect(said.explanations.allSatisfy { $0.cause == .constant(1) })
  }

  // MARK: In another order and changed

  @Test(arguments: [
    (Float(3), Cause.interleaved(axis: 0, headSize: 8, inverse: false)),
    (Float(-0.5), Cause.transposed),
  ])
  func `a matrix in a wrong order and multiplied`(_ factor: Float, _ order: Cause) throws {
    let name = attention + "query.weight"
    let said = try said("bert/base") { variant in
      if order == .transposed { try variant.transpose(name) }
      let moved = try variant.floats(name)
      let right = order == .transposed ? moved : interleaved(moved, 24)
      variant.set(name, floats: right.map { $0 * factor })
    }
    #expect(said.explanations.map(\.cause) == [.both(order, .scaled(Double(factor)))])
    #expect(said.faults.count == 1)
    #expect(said.faults[0].contains("exactly \(Double(factor)) times the base's"))
  }

  /// What is trained on has no factor.
  @Test func `a matrix in a wrong order and changed otherwise is no multiple`() throws {
    let name = attention + "query.weight"
    let said = try said("bert/base") { variant in
      let moved = interleaved(try variant.floats(name), 24)
      variant.set(name, floats: moved.enumerated().map { $1 * (1 + Float($0 % 7) / 1000) })
    }
    #expect(said.explanations.map(\.cause) == [nil])
  }

  // MARK: Kernels

  static let kernels: [(text: String, place: @Sendable (Int, Int, Int) -> (Int, Int, Int))] = [
    ("kernels turned by 180 degrees", { ($0, 1 - $1, 1 - $2) }),
    ("axes permuted [0, 1, 3, 2]", { ($0, $2, $1) }),
    ("kernels turned by 90 degrees", { ($0, $2, 1 - $1) }),
    ("axis 2 reversed", { ($0, 1 - $1, $2) }),
    ("axis 3 reversed", { ($0, $1, 1 - $2) }),
    ("channels reversed", { (2 - $0, $1, $2) }),
    ("channels reversed, kernels turned by 180 degrees", { (2 - $0, 1 - $1, 1 - $2) }),
    (
      "elements in the order of the axes [0, 2, 3, 1]",
      { channel, row, column in
        let place = channel * 4 + row * 2 + column
        return (place % 3, place / 6, place / 3 % 2)
      }
    ),
  ]

  @Test(arguments: kernels.indices)
  func `kernels turned`(_ number: Int) throws {
    let (text, place) = Self.kernels[number]
    let said = try said("vit/base") { variant in
      let old = try variant.floats(kernel)  // [6, 3, 2, 2]
      variant.set(
        kernel,
        floats: old.indices.map { index in
          let (c, h, w) = place(index / 4 % 3, index / 2 % 2, index % 2)
          return old[index / 12 * 12 + c * 4 + h * 2 + w]
        })
    }
    #expect(said.explanations.map { $0.cause?.text } == ["\(text) in B"])
    #expect(said.explanations.map(\.isSufficient) == [true])
    #expect(said.diff.map { $0.rearrangement?.text } == [text])
    #expect(said.faults == ["embeddings.patch.weight: \(text)"])
  }

  @Test func `places of kernels in no order that has a name`() throws {
    let said = try said("vit/base") { variant in
      let old = try variant.floats(kernel)
      variant.set(kernel, floats: old.indices.map { old[$0 / 12 * 12 + $0 % 12 * 5 % 12] })
    }
    #expect(said.explanations.map(\.cause) == [.permuted(axis: 1, block: 1)])
  }

  // MARK: Rows

  @Test func `rows in blocks are named as blocks`() throws {
    let said = try said("bert/base") { variant in
      let name = attention + "query.weight"
      let rows = Set([1, 2, 3, 8, 9, 10, 11, 20])
      let values = try variant.floats(name)
      variant.set(name, floats: values.indices.map { rows.contains($0 / 24) ? 0 : values[$0] })
    }
    #expect(said.explanations.map { $0.cause?.text } == ["rows 1…3, 8…11, 20: zero in B"])
  }

  // MARK: Once

  /// The common matrix was read head by head, and its bias, too.
  @Test func `what was done to a matrix and its bias is one fault`() throws {
    let said = try said("gptneox/lm") { variant in
      for tensor in variant.tensors where tensor.name.text.contains("query_key_value") {
        let name = tensor.name.text
        let values = try variant.floats(name)
        let columns = values.count / 72
        variant.set(
          name,
          floats: values.indices.map { index in
            let (part, head, row) = (
              index / columns / 24, index / columns / 8 % 3, index / columns % 8
            )
            return values[(head * 24 + part * 8 + row) * columns + index % columns]
          })
      }
    }
    let blocks = Set(
      said.explanations.flatMap(\.paths).compactMap { $0.split(separator: ".").dropFirst(2).first })
    #expect(said.faults.count == blocks.count)
    #expect(said.faults.allSatisfy { $0.contains("head by head") })
  }

  /// Gains and shifts that stand for one another in all layers are as many faults as pairs.
  @Test func `two that were exchanged are one fault, and others are not joined`() throws {
    let said = try said("bert/base") { variant in
      try variant.swap(attention + "query.weight", attention + "key.weight")
      try variant.swap(
        "encoder.layer.1.output.LayerNorm.weight", "encoder.layer.1.output.LayerNorm.bias")
      let name = attention + "value.weight"
      variant.set(name, floats: try variant.floats(name).map { $0 * 2 })
      variant.set(
        attention + "value.bias",
        floats: try variant.floats(attention + "value.bias").map { $0 * 4 })
    }
    #expect(said.faults.count == 4, "\(said.faults)")
  }
}
