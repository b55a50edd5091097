import Containers
import Models
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// What is said of derivatives with mistakes that people made.
@Suite struct BaseCheckTests {
  /// A change of a checkpoint.
  struct Plant: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let base: String
    let change: @Sendable (Tensor) throws -> Tensor?
    /// What some fault says, and of which weights.
    let said: String
    let place: String
  }

  private static func values(_ tensor: Tensor) throws -> [Float] {
    let bytes = try tensor.bytes.read(0..<tensor.byteCount)
    return (0..<tensor.elementCount).map { index in
      Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[4 * index + $1]) << (8 * $1) })
    }
  }

  private static func with(_ tensor: Tensor, _ values: [Float]) -> Tensor {
    Tensor(tensor.name, tensor.shape, values: values)
  }

  private static func map(_ tensor: Tensor, _ change: (Float) -> Float) throws -> Tensor {
    with(tensor, try values(tensor).map(change))
  }

  /// Small changes, as of training.
  private static func trained(_ tensor: Tensor, seed: UInt64 = 1) throws -> Tensor {
    var random = SeededGenerator(seed: seed &+ UInt64(tensor.elementCount))
    let own = try values(tensor)
    let size = (own.reduce(0) { $0 + $1 * $1 } / Float(max(1, own.count))).squareRoot()
    return with(tensor, own.map { $0 + 0.02 * size * Float.random(in: -1...1, using: &random) })
  }

  private static func rows(_ tensor: Tensor, _ order: (Int) -> Int) throws -> Tensor {
    let own = try values(tensor)
    let width = tensor.elementCount / tensor.shape[0]
    return with(
      tensor,
      (0..<tensor.shape[0]).flatMap { row in
        own[order(row) * width..<(order(row) + 1) * width]
      })
  }

  private static func turned(_ tensor: Tensor) throws -> Tensor {
    let (own, rows, columns) = (try values(tensor), tensor.shape[0], tensor.shape[1])
    return with(tensor, (0..<own.count).map { own[$0 % rows * columns + $0 / rows] })
  }

  /// Neighbours of heads of 8 that should be halves.
  private static func interleaved(_ tensor: Tensor) throws -> Tensor {
    try rows(tensor) { $0 / 8 * 8 + $0 % 2 * 4 + $0 % 8 / 2 }
  }

  private static func only(
    _ ending: String, _ change: @escaping @Sendable (Tensor) throws -> Tensor?
  ) -> @Sendable (Tensor) throws -> Tensor? {
    { $0.name.text.hasSuffix(ending) ? try change($0) : $0 }
  }

  static let plants = [
    Plant(
      testDescription: "gains 1 more", base: "llama/lm",
      change: only("layernorm.weight") { try map($0) { $0 + 1 } },
      said: "1 more than the base's", place: "attention_norm"),
    Plant(
      testDescription: "gains 1 less, and trained", base: "llama/lm",
      change: only("layernorm.weight") { try trained(map($0) { $0 - 1 }) },
      said: "1 less than the base's", place: "attention_norm"),
    Plant(
      testDescription: "gains doubled", base: "llama/lm",
      change: only("input_layernorm.weight") { try map($0) { $0 * 2 } },
      said: "2.0 times the base's", place: "attention_norm"),
    Plant(
      testDescription: "scales lost, and trained", base: "llama/lm",
      change: only("up_proj.weight") { try trained(map($0) { $0 * 448 }) },
      said: "times the base's", place: "feed_forward.up"),
    Plant(
      testDescription: "square transposed", base: "bert/base",
      change: only("attention.output.dense.weight") { try turned($0) },
      said: "transposed", place: "attention.output"),
    Plant(
      testDescription: "square transposed, and trained", base: "bert/base",
      change: only("attention.output.dense.weight") { try trained(turned($0)) },
      said: "transposed", place: "attention.output"),
    Plant(
      testDescription: "rotary rows", base: "llama/lm",
      change: only("q_proj.weight") { try interleaved($0) },
      said: "interleaved", place: "attention.query"),
    Plant(
      testDescription: "rotary rows, and trained", base: "llama/lm",
      change: only("q_proj.weight") { try trained(interleaved($0)) },
      said: "interleaved", place: "attention.query"),
    Plant(
      testDescription: "all zero", base: "llama/lm",
      change: only("1.mlp.down_proj.weight") { try map($0) { _ in 0 } },
      said: "zero", place: "blocks.1.feed_forward.down"),
    Plant(
      testDescription: "rows zero", base: "llama/lm",
      change: only("1.mlp.up_proj.weight") { tensor in
        with(
          tensor,
          try values(tensor).enumerated().map { $0.offset < 3 * tensor.shape[1] ? 0 : $0.element })
      },
      said: "zero", place: "blocks.1.feed_forward.up"),
    Plant(
      testDescription: "made anew", base: "llama/lm",
      change: only("1.mlp.up_proj.weight") { tensor in
        var random = SeededGenerator(seed: 5)
        return try map(tensor) { _ in Float.random(in: -1...1, using: &random) }
      },
      said: "unlike the base's", place: "blocks.1.feed_forward.up"),
    Plant(
      testDescription: "one huge element", base: "llama/lm",
      change: only("1.mlp.up_proj.weight") { tensor in
        with(tensor, try values(tensor).enumerated().map { $0.offset == 7 ? 1e30 : $0.element })
      },
      said: "unlike the base's", place: "blocks.1.feed_forward.up"),
    Plant(
      testDescription: "cut off", base: "llama/lm",
      change: only("1.mlp.up_proj.weight") { tensor in
        try map(tensor) { Float(bitPattern: $0.bitPattern & 0xFFFF_0000) }
      },
      said: "cut off", place: "blocks.1.feed_forward.up"),
    Plant(
      testDescription: "a file that was not filled to its end", base: "llama/lm",
      change: only("1.mlp.up_proj.weight") { tensor in
        with(
          tensor,
          try values(tensor).enumerated().map {
            $0.offset < tensor.elementCount - 77 ? $0.element : 0
          })
      },
      said: "the last 77 of", place: "blocks.1.feed_forward.up"),
    Plant(
      testDescription: "common matrix head by head", base: "gpt2/base",
      change: only("1.attn.c_attn.weight") { tensor in
        let (own, width) = (try values(tensor), tensor.shape[1])
        return with(
          tensor,
          own.indices.map { index in
            let (row, column) = (index / width, index % width)
            let (head, part, place) = (column / 24, column % 24 / 8, column % 8)
            return own[row * width + part * 24 + head * 8 + place]
          })
      },
      said: "head by head", place: "blocks.1.attention"),
    Plant(
      testDescription: "lost", base: "llama/lm",
      change: only("1.mlp.down_proj.weight") { _ in nil },
      said: "is not there", place: "blocks.1.feed_forward.down"),
  ]

  private func found(
    _ name: String, _ change: (Tensor) throws -> Tensor?, config: JSONValue? = nil
  ) throws -> BaseCheck {
    let base = try Model(fixture(name))
    let tensors = try base.checkpoint.tensors.tensors.compactMap(change)
    let bytes = config.map { Array($0.text().utf8) }
    return try BaseCheck(
      base.checkpoint.replacing(tensors, config: bytes), against: base, options: OpenOptions())
  }

  @Test(arguments: plants)
  func `what training does not do is a fault`(_ plant: Plant) throws {
    let check = try found(plant.base, plant.change)
    #expect(
      check.faults.contains {
        $0.text.contains(plant.said) && $0.tensor?.text.contains(plant.place) == true
      }, "\(check.faults.map { "\($0.tensor?.text ?? "") \($0.text)" })")
  }

  @Test(arguments: ["llama/lm", "bert/base", "gpt2/lm", "t5/byt5", "gemma/base"])
  func `what training does is none`(_ name: String) throws {
    guard (try? Model(fixture(name))) != nil else { return }
    let check = try found(name) { try $0.dtype == .f32 ? Self.trained($0) : $0 }
    #expect(check.faults.isEmpty, "\(check.faults.map(\.text))")
    let same = try found(name) { $0 }
    #expect(same.faults.isEmpty)
  }

  /// Padding has rows of zeros; heads are made anew for another task; nobody says that one element was trained.
  @Test func `what may be so is none, and is named where it is unlike`() throws {
    var random = SeededGenerator(seed: 9)
    let check = try found("llama/lm") { tensor in
      switch tensor.name {
      case "model.embed_tokens.weight":
        Self.with(
          tensor,
          try Self.values(tensor).enumerated().map { $0.offset < tensor.shape[1] ? 0 : $0.element })
      case "lm_head.weight":
        try Self.map(tensor) { _ in Float.random(in: -1...1, using: &random) }
      default: tensor
      }
    }
    #expect(check.faults.isEmpty, "\(check.faults.map(\.text))")
    #expect(
      check.notes.contains { $0.tensor == "lm_head.weight" && $0.text.contains("unlike") },
      "\(check.notes.map { "\($0.tensor?.text ?? "") \($0.text)" })")
    #expect(check.notes.contains { $0.text.contains(" 1 changed") })
  }

  @Test func `a copy of another layer is one, trained on or not`() throws {
    for trains in [false, true] {
      let base = try Model(fixture("llama/lm"))
      let source = try #require(base.checkpoint.tensors["model.layers.0.mlp.up_proj.weight"])
      let check = try found("llama/lm") { tensor in
        guard tensor.name == "model.layers.1.mlp.up_proj.weight" else { return tensor }
        let copy = source.renamed(tensor.name)
        return trains ? try Self.trained(copy) : copy
      }
      #expect(
        check.faults.contains {
          $0.tensor == "decoder.blocks.1.feed_forward.up.weight"
            && $0.text.contains("blocks.0.feed_forward.up.weight")
        }, "\(check.faults.map(\.text))")
    }
  }

  @Test func `a fact that the config lost is a fault, and one that it changed a note`() throws {
    let config = try #require(Model(fixture("llama/lm")).checkpoint.config).value
    let lost = JSONValue.object((config.members ?? []).filter { $0.key != "rms_norm_eps" })
    let check = try found("llama/lm", { $0 }, config: lost)
    #expect(check.faults.map(\.text).contains { $0.hasPrefix("the config lost rms_norm_eps") })
    let other = config.setting(["rms_norm_eps"], to: .double(0.125))
    let changed = try found("llama/lm", { $0 }, config: other)
    #expect(changed.faults.isEmpty)
    #expect(changed.notes.contains { $0.text.hasPrefix("rms_norm_eps is 0.125") })
  }

  @Test func `both spellings of a fact are one`() throws {
    let config = try #require(Model(fixture("llama/lm")).checkpoint.config).value
    guard let rope = config["rope_parameters"], let theta = rope["rope_theta"] else { return }
    let old = JSONValue.object(
      (config.members ?? []).filter { $0.key != "rope_parameters" }
        + [JSONValue.Member("rope_theta", theta)])
    let check = try found("llama/lm", { $0 }, config: old)
    #expect(check.faults.isEmpty, "\(check.faults.map(\.text))")
  }
}
