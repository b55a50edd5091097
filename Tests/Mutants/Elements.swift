import TensorCore

/// The elements of a weight, to be moved and changed.
///
/// What plants mistakes shares no code with what finds them.
struct Elements {
  let tensor: Tensor
  /// One element after the other, in C order.
  var bytes: [[UInt8]]

  init(_ tensor: Tensor) throws {
    self.tensor = tensor
    let width = tensor.dtype.bitWidth / 8
    let all = try tensor.bytes.read(0..<tensor.byteCount)
    bytes = stride(from: 0, to: all.count, by: width).map { Array(all[$0..<$0 + width]) }
  }

  var rows: Int { tensor.shape[0] }
  var columns: Int { tensor.shape.dropFirst().reduce(1, *) }

  /// The tensor with these elements.
  var result: Tensor {
    Tensor(
      name: tensor.name, dtype: tensor.dtype, shape: tensor.shape,
      bytes: ByteArray(bytes.flatMap(\.self)))
  }

  // MARK: Moving

  /// Element `(i, j)` becomes what `source` says.
  func gathered(_ source: (Int, Int) -> (Int, Int)) -> Tensor {
    var copy = self
    for i in 0..<rows {
      for j in 0..<columns {
        let (row, column) = source(i, j)
        copy.bytes[i * columns + j] = bytes[row * columns + column]
      }
    }
    return copy.result
  }

  /// Rows in another order: row `i` becomes row `order(i)`.
  func rows(_ order: (Int) -> Int) -> Tensor { gathered { (order($0), $1) } }

  /// Columns in another order.
  func columns(_ order: (Int) -> Int) -> Tensor { gathered { ($0, order($1)) } }

  /// Element `i`, flat, becomes element `order(i)`.
  func flat(_ order: (Int) -> Int) -> Tensor {
    var copy = self
    copy.bytes = bytes.indices.map { bytes[order($0)] }
    return copy.result
  }

  // MARK: Changing

  /// The number that an element stands for.
  func value(_ index: Int) -> Double { decoded(bytes[index], tensor.dtype) }

  /// Elements changed by a function of their place and value.
  func mapped(_ change: (Int, Double) -> Double) -> Tensor {
    var copy = self
    for index in bytes.indices {
      let old = value(index)
      let new = change(index, old)
      if new.bitPattern != old.bitPattern { copy.bytes[index] = encoded(new, tensor.dtype) }
    }
    return copy.result
  }

  /// The tensor in another type, each number by that type's own conversion.
  func converted(to dtype: DType, _ code: (Double) -> [UInt8]) -> Tensor {
    Tensor(
      name: tensor.name, dtype: dtype, shape: tensor.shape,
      bytes: ByteArray(bytes.indices.flatMap { code(value($0)) }))
  }
}

// MARK: Numbers

func littleEndian(_ bits: some FixedWidthInteger) -> [UInt8] {
  unsafe withUnsafeBytes(of: bits.littleEndian) { unsafe Array($0) }
}

/// bfloat16 is the upper half of a single.
@Sendable func bfloat16(_ value: Double) -> [UInt8] {
  let bits = Float(value).bitPattern
  return littleEndian(UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16))
}

/// What a careless converter makes of it.
@Sendable func truncatedBfloat16(_ value: Double) -> [UInt8] {
  littleEndian(UInt16(truncatingIfNeeded: Float(value).bitPattern >> 16))
}

func decoded(_ bytes: [UInt8], _ dtype: DType) -> Double {
  let bits = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
  switch dtype {
  case .f64: return Double(bitPattern: bits)
  case .f32: return Double(Float(bitPattern: UInt32(bits)))
  case .bf16: return Double(Float(bitPattern: UInt32(bits) << 16))
  case .f16: return Double(Float16(bitPattern: UInt16(bits)))
  default: preconditionFailure("no type of weights")
  }
}

func encoded(_ value: Double, _ dtype: DType) -> [UInt8] {
  switch dtype {
  case .f64: littleEndian(value.bitPattern)
  case .f32: littleEndian(Float(value).bitPattern)
  case .bf16: bfloat16(value)
  case .f16: littleEndian(Float16(value).bitPattern)
  default: preconditionFailure("no type of weights")
  }
}
