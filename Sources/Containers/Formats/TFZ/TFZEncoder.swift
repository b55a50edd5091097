import CZstd
import Synchronization

/// Makes the bytes of a chunk. Has all the memory it needs; used by one thread at a time.
@safe final class TFZEncoder: @unchecked Sendable {
  /// How much is tried to make a plane small.
  enum Effort: Sendable {
    /// Code the distribution of the bytes; leave a plane raw if a sample looks random.
    case entropy
    /// Also zstd of that level.
    case level(Int)
  }

  private let context: OpaquePointer
  /// The chunk's units.
  private(set) var units = unsafe UnsafeMutableRawBufferPointer(start: nil, count: 0)
  /// The chunk's planes, one after the other; then room for another attempt at a plane.
  private var planes = unsafe UnsafeMutableRawBufferPointer(start: nil, count: 0)

  private static let idle = Mutex<[TFZEncoder]>([])

  private init() {
    guard let context = unsafe ZSTD_createCCtx() else { preconditionFailure("out of memory") }
    unsafe self.context = unsafe context
  }

  deinit {
    unsafe ZSTD_freeCCtx(context)
    unsafe units.deallocate()
    unsafe planes.deallocate()
  }

  /// An encoder for chunks of `size` bytes; give it back with `release`.
  static func take(_ size: Int) -> TFZEncoder {
    let encoder = idle.withLock { $0.popLast() } ?? TFZEncoder()
    if unsafe encoder.units.count < size {
      unsafe encoder.units.deallocate()
      unsafe encoder.planes.deallocate()
      unsafe encoder.units = .allocate(byteCount: size, alignment: 64)
      unsafe encoder.planes = .allocate(byteCount: 2 * size, alignment: 64)
    }
    return encoder
  }

  /// Makes the encoder available to others.
  func release() {
    Self.idle.withLock { if $0.count < 32 { $0.append(self) } }
  }

  /// Compresses a chunk.
  ///
  /// - Parameters:
  ///   - units: the chunk's units, for example in `self.units`; no more bytes than `take` was told.
  ///   - target: gets the chunk's bytes in the file; it has room for as many bytes as `units` has.
  /// - Returns: how many these are, and their record.
  func encode(
    _ units: UnsafeRawBufferPointer, unit: TFZUnit, effort: Effort,
    into target: UnsafeMutableRawBufferPointer
  ) -> (length: Int, TFZRecord) {
    let size = units.count
    let count = size / unit.width
    guard let start = units.baseAddress, let planeStart = unsafe planes.baseAddress else {
      preconditionFailure("there is no chunk to compress")
    }
    let isSplit = unit.width > 1
    if isSplit {
      unsafe unit.split(start, count: count, into: planeStart.assumingMemoryBound(to: UInt8.self))
    }
    let planes = unsafe isSplit ? UnsafeRawPointer(planeStart) : start
    let spare = unsafe UnsafeMutableRawBufferPointer(start: planeStart + size, count: count)
    var entries: [UInt32] = []
    var filled = 0
    for number in 0..<unit.width {
      let plane = unsafe UnsafeRawBufferPointer(start: planes + number * count, count: count)
      let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: target[filled..<filled + count])
      let (encoding, length) = unsafe encode(plane, effort, into: rest, spare: spare)
      entries.append(encoding.rawValue << 24 | UInt32(length))
      filled += length
    }
    let stored = unsafe UnsafeRawBufferPointer(rebasing: target[..<filled])
    return (filled, TFZRecord(hash: unsafe xxh3(stored), planes: entries))
  }

  /// Stores one plane in the smallest way; `target` and `spare` have room for it as it is.
  private func encode(
    _ plane: UnsafeRawBufferPointer, _ effort: Effort, into target: UnsafeMutableRawBufferPointer,
    spare: UnsafeMutableRawBufferPointer
  ) -> (TFZ.Encoding, Int) {
    if unsafe isConstant(plane) {
      unsafe target[0] = plane[0]
      return (.constant, 1)
    }
    var size: Int?
    switch effort {
    case .entropy:
      if unsafe !looksRandom(plane) { size = unsafe compress(plane, level: nil, into: target) }
    case .level(let level):
      size = unsafe compress(plane, level: nil, into: target)
      // Where nothing repeats, looking for repetitions makes it larger.
      if let other = unsafe compress(plane, level: level, into: spare), other < size ?? .max {
        unsafe target.copyMemory(from: UnsafeRawBufferPointer(rebasing: spare[..<other]))
        size = other
      }
    }
    if let size { return (.zstd, size) }
    unsafe target.copyMemory(from: plane)
    return (.raw, plane.count)
  }

  /// Compresses into one frame; `nil` unless that is smaller than the plane.
  private func compress(
    _ plane: UnsafeRawBufferPointer, level: Int?, into target: UnsafeMutableRawBufferPointer
  ) -> Int? {
    _ = unsafe ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters)
    _ = unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
    if let level {
      _ = unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, Int32(level))
    } else {
      useEntropyOnly()
    }
    let size = unsafe ZSTD_compress2(
      context, target.baseAddress, plane.count - 1, plane.baseAddress, plane.count)
    return ZSTD_isError(size) == 0 ? size : nil
  }
}

extension TFZEncoder {
  /// Makes zstd hardly search for repetitions: exponents have none, and looking for them costs time
  /// and makes the result larger. What remains is the Huffman coder.
  private func useEntropyOnly() {
    _ = unsafe ZSTD_CCtx_setParameter(
      context, ZSTD_c_strategy, Int32(bitPattern: ZSTD_fast.rawValue))
    _ = unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_minMatch, 7)
    _ = unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_hashLog, 6)
    // Larger steps between the places where it looks. zstd takes them for a wish not to code
    // literals either, unless told otherwise, by a parameter that is called experimental
    // (ZSTD_c_literalCompressionMode, to be enabled); where that is unknown, steps stay small.
    let enabled = unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_experimentalParam5, 1)
    if ZSTD_isError(enabled) == 0 {
      _ = unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_targetLength, 4096)
    }
  }
}

/// Whether all bytes are the same.
private func isConstant(_ bytes: UnsafeRawBufferPointer) -> Bool {
  let first = unsafe bytes[0]
  var start = 0
  while start < bytes.count {
    let end = min(start + 4096, bytes.count)
    var difference: UInt8 = 0
    for index in start..<end { unsafe difference |= bytes[index] ^ first }
    if difference != 0 { return false }
    start = end
  }
  return true
}

/// Whether a sample of the bytes has as many different ones as random bytes have.
private func looksRandom(_ bytes: UnsafeRawBufferPointer) -> Bool {
  let run = 128
  let runs = 32
  guard bytes.count >= run * runs else { return false }
  var counts = [UInt32](repeating: 0, count: 256)
  let distance = bytes.count / runs
  for number in 0..<runs {
    let start = number * distance
    for index in start..<start + run { counts[Int(unsafe bytes[index])] += 1 }
  }
  // The sum of n² says how uneven the distribution is: the Rényi entropy of order two, a lower
  // bound of Shannon's, which needs no logarithm.
  let squares = counts.reduce(0.0) { $0 + Double($1) * Double($1) }
  let samples = Double(run * runs)
  // For even bytes the mean is samples + samples² / 256. 7.92 bits is a factor of 2^0.08.
  return squares < samples + samples * samples / 256 * 1.057
}
