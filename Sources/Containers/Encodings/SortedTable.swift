import TensorCore

/// A table of keys and values in the order of the keys, as LevelDB writes it.
///
/// Source: LevelDB, `doc/table_format.md` and `table/format.h`. Blocks of entries, an index of the blocks,
/// and a footer. Each key is stored as what it does not share with the one before it. Stricter than
/// LevelDB: nothing lies between the blocks or before them.
struct SortedTable {
  /// An entry.
  struct Entry {
    let key: [UInt8]
    let value: [UInt8]
    /// Where its block begins in the file.
    let offset: Int
  }

  /// The last eight bytes of a table, least significant first.
  static let magic: [UInt8] = [0x57, 0xFB, 0x80, 0x8B, 0x24, 0x75, 0x47, 0xDB]

  private static let footerSize = 48
  /// What follows a block: how it is compressed, and a checksum.
  private static let trailerSize = 5

  private let file: any ByteSource
  private var end = 0
  private var names = NameBudget()

  init(_ file: any ByteSource) { self.file = file }

  /// Hears every entry in order.
  mutating func visit(
    _ body: (Entry) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    let (metaIndex, index) = try footer()
    let handles = try entries(in: try block(index), at: index.lowerBound)
    var last: [UInt8]?
    for handle in handles {
      let range = try Self.handle(handle.value, at: handle.offset)
      try checkPlace(of: range)
      for entry in try entries(in: try block(range), at: range.lowerBound) {
        guard last.map({ $0.lexicographicallyPrecedes(entry.key) }) ?? true else {
          throw Self.fault("the keys of the table are not in order", range.lowerBound)
        }
        guard !handle.key.lexicographicallyPrecedes(entry.key) else {
          throw Self.fault("a block of the table has a key behind its last", range.lowerBound)
        }
        last = entry.key
        try body(entry)
      }
    }
    try checkPlace(of: metaIndex)
    guard try entries(in: try block(metaIndex), at: metaIndex.lowerBound).isEmpty else {
      throw CheckpointError(.unsupported("the table has a filter"), offset: metaIndex.lowerBound)
    }
    try checkPlace(of: index)
    guard end == file.size - Self.footerSize else {
      throw Self.fault("bytes of the table belong to nothing", end)
    }
  }

  /// Where the index of what is not data is, and the index of the blocks.
  private func footer() throws(CheckpointError) -> (Range<Int>, Range<Int>) {
    guard file.size >= Self.footerSize else {
      throw CheckpointError(.truncated(needed: Self.footerSize, available: file.size), offset: 0)
    }
    let start = file.size - Self.footerSize
    let bytes = try file.read(start..<file.size)
    guard bytes.suffix(8).elementsEqual(Self.magic) else {
      throw Self.fault("does not end as a table does", start + 40)
    }
    var reader = WireReader(SourceCursor(MemorySource(name: file.name, bytes: bytes)))
    do throws(CheckpointError) {
      let ranges = (try Self.handle(&reader), try Self.handle(&reader))
      guard reader.cursor.position <= 40,
        bytes[reader.cursor.position..<40].allSatisfy({ $0 == 0 })
      else { throw Self.fault("the footer of the table has more than two places", start) }
      return ranges
    } catch {
      throw Self.fault("the footer of the table is broken", start)
    }
  }

  private static func handle(
    _ bytes: [UInt8], at offset: Int
  ) throws(CheckpointError) -> Range<Int> {
    var reader = WireReader(SourceCursor(MemorySource(name: "", bytes: bytes)))
    guard let range = try? handle(&reader), reader.cursor.isAtEnd else {
      throw fault("the index of the table is broken", offset)
    }
    return range
  }

  private static func handle(_ reader: inout WireReader) throws(CheckpointError) -> Range<Int> {
    let (start, size) = (try reader.varint(), try reader.varint())
    guard let start = Int(exactly: start), let size = Int(exactly: size),
      let end = start.addedIfFits(size)
    else { throw CheckpointError(.overflow("a place in the table")) }
    return start..<end
  }

  /// Blocks stand one behind the other.
  private mutating func checkPlace(of block: Range<Int>) throws(CheckpointError) {
    guard block.lowerBound == end else {
      throw Self.fault("a block of the table is not where the one before it ends", end)
    }
    end = block.upperBound + Self.trailerSize
  }

  /// The bytes of a block, whose checksum has been compared.
  private func block(_ range: Range<Int>) throws(CheckpointError) -> [UInt8] {
    let available = max(0, file.size - Self.footerSize - Self.trailerSize - range.lowerBound)
    guard range.count <= available else {
      throw CheckpointError(
        .truncated(needed: range.count, available: available), offset: range.lowerBound)
    }
    var bytes = try file.read(range.lowerBound..<range.upperBound + Self.trailerSize)
    let stored = UInt32(truncatingIfNeeded: littleEndian(bytes.suffix(4)))
    bytes.removeLast(4)
    var checksum = CRC32C()
    unsafe bytes.withUnsafeBytes { unsafe checksum.add($0) }
    guard checksum.masked == stored else {
      throw CheckpointError(.checksum("a block of the table"), offset: range.lowerBound)
    }
    switch bytes.removeLast() {
    case 0: return bytes
    case 1:
      throw CheckpointError(
        .unsupported("the table is compressed with Snappy, which is not read"),
        offset: range.lowerBound)
    case let other:
      throw CheckpointError(
        .unsupported("the table is compressed in the unknown way \(other)"),
        offset: range.lowerBound)
    }
  }

  /// The entries of a block.
  private mutating func entries(in block: [UInt8], at offset: Int) throws(CheckpointError)
    -> [Entry]
  {
    func fault() -> CheckpointError { Self.fault("a block of the table is broken", offset) }
    guard block.count >= 4, let count = Int(exactly: littleEndian(block.suffix(4))),
      count <= (block.count - 4) / 4
    else { throw fault() }
    let limit = block.count - 4 - 4 * count
    let restarts = Set(
      (0..<count).map { Int(littleEndian(block[(limit + 4 * $0)..<(limit + 4 * $0 + 4)])) })
    var reader = WireReader(SourceCursor(MemorySource(name: "", bytes: block), 0..<limit))
    var entries: [Entry] = []
    var key: [UInt8] = []
    var starts = 0
    do throws(CheckpointError) {
      while !reader.cursor.isAtEnd {
        let isRestart = restarts.contains(reader.cursor.position)
        let sizes = [try reader.varint(), try reader.varint(), try reader.varint()]
        let numbers = sizes.compactMap { Int(exactly: $0) }
        guard numbers.count == 3, numbers[0] <= key.count, !isRestart || numbers[0] == 0 else {
          throw fault()
        }
        starts += isRestart ? 1 : 0
        key = key.prefix(numbers[0]) + (try reader.bytes(numbers[1]))
        try names.take(key.count)
        entries.append(Entry(key: key, value: try reader.bytes(numbers[2]), offset: offset))
      }
    } catch {
      if case .truncated = error.problem { throw fault() }
      throw error
    }
    // An empty block has one place to start at.
    guard starts == restarts.count || entries.isEmpty else { throw fault() }
    return entries
  }

  private static func fault(_ reason: String, _ offset: Int) -> CheckpointError {
    CheckpointError(.malformed(reason), offset: offset)
  }
}
