import Containers
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// Where only outputs are known, the mistake that explains them is found by undoing it.
@Suite struct GoldenExplanationTests {
  private let layer = "encoder.layer.1."

  private func explanation(
    _ name: String = "bert/base", _ plant: (inout Variant) throws -> Void
  ) throws -> String? {
    var variant = try Variant(of: name)
    try plant(&variant)
    let report = try variant.model().check(golden(name))
    #expect(!report.isVerified)
    return report.explanation
  }

  @Test func `nothing is explained where nothing is wrong`() throws {
    #expect(try openModel("bert/base").check(golden("bert/base")).explanation == nil)
  }

  /// What a golden is told of weights that are all made by `change`, and that no mistake explains.
  private func hint(_ change: (Float) -> Float) throws -> String? {
    var variant = try Variant("base")
    for name in variant.tensors.filter({ $0.dtype == .f32 }).map(\.name.text) {
      let numbers = try variant.floats(name).map(change)
      variant.set(name, floats: numbers)
    }
    let report = try variant.model().check(golden("bert/base"))
    #expect(!report.isVerified)
    return report.hint
  }

  @Test func `numbers that were rounded before are told, and what no rounding gives is not`() throws
  {
    let rounded = try hint { Float(bitPattern: $0.bitPattern & 0xFFFF_0000) }
    #expect(rounded?.contains("hold numbers of BF16 in a wider type") == true)
    #expect(try hint { $0 + 0.01 } == nil)
    #expect(try hint { _ in .nan } == nil)
    #expect(try hint { _ in 0.5 } == nil)
  }

  /// The limit lies between the error with a wrong epsilon and without, most of which is something else's.
  @Test func `what leaves most of the error is no explanation`() throws {
    func check(_ change: Float, _ epsilon: Double, _ limit: Double) throws -> GoldenReport {
      var variant = try Variant("base")
      let name = layer + "attention.output.dense.bias"
      var numbers = try variant.floats(name)
      for index in numbers.indices { numbers[index] += change * Float(index % 5) }
      variant.set(name, floats: numbers)
      variant["layer_norm_eps"] = .number(epsilon)
      return try variant.model().check(golden("bert/base"), tolerance: limit)
    }
    func worst(_ report: GoldenReport) -> Double {
      report.lines.compactMap(\.deviation?.relative).max() ?? 0
    }
    let right = try #require(
      try openModel("bert/base").graph.config["layer_norm_eps"]?.double)
    let wrong = 1e-5
    #expect(right != wrong)
    let alone = try check(0, wrong, 1e-9)
    #expect(alone.explanation?.contains("layer_norm_eps") == true)
    var count = 0
    for change: Float in [0.01, -0.01] {
      let (less, more) = (
        worst(try check(change, right, 1e-9)), worst(try check(change, wrong, 1e-9))
      )
      guard less < more else { continue }
      count += 1
      let report = try check(change, wrong, (less + more) / 2)
      #expect(!report.isVerified && report.explanation == nil)
    }
    #expect(count > 0)
  }

  @Test func `a transposed matrix`() throws {
    let found = try explanation { try $0.transpose(layer + "attention.self.query.weight") }
    #expect(found == "encoder.blocks.1.attention.query.weight: transposed")
  }

  @Test func `key and value exchanged in all layers`() throws {
    let found = try explanation { variant in
      for (index, part) in [(0, "weight"), (0, "bias"), (1, "weight"), (1, "bias")] {
        let stem = "encoder.layer.\(index).attention.self."
        try variant.swap("\(stem)key.\(part)", "\(stem)value.\(part)")
      }
    }
    #expect(found == "encoder.blocks.*.attention: key and value exchanged")
  }

  @Test func `query and key exchanged, and their biases not`() throws {
    let found = try explanation { variant in
      for index in 0..<2 {
        let stem = "encoder.layer.\(index).attention.self."
        try variant.swap("\(stem)query.weight", "\(stem)key.weight")
      }
    }
    #expect(
      found == "encoder.blocks.*.attention: query and key exchanged, without their biases")
  }

  @Test func `gains of two normalisations exchanged, and not what is added`() throws {
    let stem = "encoder.layer.0."
    let found = try explanation {
      try $0.swap(
        "\(stem)attention.output.LayerNorm.weight", "\(stem)output.LayerNorm.weight")
    }
    #expect(
      found
        == "encoder.blocks.0: attention_norm and feed_forward_norm exchanged, without their biases")
  }

  @Test func `projections of texts and of pictures exchanged`() throws {
    let found = try explanation("clip/of_one_width") {
      try $0.swap("text_projection.weight", "visual_projection.weight")
    }
    #expect(found == "text_projection.weight and visual_projection.weight: exchanged")
  }

  @Test func `a wrong activation of two models in one`() throws {
    let found = try explanation("clip/of_one_width") { variant in
      for key in ["text_config", "vision_config"] {
        variant[key] = variant[key]?.setting(["hidden_act"], to: "gelu")
      }
    }
    #expect(
      found
        == "config: text_config.hidden_act and vision_config.hidden_act should be \"quick_gelu\"")
  }

  @Test func `gamma and beta, and rows of positions`() throws {
    let norm = try explanation {
      try $0.swap("embeddings.LayerNorm.weight", "embeddings.LayerNorm.bias")
    }
    #expect(norm == "embeddings.norm: weight and bias exchanged")
    let name = "embeddings.position_embeddings.weight"
    let moved = try explanation { variant in
      let rows = try variant.floats(name)
      variant.set(name, floats: rows.indices.map { rows[($0 + 24) % rows.count] })
    }
    #expect(moved == "embeddings.position.weight: rows moved by 1 up")
  }

  @Test func `a scale folded into the queries`() throws {
    let said = "encoder.blocks.1.attention.query: divided by the root of the head size"
    for (scaled, parts, rest) in [
      ("query", ["weight", "bias"], ", or key is, which comes to the same"),
      ("key", ["weight", "bias"], ", or key is, which comes to the same"),
      ("query", ["weight"], ", the biases not"),
    ] {
      let found = try explanation { variant in
        for part in parts {
          let name = layer + "attention.self.\(scaled).\(part)"
          variant.set(name, floats: try variant.floats(name).map { $0 / Float(8).squareRoot() })
        }
      }
      #expect(found == said + rest)
    }
  }

  @Test func `heads in another order, with their biases and without`() throws {
    let said = "encoder.blocks.1.attention: heads of value in the wrong order"
    for (parts, rest) in [(["weight", "bias"], ""), (["weight"], ", the biases not")] {
      let found = try explanation { variant in
        for part in parts {
          let name = layer + "attention.self.value.\(part)"
          let values = try variant.floats(name)
          let width = values.count / 24
          // Row h · 8 + i becomes row i · 3 + h.
          let rows = (0..<24).map { row in (row % 3) * 8 + row / 3 }
          variant.set(name, floats: rows.flatMap { values[$0 * width..<($0 + 1) * width] })
        }
      }
      #expect(found == said + rest)
    }
  }

  @Test func `a config with the wrong activation, epsilon or number of heads`() throws {
    for (key, wrong, right) in [
      ("hidden_act", "gelu_new", "\"gelu\""), ("layer_norm_eps", .double(1e-5), "0.001"),
      ("num_attention_heads", 4, "3"),
    ] as [(String, JSONValue, String)] {
      let found = try explanation { $0[key] = wrong }
      #expect(found == "config: \(key) should be \(right)")
    }
  }

  @Test func `noise is no known mistake`() throws {
    let name = layer + "output.dense.weight"
    let found = try explanation { variant in
      let values = try variant.floats(name)
      variant.set(name, floats: values.enumerated().map { $1 + Float($0 % 7) * 1e-3 })
    }
    #expect(found == nil)
  }

  @Test(arguments: ["query", "key", "value"])
  func `an explanation believes nothing about types`(_ part: String) throws {
    let wrong = try mixed(part)
    let report = try wrong.check(golden("t5/v11"))
    #expect(!report.isVerified)
    #expect(try compare(openModel("t5/v11"), wrong).verdict.isDifferent)
    #expect(try compare(wrong, openModel("t5/v11")).verdict.isDifferent)
  }

  /// A model of which one matrix is in double precision and in another order, and another one wrong.
  private func mixed(_ part: String) throws -> Model {
    let model = try openModel("t5/v11")
    let path = "encoder.blocks.0.attention.\(part).weight"
    let tensor = try #require(model.graph.tensor(at: path))
    let bytes = try tensor.bytes.read(0..<tensor.byteCount)
    let values = stride(from: 0, to: bytes.count, by: 4).reversed().map { start in
      Double(Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << (8 * $1) }))
    }
    let wide = Tensor(
      tensor.name, .f64, tensor.shape, bytes: values.flatMap { littleEndian($0.bitPattern) })
    let tensors = try model.graph.replacing([path: wide]).translated(to: "huggingface")
      .map(\.tensor)
    let folder = ScratchFolder()
    let file = folder.path.appending("mixed.safetensors")
    try CheckpointWriter(destination: file, format: .safetensors).write(
      tensors: tensors, config: Array(model.graph.completedConfig.text().utf8))
    return try withExtendedLifetime(folder) { try Model(file) }
  }
}
