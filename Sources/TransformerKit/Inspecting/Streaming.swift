import Kernels
import Synchronization
import TensorCore

/// A part of a tensor that one worker reads.
struct Stretch {
  /// Which of the tensors.
  let tensor: Int
  /// Elements, from a multiple of `Stretch.granule` on.
  let elements: Range<Int>

  /// What every stretch and block begins at a multiple of, so that sums are cut alike everywhere and
  /// packed elements begin at a byte.
  static let granule = 1024
  /// Bytes of a stretch.
  private static let size = 4 << 20

  /// The elements of a stretch.
  private static func length(_ dtype: DType) -> Int {
    dtype.elementCount(in: size) / granule * granule
  }

  /// How many stretches a tensor has.
  static func count(of tensor: Tensor) -> Int {
    let length = length(tensor.dtype)
    return (tensor.elementCount + length - 1) / length
  }

  /// The stretches of a tensor.
  static func all(of tensor: Tensor, number: Int) -> [Stretch] {
    let length = length(tensor.dtype)
    return stride(from: 0, to: tensor.elementCount, by: length).map { start in
      Stretch(tensor: number, elements: start..<min(start + length, tensor.elementCount))
    }
  }

  /// The stretches of all tensors, grouped by what one worker should read in order; the longest
  /// groups first, so that workers end at about the same time.
  static func groups(of tensors: [Tensor]) -> [[Stretch]] {
    var (whole, parts): ([[Stretch]], [[Stretch]]) = ([], [])
    for (number, tensor) in tensors.enumerated() {
      let stretches = all(of: tensor, number: number)
      if stretches.isEmpty { continue }
      if tensor.bytes.isReadForwards {
        whole.append(stretches)
      } else {
        parts += stretches.map { [$0] }
      }
    }
    whole.sort { tensors[$0[0].tensor].byteCount > tensors[$1[0].tensor].byteCount }
    return whole + parts
  }
}

extension Tensor {
  /// Bytes that are read at once: they stay in a core's own cache.
  private static var blockSize: Int { 256 << 10 }

  /// Reads a part of the tensor block by block.
  ///
  /// - Parameters:
  ///   - elements: from a multiple of `Stretch.granule` on.
  ///   - body: takes a block's bytes and the number of its first element.
  func stream(
    of elements: Range<Int>, _ body: (RawSpan, Int) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    let length = dtype.elementCount(in: Self.blockSize) / Stretch.granule * Stretch.granule
    var buffer = [UInt8](repeating: 0, count: dtype.byteCount(of: min(length, elements.count)))
    for start in stride(from: elements.lowerBound, to: elements.upperBound, by: length) {
      let range = byteRange(of: start..<min(start + length, elements.upperBound))
      var span = buffer.mutableSpan
      var raw = unsafe span.mutableBytes
      var part = raw._mutatingExtracting(0..<range.count)
      try bytes.read(at: range.lowerBound, into: &part)
      try body(unsafe buffer.span.bytes.extracting(0..<range.count), start)
    }
  }
}

/// Counts the bytes that workers have done, and tells somebody.
final class ByteCounter: Sendable {
  private let done = Mutex(0)
  nonisolated(unsafe) private let report: (Int) -> Void

  init(_ report: @escaping (Int) -> Void) {
    unsafe self.report = report
  }

  /// Adds bytes. Reports come one at a time.
  func add(_ bytes: Int) {
    done.withLock { done in
      done += bytes
      unsafe report(done)
    }
  }
}

extension Tensor {
  /// Whether all elements are the same, bit for bit.
  ///
  /// - Throws: `CheckpointError` when the bytes cannot be read.
  func isConstant() throws(CheckpointError) -> Bool {
    let step = 64 << 10
    guard byteCount > 0 else { return true }
    let width = dtype.byteWidth ?? 1
    let first = try bytes.read(0..<width)
    for start in stride(from: 0, to: byteCount, by: step) {
      let part = try bytes.read(start..<min(start + step, byteCount))
      for index in part.indices where part[index] != first[index % width] { return false }
    }
    return true
  }
}
