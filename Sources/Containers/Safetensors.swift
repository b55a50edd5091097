import TensorCore

extension ContainerFormat {
  /// safetensors, as specified in https://huggingface.co/docs/safetensors (section "Format").
  ///
  /// Eight bytes with the length of the header (little-endian), a JSON header, and the tensors'
  /// bytes without a gap.
  public static let safetensors = ContainerFormat(
    name: "safetensors", fileExtension: "safetensors", canShard: true,
    matches: { head in
      // No header is longer than 2^40 bytes, so three bytes of its length are zero.
      head.count > 8 && head[8] == UInt8(ascii: "{") && head[5..<8].allSatisfy { $0 == 0 }
    },
    read: { file throws(CheckpointError) in try SafetensorsHeader(of: file).contents(in: file) },
    layout: { contents throws(CheckpointError) in try SafetensorsLayout(contents) })
}

/// The header of a safetensors file, checked.
struct SafetensorsHeader {
  /// A tensor as the header describes it.
  struct Entry {
    let name: TensorName
    let dtype: DType
    let shape: [Int]
    /// Where its bytes are, counted from the end of the header.
    let range: Range<Int>
    /// Where the entry itself stands in the file.
    let offset: Int
  }

  /// The tensors in the order of their bytes.
  private(set) var entries: [Entry] = []
  private(set) var metadata: Metadata?
  /// Where the tensors' bytes begin.
  let end: Int

  /// Reads the header and checks everything that can be checked without the tensors' bytes.
  ///
  /// - Throws: `CheckpointError` for the first fault.
  init(of file: InputFile) throws(CheckpointError) {
    let bytes = try Self.headerBytes(of: file)
    end = 8 + bytes.count
    let members: [JSONScanner.Member]
    do {
      members = try JSONScanner.members(of: bytes, grammar: .strict)
    } catch {
      throw CheckpointError(error, in: "the header", at: 8)
    }
    for member in members {
      let value = Array(bytes[member.value])
      if TensorName(member.key) == "__metadata__" {
        metadata = try Metadata(safetensors: value, at: 8 + member.value.lowerBound)
      } else {
        entries.append(try Entry(member, value: value))
      }
    }
    // Stable: empty tensors share an offset and keep the order of the header.
    entries.sort {
      ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
    }
    try checkCoverage(fileSize: file.size)
  }

  private static func headerBytes(of file: InputFile) throws(CheckpointError) -> [UInt8] {
    guard file.size >= 8 else {
      throw CheckpointError(.truncated(needed: 8, available: file.size), offset: 0)
    }
    let length = littleEndian(try file.read(0..<8)[...])
    guard length <= UInt64(Limits.safetensorsHeader) else {
      throw CheckpointError(
        .limitExceeded(
          "the header's length", limit: Limits.safetensorsHeader,
          found: Int(clamping: length)), offset: 0)
    }
    guard Int(length) <= file.size - 8 else {
      throw CheckpointError(.truncated(needed: Int(length), available: file.size - 8), offset: 8)
    }
    let bytes = try file.read(8..<8 + Int(length))
    guard bytes.first == UInt8(ascii: "{") else {
      throw CheckpointError(.malformed("the header does not begin with {"), offset: 8)
    }
    return bytes
  }

  /// Every byte after the header belongs to exactly one tensor.
  private func checkCoverage(fileSize: Int) throws(CheckpointError) {
    var position = 0
    for entry in entries {
      guard entry.range.lowerBound == position else {
        let fault = entry.range.lowerBound > position ? "leaves a gap after" : "overlaps"
        throw CheckpointError(
          .malformed(
            "begins at \(entry.range.lowerBound) and \(fault) the bytes before, "
              + "which end at \(position)"), tensor: entry.name, offset: entry.offset)
      }
      position = entry.range.upperBound
    }
    let available = fileSize - end
    if position > available {
      throw CheckpointError(.truncated(needed: position, available: available), offset: end)
    }
    if position < available {
      throw CheckpointError(
        .malformed("\(available - position) bytes follow the last tensor"), offset: end + position)
    }
  }

  /// The tensors, with their bytes still in the file.
  func contents(in file: InputFile) -> Contents {
    let tensors = entries.map { entry in
      Tensor(
        name: entry.name, dtype: entry.dtype, shape: entry.shape,
        bytes: FileBytes(
          file: file, start: end + entry.range.lowerBound, count: entry.range.count))
    }
    return Contents(tensors: tensors, metadata: metadata)
  }
}

extension SafetensorsHeader.Entry {
  private static let keys: Set<TensorName> = ["dtype", "shape", "data_offsets"]

  /// Reads one entry; every error names the tensor and where its entry stands.
  fileprivate init(_ member: JSONScanner.Member, value: [UInt8]) throws(CheckpointError) {
    let name = TensorName(member.key)
    let offset = 8 + member.offset
    do throws(CheckpointError) {
      try Self.checkKeys(of: value)
      guard let json = try? JSONValue(parsingChecked: value) else {
        throw CheckpointError(.malformed("the entry cannot be read"))
      }
      // No dtype has a minus, so one anywhere makes a number negative, "-0" included.
      guard !value.contains(UInt8(ascii: "-")) else {
        throw CheckpointError(.malformed("the entry has a negative number"))
      }
      try self.init(name, offset: offset, json: json)
    } catch {
      var error = error
      error.tensor = name
      error.offset = offset
      throw error
    }
  }

  private init(_ name: TensorName, offset: Int, json: JSONValue) throws(CheckpointError) {
    guard let dtypeName = json["dtype"]?.string else {
      throw CheckpointError(.malformed("dtype is not a string"))
    }
    guard let dtype = DType(rawValue: dtypeName), dtype != .c128 else {
      throw CheckpointError(.unsupported("dtype \"\(dtypeName)\" is not known"))
    }
    guard let shape = json["shape"]?.naturalNumbers else {
      throw CheckpointError(.malformed("shape is not a list of whole numbers below 2^63"))
    }
    try Limits.check(name: name, rank: shape.count, offset: offset)
    guard let span = json["data_offsets"]?.naturalNumbers, span.count == 2, span[0] <= span[1]
    else {
      throw CheckpointError(.malformed("data_offsets is no pair [begin, end] with begin <= end"))
    }
    try checkByteCount(span[1] - span[0], dtype: dtype, shape: shape)
    self.name = name
    self.offset = offset
    self.dtype = dtype
    self.shape = shape
    range = span[0]..<span[1]
  }

  private static func checkKeys(of value: [UInt8]) throws(CheckpointError) {
    guard value.first == UInt8(ascii: "{"),
      let members = try? JSONScanner.members(of: value, grammar: .strict)
    else { throw CheckpointError(.malformed("the entry is not an object")) }
    for member in members where !keys.contains(TensorName(member.key)) {
      throw CheckpointError(.malformed("the entry has an unknown key \"\(member.key)\""))
    }
    // The scanner has refused duplicates, so three known keys are all of them.
    guard members.count == keys.count else {
      throw CheckpointError(
        .malformed("the entry does not have all of dtype, shape and data_offsets"))
    }
  }
}

/// Checks that `declared` is the number of bytes that dtype and shape need.
func checkByteCount(_ declared: Int, dtype: DType, shape: [Int]) throws(CheckpointError) {
  guard checkedElementCount(of: shape)?.multipliedIfFits(by: dtype.bitWidth) != nil else {
    throw CheckpointError(.overflow("the number of bytes of \(dtype) \(describe(shape: shape))"))
  }
  guard let needed = dtype.byteCount(shape: shape) else {
    throw CheckpointError(
      .malformed("\(dtype) \(describe(shape: shape)) does not fill whole bytes"))
  }
  guard needed == declared else {
    throw CheckpointError(.sizeMismatch(declared: declared, dtype: dtype, shape: shape))
  }
}

extension Metadata {
  /// Reads `__metadata__`, an object of strings.
  ///
  /// - Parameter offset: where the text stands in the file.
  init(safetensors bytes: [UInt8], at offset: Int) throws(CheckpointError) {
    let members: [JSONScanner.Member]
    do {
      members = try JSONScanner.members(of: bytes, grammar: .strict)
    } catch {
      throw CheckpointError(error, in: "__metadata__", at: offset)
    }
    var entries: [Entry] = []
    for member in members {
      guard let text = (try? JSONValue(parsingChecked: Array(bytes[member.value])))?.string else {
        throw CheckpointError(
          .malformed("__metadata__: the value of \"\(member.key)\" is not a string"),
          offset: offset + member.value.lowerBound)
      }
      entries.append(Entry(member.key, text))
    }
    self.init(entries)
  }
}

extension CheckpointError {
  /// A fault in a JSON text that begins at byte `start` of the file.
  init(_ error: JSONError, in what: String, at start: Int) {
    self.init(.malformed("\(what): \(error.reason)"), offset: start + error.offset)
  }
}

extension JSONValue {
  /// The elements, if this is a list of integers from 0 that fit `Int`.
  fileprivate var naturalNumbers: [Int]? {
    guard let elements else { return nil }
    let numbers = elements.compactMap(\.int)
    return numbers.count == elements.count && numbers.allSatisfy { $0 >= 0 } ? numbers : nil
  }
}
