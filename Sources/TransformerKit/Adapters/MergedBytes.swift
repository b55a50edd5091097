import Kernels
import Synchronization
import TensorCore

/// What an adapter does to one weight, over the weight as it is stored.
struct LowRankChange: Sendable {
  /// The adapter's part.
  let module: Adapter.Module
  /// Whether the weight is stored `[inputs, outputs]`.
  let isTransposed: Bool

  /// The shape that the weight must have.
  var shape: [Int] {
    isTransposed ? [module.inputs, module.outputs] : [module.outputs, module.inputs]
  }

  /// B · A, or its transpose, as the weight is stored.
  func product<Scalar: ComputeScalar>() throws(CheckpointError) -> LowRankProduct<Scalar> {
    let a: [Scalar] = try module.a.numbers()
    let b: [Scalar] = try module.b.numbers()
    return isTransposed
      ? LowRankProduct(
        left: transposed(a, columns: module.inputs), right: transposed(b, columns: module.rank),
        rank: module.rank, columns: module.outputs)
      : LowRankProduct(left: b, right: a, rank: module.rank, columns: module.inputs)
  }
}

extension Tensor {
  /// All numbers, rounded to `Scalar` if they are longer.
  fileprivate func numbers<Scalar: ComputeScalar>() throws(CheckpointError) -> [Scalar] {
    let bytes = try bytes.read(0..<byteCount)
    var numbers = [Scalar](repeating: 0, count: elementCount)
    var span = numbers.mutableSpan
    dtype.widen(unsafe bytes.span.bytes, into: &span)
    return numbers
  }
}

/// The transpose of a matrix.
private func transposed<Scalar>(_ matrix: [Scalar], columns: Int) -> [Scalar] {
  let rows = matrix.count / columns
  return (0..<matrix.count).map { matrix[$0 % rows * columns + $0 / rows] }
}

/// A weight with what an adapter adds to it, computed when it is read.
///
/// In the order of PEFT's `merge_and_unload`, on processors: `B · A` is a chain of fused steps over the rank in single
/// precision, or in double where the weight is in it; times the scale, and plus the weight, each rounded. A shorter
/// weight takes the sum rounded once; an embedding's takes what is added rounded, and the sum again.
final class MergedBytes: TensorBytes {
  private let weight: Tensor
  private let change: LowRankChange
  private let products: RecentProducts
  private let lengths = Mutex<[Double]?>(nil)

  /// - Precondition: the weight is of a type that is computed in, and of the change's shape.
  init(_ weight: Tensor, _ change: LowRankChange, _ products: RecentProducts) {
    precondition(weight.dtype.isComputable && weight.shape == change.shape)
    (self.weight, self.change, self.products) = (weight, change, products)
  }

  var count: Int { weight.byteCount }
  var isReadForwards: Bool { weight.bytes.isReadForwards }
  var usesSlab: Bool { weight.bytes.usesSlab }

  var workingMemory: Int {
    let width = weight.dtype == .f64 || change.module.magnitude != nil ? 8 : 4
    let module = change.module
    let factors = width * (module.a.elementCount + module.b.elementCount)
    let block = Parallel.workers * elementsPerBlock * 2 * width
    // Beside what is kept of this weight, another one's may be.
    return 2 * factors + block + elementsPerPiece * 8 + weight.bytes.workingMemory
  }

  func announce(_ range: Range<Int>) { weight.bytes.announce(range) }

  func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    precondition(offset >= 0 && offset + buffer.byteCount <= count, "read past the end of a tensor")
    try buffer.fill(
      from: offset, width: weight.dtype.byteCount(of: 1), elementsAtATime: elementsPerPiece, merged)
  }

  /// The bytes of a range of elements.
  private func merged(_ range: Range<Int>) throws(CheckpointError) -> [UInt8] {
    if change.module.magnitude != nil { return try decomposed(range) }
    return weight.dtype == .f64
      ? try added(range, as: Double.self) : try added(range, as: Float.self)
  }

  /// W + scale · B · A
  private func added<Scalar: ComputeScalar>(
    _ range: Range<Int>, as _: Scalar.Type
  ) throws(CheckpointError) -> [UInt8] {
    let product: LowRankProduct<Scalar> = try products.product(of: change)
    let scale = Scalar(change.module.scale)
    let roundsDelta = change.module.isEmbedding && weight.dtype.bitWidth < 32
    let dtype = weight.dtype
    return try inBlocks(range) { (block, numbers: inout [Scalar]) in
      var delta = product.elements(block)
      for index in delta.indices { delta[index] *= scale }
      if roundsDelta { dtype.round(&delta) }
      for index in numbers.indices { numbers[index] += delta[index] }
    }
  }

  /// m · (W + scale · B · A) / ‖W + scale · B · A‖, in double precision and rounded once; the lengths are those of
  /// the rows that outputs have, which are columns where the weight is stored `[inputs, outputs]`.
  private func decomposed(_ range: Range<Int>) throws(CheckpointError) -> [UInt8] {
    let factors = try factors()
    let columns = weight.shape[1]
    let isTransposed = change.isTransposed
    let product: LowRankProduct<Double> = try products.product(of: change)
    let scale = change.module.scale
    return try inBlocks(range) { (block, numbers: inout [Double]) in
      let delta = product.elements(block)
      for index in numbers.indices {
        let element = block.lowerBound + index
        let output = isTransposed ? element % columns : element / columns
        numbers[index] = factors[output] * (numbers[index] + scale * delta[index])
      }
    }
  }

  /// m / ‖W + scale · B · A‖ of each output, found in one pass over the weight.
  private func factors() throws(CheckpointError) -> [Double] {
    if let known = lengths.withLock({ $0 }) { return known }
    guard let magnitude = change.module.magnitude else { return [] }
    let magnitudes: [Double] = try magnitude.numbers()
    let columns = weight.shape[1]
    let product: LowRankProduct<Double> = try products.product(of: change)
    let scale = change.module.scale
    var squares = [Double](repeating: 0, count: change.module.outputs)
    for start in stride(from: 0, to: weight.elementCount, by: elementsPerBlock) {
      let block = start..<min(start + elementsPerBlock, weight.elementCount)
      let numbers = try weight.doubles(block)
      let delta = product.elements(block)
      for index in numbers.indices {
        let element = start + index
        let sum = numbers[index] + scale * delta[index]
        squares[change.isTransposed ? element % columns : element / columns] += sum * sum
      }
    }
    let found = zip(magnitudes, squares).map { $0 / $1.squareRoot() }
    lengths.withLock { $0 = found }
    return found
  }

  /// Changes the numbers of a range, on several cores.
  private func inBlocks<Scalar: ComputeScalar>(
    _ range: Range<Int>, _ body: (Range<Int>, inout [Scalar]) -> Void
  ) throws(CheckpointError) -> [UInt8] {
    let (source, dtype) = (try weight.bytes(of: range), weight.dtype)
    var target = [UInt8](repeating: 0, count: source.count)
    unsafe target.withUnsafeMutableBytes { target in
      Parallel.forEach(count: (range.count + elementsPerBlock - 1) / elementsPerBlock) { number in
        let start = number * elementsPerBlock
        let block = start..<min(start + elementsPerBlock, range.count)
        let places = dtype.byteRange(of: block)
        var numbers = [Scalar](repeating: 0, count: block.count)
        var span = numbers.mutableSpan
        dtype.widen(unsafe source.span.bytes.extracting(places), into: &span)
        body(range.lowerBound + block.lowerBound..<range.lowerBound + block.upperBound, &numbers)
        // Blocks are disjoint, so their places are.
        var bytes = unsafe MutableRawSpan(
          _unsafeBytes: UnsafeMutableRawBufferPointer(rebasing: target[places]))
        dtype.roundAny(numbers, into: &bytes)
      }
    }
    return target
  }
}

/// Elements that are read at once, and that a worker computes at once; results depend on neither.
private let elementsPerPiece = 1 << 18
private let elementsPerBlock = 1 << 14

extension DType {
  fileprivate func roundAny<Scalar: ComputeScalar>(
    _ numbers: [Scalar], into bytes: inout MutableRawSpan
  ) {
    if let numbers = numbers as? [Float] {
      round(numbers.span, into: &bytes)
    } else if let numbers = numbers as? [Double] {
      round(numbers.span, into: &bytes)
    }
  }

  /// Rounds numbers to this type.
  fileprivate func round<Scalar: ComputeScalar>(_ numbers: inout [Scalar]) {
    var bytes = [UInt8](repeating: 0, count: byteCount(of: numbers.count))
    var places = bytes.mutableSpan
    var target = unsafe places.mutableBytes
    roundAny(numbers, into: &target)
    var span = numbers.mutableSpan
    widen(unsafe bytes.span.bytes, into: &span)
  }
}

/// The products that were asked for last: each is needed for all of its weight, and then no more.
final class RecentProducts: Sendable {
  private struct Entry: Sendable {
    let name: TensorName
    let product: any Sendable
  }

  private let entries = Mutex<[Entry]>([])
  private static let most = 2

  /// The product of a change, read if it is not there.
  func product<Scalar: ComputeScalar>(
    of change: LowRankChange
  ) throws(CheckpointError) -> LowRankProduct<Scalar> {
    let name = change.module.b.name
    let known = entries.withLock { entries in
      entries.lazy.filter { $0.name == name }.compactMap { $0.product as? LowRankProduct<Scalar> }
        .first
    }
    if let known { return known }
    let product: LowRankProduct<Scalar> = try change.product()
    entries.withLock { entries in
      entries.removeAll { $0.name == name }
      if entries.count == Self.most { entries.removeFirst() }
      entries.append(Entry(name: name, product: product))
    }
    return product
  }
}
