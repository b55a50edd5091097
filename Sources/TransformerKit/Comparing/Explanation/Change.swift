#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif
import TensorCore

/// The rows and columns of a matrix in which something was changed; of a vector, an element a row.
struct Region {
  /// The numbers of the rows, ascending.
  let rows: [Int]
  /// The numbers of the columns, ascending.
  let columns: [Int]

  /// Whether it is the whole of a tensor.
  func isAll(of tensor: Tensor) -> Bool {
    rows.count == tensor.shape.first ?? 1
      && columns.count == tensor.shape.dropFirst().reduce(1, *)
  }

  /// Where two tensors of the same type and shape differ.
  ///
  /// - Throws: `CheckpointError` when the bytes cannot be read.
  init(differing x: Tensor, _ y: Tensor) throws(CheckpointError) {
    let columnCount = x.shape.dropFirst().reduce(1, *)
    var (rows, columns): ([Int], [Bool]) = ([], [Bool](repeating: false, count: columnCount))
    for row in 0..<(x.shape.first ?? 1) {
      let range = row * columnCount..<(row + 1) * columnCount
      let (a, b) = (try x.bytes(of: range), try y.bytes(of: range))
      if a == b { continue }
      rows.append(row)
      for index in a.indices where a[index] != b[index] {
        columns[x.dtype.elementCount(in: index)] = true
      }
    }
    self.rows = rows
    self.columns = columns.indices.filter { columns[$0] }
  }

  /// Calls `body` with the elements of A and B there, row by row, until it says no.
  ///
  /// - Returns: whether it never did.
  func allSatisfy(
    _ x: Tensor, _ y: Tensor, _ body: (Double, Double) -> Bool
  ) throws(CheckpointError) -> Bool {
    let count = x.shape.dropFirst().reduce(1, *)
    for row in rows {
      let (a, b) = (
        try x.doubles(row * count..<(row + 1) * count),
        try y.doubles(row * count..<(row + 1) * count)
      )
      for column in columns where !body(a[column], b[column]) { return false }
    }
    return true
  }
}

extension Tensor {
  /// The one change that was made to every element to get another tensor's of the same type and shape,
  /// everywhere or in some rows or columns only. `nil` if there is none.
  ///
  /// - Throws: `CheckpointError` when the bytes cannot be read.
  func change(to other: Tensor) throws(CheckpointError) -> Cause? {
    let region = try Region(differing: self, other)
    if let cause = try rounding(to: other) { return cause }
    guard let cause = try change(to: other, in: region) else { return nil }
    if region.isAll(of: self) { return cause }
    // An element that happens to be as it should be (a zero that was scaled) is no part of its own.
    let all = Region(all: self)
    if let cause = try change(to: other, in: all) { return cause }
    if shape.count < 2 { return .part(axis: nil, region.rows, cause) }
    return region.columns.count == all.columns.count
      ? .part(axis: 0, region.rows, cause)
      : region.rows.count == all.rows.count ? .part(axis: 1, region.columns, cause) : nil
  }

  /// A factor, something added, or a constant, in the elements of a region.
  private func change(to other: Tensor, in region: Region) throws(CheckpointError) -> Cause? {
    var largest = (a: 0.0, b: 0.0)
    var (first, isConstant, count) = (Double?.none, true, 0)
    _ = try region.allSatisfy(self, other) { a, b in
      if abs(a) > abs(largest.a) { largest = (a, b) }
      isConstant = isConstant && b == first ?? b
      first = first ?? b
      count += 1
      return true
    }
    guard largest.a != 0 else { return nil }
    // A few neighbours may have been rounded to one number.
    if isConstant, let first, count > 3 || first == 0 { return .constant(first) }
    guard count > 2, largest.b.isFinite else { return nil }
    // What a rounded product or sum may be off by.
    let slack = 4 * dtype.epsilon
    let factor = try simplest(largest.b / largest.a, largest, to: other, in: region) {
      a, b, factor in
      abs(b - factor * a) <= slack * abs(factor * a)
    }
    if let factor, abs(factor - 1) > 2 * slack { return .scaled(factor) }
    let amount = try simplest(largest.b - largest.a, largest, to: other, in: region) {
      a, b, amount in
      abs(b - a - amount) <= slack * (abs(a) + abs(amount))
    }
    guard let amount, abs(amount) > 4 * slack * abs(largest.a) else { return nil }
    return .offset(amount)
  }

  /// The number with the fewest digits that is right for all elements of a region, `nil` if none is.
  ///
  /// - Parameters:
  ///   - value: the number that is right for one of them, `example`.
  ///   - isRight: whether a number makes B's element from A's.
  private func simplest(
    _ value: Double, _ example: (a: Double, b: Double), to other: Tensor, in region: Region,
    _ isRight: (_ a: Double, _ b: Double, _ number: Double) -> Bool
  ) throws(CheckpointError) -> Double? {
    let candidates = (1...7).compactMap { rounded(value, toDigits: $0) } + [value]
    for candidate in candidates where isRight(example.a, example.b, candidate) {
      if try region.allSatisfy(self, other, { isRight($0, $1, candidate) }) { return candidate }
    }
    return nil
  }

  /// Elements that lost digits, though their type has room for them.
  private func rounding(to other: Tensor) throws(CheckpointError) -> Cause? {
    let all = Region(all: self)
    for type in [DType.bf16, .f16] where dtype.bitWidth > type.bitWidth {
      if try all.allSatisfy(
        self, other, { isSame(type.value(ofBits: type.roundedBits(of: $0)), $1) })
      {
        return .rounded(type)
      }
      if try all.allSatisfy(
        self, other, { isSame(type.value(ofBits: type.truncatedBits(of: $0)), $1) })
      {
        return .truncated(type)
      }
    }
    for type in [DType.f32, .bf16, .f16] where type.bitWidth <= dtype.bitWidth {
      for number in [1.0, -1.0] {
        if try all.allSatisfy(
          self, other, { isSame(dtype.nearest(to: type.nearest(to: $0 + number) - number), $1) })
        {
          return .roundedSum(number, type)
        }
      }
    }
    return nil
  }

  /// Whether `narrow` has this tensor's elements with digits cut off instead of rounded.
  func isTruncated(in narrow: Tensor) throws(CheckpointError) -> Bool {
    guard dtype.isComputable, narrow.dtype.isComputable, narrow.dtype.bitWidth < dtype.bitWidth
    else { return false }
    let type = narrow.dtype
    return try Region(all: self).allSatisfy(self, narrow) {
      isSame(type.value(ofBits: type.truncatedBits(of: $0)), $1)
    }
  }
}

extension Region {
  /// All of a tensor.
  init(all tensor: Tensor) {
    rows = Array(0..<(tensor.shape.first ?? 1))
    columns = Array(0..<tensor.shape.dropFirst().reduce(1, *))
  }
}

extension DType {
  /// The distance from 1 to the next number.
  var epsilon: Double {
    switch self {
    case .f16: 0x1p-10
    case .bf16: 0x1p-7
    case .f32: 0x1p-23
    default: 0x1p-52
    }
  }

  /// The bits of the number of this type that is nearest to `value` on the way to zero.
  func truncatedBits(of value: Double) -> UInt64 {
    let bits = roundedBits(of: value)
    // Bits of numbers of one sign are ordered like their magnitudes.
    return abs(self.value(ofBits: bits)) > abs(value) ? bits - 1 : bits
  }
}

/// Whether two numbers are the same one: zeros of one sign, and any NaN as good as another.
private func isSame(_ a: Double, _ b: Double) -> Bool {
  a.bitPattern == b.bitPattern || a.isNaN && b.isNaN
}

/// A number as a person would have written it, with so many digits; `nil` for what has none.
private func rounded(_ value: Double, toDigits digits: Int) -> Double? {
  guard value.isNormal else { return nil }
  let exponent = Int(log10(abs(value)).rounded(.down)) + 1 - digits
  // A power of ten is exact as a divisor, and 0.1 is not.
  let power = pow(10, Double(abs(exponent)))
  let scaled = exponent < 0 ? value * power : value / power
  let whole = scaled.rounded()
  return exponent < 0 ? whole / power : whole * power
}
