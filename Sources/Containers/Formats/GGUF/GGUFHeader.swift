import TensorCore

/// The head of a GGUF file, checked: key-values, and what tensors there are.
struct GGUFHeader {
  /// A tensor as the head describes it.
  struct Entry {
    let name: TensorName
    let dtype: DType
    /// Outermost first; a file has the innermost first.
    let shape: [Int]
    /// Where its bytes are, counted from where those of the first tensor can begin.
    let range: Range<Int>
    /// Where the entry itself stands in the file.
    let offset: Int
  }

  /// The key-values.
  private(set) var values = GGUFKeyValues()
  /// The tensors in the order of their bytes.
  private(set) var entries: [Entry] = []
  /// Whether the file's numbers are big-endian.
  let isBigEndian: Bool
  private var alignment = GGUF.alignment
  /// Where the tensors' bytes begin.
  private(set) var end = 0

  /// Reads the head and checks everything that can be checked without the tensors' bytes.
  ///
  /// - Throws: `CheckpointError` for the first fault.
  init(of file: any ByteSource) throws(CheckpointError) {
    var cursor = GGUFCursor(file)
    let magic = try cursor.bytes(4)
    guard magic.elementsEqual(GGUF.magic) else {
      throw CheckpointError(.malformed("does not begin with GGUF"), offset: 0)
    }
    isBigEndian = try Self.readVersion(&cursor)
    let tensorCount = try cursor.count("the number of tensors")
    let valueCount = try cursor.count("the number of key-values")
    for (what, limit, found) in [
      ("the number of tensors", Limits.tensors, tensorCount),
      ("the number of key-values", Limits.ggufValues, valueCount),
    ] where found > limit {
      throw CheckpointError(.limitExceeded(what, limit: limit, found: found), offset: 8)
    }
    for _ in 0..<valueCount { try readValue(&cursor) }
    try readAlignment()
    entries.reserveCapacity(tensorCount)
    var names: Set<TensorName> = []
    for _ in 0..<tensorCount {
      let entry = try readEntry(&cursor)
      guard names.insert(entry.name).inserted else {
        throw CheckpointError(.duplicate, tensor: entry.name, offset: entry.offset)
      }
      entries.append(entry)
    }
    guard let end = GGUF.aligned(cursor.position, to: alignment) else {
      throw CheckpointError(.overflow("the header's length"), offset: cursor.position)
    }
    self.end = end
    // Empty tensors share an offset and keep the order of the header.
    entries.sort {
      ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
    }
    try checkCoverage(size: file.size, headEnd: cursor.position)
  }

  /// Whether the file is big-endian, which its version shows: small numbers have their zeros at the end.
  private static func readVersion(_ cursor: inout GGUFCursor) throws(CheckpointError) -> Bool {
    let version = try cursor.uint32()
    let isSwapped = version & 0xFFFF == 0 && version != 0
    let number = isSwapped ? version.byteSwapped : version
    guard number == 2 || number == 3 else {
      throw CheckpointError(
        .unsupported("GGUF version \(number) is not known; versions 2 and 3 are"), offset: 4)
    }
    cursor.isBigEndian = isSwapped
    return isSwapped
  }

  private mutating func readValue(_ cursor: inout GGUFCursor) throws(CheckpointError) {
    let (key, offset) = try cursor.text("a key", limit: Limits.name)
    do throws(CheckpointError) {
      guard !key.isEmpty else { throw CheckpointError(.malformed("a key is empty")) }
      let value = try cursor.value()
      guard values.append(key, value) else {
        throw CheckpointError(.malformed("the key occurs twice"))
      }
    } catch {
      throw error.at(offset, key: key)
    }
  }

  private mutating func readAlignment() throws(CheckpointError) {
    guard let value = values[GGUF.alignmentKey] else { return }
    guard case .unsigned(let number, .uint32) = value, number > 0, number <= 1 << 30,
      number & (number - 1) == 0
    else {
      throw CheckpointError(
        .malformed("\(GGUF.alignmentKey) is no power of two of type uint32, or above 2^30"))
    }
    alignment = Int(number)
  }

  private func readEntry(_ cursor: inout GGUFCursor) throws(CheckpointError) -> Entry {
    let (text, offset) = try cursor.text("the name of a tensor", limit: Limits.name)
    let name = TensorName(text)
    do throws(CheckpointError) {
      let rank = Int(try cursor.uint32())
      guard rank <= GGUF.rank else {
        throw CheckpointError(
          .limitExceeded("the number of dimensions", limit: GGUF.rank, found: rank))
      }
      var shape: [Int] = []
      for _ in 0..<rank { shape.insert(try cursor.count("an extent"), at: 0) }
      let number = try cursor.uint32()
      guard let dtype = GGUF.types[number] else {
        throw CheckpointError(.unsupported("ggml's type \(number) is not known"))
      }
      let start = try cursor.count("the offset")
      let size = try byteCount(of: dtype, shape)
      guard start.isMultiple(of: alignment) else {
        throw CheckpointError(
          .malformed("begins at \(start), which is no multiple of the alignment \(alignment)"))
      }
      guard let end = start.addedIfFits(size) else {
        throw CheckpointError(.overflow("the end of its bytes"))
      }
      return Entry(name: name, dtype: dtype, shape: shape, range: start..<end, offset: offset)
    } catch {
      var error = error
      error.tensor = name
      error.offset = offset
      throw error
    }
  }

  private func byteCount(of dtype: DType, _ shape: [Int]) throws(CheckpointError) -> Int {
    if let size = dtype.byteCount(shape: shape) { return size }
    let row = shape.last ?? 1
    guard let block = dtype.blockEncoding?.elementsPerBlock, !row.isMultiple(of: block) else {
      throw CheckpointError(.overflow("the number of bytes of \(dtype) \(describe(shape: shape))"))
    }
    throw CheckpointError(
      .malformed("rows of \(row) are no whole blocks of \(dtype), which have \(block) numbers"))
  }

  /// Every byte after the head belongs to exactly one tensor, or fills up to the alignment.
  private func checkCoverage(size: Int, headEnd: Int) throws(CheckpointError) {
    var position = 0
    for entry in entries {
      let aligned = GGUF.aligned(position, to: alignment) ?? .max
      if entry.range.lowerBound != aligned {
        let fault = entry.range.lowerBound > aligned ? "leaves a gap after" : "overlaps"
        throw CheckpointError(
          .malformed(
            "begins at \(entry.range.lowerBound) and \(fault) the bytes before, which end at"
              + " \(position)"), tensor: entry.name, offset: entry.offset)
      }
      position = entry.range.upperBound
    }
    if position == 0 {
      // Nothing needs to follow, not even what fills up.
      guard size <= end else {
        throw CheckpointError(
          .malformed("\(size - headEnd) bytes follow the last tensor"), offset: headEnd)
      }
      return
    }
    let available = max(0, size - end)
    guard position <= available else {
      throw CheckpointError(.truncated(needed: position, available: available), offset: end)
    }
    guard available <= GGUF.aligned(position, to: alignment) ?? .max else {
      throw CheckpointError(
        .malformed("\(available - position) bytes follow the last tensor"),
        offset: end + position)
    }
  }

  /// The tensors, with their bytes still in the file, and what the key-values say.
  func contents(in file: any ByteSource) throws(CheckpointError) -> Contents {
    var tensors: [Tensor] = []
    tensors.reserveCapacity(entries.count)
    let shared = SharedSource(file)
    for entry in entries {
      let bytes = FileBytes(
        of: shared, start: end + entry.range.lowerBound, count: entry.range.count)
      do throws(CheckpointError) {
        tensors.append(
          Tensor(
            name: entry.name, dtype: entry.dtype, shape: entry.shape,
            bytes: isBigEndian ? try swapped(bytes, entry.dtype) : bytes))
      } catch {
        throw error.of(entry)
      }
    }
    var contents = Contents(tensors: tensors, metadata: values.metadata)
    contents.belongings.keyValues = values
    if let config = try values.config() {
      contents.belongings.files = [config]
      contents.hasDerivedConfig = true
    }
    return contents
  }

  private func swapped(
    _ bytes: FileBytes, _ dtype: DType
  ) throws(CheckpointError) -> any TensorBytes {
    if dtype.isBlock { return try SwappedBlocks(bytes, dtype) }
    return dtype.byteOrderUnit == 1 ? bytes : SwappedBytes(bytes: bytes, unit: dtype.byteOrderUnit)
  }
}

extension CheckpointError {
  /// The fault of a key-value.
  fileprivate func at(_ offset: Int, key: String) -> CheckpointError {
    var error = self
    error.offset = error.offset ?? offset
    if case .malformed(let text) = problem { error.problem = .malformed("key \"\(key)\": \(text)") }
    return error
  }

  /// The fault of a tensor.
  fileprivate func of(_ entry: GGUFHeader.Entry) -> CheckpointError {
    var error = self
    (error.tensor, error.offset) = (entry.name, entry.offset)
    return error
  }
}
