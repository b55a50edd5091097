import CZstd
import Synchronization
import TensorCore

/// Makes units of the bytes of a chunk. Has all the memory it needs; used by one thread at a time.
@safe final class TFZDecoder: @unchecked Sendable {
  private let context: OpaquePointer
  /// The bytes of the chunk as they are in the file.
  private(set) var stored = unsafe UnsafeMutableRawBufferPointer(start: nil, count: 0)
  /// The planes that are not in the file as they are, one after the other.
  private var planes = unsafe UnsafeMutableRawBufferPointer(start: nil, count: 0)

  private static let idle = Mutex<[TFZDecoder]>([])

  /// The bit of a frame's fifth byte that says that a checksum follows (RFC 8878, 3.1.1.1.1).
  private static let checksumFlag: UInt8 = 4

  private init() {
    guard let context = unsafe ZSTD_createDCtx() else { preconditionFailure("out of memory") }
    unsafe self.context = unsafe context
  }

  deinit {
    unsafe ZSTD_freeDCtx(context)
    unsafe stored.deallocate()
    unsafe planes.deallocate()
  }

  /// Calls `body` with a decoder for chunks of `size` bytes as units, and no more in the file.
  static func with<Result>(
    size: Int, _ body: (TFZDecoder) throws(CheckpointError) -> Result
  ) throws(CheckpointError) -> Result {
    let decoder = idle.withLock { $0.popLast() } ?? TFZDecoder()
    defer { idle.withLock { if $0.count < 32 { $0.append(decoder) } } }
    if unsafe decoder.planes.count < size {
      let capacity = ScratchBuffer.capacity(for: size)
      unsafe decoder.stored.deallocate()
      unsafe decoder.stored = .allocate(byteCount: capacity, alignment: 64)
      unsafe decoder.planes.deallocate()
      unsafe decoder.planes = .allocate(byteCount: capacity, alignment: 64)
    }
    return try body(decoder)
  }

  /// Makes a chunk's units of its bytes in the file.
  ///
  /// - Parameters:
  ///   - record: the chunk's record, checked.
  ///   - stored: the bytes, as many as the record says.
  ///   - isChecked: whether every frame must have the checksum of what it yields.
  ///   - units: gets the units; its size says how many.
  /// - Throws: `CheckpointError` if hash or frames are wrong; what is in `units` then is garbage.
  func decode(
    _ record: TFZRecord, _ stored: UnsafeRawBufferPointer, unit: TFZUnit, isChecked: Bool,
    into units: UnsafeMutableRawBufferPointer
  ) throws(CheckpointError) {
    guard unsafe xxh3(stored) == record.hash else { throw CheckpointError(.checksum("the bytes")) }
    let count = units.count / unit.width
    var position = 0
    var sources: [UnsafePointer<UInt8>] = unsafe []
    unsafe sources.reserveCapacity(unit.width)
    for (number, plane) in record.planes.enumerated() {
      let length = TFZRecord.length(plane)
      let source = unsafe UnsafeRawBufferPointer(rebasing: stored[position..<position + length])
      position += length
      let start = number * count
      let target =
        unsafe unit.width == 1
        ? units : UnsafeMutableRawBufferPointer(rebasing: planes[start..<start + count])
      let isInPlace = TFZRecord.encoding(plane) == .raw && unit.width > 1
      if !isInPlace {
        try unsafe expand(source, TFZRecord.encoding(plane), isChecked: isChecked, into: target)
      }
      let result = unsafe isInPlace ? source : UnsafeRawBufferPointer(target)
      if let start = result.baseAddress {
        unsafe sources.append(start.assumingMemoryBound(to: UInt8.self))
      }
    }
    if unit.width > 1, let start = units.baseAddress {
      unsafe unit.merge(sources, count: count, into: start)
    }
  }

  /// Fills `target` with a plane.
  private func expand(
    _ source: UnsafeRawBufferPointer, _ encoding: TFZ.Encoding?, isChecked: Bool,
    into target: UnsafeMutableRawBufferPointer
  ) throws(CheckpointError) {
    switch encoding {
    case .raw: unsafe target.copyMemory(from: source)
    case .constant: unsafe target.initializeMemory(as: UInt8.self, repeating: source[0])
    default: try unsafe decompress(source, isChecked: isChecked, into: target)
    }
  }

  /// Decompresses one zstd frame that must fill `target`. Nothing is allocated, whatever it says.
  private func decompress(
    _ source: UnsafeRawBufferPointer, isChecked: Bool,
    into target: UnsafeMutableRawBufferPointer
  ) throws(CheckpointError) {
    // Skippable frames, and those of zstd before 1.0, begin otherwise.
    guard unsafe source.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) else {
      throw CheckpointError(.malformed("a plane is no zstd frame"))
    }
    // Of what is broken inside a frame, versions of libzstd make different bytes; the checksum tells.
    guard unsafe !isChecked || source.count > 4 && source[4] & Self.checksumFlag != 0 else {
      throw CheckpointError(.malformed("the zstd frame of a plane has no checksum"))
    }
    let declared = unsafe ZSTD_getFrameContentSize(source.baseAddress, source.count)
    // ZSTD_CONTENTSIZE_ERROR: a header that cannot be, or a window larger than libzstd takes.
    guard declared != UInt64.max - 1 else {
      throw CheckpointError(.malformed("the zstd frame of a plane has a header that is not read"))
    }
    guard declared == UInt64(target.count) else {
      throw CheckpointError(
        .malformed("the zstd frame of a plane does not declare \(target.count) bytes"))
    }
    guard unsafe ZSTD_getDictID_fromFrame(source.baseAddress, source.count) == 0 else {
      throw CheckpointError(.malformed("the zstd frame of a plane needs a dictionary"))
    }
    guard unsafe ZSTD_findFrameCompressedSize(source.baseAddress, source.count) == source.count
    else { throw CheckpointError(.malformed("a plane is no single zstd frame")) }
    let made = unsafe ZSTD_decompressDCtx(
      context, target.baseAddress, target.count, source.baseAddress, source.count)
    guard ZSTD_isError(made) == 0, made == target.count else {
      throw CheckpointError(.malformed("the zstd frame of a plane is broken"))
    }
  }
}
