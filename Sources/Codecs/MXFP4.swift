import TensorCore

extension Codec {
  /// 4-bit floats with a power of two for each 32 of them: `X_blocks` U8 `[…, blocks, 16]`, two codes in a
  /// byte, the lower half first, and `X_scales` U8 `[…, blocks]`. The numbers are `[…, blocks, 32]`, each
  /// `code · 2^(scale − 127)`, which single precision holds exactly up to its largest number.
  ///
  /// Source: OCP, "Microscaling Formats (MX) Specification", v1.0, §5 (E2M1, E8M0); OpenAI's open models are
  /// stored so, and transformers' `convert_moe_packed_tensors` reads them. There the greatest scale is 2^128, and no mark for
  /// what is no number.
  public static let mxfp4 = Codec(
    name: codecName, configKey: "quantization_config"
  ) { table, _ throws(CheckpointError) in
    var found: [CodedTensor] = []
    for (blocks, scales) in pairs(in: table) {
      let tensor = try ScaledBlocks(blocks, scales).tensor
      found.append(CodedTensor(codec: codecName, stored: [blocks, scales], tensor: tensor))
    }
    return found
  }
}

private let codecName = "mxfp4"
private let codesPerByte = 2
private let bytesPerBlock = 16
private let numbersPerBlock = codesPerByte * bytesPerBlock

/// Blocks, and the scales that are called after them.
private func pairs(in table: TensorTable) -> [(blocks: Tensor, scales: Tensor)] {
  table.tensors.compactMap { blocks in
    let name = blocks.name.text
    for (own, other) in [("_blocks", "_scales"), (".blocks", ".scales")] where name.hasSuffix(own) {
      if let scales = table[TensorName(name.dropLast(own.count) + other)] {
        return (blocks, scales)
      }
    }
    return nil
  }
}

/// Blocks of codes, and their scales.
private struct ScaledBlocks: Sendable {
  let blocks: Tensor
  let scales: Tensor

  /// - Throws: `CheckpointError` if they are of shapes or types that the codec does not have.
  init(_ blocks: Tensor, _ scales: Tensor) throws(CheckpointError) {
    for tensor in [blocks, scales] where tensor.dtype != .u8 {
      throw CheckpointError(
        .unsupported("blocks and scales of \(codecName) are U8, these are \(tensor.dtype)"),
        tensor: tensor.name)
    }
    guard blocks.shape.last == bytesPerBlock, blocks.shape.count > 1 else {
      throw CheckpointError(
        .unsupported(
          "\(describe(shape: blocks.shape)) are no blocks of \(bytesPerBlock) bytes, which"
            + " \(codecName) has"), tensor: blocks.name)
    }
    guard scales.shape == Array(blocks.shape.dropLast()) else {
      throw CheckpointError(
        .refused(
          "the scales of \(codecName) are \(describe(shape: scales.shape)), one for each block of"
            + " \(describe(shape: blocks.shape)) are \(describe(shape: Array(blocks.shape.dropLast())))"
        ),
        tensor: scales.name)
    }
    (self.blocks, self.scales) = (blocks, scales)
  }

  /// The plain numbers.
  var tensor: Tensor {
    let blocks = blocks
    return Tensor(
      name: blocks.name, dtype: .f32, shape: scales.shape + [numbersPerBlock],
      bytes: DecodedBytes(
        elementCount: blocks.elementCount * codesPerByte, codes: blocks.bytes,
        announce: { blocks.bytes.announce(bytes(of: $0)) },
        decode: { range throws(CheckpointError) in try numbers(range) }))
  }

  /// The numbers of a range of elements, which is not empty.
  private func numbers(_ range: Range<Int>) throws(CheckpointError) -> [Float] {
    let stored = bytes(of: range)
    let codes = try blocks.bytes.read(stored)
    let first = range.lowerBound / numbersPerBlock
    let scales = try scales.bytes.read(first..<(range.upperBound - 1) / numbersPerBlock + 1)
    var numbers: [Float] = []
    numbers.reserveCapacity(range.count)
    for element in range {
      let byte = codes[element / codesPerByte - stored.lowerBound]
      let code = Int(element.isMultiple(of: codesPerByte) ? byte & 0xF : byte >> 4)
      numbers.append(values[Int(scales[element / numbersPerBlock - first]) << 4 | code])
    }
    return numbers
  }
}

/// The bytes of codes that a range of elements is in.
private func bytes(of elements: Range<Int>) -> Range<Int> {
  elements.lowerBound / codesPerByte..<(elements.upperBound + codesPerByte - 1) / codesPerByte
}

/// What each code stands for under each scale.
private let values: [Float] = (0...UInt8.max).flatMap { scale in
  (0..<16).map { code in
    let magnitude: [Float] = [0, 0.5, 1, 1.5, 2, 3, 4, 6]
    let value = Float(sign: .plus, exponent: Int(scale) - 127, significand: magnitude[code & 7])
    return code < 8 ? value : -value
  }
}
