import Codecs
import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// Codes with scales beside them are known as the nearest ones to what they were made of; and if not, why.
@Suite struct CodeProofTests {
  static let names = [
    "gptq/symmetric", "gptq/act_order", "gptq/asymmetric", "gptq/two_bits", "gptq/three_bits",
    "gptq/eight_bits", "awq/gemm", "awq/gemv", "compressed_tensors/four_bits",
    "compressed_tensors/three_bits", "compressed_tensors/five_bits", "compressed_tensors/bytes",
    "bitsandbytes/nf4", "bitsandbytes/fp4", "bitsandbytes/eight_bits", "nvfp4/compressed_tensors",
    "nvfp4/mxfp4", "nvfp4/mxfp6", "nvfp4/modelopt", "mlx/four_bits", "mlx/three_bits",
    "mlx/eight_bits",
    "mlx/mxfp4", "mlx/nvfp4", "torchao/int8", "torchao/int4", "torchao/int3",
    "torchao/packed_int4",
  ]
  /// Codes that are floats of 8 bits, and the file that has one matrix as it was before it was quantised.
  static let floats = [
    ("codecs/fp8", "codecs/fp8.safetensors"),
    ("codecs/fp8_scales/tensor", "codecs/fp8_scales/source.safetensors"),
    ("codecs/fp8_scales/channel", "codecs/fp8_scales/source.safetensors"),
    ("codecs/mlx/mxfp8", "codecs/mlx/mxfp8.safetensors"),
    ("codecs/torchao/float8", "codecs/torchao/float8.safetensors"),
    ("codecs/compressed_tensors/mxfp8", "codecs/compressed_tensors/mxfp8.safetensors"),
  ]
  /// Whole numbers with scales beside them, as CTranslate2 writes them.
  static let integers = ["bart/ct2_int8", "bart/ct2_int16", "whisper/ct2_int8"]

  private func source(_ name: String) throws -> Model { try Model(fixture(name)) }

  private func model(_ tensors: [Tensor], _ config: JSONValue) throws -> Model {
    let folder = ScratchFolder()
    let path = folder.path.appending("model.safetensors")
    try CheckpointWriter(destination: path, format: .safetensors)
      .write(tensors: tensors, config: Array(config.text().utf8))
    return try withExtendedLifetime(folder) { try Model(path) }
  }

  /// Who made codes, of one weight or in the order of all.
  private func makers(of source: Model, _ name: TensorName? = nil) -> [String] {
    var makers: [String] = []
    for coded in source.plain.coded where name == nil || coded.tensor.name == name {
      if !makers.contains(coded.maker) { makers.append(coded.maker) }
    }
    return makers
  }

  /// Numbers that are near those of a quantised model, and not the same.
  private func original(of source: Model) throws -> Model {
    let coded = Set(source.plain.coded.map(\.tensor.name))
    // Moved by a part of themselves where codes are floats, or rows have scales of their own; else of the largest.
    let codecs = source.plain.codecs.map(\.name)
    let isOfFloats = Self.floats.contains { source.checkpoint.path.string.hasSuffix($0.0) }
    let part: Float? =
      isOfFloats
      ? 0x1p-7 : codecs.contains("ctranslate2") ? 0x1p-18 : nil
    let tensors = try source.plain.tensors.tensors.map { tensor in
      guard coded.contains(tensor.name) else { return tensor }
      var numbers = [Float](repeating: 0, count: tensor.elementCount)
      var span = numbers.mutableSpan
      let bytes = try tensor.bytes.read(0..<tensor.byteCount)
      tensor.dtype.widen(unsafe bytes.span.bytes, into: &span)
      let largest = numbers.map { abs($0) }.max() ?? 0
      let moved = numbers.indices.map { place in
        let size = part == nil ? largest : abs(numbers[place])
        return numbers[place] + (place % 3 == 0 ? -1 : 1) * size * (part ?? 0x1p-10)
      }
      return Tensor(tensor.name, tensor.shape, values: moved)
    }
    let config = try #require(source.checkpoint.config?.value.members)
    return try model(tensors, .object(config.filter { !$0.key.hasPrefix("quantization") }))
  }

  @Test(arguments: names.map { "codecs/\($0)" } + floats.map(\.0) + integers)
  func `codes that are the nearest ones are proven`(_ name: String) throws {
    let source = try source(name)
    let report = try compare(original(of: source), source, precision: Float.self)
    #expect(report.verdict == .coded(makers(of: source)))
    let errors = report.weights.compactMap(\.relation.quantizationError)
    // A stored matrix may hold several weights.
    #expect(errors.count >= source.plain.coded.count && errors.allSatisfy { $0 > 0 && $0 < 0.1 })
  }

  @Test(arguments: names.map { ("codecs/\($0)", "codecs/\($0).safetensors") } + floats)
  func `codes that their maker chose are proven`(_ name: String, _ before: String) throws {
    let source = try source(name)
    let number = try #require(Checkpoint.open(fixture(before)).tensors.tensors.first)
    let tensors = source.plain.tensors.tensors.map { $0.name == number.name ? number : $0 }
    let config = try #require(source.checkpoint.config?.value.members)
    let original = try model(
      tensors, .object(config.filter { !$0.key.hasPrefix("quantization") }))
    let report = try compare(original, source, precision: Float.self)
    let makers = makers(of: source, number.name)
    #expect(report.verdict == .coded(makers))
    #expect(report.weights.count { $0.relation.quantizationError != nil } == 1)
    // Where the maker's formula is known, all is what it gives.
    let again = report.weights.compactMap { weight -> CodeRepetition? in
      if case .coded(_, _, _, let again) = weight.relation { again } else { nil }
    }
    let known = makers.filter { $0 == "mlx affine" }
    let areEqual = again.allSatisfy(\.isEqual)
    #expect(again.map(\.maker) == known && areEqual)
  }

  /// What becomes of the weights of a quantised model with a fault in its file.
  private func faults(
    _ name: String, _ change: (Tensor, inout [UInt8]) -> Void = { _, _ in },
    config: (JSONValue) -> JSONValue = { $0 }
  ) throws -> [Miscoded] {
    let source = try source("codecs/\(name)")
    let tensors = try source.checkpoint.tensors.tensors.map { tensor in
      var bytes = try tensor.bytes.read(0..<tensor.byteCount)
      change(tensor, &bytes)
      return Tensor(tensor.name, tensor.dtype, tensor.shape, bytes: bytes)
    }
    let said = try #require(source.checkpoint.config?.value)
    let report = try compare(
      original(of: source), model(tensors, config(said)), precision: Float.self)
    return report.weights.compactMap {
      if case .miscoded(let fault) = $0.relation { fault } else { nil }
    }
  }

  @Test(arguments: [
    ("gptq/symmetric", "qweight"), ("awq/gemm", "qweight"),
    ("compressed_tensors/bytes", "weight"), ("bitsandbytes/nf4", "weight"),
    ("nvfp4/compressed_tensors", "weight_packed"), ("nvfp4/modelopt", "weight"),
    ("mlx/four_bits", "weight"), ("mlx/mxfp4", "weight"), ("mlx/nvfp4", "weight"),
    ("torchao/packed_int4", "_weight_qdata"),
  ])
  func `one code that is another is found`(_ name: String, _ part: String) throws {
    let changed = TensorName("model.layers.0.mlp.up_proj.\(part)")
    // The upper code of a byte; of two bytes the second bit, so that it is not the nearest one any more.
    let found = try faults(name) { tensor, bytes in
      if tensor.name == changed { bytes[100] ^= 0x20 }
    }
    #expect(found.count == 1 && found.first?.count == 1)
    #expect(found.first?.tensor == changed && found.first?.cause == nil)
  }

  @Test(arguments: floats.map(\.0))
  func `a float's neighbour is found, and scales that are reciprocals`(_ name: String) throws {
    let own = String(name.dropFirst("codecs/".count))
    let changed: TensorName =
      switch own {
      case "mlx/mxfp8", "compressed_tensors/mxfp8": "model.layers.0.mlp.gate_proj.weight"
      case "torchao/float8": "model.layers.0.mlp.gate_proj._weight_qdata"
      default: "encoder.layer.0.attention.self.query.weight"
      }
    for step in [1, -1] {
      let found = try faults(own) { tensor, bytes in
        if tensor.name == changed { bytes[100] = UInt8(Int(bytes[100]) + step) }
      }
      #expect(found.count == 1 && found.first?.count == 1 && found.first?.first == 100)
      #expect(found.first?.tensor == changed)
    }
    let inverse = try faults(own) { tensor, bytes in
      if tensor.name.text.contains("scale"), tensor.dtype == .u8 {
        bytes = bytes.map { 254 - $0 }
      }
      guard tensor.name.text.contains("weight_scale"), tensor.dtype == .f32 else { return }
      bytes = stride(from: 0, to: bytes.count, by: 4).flatMap { place in
        let bits = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[place + $1]) << UInt32(8 * $1) }
        return littleEndian((1 / Float(bitPattern: bits)).bitPattern)
      }
    }
    #expect(inverse.count >= 6 && inverse.allSatisfy { $0.cause == .inverseScales })
  }

  @Test(arguments: [
    "gptq/symmetric", "awq/gemm", "mlx/four_bits", "mlx/mxfp4", "bitsandbytes/nf4",
    "compressed_tensors/four_bits", "torchao/packed_int4",
  ])
  func `rows of queries and keys in the other order of pairs are named`(_ name: String) throws {
    let source = try source("codecs/\(name)")
    let plain = try original(of: source)
    for isInterleaved in [true, false] {
      // A with its rows in the other order: then B's are the other way.
      let tensors = try plain.checkpoint.tensors.tensors.map { tensor in
        guard ["q_proj.weight", "k_proj.weight"].contains(where: tensor.name.text.hasSuffix)
        else { return tensor }
        let bytes = try tensor.bytes.read(0..<tensor.byteCount)
        let row = tensor.byteCount / tensor.shape[0]
        let moved = (0..<tensor.shape[0]).flatMap { index -> ArraySlice<UInt8> in
          let (head, place) = (index / 16 * 16, index % 16)
          let from = head + (isInterleaved ? place % 8 * 2 + place / 8 : place % 2 * 8 + place / 2)
          return bytes[from * row..<(from + 1) * row]
        }
        return Tensor(tensor.name, tensor.dtype, tensor.shape, bytes: moved)
      }
      let config = try #require(plain.checkpoint.config?.value)
      let report = try compare(model(tensors, config), source, precision: Float.self)
      let faults = report.weights.compactMap { weight -> Miscoded? in
        if case .miscoded(let fault) = weight.relation { fault } else { nil }
      }
      let expected = CodeCause.headOrder(size: 16, isInterleaved: isInterleaved)
      let areNamed = faults.allSatisfy { $0.cause == expected }
      #expect(faults.count >= 2 && areNamed)
    }
  }

  @Test func `what explains all wrong codes is said`() throws {
    let version = try faults(
      "gptq/symmetric",
      config: { config in
        .object(
          (config.members ?? []).map { member in
            guard member.key == "quantization_config" else { return member }
            let settings = (member.value.members ?? []).map {
              $0.key == "checkpoint_format" ? JSONValue.Member($0.key, "gptq_v2") : $0
            }
            return JSONValue.Member(member.key, .object(settings))
          })
      })
    #expect(version.count == 13 && version.allSatisfy { $0.cause == .zeroPoints(-1) })

    for (name, part) in [
      ("bitsandbytes/nf4", "proj.weight"), ("nvfp4/compressed_tensors", "weight_packed"),
      ("awq/gemm", "qweight"), ("gptq/asymmetric", "qweight"),
    ] {
      let halves = try faults(name) { tensor, bytes in
        if tensor.name.text.hasSuffix(part), tensor.dtype != .f16 {
          bytes = bytes.map { $0 << 4 | $0 >> 4 }
        }
      }
      let causes = halves.map(\.cause)
      // AutoAWQ's neighbours in a byte are two columns apart.
      #expect(halves.count >= 6 && causes.allSatisfy { $0 == (name == "awq/gemm" ? nil : .order) })
    }
    let lanes = try faults("awq/gemm") { tensor, bytes in
      guard tensor.name.text.hasSuffix("qweight") else { return }
      for word in stride(from: 0, to: bytes.count, by: 4) {
        let codes = (0..<8).map { bytes[word + $0 / 2] >> UInt8(4 * ($0 % 2)) & 15 }
        // In plain order.
        let plain = [0, 4, 1, 5, 2, 6, 3, 7].map { codes[$0] }
        for byte in 0..<4 { bytes[word + byte] = plain[2 * byte] | plain[2 * byte + 1] << 4 }
      }
    }
    #expect(lanes.count == 13 && lanes.allSatisfy { $0.cause == .order })

    let inverse = try faults("compressed_tensors/bytes") { tensor, bytes in
      guard tensor.name.text.hasSuffix("weight_scale") else { return }
      for place in stride(from: 0, to: bytes.count, by: 4) {
        let bits = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[place + $1]) << UInt32(8 * $1) }
        bytes.replaceSubrange(
          place..<place + 4, with: littleEndian((1 / Float(bitPattern: bits)).bitPattern))
      }
    }
    #expect(inverse.count == 6 && inverse.allSatisfy { $0.cause == .inverseScales })

    let global = try faults("nvfp4/compressed_tensors") { tensor, bytes in
      if tensor.name.text.hasSuffix("global_scale") { bytes[3] ^= 1 }
    }
    #expect(global.count == 13)
    for fault in global {
      guard case .factor = fault.cause else {
        Issue.record("\(fault)")
        continue
      }
    }
  }
}
