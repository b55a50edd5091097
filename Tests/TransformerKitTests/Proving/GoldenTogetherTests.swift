import Containers
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// The same mistake in several places at once, of which undoing one alone reaches no golden.
@Suite struct GoldenTogetherTests {
  private let reshaped = "given the other shape instead of being transposed"

  /// What is said of a model whose weights were changed, every one that `change` has something else for.
  private func explanation(
    _ name: String, _ change: (_ path: String, Tensor) throws -> Tensor?
  ) throws -> String? {
    try report(name, change).explanation
  }

  private func report(
    _ name: String, _ change: (_ path: String, Tensor) throws -> Tensor?
  ) throws -> GoldenReport {
    let model = try openModel(name)
    var weights: [String: Tensor] = [:]
    for slot in model.graph.slots where model.graph.ties[slot.path] == nil {
      guard let tensor = model.graph.tensor(at: slot.path) else { continue }
      weights[slot.path] = try change(slot.path, tensor)
    }
    let tensors = try model.graph.replacing(weights).translated(to: "huggingface").map(\.tensor)
    let folder = ScratchFolder()
    let file = folder.path.appending("wrong.safetensors")
    try CheckpointWriter(destination: file, format: .safetensors).write(
      tensors: tensors, config: Array(model.graph.completedConfig.text().utf8))
    let wrong = try withExtendedLifetime(folder) { try Model(file) }
    let report = try wrong.check(golden(name))
    #expect(!report.isVerified)
    return report
  }

  /// The bytes of the transposed matrix in the shape of this one.
  private func notTransposed(_ tensor: Tensor) throws -> Tensor {
    let (rows, columns) = (tensor.shape[0], tensor.shape[1])
    let values = try floats(tensor)
    return f32(tensor, values.indices.map { values[$0 % rows * columns + $0 / rows] })
  }

  private func floats(_ tensor: Tensor) throws -> [Float] {
    try #require(tensor.dtype == .f32)
    let bytes = try tensor.bytes.read(0..<tensor.byteCount)
    return stride(from: 0, to: bytes.count, by: 4).map { start in
      Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << (8 * $1) })
    }
  }

  private func f32(_ tensor: Tensor, _ values: [Float]) -> Tensor {
    Tensor(tensor.name, .f32, tensor.shape, bytes: values.flatMap { littleEndian($0.bitPattern) })
  }

  @Test func `the output transposed in encoder and decoder`() throws {
    let found = try explanation("t5/v11") { path, tensor in
      path.hasSuffix(".attention.output.weight") ? try notTransposed(tensor) : nil
    }
    #expect(found == "{encoder,decoder}.blocks.*.attention.output.weight: \(reshaped)")
  }

  @Test func `query and output transposed`() throws {
    let found = try explanation("llama/lm") { path, tensor in
      path.hasSuffix(".query.weight") || path.hasSuffix(".output.weight")
        ? try notTransposed(tensor) : nil
    }
    #expect(found == "decoder.blocks.*.attention.{query,output}.weight: \(reshaped)")
  }

  @Test func `one added to the gains of blocks, and not to the last one`() throws {
    let found = try explanation("gemma/lm") { path, tensor in
      path.contains("blocks") && path.hasSuffix("_norm.weight")
        ? f32(tensor, try floats(tensor).map { $0 + 1 }) : nil
    }
    #expect(found == "decoder.blocks.*.{attention_norm,feed_forward_norm}.weight: 1 was added")
  }

  /// Layers of two types: windows, and frequencies or none.
  @Test(arguments: [
    ("modernbert/base", "encoder"), ("gemma/gemma3_generate", "decoder"),
    ("cohere/cohere2_generate", "decoder"),
  ])
  func `rotary pairs exchanged in layers of two types`(_ name: String, _ stack: String) throws {
    let layers = try openModel(name).graph.layers
    let found = try explanation(name) { path, tensor in
      let part = [".query.weight", ".key.weight"].first { path.hasSuffix($0) }
      guard let part, let shape = layers[String(path.dropLast(part.count))]?.attention else {
        return nil
      }
      let (half, size) = (shape.headSize / 2, shape.headSize)
      let bytes = try tensor.bytes.read(0..<tensor.byteCount)
      let width = bytes.count / tensor.shape[0]
      let rows = (0..<tensor.shape[0]).flatMap { row in
        let place = row % size
        let source = row - place + (place.isMultiple(of: 2) ? place / 2 : half + place / 2)
        return bytes[source * width..<(source + 1) * width]
      }
      return Tensor(tensor.name, tensor.dtype, tensor.shape, bytes: rows)
    }
    let start = "\(stack).blocks.*.attention: heads of query and key "
    #expect(found?.hasPrefix(start) == true, "\(found ?? "nothing")")
  }

  @Test func `a pooler that a model has not is not suspected`() throws {
    let report = try report("roberta/masked_lm") { path, tensor in
      path == "mlm_head.bias" ? f32(tensor, try floats(tensor).map { $0 + 1 }) : nil
    }
    #expect(report.suspects.last == "mlm_head" && !report.suspects.contains("pooler"))
  }

  @Test func `what two places have and no more is nobody's mistake`() throws {
    let found = try explanation("llama/lm") { path, tensor in
      if path.hasSuffix(".0.attention.query.weight") { return try notTransposed(tensor) }
      guard path.hasSuffix(".0.feed_forward.down.weight") else { return nil }
      return f32(tensor, try floats(tensor).enumerated().map { $1 + Float($0 % 7) * 1e-2 })
    }
    #expect(found == nil)
  }
}
