public import Kernels
public import TensorCore

extension NDArray where Element: ComputeScalar {
  /// Reads a whole tensor into memory.
  ///
  /// - Throws: `CheckpointError` when the bytes cannot be read.
  public init(reading tensor: Tensor) throws(CheckpointError) {
    var failure: CheckpointError?
    let count = tensor.elementCount
    let elements = unsafe [Element](unsafeUninitializedCapacity: count) { buffer, filled in
      do throws(CheckpointError) {
        unsafe try fill(UnsafeMutableBufferPointer(rebasing: buffer[..<count]), tensor, from: 0)
        filled = count
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    self.init(shape: tensor.shape, elements: elements)
  }

  /// Fills the elements with those of `tensor` from element `first` on.
  mutating func read(_ tensor: Tensor, from first: Int) throws(CheckpointError) {
    try unsafe elements.withUnsafeMutableBufferPointer { buffer throws(CheckpointError) in
      try unsafe fill(buffer, tensor, from: first)
    }
  }
}

/// Assigns the elements of `tensor` from element `first` on, a piece at a time, on several cores unless
/// the bytes are best read from the first to the last.
@unsafe private func fill<Scalar: ComputeScalar>(
  _ buffer: UnsafeMutableBufferPointer<Scalar>, _ tensor: Tensor, from first: Int
) throws(CheckpointError) {
  let size = elementsPerPiece
  let count = (buffer.count + size - 1) / size
  func fillPiece(_ number: Int) throws(CheckpointError) {
    let range = number * size..<min((number + 1) * size, buffer.count)
    let piece = unsafe UnsafeMutableBufferPointer(rebasing: buffer[range])
    let stored = tensor.byteRange(of: first + range.lowerBound..<first + range.upperBound)
    if tensor.dtype == Scalar.dtype {
      var bytes = unsafe MutableRawSpan(_unsafeBytes: UnsafeMutableRawBufferPointer(piece))
      try tensor.bytes.read(at: stored.lowerBound, into: &bytes)
    } else {
      let bytes = try tensor.bytes.read(stored)
      var values = unsafe MutableSpan(_unsafeElements: piece)
      tensor.dtype.widen(unsafe bytes.span.bytes, into: &values)
    }
  }
  if tensor.bytes.isReadForwards || count < 2 {
    for number in 0..<count { try fillPiece(number) }
  } else {
    _ = try inParallel(count) { number throws(CheckpointError) in try fillPiece(number) }
  }
}

/// How many elements of a tensor are read at once: some that stay in a core's own cache.
private let elementsPerPiece = 1 << 16

extension ComputeScalar {
  /// The type of stored elements that need no conversion, on a machine with the files' byte order.
  fileprivate static var dtype: DType? {
    #if _endian(little)
      Self.self == Float.self ? .f32 : Self.self == Double.self ? .f64 : nil
    #else
      nil
    #endif
  }
}

/// Tables in memory, by the paths of the weights that own their numbers: an embedding and the head
/// that is tied to it are one.
final class ResidentTables<Scalar: ComputeScalar> {
  private var tables: [String: NDArray<Scalar>] = [:]

  /// The table of `owner`, read at the first time.
  ///
  /// - Throws: `CheckpointError` when the bytes cannot be read.
  func table(of owner: String, _ tensor: Tensor) throws(CheckpointError) -> NDArray<Scalar> {
    if let table = tables[owner] { return table }
    let table = try NDArray<Scalar>(reading: tensor)
    tables[owner] = table
    return table
  }
}

/// A matrix that is used by rows: an embedding table, or the output projection over a vocabulary.
///
/// Unless its tables are to be resident it stays in its file and only the rows that are needed are
/// read, so that the largest weights of a model never have to fit into memory.
public struct WeightRows<Scalar: ComputeScalar> {
  /// `nil` in a declaration.
  private let tensor: Tensor?
  private let owner: String
  private let resident: ResidentTables<Scalar>?

  init(tensor: Tensor?, owner: String, resident: ResidentTables<Scalar>?) {
    self.tensor = tensor
    self.owner = owner
    self.resident = resident
  }

  /// The rows of the given ids: `[…]` to `[…, width]`.
  ///
  /// - Precondition: every id is a row of the table.
  /// - Throws: `CheckpointError` when the bytes cannot be read.
  public func callAsFunction(_ ids: NDArray<Int>) throws(CheckpointError) -> NDArray<Scalar> {
    guard let tensor else { return NDArray(shape: [0], elements: []) }
    let width = tensor.shape[1]
    let table = try resident?.table(of: owner, tensor)
    // In ascending order, so that a compressed container is only read forwards.
    var rows: [Int: ArraySlice<Scalar>] = [:]
    for id in Set(ids.elements).sorted() {
      rows[id] = if let table { table.row(id) } else { try row(id, of: tensor) }
    }
    var elements: [Scalar] = []
    elements.reserveCapacity(ids.elements.count * width)
    for id in ids.elements { elements += rows[id] ?? [] }
    return NDArray(shape: ids.shape + [width], elements: elements)
  }

  /// A row, read from its file.
  private func row(_ id: Int, of tensor: Tensor) throws(CheckpointError) -> ArraySlice<Scalar> {
    var row = NDArray(shape: [tensor.shape[1]], repeating: Scalar(0))
    try row.read(tensor, from: id * tensor.shape[1])
    return row.elements[...]
  }

  /// `x·Wᵀ + b`, computed when it is asked for: `[…, width]` to `[…, rows]`.
  ///
  /// - Parameter softcap: the bound of the results. See `softcapped`.
  /// - Throws: `CheckpointError` when the bytes cannot be read.
  public func product(
    with x: NDArray<Scalar>, bias: NDArray<Scalar>?, softcap: Double? = nil
  ) throws(CheckpointError) -> StateValue<Scalar> {
    guard let tensor else { return .array(NDArray(shape: [0], elements: [])) }
    let table = try resident?.table(of: owner, tensor)
    return .product(
      VocabularyProduct(x, weight: tensor, table: table, bias: bias, softcap: softcap))
  }
}
