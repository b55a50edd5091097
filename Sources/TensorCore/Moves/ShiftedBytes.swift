/// A tensor's elements with a number added to each, rounded once to a type when they are read.
struct ShiftedBytes: TensorBytes {
  let source: Tensor
  let number: Double
  let to: DType

  var count: Int { to.byteCount(of: source.elementCount) }
  var isReadForwards: Bool { source.bytes.isReadForwards }
  var usesSlab: Bool { source.bytes.usesSlab }
  var workingMemory: Int { source.bytes.workingMemory }

  func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    let width = to.byteCount(of: 1)
    try buffer.fill(from: offset, width: width, elementsAtATime: elementsPerPiece) {
      elements throws(CheckpointError) in
      let sums = try source.sums(with: number, elements)
      var bytes = [UInt8](repeating: 0, count: width * elements.count)
      var span = bytes.mutableSpan
      var raw = unsafe span.mutableBytes
      to.round(sums.span, into: &raw)
      return bytes
    }
  }
}

extension Tensor {
  /// The tensor with a number added to each element: computed in double precision, and rounded to nearest,
  /// ties to even, to its type or another one.
  ///
  /// - Precondition: both types are computable.
  package func adding(_ number: Double, as dtype: DType? = nil) -> Tensor {
    let to = dtype ?? self.dtype
    return Tensor(
      name: name, dtype: to, shape: shape,
      bytes: ShiftedBytes(source: self, number: number, to: to))
  }

  /// How many elements are not what a cast would make of them when a number is added in another type, and
  /// then taken away again.
  ///
  /// - Precondition: both types are computable.
  /// - Throws: `CheckpointError` when the bytes cannot be read.
  package func countLost(adding number: Double, as dtype: DType) throws(CheckpointError) -> Int {
    var lost = 0
    for start in stride(from: 0, to: elementCount, by: elementsPerPiece) {
      let range = start..<min(start + elementsPerPiece, elementCount)
      let (values, sums) = (try sums(with: 0, range), try sums(with: number, range))
      lost += zip(values, sums).count { value, sum in
        let back = dtype.nearest(to: dtype.nearest(to: sum) - number)
        return back.bitPattern != dtype.nearest(to: value).bitPattern
      }
    }
    return lost
  }

  fileprivate func sums(
    with number: Double, _ elements: Range<Int>
  ) throws(CheckpointError) -> [Double] {
    let bytes = try bytes.read(dtype.byteRange(of: elements))
    var values = [Double](repeating: 0, count: elements.count)
    var span = values.mutableSpan
    unsafe dtype.widen(bytes.span.bytes, into: &span)
    // Not for zero: it would lose its sign.
    return number == 0 ? values : values.map { $0 + number }
  }
}

/// Elements that are looked at together.
private let elementsPerPiece = 1 << 16

extension DType {
  /// The nearest number of this type.
  package func nearest(to value: Double) -> Double {
    switch self {
    case .f64: value
    case .f32: Double(Float(value))
    default:
      widenedBits(roundedBits(of: value))
    }
  }

  private func widenedBits(_ bits: UInt64) -> Double {
    self == .bf16
      ? Double(Float(bitPattern: UInt32(bits) << 16)) : Double(widenedHalf(UInt16(bits)))
  }
}
