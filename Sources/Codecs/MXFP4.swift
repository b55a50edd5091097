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
    name: codecName, configKeys: [settingsKey]
  ) { table, _ throws(CheckpointError) in
    var found: [CodedTensor] = []
    for (blocks, scales) in pairs(in: table) {
      found.append(try ScaledBlocks(blocks, scales).coded)
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

  /// The plain numbers, and the codes in rows of whole blocks.
  var coded: CodedTensor {
    let shape = scales.shape + [numbersPerBlock]
    let blocks = blocks
    let plain = Tensor(
      name: blocks.name, dtype: .f32, shape: shape,
      bytes: DecodedBytes(
        elementCount: blocks.elementCount * codesPerByte, codes: blocks.bytes,
        announce: { blocks.bytes.announce(bytes(of: $0)) },
        decode: { range throws(CheckpointError) in try numbers(range, code: nil) }))
    let rows = max(1, scales.elementCount / max(1, columns / numbersPerBlock))
    let codes = CodeMatrix(rows: self, shape: (rows, columns), isTransposed: false, dtype: .f32)
    return CodedTensor(codec: codecName, stored: [blocks, scales], tensor: plain, codes: codes)
  }

  /// Numbers of a row.
  private var columns: Int { scales.shape[scales.shape.count - 1] * numbersPerBlock }

  /// The numbers of a range of elements, which is not empty.
  ///
  /// - Parameter code: what all of them are taken to be; `nil` for what they are.
  private func numbers(_ range: Range<Int>, code: Int?) throws(CheckpointError) -> [Float] {
    let stored = bytes(of: range)
    let codes = try code == nil ? blocks.bytes.read(stored) : []
    let first = range.lowerBound / numbersPerBlock
    let scales = try scales.bytes.read(first..<(range.upperBound - 1) / numbersPerBlock + 1)
    var numbers: [Float] = []
    numbers.reserveCapacity(range.count)
    for element in range {
      var own = code ?? 0
      if code == nil {
        let byte = codes[element / codesPerByte - stored.lowerBound]
        own = Int(element.isMultiple(of: codesPerByte) ? byte & 0xF : byte >> 4)
      }
      numbers.append(values[Int(scales[element / numbersPerBlock - first]) << 4 | own])
    }
    return numbers
  }
}

extension ScaledBlocks: CodeRows {
  var codeCount: Int { 16 }
  var isEven: Bool { false }

  func numbers(
    of row: Int, _ columns: Range<Int>, code: Int?
  ) throws(CheckpointError) -> [Float] {
    let first = row * self.columns
    return try numbers(first + columns.lowerBound..<first + columns.upperBound, code: code)
  }
}

/// The bytes of codes that a range of elements is in.
private func bytes(of elements: Range<Int>) -> Range<Int> {
  elements.lowerBound / codesPerByte..<(elements.upperBound + codesPerByte - 1) / codesPerByte
}

/// What each code stands for under each scale: not the product of two numbers in single precision, of which 2^128 is none.
private let values: [Float] = (0...UInt8.max).flatMap { scale in
  numbersOfE2M1.map { number in
    Float(sign: number.sign, exponent: Int(scale) - 127, significand: number.magnitude)
  }
}
