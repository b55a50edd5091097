import Kernels
import Models
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// A mistake that a converter makes.
struct PlantedFault: Sendable, CustomTestStringConvertible {
  /// Where it must be seen.
  enum Visibility: Sendable {
    /// In the golden's outputs, and in the weights.
    case outputs
    /// In the weights only, for the reason given: no output can show it.
    case weights(because: String)
  }

  let name: String
  let visibility: Visibility
  let plant: @Sendable (inout Variant) throws -> Void

  var testDescription: String { name }

  init(
    _ name: String, _ visibility: Visibility = .outputs,
    plant: @escaping @Sendable (inout Variant) throws -> Void
  ) {
    (self.name, self.visibility, self.plant) = (name, visibility, plant)
  }
}

private let layer = "bert.encoder.layer."

private let squareWeights =
  [0, 1].flatMap { index in
    ["self.query", "self.key", "self.value", "output.dense"]
      .map { "\(layer)\(index).attention.\($0).weight" }
  } + ["bert.pooler.dense.weight", "cls.predictions.transform.dense.weight"]

private let norms =
  ["bert.embeddings.LayerNorm", "cls.predictions.transform.LayerNorm"]
  + [0, 1].flatMap { index in
    ["attention.output", "output"].map { "\(layer)\(index).\($0).LayerNorm" }
  }

private let biases =
  norms.map { $0 + ".bias" } + [
    "bert.pooler.dense.bias", "cls.predictions.bias", "cls.predictions.transform.dense.bias",
    "cls.seq_relationship.bias",
  ]
  + [0, 1].flatMap { index in
    [
      "attention.self.query", "attention.self.key", "attention.self.value",
      "attention.output.dense", "intermediate.dense", "output.dense",
    ].map { "\(layer)\(index).\($0).bias" }
  }

/// What is planted in the pre-training model, which has every kind of weight.
private let faults: [PlantedFault] =
  squareWeights.map { name in
    PlantedFault("transposed \(name)") { try $0.transpose(name) }
  }
  + biases.map { name in
    PlantedFault(
      "zeroed \(name)",
      name.contains(".key.")
        ? .weights(because: "it adds the same to all scores of a query, and softmax cancels it")
        : .outputs
    ) { $0.set(name, floats: try $0.floats(name).map { _ in 0 }) }
  }
  + norms.map { name in
    PlantedFault("gamma and beta swapped in \(name)") {
      try $0.swap(name + ".weight", name + ".bias")
    }
  }
  + [0, 1].flatMap { index in
    [("query", "key"), ("key", "value"), ("query", "value")].map { a, b in
      PlantedFault("\(a) and \(b) swapped in layer \(index)") { variant in
        for kind in ["weight", "bias"] {
          try variant.swap(
            "\(layer)\(index).attention.self.\(a).\(kind)",
            "\(layer)\(index).attention.self.\(b).\(kind)")
        }
      }
    }
  }
  + [
    PlantedFault("layer 0 twice") { variant in
      for tensor in variant.tensors where tensor.name.text.hasPrefix(layer + "0.") {
        let name = tensor.name.text
        variant.set(name.replacing("layer.0.", with: "layer.1."), bytes: try variant.bytes(name))
      }
    },
    PlantedFault("layers swapped") { variant in
      for tensor in variant.tensors where tensor.name.text.hasPrefix(layer + "0.") {
        let name = tensor.name.text
        try variant.swap(name, name.replacing("layer.0.", with: "layer.1."))
      }
    },
    PlantedFault("positions one row too late") { variant in
      let name = "bert.embeddings.position_embeddings.weight"
      let rows = try variant.floats(name)
      variant.set(name, floats: Array(rows.suffix(24) + rows.dropLast(24)))
    },
    PlantedFault("two token types swapped") { variant in
      let name = "bert.embeddings.token_type_embeddings.weight"
      let rows = try variant.floats(name)
      variant.set(name, floats: Array(rows[24..<48] + rows[..<24] + rows[48...]))
    },
    PlantedFault("no token types") { variant in
      let name = "bert.embeddings.token_type_embeddings.weight"
      variant.set(name, floats: try variant.floats(name).map { _ in 0 })
    },
    PlantedFault("words one row too early") { variant in
      let name = "bert.embeddings.word_embeddings.weight"
      let rows = try variant.floats(name)
      variant.set(name, floats: Array(rows.dropFirst(24) + rows.prefix(24)))
    },
    PlantedFault("the two norms of a layer swapped") { variant in
      for kind in ["weight", "bias"] {
        try variant.swap(
          "\(layer)0.attention.output.LayerNorm.\(kind)", "\(layer)0.output.LayerNorm.\(kind)")
      }
    },
    PlantedFault("gain of a norm left at one") {
      $0.set("bert.embeddings.LayerNorm.weight", floats: [Float](repeating: 1, count: 24))
    },
    PlantedFault("gain of a norm stored less one") { variant in
      let name = "bert.embeddings.LayerNorm.weight"
      variant.set(name, floats: try variant.floats(name).map { $0 - 1 })
    },
    PlantedFault("the second and third head swapped") { variant in
      for part in ["query", "key", "value"] {
        let name = "\(layer)0.attention.self.\(part).weight"
        let rows = try variant.floats(name)
        let size = 8 * 24
        variant.set(
          name, floats: Array(rows[..<size] + rows[(2 * size)...] + rows[size..<2 * size]))
      }
    },
    PlantedFault("heads interleaved") { variant in
      let name = "\(layer)0.attention.self.query.weight"
      let rows = try variant.floats(name)
      // Row 8·head + i becomes row 3·i + head.
      let order = (0..<24).map { $0 % 3 * 8 + $0 / 3 }
      variant.set(name, floats: order.flatMap { rows[$0 * 24..<($0 + 1) * 24] })
    },
    PlantedFault("truncated to bfloat16") { variant in
      for tensor in variant.tensors {
        let name = tensor.name.text
        let cut = try variant.floats(name).map { Float(bitPattern: $0.bitPattern & 0xFFFF_0000) }
        variant.set(name, floats: cut)
      }
    },
    PlantedFault("the largest weight off by a thousandth") { variant in
      let name = "\(layer)1.output.dense.weight"
      var values = try variant.floats(name)
      let index = values.indices.max { abs(values[$0]) < abs(values[$1]) } ?? 0
      values[index] *= 1.001
      variant.set(name, floats: values)
    },
    PlantedFault("the next sentence's rows swapped") { variant in
      let name = "cls.seq_relationship.weight"
      let rows = try variant.floats(name)
      variant.set(name, floats: Array(rows[24...] + rows[..<24]))
    },
    PlantedFault("config: tanh for erf") { $0["hidden_act"] = "gelu_new" },
    PlantedFault("config: another epsilon") { variant in
      let epsilon = variant["layer_norm_eps"]?.double ?? 0
      variant["layer_norm_eps"] = .double(epsilon == 1e-12 ? 1e-5 : 1e-12)
    },
    PlantedFault("config: wrong number of heads") { $0["num_attention_heads"] = 6 },
    PlantedFault("config: causal") { $0["is_decoder"] = true },
    PlantedFault(
      "the last position zeroed",
      .weights(because: "the golden's inputs are shorter; the probe is not")
    ) { variant in
      let name = "bert.embeddings.position_embeddings.weight"
      var rows = try variant.floats(name)
      for index in 39 * 24..<40 * 24 { rows[index] = 0 }
      variant.set(name, floats: rows)
    },
  ]

/// The verifier is itself measured: every known mistake is planted, and must be caught.
@Suite struct PlantedFaultTests {
  @Test func `the clean model passes`() throws {
    let clean = try Variant("pretraining").model()
    #expect(try clean.check(golden("bert/pretraining")).isVerified)
    #expect(try compare(openModel("bert/pretraining"), clean).verdict == .identical)
  }

  @Test(arguments: faults) func `the golden shows it`(_ fault: PlantedFault) throws {
    var variant = try Variant("pretraining")
    try fault.plant(&variant)
    let report = try variant.model().check(golden("bert/pretraining"))
    switch fault.visibility {
    case .outputs: #expect(!report.isVerified)
    case .weights: #expect(report.isVerified)
    }
  }

  @Test(arguments: faults) func `the pair shows it`(_ fault: PlantedFault) throws {
    var variant = try Variant("pretraining")
    try fault.plant(&variant)
    let original = try openModel("bert/pretraining")
    let faulty = try variant.model()
    #expect(try compare(original, faulty).verdict.isDifferent)
    #expect(try compare(faulty, original).verdict.isDifferent)
  }

  @Test(arguments: faults) func `the built-in probe alone shows it`(_ fault: PlantedFault) throws {
    // Weights aside: do the outputs on the probe differ by more than rounding?
    var variant = try Variant("pretraining")
    try fault.plant(&variant)
    let original = try openModel("bert/pretraining")
    let report = try compare(original, variant.model(), precision: Double.self)
    let largest = report.outputs.map(\.relative).max() ?? 0
    switch fault.visibility {
    case .outputs: #expect(largest > 1e-7)
    // The probe is as long as the model, and so uses what short inputs do not.
    case .weights where fault.name.hasPrefix("zeroed"): #expect(largest < 1e-12)
    case .weights: #expect(largest > 1e-7)
    }
  }
}
