import CZlib
import TensorCore

/// What was done to the chunks of a dataset before they were stored.
///
/// Source: HDF5 File Format Specification 3.0, section IV.A.2.l, and libhdf5's filters of these numbers.
struct HDF5Filters {
  private enum Filter {
    case deflate
    case shuffle(width: Int)
    case fletcher32
  }

  private var filters: [Filter] = []

  init(_ message: HDF5Object.Message?, width: Int) throws(CheckpointError) {
    guard let message else { return }
    var cursor = message.cursor
    let version = try cursor.uint8()
    let count = Int(try cursor.uint8())
    guard version == 1 || version == 2 else {
      throw CheckpointError(.unsupported("filters of an unknown version"), offset: message.offset)
    }
    if version == 1 { _ = try cursor.bytes(6) }
    for _ in 0..<count {
      let number = try cursor.uint16()
      let nameSize = version == 1 || number >= 256 ? Int(try cursor.uint16()) : 0
      _ = try cursor.uint16()
      let values = Int(try cursor.uint16())
      _ = try cursor.bytes(version == 1 ? (nameSize + 7) / 8 * 8 : nameSize)
      _ = try cursor.bytes(4 * values + (version == 1 && !values.isMultiple(of: 2) ? 4 : 0))
      switch number {
      case 1: filters.append(.deflate)
      case 2: filters.append(.shuffle(width: width))
      case 3: filters.append(.fletcher32)
      default:
        let names: [UInt16: String] = [
          4: "szip", 5: "nbit", 6: "scaleoffset", 32000: "lzf", 32001: "blosc", 32004: "lz4",
          32015: "zstd",
        ]
        throw CheckpointError(
          .unsupported("the filter \(names[number] ?? String(number)) is not read"),
          offset: message.offset)
      }
    }
  }

  /// The most bytes that a chunk of `size` bytes can be stored in.
  func mostStored(for size: Int) -> Int { filters.isEmpty ? size : size + size / 256 + 1024 }

  /// Undoes everything but what `mask` says was left out.
  func decode(
    _ stored: [UInt8], mask: UInt32, size: Int
  ) throws(CheckpointError) -> [UInt8] {
    var bytes = stored
    for (index, filter) in filters.enumerated().reversed()
    where index >= 32 || mask & 1 << UInt32(index) == 0 {
      switch filter {
      case .deflate: bytes = try Self.inflated(bytes, most: size + 4)
      case .shuffle(let width): bytes = Self.unshuffled(bytes, width: width)
      case .fletcher32: bytes = try Self.checked(bytes)
      }
    }
    guard bytes.count == size else {
      throw CheckpointError(.malformed("a chunk has \(bytes.count) bytes and needs \(size)"))
    }
    return bytes
  }

  private static func inflated(
    _ bytes: [UInt8], most: Int
  ) throws(CheckpointError) -> [UInt8] {
    var count = UInt(most)
    var status = Z_OK
    var result = [UInt8](repeating: 0, count: most)
    unsafe result.withUnsafeMutableBufferPointer { target in
      unsafe bytes.withUnsafeBufferPointer { source in
        unsafe status = uncompress(
          target.baseAddress, &count, source.baseAddress, UInt(source.count))
      }
    }
    guard status == Z_OK else {
      throw CheckpointError(.malformed("a chunk is not valid deflate data, or too long"))
    }
    result.removeLast(most - Int(count))
    return result
  }

  /// All first bytes of the elements, all second ones, and so on, put together again.
  private static func unshuffled(_ bytes: [UInt8], width: Int) -> [UInt8] {
    let count = bytes.count / max(1, width)
    guard width > 1, count > 1 else { return bytes }
    var result = bytes
    for place in 0..<width {
      for element in 0..<count { result[element * width + place] = bytes[place * count + element] }
    }
    return result
  }

  /// Compares Fletcher's checksum at the end, and takes it off.
  private static func checked(_ bytes: [UInt8]) throws(CheckpointError) -> [UInt8] {
    guard bytes.count >= 4 else { throw CheckpointError(.malformed("a chunk has no checksum")) }
    let data = Array(bytes.dropLast(4))
    var (first, second): (UInt32, UInt32) = (0, 0)
    func add(_ word: UInt32) {
      first = (first + word) % 65_535
      second = (second + first) % 65_535
    }
    for index in stride(from: 0, to: data.count - 1, by: 2) {
      add(UInt32(data[index]) << 8 | UInt32(data[index + 1]))
    }
    if !data.count.isMultiple(of: 2), let last = data.last { add(UInt32(last) << 8) }
    // libhdf5 never makes zero of what is not empty: there 65,535 stands for it.
    let stored = UInt32(truncatingIfNeeded: littleEndian(bytes.suffix(4)))
    let found = [stored >> 16, stored & 0xFFFF].map { $0 % 65_535 }
    guard found == [second, first] else {
      throw CheckpointError(.checksum("a chunk"))
    }
    return data
  }
}
