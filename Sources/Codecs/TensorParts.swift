import TensorCore

/// A table of tensors that lie divided among parts, `consolidated.00/norm.weight` and so on: all have the same
/// names behind that of their part, and how each is put together is said from outside.
///
/// The numbers are joined as they are stored, so that nothing of it is seen in what is made of them.
///
/// Source: Shoeybi et al., arXiv 1909.08053, section 3: matrices are divided by columns or by rows, and all else
/// is in every process.
struct TensorParts {
  /// What reports and certificates call the joining.
  static let codecName = "tensor-parallel"

  private let table: TensorTable
  /// What stands before the names of each part, `consolidated.00/`, in their order.
  private let prefixes: [String]

  /// `nil` if not all names begin with a part's, of parts numbered from 0 on, two at least.
  init?(_ table: TensorTable) {
    guard let first = table.tensors.first, let stem = Self.part(of: first.name)?.stem else {
      return nil
    }
    var numbers: Set<Int> = []
    for tensor in table.tensors {
      guard let part = Self.part(of: tensor.name), part.stem == stem else { return nil }
      numbers.insert(part.number)
    }
    guard numbers.count > 1, numbers.max() == numbers.count - 1 else { return nil }
    self.table = table
    prefixes = (0..<numbers.count).map { "\(stem)\($0 < 10 ? "0" : "")\($0)/" }
  }

  /// `consolidated.` and 0 of `consolidated.00/norm.weight`.
  private static func part(of name: TensorName) -> (stem: Substring, number: Int)? {
    guard let slash = name.text.firstIndex(of: "/") else { return nil }
    let part = name.text[..<slash]
    let digits = part.suffix(2)
    guard digits.utf8.count == 2, digits.allSatisfy({ $0.isASCII && $0.isNumber }),
      part.dropLast(2).hasSuffix("."), let number = Int(digits)
    else { return nil }
    return (part.dropLast(2), number)
  }

  /// The whole tensors in the place of the first part's, and how many they are. What nobody knows how to put
  /// together stays as it is, under its parts' names.
  ///
  /// - Throws: `CheckpointError` with all tensors whose parts do not fit each other, or differ where they must
  ///   not.
  func joined(
    _ division: (String, [Int]) -> Division?
  ) throws(CheckpointError) -> (table: TensorTable, count: Int) {
    var whole: [TensorName: Tensor] = [:]
    var taken: Set<TensorName> = []
    var faults: [String] = []
    for first in table.tensors where first.name.text.hasPrefix(prefixes[0]) {
      let name = String(first.name.text.dropFirst(prefixes[0].count))
      guard let division = division(name, first.shape) else { continue }
      let parts = prefixes.compactMap { table[TensorName($0 + name)] }
      if let fault = try fault(of: parts, named: name, division) {
        faults.append(fault)
        continue
      }
      guard let joined = joined(parts, named: name, division) else {
        faults.append(
          "misshapen    \(first.name): \(first.dtype) \(describe(shape: first.shape)) cannot be a part"
        )
        continue
      }
      whole[first.name] = joined
      taken.formUnion(parts.dropFirst().map(\.name))
    }
    guard faults.isEmpty else {
      let count = faults.count == 1 ? "1 tensor" : "\(faults.count) tensors"
      throw CheckpointError(
        .refused("the parts of the model do not fit each other: \(count)"), details: faults)
    }
    let tensors = table.tensors.filter { !taken.contains($0.name) }.map { whole[$0.name] ?? $0 }
    return (try TensorTable(tensors), whole.count)
  }

  /// What is wrong with the parts of a tensor.
  private func fault(
    of parts: [Tensor], named name: String, _ division: Division
  ) throws(CheckpointError) -> String? {
    let first = parts[0]
    guard parts.count == prefixes.count else {
      return "missing      \(name): is in \(parts.count) of \(prefixes.count) parts"
    }
    if let other = parts.first(where: { $0.dtype != first.dtype }) {
      return "not alike    \(other.name): is \(other.dtype), in the first part \(first.dtype)"
    }
    if let other = parts.first(where: { $0.shape != first.shape }) {
      return "not alike    \(other.name): is \(describe(shape: other.shape)), in the first part"
        + " \(describe(shape: first.shape))"
    }
    guard division == .repeated else { return nil }
    for other in parts.dropFirst() where try !first.hasEqualBytes(as: other) {
      return "not equal    \(other.name): must be the same as \(first.name)"
    }
    return nil
  }

  /// The whole that parts without fault are.
  ///
  /// - Returns: `nil` if they have not the axis that they are divided along, or are too large together.
  private func joined(_ parts: [Tensor], named name: String, _ division: Division) -> Tensor? {
    let first = parts[0]
    guard case .along(let axis) = division else { return first.renamed(TensorName(name)) }
    let part = Arrangement(weight: name, shape: first.shape)
    guard axis < first.shape.count, first.dtype.byteWidth != nil,
      !first.shape[axis].multipliedReportingOverflow(by: parts.count).overflow,
      !first.byteCount.multipliedReportingOverflow(by: parts.count).overflow,
      let whole = try? Arrangement.joined(parts.map { _ in part }, axis: axis)
    else { return nil }
    let sources = zip(parts, whole.pieces).compactMap { source, place in
      Move(from: part.pieces[0].piece, to: place.piece).map {
        GatheredBytes.Part(source: source.bytes, move: $0)
      }
    }
    guard sources.count == parts.count else { return nil }
    return Tensor(
      name: TensorName(name), dtype: first.dtype, shape: whole.shape,
      bytes: GatheredBytes.from(sources, first.dtype, count: whole.shape.reduce(1, *)))
  }
}

extension Tensor {
  /// Whether another tensor of the same type and shape has the same bytes.
  fileprivate func hasEqualBytes(as other: Tensor) throws(CheckpointError) -> Bool {
    for start in stride(from: 0, to: byteCount, by: 1 << 20) {
      let range = start..<min(start + 1 << 20, byteCount)
      if try bytes.read(range) != other.bytes.read(range) { return false }
    }
    return true
  }
}
