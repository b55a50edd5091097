import TensorCore

extension Codec {
  /// Matrices of 8-bit floats with a scale for each block: `X.weight` in F8_E4M3 `[rows, columns]`, and
  /// `X.weight_scale_inv` `[⌈rows / R⌉, ⌈columns / C⌉]`. The weight is `weight · scale`, computed in single
  /// precision and rounded once. `R` and `C` are `quantization_config.weight_block_size` of the config, 128
  /// each if it does not say; blocks at the end of an axis have what is left.
  ///
  /// Source: Liu et al., arXiv 2412.19437, section 3.3.2, and its `inference/kernel.py`
  /// (`weight_dequant`); transformers writes the same with `FineGrainedFP8Config`.
  public static let fp8Blocks = Codec(
    name: codecName, configKey: "quantization_config"
  ) { table, config throws(CheckpointError) in
    let pairs = pairs(in: table)
    if pairs.isEmpty { return [] }
    let size = try blockSize(config)
    var matrices: [ScaledMatrix] = []
    var faults: [String] = []
    for (codes, scales) in pairs {
      let matrix = try ScaledMatrix(codes, scales, blockSize: size)
      if let fault = matrix.fault { faults.append(fault) }
      matrices.append(matrix)
    }
    guard faults.isEmpty else {
      let count = faults.count == 1 ? "1 tensor" : "\(faults.count) tensors"
      throw CheckpointError(
        .refused("the scales of \(codecName) do not fit their codes: \(count)"),
        advice: "quantization_config.weight_block_size of the config says how large blocks are",
        details: faults)
    }
    return matrices.map {
      CodedTensor(codec: codecName, stored: [$0.codes, $0.scales], tensor: $0.tensor)
    }
  }
}

/// Codes, and the scales that are called after them.
private func pairs(in table: TensorTable) -> [(codes: Tensor, scales: Tensor)] {
  table.tensors.compactMap { scales in
    let name = scales.name.text
    guard name.hasSuffix(".weight" + suffix),
      let codes = table[TensorName(String(name.dropLast(suffix.count)))], codes.dtype == .f8e4m3
    else { return nil }
    return (codes, scales)
  }
}

private let codecName = "fp8-blocks"
private let suffix = "_scale_inv"

/// Rows and columns of a block.
private func blockSize(_ config: JSONValue?) throws(CheckpointError) -> (rows: Int, columns: Int) {
  let declared = config?["quantization_config"]?["weight_block_size"] ?? .null
  if declared == .null { return (128, 128) }
  let sizes = declared.elements?.compactMap(\.int) ?? []
  guard sizes.count == 2, declared.elements?.count == 2, sizes.allSatisfy({ $0 > 0 }) else {
    throw CheckpointError(
      .malformed("the config's weight_block_size is no pair of whole numbers from 1"))
  }
  return (sizes[0], sizes[1])
}

/// A matrix of codes, and the scales of its blocks.
private struct ScaledMatrix: Sendable {
  let codes: Tensor
  let scales: Tensor
  private let blockSize: (rows: Int, columns: Int)

  /// - Throws: `CheckpointError` if codes and scales are of shapes or types that the codec does not have.
  init(
    _ codes: Tensor, _ scales: Tensor, blockSize: (rows: Int, columns: Int)
  ) throws(CheckpointError) {
    guard codes.shape.count == 2, scales.shape.count == 2 else {
      throw CheckpointError(
        .unsupported(
          "\(describe(shape: scales.shape)) scales of \(describe(shape: codes.shape)) codes are not"
            + " those of the blocks of a matrix, which \(codecName) has"), tensor: scales.name)
    }
    guard [.f32, .bf16, .f16].contains(scales.dtype) else {
      throw CheckpointError(
        .unsupported("the scales of \(codecName) are F32, BF16 or F16, these are \(scales.dtype)"),
        tensor: scales.name)
    }
    (self.codes, self.scales, self.blockSize) = (codes, scales, blockSize)
  }

  /// What is wrong if there is not one scale for each block.
  var fault: String? {
    let needed = [
      blockCount(codes.shape[0], blockSize.rows), blockCount(codes.shape[1], blockSize.columns),
    ]
    if scales.shape == needed { return nil }
    return
      "misshapen    \(scales.name): is \(describe(shape: scales.shape)), blocks of \(blockSize.rows) by"
      + " \(blockSize.columns) of \(describe(shape: codes.shape)) need \(describe(shape: needed))"
  }

  /// The plain matrix.
  var tensor: Tensor {
    Tensor(
      name: codes.name, dtype: .f32, shape: codes.shape,
      bytes: DecodedBytes(
        elementCount: codes.elementCount, codes: codes.bytes,
        announce: { codes.bytes.announce(codes.byteRange(of: $0)) },
        decode: { range throws(CheckpointError) in try numbers(range) }))
  }

  /// The numbers of a range of elements, which is not empty.
  private func numbers(_ range: Range<Int>) throws(CheckpointError) -> [Float] {
    let columns = codes.shape[1]
    let codes = try codes.bytes(of: range)
    let blocksInRow = scales.shape[1]
    let firstRow = range.lowerBound / columns / blockSize.rows
    let lastRow = (range.upperBound - 1) / columns / blockSize.rows
    let scales = try scales.singles(of: firstRow * blocksInRow..<(lastRow + 1) * blocksInRow)
    var numbers: [Float] = []
    numbers.reserveCapacity(codes.count)
    var element = range.lowerBound
    while element < range.upperBound {
      let (row, column) = element.quotientAndRemainder(dividingBy: columns)
      let block = column / blockSize.columns
      // To the end of the block, of the row, or of the range, whatever comes first.
      let inBlock = min(blockSize.columns - column % blockSize.columns, columns - column)
      let end = min(element + inBlock, range.upperBound)
      let scale = scales[(row / blockSize.rows - firstRow) * blocksInRow + block]
      for index in element..<end {
        numbers.append(values[Int(codes[index - range.lowerBound])] * scale)
      }
      element = end
    }
    return numbers
  }
}

/// The number that each code stands for.
private let values: [Float] = (0...UInt8.max).map { code in
  if case .single(let value) = DType.f8e4m3.element(at: 0, of: [code]) { value } else { .nan }
}

/// How many blocks an axis has.
private func blockCount(_ extent: Int, _ size: Int) -> Int {
  extent / size + (extent.isMultiple(of: size) ? 0 : 1)
}

extension Tensor {
  /// The numbers of a range of elements.
  fileprivate func singles(of elements: Range<Int>) throws(CheckpointError) -> [Float] {
    let bytes = try bytes(of: elements)
    var values = [Float](repeating: 0, count: elements.count)
    var span = values.mutableSpan
    dtype.widen(unsafe bytes.span.bytes, into: &span)
    return values
  }
}
