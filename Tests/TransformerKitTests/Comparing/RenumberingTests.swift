import Containers
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// Layers and experts that stand for one another: which, in what order, and what is lost.
@Suite struct RenumberingTests {
  /// What is said of layers in another order, of which A has twelve.
  private func explained(layers order: [Int]) throws -> PairReport {
    let stem = "decoder.blocks."
    return try report("gpt2/twelve_layers", layers: order.count) { path in
      guard path.hasPrefix(stem) else { return path }
      let rest = path.dropFirst(stem.count)
      let number = rest.prefix { $0 != "." }
      return Int(number).map { "\(stem)\(order[$0])\(rest.dropFirst(number.count))" } ?? path
    }
  }

  /// A model whose weights are others of itself.
  private func report(
    _ name: String, layers: Int? = nil, _ origin: (String) -> String
  ) throws -> PairReport {
    let a = try openModel(name)
    var config = a.graph.completedConfig
    if let layers { config = config.setting(["n_layer"], to: .number(layers)) }
    let kept = try a.graph.translated(to: "huggingface").map(\.tensor).filter { tensor in
      layers.map { tensor.name.text.layer ?? 0 < $0 } ?? true
    }
    let shorter = try written(kept, config)
    let weights = shorter.graph.slots.filter { shorter.graph.ties[$0.path] == nil }
      .reduce(into: [String: Tensor]()) { $0[$1.path] = a.graph.tensor(at: origin($1.path)) }
    let tensors = try shorter.graph.replacing(weights).translated(to: "huggingface").map(\.tensor)
    return try compare(a, written(tensors, config))
  }

  private func written(_ tensors: [Tensor], _ config: JSONValue) throws -> Model {
    let folder = ScratchFolder()
    let file = folder.path.appending("model.safetensors")
    try CheckpointWriter(destination: file, format: .safetensors).write(
      tensors: tensors, config: Array(config.text().utf8))
    return try withExtendedLifetime(folder) { try Model(file) }
  }

  @Test(arguments: [
    (
      [0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9],
      "in the order of their numbers as text in B: 0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9"
    ),
    ([11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0], "in reverse order in B"),
    (
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0], "moved by 1 up in B, the first ones to the end"
    ),
    (
      [10, 11, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9], "moved by 2 down in B, the last ones to the front"
    ),
    (
      [2, 0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11],
      "in another order in B: 2, 0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11"
    ),
    ([0, 1, 2, 2, 4, 5, 4, 7, 8, 9, 10, 11], "copies of others in B: 3 of 2, 6 of 4"),
  ])
  func `layers in another order`(_ order: [Int], _ text: String) throws {
    let report = try explained(layers: order)
    #expect(report.explanations.map(\.place) == ["decoder.blocks.*"])
    #expect(report.explanations.map { $0.cause?.text } == [text])
    #expect(report.explanations.map(\.isSufficient) == [true])
  }

  @Test(arguments: [(0, "without 0"), (5, "without 5")])
  func `a layer that is lost`(_ lost: Int, _ text: String) throws {
    let report = try explained(layers: (0..<12).filter { $0 != lost })
    #expect(report.explanations.map(\.place) == ["decoder.blocks.*"])
    #expect(report.explanations.map { $0.cause?.text } == ["\(text) in B, later ones moved up"])
    #expect(report.rest == .more)
  }

  @Test func `two layers exchanged are called by their names`() throws {
    let report = try explained(layers: [0, 1, 2, 7, 4, 5, 6, 3, 8, 9, 10, 11])
    #expect(report.explanations.map(\.place) == ["decoder.blocks.3"])
    #expect(report.explanations.map(\.cause) == [.exchanged(with: "decoder.blocks.7")])
  }

  @Test func `experts exchanged in every layer`() throws {
    let report = try report("mixtral/lm") { path in
      path.contains(".experts.0.")
        ? path.replacing(".experts.0.", with: ".experts.1.")
        : path.replacing(".experts.1.", with: ".experts.0.")
    }
    #expect(report.explanations.map(\.place) == ["decoder.blocks.*.feed_forward.experts.*"])
    #expect(report.explanations.map { $0.cause?.text } == ["numbers 0 and 1 exchanged in B"])
  }
}

extension String {
  /// The number of a layer in a name: of `transformer.h.3.attn.bias`, 3.
  fileprivate var layer: Int? { split(separator: ".").lazy.compactMap { Int($0) }.first }
}
