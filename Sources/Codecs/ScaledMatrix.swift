import TensorCore

/// A matrix of codes, and the scales of its blocks.
struct ScaledMatrix: Sendable {
  let codes: Tensor
  let scales: Tensor
  private let blockSize: (rows: Int, columns: Int)

  /// - Parameters:
  ///   - blockSize: rows and columns that have a scale together.
  ///   - codec: the codec's name.
  /// - Throws: `CheckpointError` if codes and scales are of ranks or types that the codec does not have.
  init(
    _ codes: Tensor, _ scales: Tensor, blockSize: (rows: Int, columns: Int), codec: String
  ) throws(CheckpointError) {
    guard codes.shape.count == 2, scales.shape.count == 2 else {
      throw Self.unknownScales(scales, of: codes, codec)
    }
    guard [.f32, .bf16, .f16, .f8e8m0, .u8].contains(scales.dtype) else {
      throw CheckpointError(
        .unsupported(
          "the scales of \(codec) are F32, BF16, F16, F8_E8M0 or U8, these are \(scales.dtype)"),
        tensor: scales.name)
    }
    (self.codes, self.scales, self.blockSize) = (codes, scales, blockSize)
  }

  /// Says that scales of such a shape are not those of a codec.
  static func unknownScales(_ scales: Tensor, of codes: Tensor, _ codec: String) -> CheckpointError
  {
    CheckpointError(
      .unsupported(
        "\(describe(shape: scales.shape)) scales of \(describe(shape: codes.shape)) codes are not"
          + " those of a matrix, which \(codec) has"), tensor: scales.name)
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

  /// The codes, and what they stand for.
  var rows: CodeMatrix {
    CodeMatrix(
      rows: self, shape: (codes.shape[0], codes.shape[1]), isTransposed: false, dtype: dtype)
  }

  /// The type of the plain numbers.
  private var dtype: DType { scales.dtype == .u8 ? .bf16 : .f32 }

  /// The plain matrix.
  var tensor: Tensor {
    Tensor(
      name: codes.name, dtype: dtype, shape: codes.shape,
      bytes: DecodedBytes(
        elementCount: codes.elementCount, dtype: dtype, codes: codes.bytes,
        announce: { codes.bytes.announce(codes.byteRange(of: $0)) },
        decode: { range throws(CheckpointError) in try numbers(range, code: nil) }))
  }

  /// The numbers of a range of elements, which is not empty.
  ///
  /// - Parameter code: what all of them are taken to be; `nil` for what they are.
  private func numbers(_ range: Range<Int>, code: Int?) throws(CheckpointError) -> [Float] {
    let columns = codes.shape[1]
    let codes =
      if let code { [UInt8](repeating: UInt8(code), count: range.count) } else {
        try codes.bytes(of: range)
      }
    let blocksInRow = scales.shape[1]
    let firstRow = range.lowerBound / columns / blockSize.rows
    let lastRow = (range.upperBound - 1) / columns / blockSize.rows
    let scales = try scaleNumbers(firstRow * blocksInRow..<(lastRow + 1) * blocksInRow)
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
        numbers.append(numbersOfE4M3[Int(codes[index - range.lowerBound])] * scale)
      }
      element = end
    }
    return numbers
  }
}

extension ScaledMatrix {
  /// A range of the scales.
  private func scaleNumbers(_ range: Range<Int>) throws(CheckpointError) -> [Float] {
    guard [.f8e8m0, .u8].contains(scales.dtype) else {
      return try scales.singlePrecision(of: range)
    }
    let bytes = try scales.bytes(of: range)
    if scales.dtype == .u8 { return bytes.map(powerOfTwo) }
    return range.indices.map { place in
      guard case .single(let value) = scales.dtype.element(at: place - range.lowerBound, of: bytes)
      else { return .nan }
      return value
    }
  }
}

extension ScaledMatrix: CodeRows {
  var codeCount: Int { 256 }
  var isEven: Bool { false }
  var floats: FloatCodes? { .e4m3 }
  /// Makers divide in BF16, in which quotients are rounded before they become codes.
  var scaleRounding: Double { 0x1p-8 }

  func numbers(
    of row: Int, _ columns: Range<Int>, code: Int?
  ) throws(CheckpointError) -> [Float] {
    let first = row * codes.shape[1]
    return try numbers(first + columns.lowerBound..<first + columns.upperBound, code: code)
  }
}

/// How many blocks an axis has.
private func blockCount(_ extent: Int, _ size: Int) -> Int {
  extent / size + (extent.isMultiple(of: size) ? 0 : 1)
}
