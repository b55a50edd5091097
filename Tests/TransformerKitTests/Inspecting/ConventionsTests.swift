import Containers
import Families
import Models
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// What weights show of conventions.
@Suite struct ConventionsTests {
  /// How the weights of a model are made that is larger than fixtures are.
  private struct Making {
    var isTrained = true
    var gain: (inout SeededGenerator) -> Float = { Float.random(in: 0.4...1.2, using: &$0) }
    var turns: Set<String> = []
  }

  private static let width = 128

  /// A model of four blocks with the config of a small fixture, made wider.
  private func graph(
    _ making: Making, of fixtureName: String = "bert/base", seed: UInt64 = 7
  ) throws -> WeightGraph {
    let config = try #require(Model(fixture(fixtureName)).checkpoint.config).value
      .setting(["hidden_size"], to: .number(Self.width))
      .setting(["intermediate_size"], to: .number(2 * Self.width))
      .setting(["num_hidden_layers"], to: .number(4))
      .setting(["num_attention_heads"], to: .number(4))
      .setting(["num_key_value_heads"], to: .number(4))
      .setting(["head_dim"], to: .number(Self.width / 4))
    let empty = try TensorTable([])
    let expected = try #require(
      ExpectedTensors.all(
        config, empty, options: RecognitionOptions(dialect: "huggingface")
      ).first { $0.dialect.fullName == "huggingface" })
    var random = SeededGenerator(seed: seed)
    // How much of each number of the hidden states matters, as it is in trained models.
    let profile = (0..<Self.width).map { _ in
      making.isTrained ? Float.random(in: 0.2...2, using: &random) : 1
    }
    let tensors = expected.tensors.filter { $0.isRequired }.map { tensor -> Tensor in
      let shape = tensor.shapes[0]
      let count = shape.reduce(1, *)
      if tensor.paths[0].contains("norm.weight") {
        return Tensor(
          TensorName(tensor.name), shape, values: (0..<count).map { _ in making.gain(&random) })
      }
      guard shape.count == 2 else {
        return Tensor(TensorName(tensor.name), shape, values: [Float](repeating: 0, count: count))
      }
      let rowSizes = (0..<shape[0]).map { _ in
        making.isTrained ? Float.random(in: 0.5...1.5, using: &random) : 1
      }
      let isWriting = tensor.paths[0].contains("output") || tensor.paths[0].contains("down")
      var values = (0..<count).map { index -> Float in
        let (row, column) = (index / shape[1], index % shape[1])
        let size =
          isWriting
          ? profile[row % Self.width] : profile[column % Self.width] * rowSizes[row]
        return size * normal(&random)
      }
      if shape[0] == shape[1], making.turns.contains(where: { tensor.paths[0].contains($0) }) {
        values = values.indices.map { values[$0 % shape[0] * shape[1] + $0 / shape[0]] }
      }
      return Tensor(TensorName(tensor.name), shape, values: values)
    }
    return try WeightGraph(TensorTable(tensors), config: config)
  }

  /// Nearly normal: twelve equal ones together.
  private func normal(_ random: inout SeededGenerator) -> Float {
    (0..<12).reduce(Float(-6)) { sum, _ in sum + Float.random(in: 0..<1, using: &random) }
  }

  @Test func `gains that are stored less 1 are seen`() throws {
    var making = Making()
    making.gain = { Float.random(in: -0.6...0.3, using: &$0) }
    let found = try Conventions(graph(making)).contradictions
    #expect(found.count == 1 && found[0].place.contains("gains"), "\(found)")
  }

  @Test func `gains to which 1 was added already are seen where the family adds it`() throws {
    var making = Making()
    making.gain = { Float.random(in: 0.7...1.6, using: &$0) }
    let found = try Conventions(graph(making, of: "gemma/base")).contradictions
    #expect(found.count == 1 && found[0].text.contains("done already"), "\(found)")
    making.gain = { Float.random(in: -0.3...0.6, using: &$0) }
    #expect(try Conventions(graph(making, of: "gemma/base")).contradictions.isEmpty)
  }

  @Test(arguments: ["attention.query", "attention.value", "attention.output"])
  func `square matrices that are transposed are seen`(_ part: String) throws {
    var making = Making()
    making.turns = [part]
    let found = try Conventions(graph(making)).contradictions
    #expect(found.map(\.place) == ["blocks.*.\(part).weight"], "\(found)")
  }

  @Test func `a sound model is not accused`() throws {
    for seed in 1..<6 as Range<UInt64> {
      let sound = try Conventions(graph(Making(), seed: seed))
      #expect(sound.contradictions.isEmpty && !sound.findings.isEmpty)
    }
  }

  @Test func `of random weights nothing is said, whatever they are`() throws {
    let gains: [(inout SeededGenerator) -> Float] = [
      { Float.random(in: -1...1, using: &$0) }, { Float.random(in: 0.5...1.5, using: &$0) },
      { _ in 1 },
    ]
    for (seed, gain) in gains.enumerated() {
      for name in ["bert/base", "gemma/base"] {
        let making = Making(isTrained: false, gain: gain, turns: ["attention"])
        let found = try Conventions(graph(making, of: name, seed: UInt64(seed)))
        #expect(!found.isTrained && found.findings.isEmpty)
      }
    }
  }

  @Test(arguments: goldenCases)
  func `no fixture is accused`(_ name: String) throws {
    #expect(try Conventions(openModel(name).graph).contradictions.isEmpty)
  }
}
