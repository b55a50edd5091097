import TensorCore

/// Rows of codes, and what they stand for under scales that lie beside them.
protocol CodeRows: Sendable {
  /// How many codes there are, numbered from 0 on.
  var codeCount: Int { get }
  /// Whether the numbers of a scale are at equal distances.
  var isEven: Bool { get }
  /// What the codes of a float type stand for under a scale of 1; `nil` of others.
  var floats: FloatCodes? { get }
  /// Whether codes that lie beside each other in a word are those of a column.
  var isPackedDown: Bool { get }
  /// How far codes may be off, relative to the largest number, or to each one where codes are floats, since scales were rounded
  /// after they were chosen, or quotients before, by more than the type of the numbers tells.
  var scaleRounding: Double { get }
  /// The rows themselves, where their maker's formula is known.
  var repeatable: (any RepeatableRows)? { get }

  /// The numbers of a part of a row, in single precision.
  ///
  /// - Parameters:
  ///   - columns: not empty.
  ///   - code: what all of them would be under their scales if it were this code; `nil` for what they are.
  /// - Throws: `CheckpointError` if bytes cannot be read, or say what cannot be.
  func numbers(
    of row: Int, _ columns: Range<Int>, code: Int?
  ) throws(CheckpointError) -> [Float]
}

extension CodeRows {
  var floats: FloatCodes? { nil }
  var isPackedDown: Bool { false }
  var scaleRounding: Double { 0 }
  var repeatable: (any RepeatableRows)? { nil }
}

/// Codes of a type of floats, which are too many to try each, and whose distances grow with them.
struct FloatCodes: Sendable {
  /// The finite numbers that they stand for, ascending.
  let numbers: [Float]
  /// The code of 1.
  let one: Int

  /// Those of FP8 E4M3.
  static let e4m3 = FloatCodes(.f8e4m3)

  /// - Parameter dtype: a type of 8 bits that has a 1.
  init(_ dtype: DType) {
    let all = (0...255).compactMap { code -> (code: Int, number: Float)? in
      guard case .single(let number) = dtype.element(at: 0, of: [UInt8(code)]), number.isFinite
      else { return nil }
      return (code, number)
    }
    numbers = all.map(\.number).sorted()
    one = all.first { $0.number == 1 }?.code ?? 0
  }

  /// How far the nearest of the numbers is from another one.
  func distance(to x: Double) -> Double {
    var (low, high) = (0, numbers.count - 1)
    while high - low > 1 {
      let middle = (low + high) / 2
      if Double(numbers[middle]) <= x { low = middle } else { high = middle }
    }
    return min(abs(x - Double(numbers[low])), abs(x - Double(numbers[high])))
  }

  /// The largest of the numbers.
  var largest: Double { numbers.last.map { Double($0) } ?? 0 }
}

/// Elements that are compared at once: whole groups of all codecs whose formula is known.
let elementsPerPiece = 1 << 16

/// A matrix that is decoded row by row. What is stored for each input of a layer is transposed on the way.
struct CodeMatrix: Sendable {
  let rows: any CodeRows
  /// Rows and columns as the codes lie.
  let shape: (rows: Int, columns: Int)
  /// Whether the weight is the transposed matrix.
  let isTransposed: Bool
  /// The type that the numbers are rounded to.
  let dtype: DType

  /// The numbers of a range of elements in the order of the codes.
  func numbers(_ range: Range<Int>, code: Int? = nil) throws(CheckpointError) -> [Float] {
    var numbers: [Float] = []
    numbers.reserveCapacity(range.count)
    for part in parts(range, atMost: range.count) {
      numbers += try rows.numbers(of: part.row, part.columns, code: code)
    }
    return numbers
  }

  /// The parts of rows that a range of elements is in, each of so many at most.
  func parts(
    _ range: Range<Int>, atMost most: Int = elementsPerPiece
  ) -> some Sequence<(row: Int, columns: Range<Int>)> {
    sequence(state: range.lowerBound) { element in
      guard element < range.upperBound else { return nil }
      let (row, column) = element.quotientAndRemainder(dividingBy: shape.columns)
      let end = min(shape.columns, column + min(most, range.upperBound - element))
      element += end - column
      return (row, column..<end)
    }
  }

  /// Turns a weight's elements into the order of the codes, and back.
  func transposed(_ bytes: any TensorBytes, _ dtype: DType, toCodes: Bool) -> any TensorBytes {
    let (rows, columns) = toCodes ? shape : (rows: shape.columns, columns: shape.rows)
    let piece = Piece(shape: [rows, columns], strides: [1, rows])
    return bytes.moved(Move(reading: piece), dtype, count: rows * columns)
  }

  /// The plain weight.
  ///
  /// - Parameters:
  ///   - shape: its shape, if it is not that of the matrix.
  ///   - codes: what most of it is read from.
  /// - Throws: `CheckpointError` if there are no such numbers, or more than can be counted.
  func tensor(
    _ name: TensorName, shape: [Int]? = nil, codes: Tensor
  ) throws(CheckpointError) -> Tensor {
    let own =
      isTransposed ? [self.shape.columns, self.shape.rows] : [self.shape.rows, self.shape.columns]
    let shape = shape ?? own
    guard let size = dtype.byteCount(shape: shape), size > 0, dtype.byteCount(shape: own) == size
    else {
      throw CheckpointError(
        .malformed("\(describe(shape: shape)) is no shape of a quantised weight"),
        tensor: codes.name)
    }
    let matrix = self
    let decoded = DecodedBytes(
      elementCount: size / dtype.byteCount(of: 1), dtype: dtype, codes: codes.bytes,
      announce: { _ in },
      decode: { range throws(CheckpointError) in try matrix.numbers(range) })
    let bytes = isTransposed ? transposed(decoded, dtype, toCodes: false) : decoded
    return Tensor(name: name, dtype: dtype, shape: shape, bytes: bytes)
  }
}

/// The tensors of a module.
struct StoredModule {
  let table: TensorTable
  /// Its name, with the stop behind it.
  let name: String
  let codec: String

  /// The module of a tensor whose name ends in `.part`.
  init?(_ tensor: Tensor, part: String, in table: TensorTable, codec: String) {
    let name = tensor.name.text
    guard name.hasSuffix("." + part) else { return nil }
    (self.table, self.name, self.codec) = (table, String(name.dropLast(part.count)), codec)
  }

  subscript(part: String) -> Tensor? { table[TensorName(name + part)] }

  /// The name of its weight.
  var weight: TensorName { TensorName(name + "weight") }

  /// - Throws: `CheckpointError` if there is no such part.
  func required(_ part: String, beside other: Tensor) throws(CheckpointError) -> Tensor {
    guard let tensor = self[part] else {
      throw CheckpointError(
        .refused("\(name)\(part) is missing, a part of the same weight in \(codec)"),
        tensor: other.name)
    }
    return tensor
  }

  /// - Throws: `CheckpointError` if a part is of another type.
  func require(_ tensor: Tensor, _ dtypes: [DType]) throws(CheckpointError) {
    guard !dtypes.contains(tensor.dtype) else { return }
    let allowed = dtypes.map(\.name).joined(separator: " or ")
    throw CheckpointError(
      .unsupported("this part of \(codec) is \(allowed), here it is \(tensor.dtype)"),
      tensor: tensor.name)
  }

  /// - Throws: `CheckpointError` if a part has another shape.
  func require(_ tensor: Tensor, shape: [Int]) throws(CheckpointError) {
    if tensor.shape != shape { throw misfit(tensor, "need \(describe(shape: shape))") }
  }

  /// Says that a part does not fit the others.
  func misfit(_ tensor: Tensor, _ need: String) -> CheckpointError {
    CheckpointError(
      .refused("is \(describe(shape: tensor.shape)), the other parts of \(codec) \(need)"),
      tensor: tensor.name)
  }
}

extension TensorTable {
  /// What is made of the modules that have one of some parts.
  ///
  /// - Parameter make: the group of a tensor, which is a part of a module; `nil` if it is none.
  /// - Throws: `CheckpointError` if something is called as in a group, and cannot be decoded.
  func groups(
    of codec: String, parts: [String],
    _ make: (_ codes: Tensor, _ part: String, StoredModule) throws(CheckpointError) -> CodedTensor?
  ) throws(CheckpointError) -> [CodedTensor] {
    var found: [CodedTensor] = []
    for codes in tensors {
      for part in parts {
        guard let module = StoredModule(codes, part: part, in: self, codec: codec),
          let group = try make(codes, part, module)
        else { continue }
        found.append(group)
      }
    }
    return found
  }
}

extension Tensor {
  /// A part of a row of 32-bit words.
  func words(_ row: Int, _ columns: Range<Int>) throws(CheckpointError) -> [UInt32] {
    let first = row * shape[shape.count - 1]
    let bytes = try bytes(of: first + columns.lowerBound..<first + columns.upperBound)
    return (0..<columns.count).map { index in
      (0..<4).reduce(0) { $0 | UInt32(bytes[4 * index + $1]) << UInt32(8 * $1) }
    }
  }

  /// A part of a row of numbers in single precision.
  func numbers(_ row: Int, _ columns: Range<Int>) throws(CheckpointError) -> [Float] {
    let first = row * (shape.count < 2 ? 1 : shape[shape.count - 1])
    return try singlePrecision(of: first + columns.lowerBound..<first + columns.upperBound)
  }

  /// The whole numbers of a range of elements.
  func integers(_ elements: Range<Int>) throws(CheckpointError) -> [Int] {
    let bytes = try bytes(of: elements)
    return (0..<elements.count).map { dtype.element(at: $0, of: bytes).int ?? -1 }
  }
}

/// Codes of the same number of bits, one behind the other in 32-bit words, the lowest bits first.
struct PackedCodes: Sendable {
  let bits: Int

  var count: Int { 1 << bits }
  var mask: UInt32 { UInt32(count - 1) }

  /// The words that codes are in.
  func words(of codes: Range<Int>) -> Range<Int> {
    codes.lowerBound * bits / 32..<(codes.upperBound * bits + 31) / 32
  }

  /// The codes of a range; `words` are those that they are in.
  func codes(_ range: Range<Int>, in words: [UInt32]) -> [Int32] {
    let first = range.lowerBound * bits / 32
    return range.map { index in
      let bit = index * bits
      let (word, offset) = (bit / 32 - first, UInt32(bit % 32))
      var code = words[word] >> offset
      if Int(offset) + bits > 32 { code |= words[word + 1] << (32 - offset) }
      return Int32(code & mask)
    }
  }

  /// The codes of a row of a matrix that are packed down its columns, whose words begin with a row of the tensor.
  func codes(
    ofRow row: Int, _ columns: Range<Int>, in tensor: Tensor, from first: Int = 0
  ) throws(CheckpointError) -> [Int32] {
    let (word, offset) = (first + row * bits / 32, UInt32(row * bits % 32))
    let low = try tensor.words(word, columns)
    guard Int(offset) + bits > 32 else { return low.map { Int32($0 >> offset & mask) } }
    let high = try tensor.words(word + 1, columns)
    return low.indices.map { Int32((low[$0] >> offset | high[$0] << (32 - offset)) & mask) }
  }

  /// Whether `words` are just as many as `count` codes need.
  func fill(_ count: Int, _ words: Int) -> Bool {
    fit(count, in: words) && (count * bits + 31) / 32 == words
  }

  /// Whether `words` are as many as codes fill, whole words of all of them, or up to 31 codes more.
  func fit(_ count: Int, in words: Int) -> Bool {
    guard words > 0, words < 1 << 56, count > 0, count <= words * 32 / bits else { return false }
    return words * 32 / bits - count < 32
  }
}
