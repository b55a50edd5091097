import TensorCore

/// A value of GGUF's metadata, of one of thirteen types.
enum GGUFValue: Sendable, Equatable {
  case integer(Int64, Kind)
  case unsigned(UInt64, Kind)
  case float(Double, Kind)
  case bool(Bool)
  case text(String)
  /// A list: the type of what is in it, how many there are, and their bytes, as a little-endian file has them.
  case list(of: Kind, count: Int, bytes: [UInt8])

  /// The types, with the numbers that they have in a file (`enum gguf_type`).
  enum Kind: UInt32, Sendable {
    case uint8 = 0
    case int8, uint16, int16, uint32, int32, float32, bool, text, list, uint64, int64, float64

    /// Bytes of a value, if all have the same.
    var width: Int? {
      switch self {
      case .uint8, .int8, .bool: 1
      case .uint16, .int16: 2
      case .uint32, .int32, .float32: 4
      case .uint64, .int64, .float64: 8
      case .text, .list: nil
      }
    }
  }

  /// The type.
  var kind: Kind {
    switch self {
    case .integer(_, let kind), .unsigned(_, let kind), .float(_, let kind): kind
    case .bool: .bool
    case .text: .text
    case .list: .list
    }
  }

  /// Bytes of a text that is told as JSON.
  private static let longestText = 65_536

  /// Bytes of what is in a list or a text; of another value no more than eight.
  var byteCount: Int {
    switch self {
    case .text(let text): text.utf8.count
    case .list(_, _, let bytes): bytes.count
    default: 8
    }
  }

  /// Whether the value is told as JSON, if it is a number that can be.
  func isToldAsJSON(limit: Int) -> Bool {
    switch self {
    case .text(let text): text.utf8.count <= Self.longestText
    case .list(let kind, let count, _): count <= limit && kind != .list
    default: true
    }
  }

  /// How deep lists stand in lists at most.
  fileprivate static let mostDepth = 8
}

extension GGUFCursor {
  /// The type of a value.
  private mutating func kind() throws(CheckpointError) -> GGUFValue.Kind {
    let offset = position
    let number = try uint32()
    guard let kind = GGUFValue.Kind(rawValue: number) else {
      throw CheckpointError(.malformed("type \(number) of a value is not known"), offset: offset)
    }
    return kind
  }

  /// A value with its type before it.
  mutating func value() throws(CheckpointError) -> GGUFValue {
    let kind = try kind()
    if let value = try element(kind) { return value }
    let (inner, count) = try listHead()
    var bytes: [UInt8] = []
    try appendList(of: inner, count, to: &bytes, depth: 1)
    return .list(of: inner, count: count, bytes: bytes)
  }

  private mutating func flag() throws(CheckpointError) -> Bool {
    let offset = position
    let byte = try uint8()
    guard byte < 2 else {
      throw CheckpointError(.malformed("\(byte) is neither true nor false"), offset: offset)
    }
    return byte == 1
  }

  private mutating func listHead() throws(CheckpointError) -> (GGUFValue.Kind, Int) {
    let kind = try kind()
    let offset = position
    let count = try count("the length of a list")
    // Of what has no width, each takes eight bytes for its length at least.
    guard let size = count.multipliedIfFits(by: kind.width ?? 8), size <= left else {
      throw CheckpointError(
        .malformed("a list of \(count) values does not fit the rest of the file"), offset: offset)
    }
    return (kind, count)
  }

  /// Reads what is in a list; as a little-endian file has it.
  private mutating func appendList(
    of kind: GGUFValue.Kind, _ count: Int, to target: inout [UInt8], depth: Int
  ) throws(CheckpointError) {
    if let width = kind.width {
      let offset = position
      let stored = try bytes(count * width)
      if kind == .bool, let odd = stored.first(where: { $0 > 1 }) {
        throw CheckpointError(.malformed("\(odd) is neither true nor false"), offset: offset)
      }
      target += isBigEndian ? swappedNumbers(stored, width) : Array(stored)
      return
    }
    guard depth <= GGUFValue.mostDepth else {
      throw CheckpointError(
        .malformed("lists are nested deeper than \(GGUFValue.mostDepth)"), offset: position)
    }
    for _ in 0..<count {
      if kind == .text {
        let length = try self.count("the length of a text")
        target += UInt64(length).littleEndianBytes
        if length > 0 { target += try bytes(length) }
      } else {
        let (inner, count) = try listHead()
        target += inner.rawValue.littleEndianBytes + UInt64(count).littleEndianBytes
        try appendList(of: inner, count, to: &target, depth: depth + 1)
      }
    }
  }
}

/// Numbers of `width` bytes, each with its bytes the other way round.
func swappedNumbers(_ bytes: ArraySlice<UInt8>, _ width: Int) -> [UInt8] {
  stride(from: bytes.startIndex, to: bytes.endIndex, by: width).flatMap {
    bytes[$0..<$0 + width].reversed()
  }
}

// MARK: JSON

extension GGUFValue {
  /// The value as JSON; `nil` of a list that is longer than `limit`, or has lists in it, of a text of more than
  /// 64 KiB, and of what is no finite number.
  func json(limit: Int) -> JSONValue? {
    guard isToldAsJSON(limit: limit) else { return nil }
    switch self {
    case .integer(let value, _): return .number(Int(value))
    case .unsigned(let value, _): return Int(exactly: value).map { .number($0) }
    case .float(let value, let kind):
      guard value.isFinite else { return nil }
      // The shortest digits that mean the same number of this type.
      return .double(kind == .float32 ? Double("\(Float(value))") ?? value : value)
    case .bool(let value): return .bool(value)
    case .text(let text): return .string(text)
    case .list(let kind, let count, let bytes):
      var elements: [JSONValue] = []
      var cursor = GGUFCursor(MemorySource(name: "", bytes: bytes))
      for _ in 0..<count {
        guard let value = try? cursor.element(kind)?.json(limit: 0) else { return nil }
        elements.append(value)
      }
      return .array(elements)
    }
  }

  /// The value for a JSON value: whole numbers as uint32 if they are that, else int32 or int64; other
  /// numbers as float32; `nil` for null, objects and mixed lists.
  init?(_ json: JSONValue) {
    if let flag = json.bool {
      self = .bool(flag)
    } else if let text = json.string {
      self = .text(text)
    } else if let number = json.int {
      self = Self(number)
    } else if let number = json.double {
      self = .float(number, .float32)
    } else if let elements = json.elements {
      let values = elements.compactMap { GGUFValue($0) }
      guard values.count == elements.count else { return nil }
      self.init(values)
    } else {
      return nil
    }
  }

  private init(_ number: Int) {
    if UInt32(exactly: number) != nil {
      self = .unsigned(UInt64(number), .uint32)
    } else {
      self = .integer(Int64(number), Int32(exactly: number) == nil ? .int64 : .int32)
    }
  }

  /// A list of values of the same type.
  init?(_ values: [GGUFValue]) {
    let kinds = Set(values.map(\.kind))
    if kinds.isEmpty {
      self = .list(of: .int32, count: 0, bytes: [])
      return
    }
    // Whole numbers in lists are int32 in the files that llama.cpp's own converter writes.
    let isWhole = kinds.isSubset(of: [.uint32, .int32])
    guard isWhole || kinds.count == 1, let kind = isWhole ? .int32 : kinds.first, kind != .list
    else { return nil }
    self = .list(of: kind, count: values.count, bytes: values.flatMap(\.content))
  }
}

extension GGUFCursor {
  /// A value without its type before it; `nil` if the type is that of lists.
  fileprivate mutating func element(
    _ kind: GGUFValue.Kind
  ) throws(CheckpointError) -> GGUFValue? {
    switch kind {
    case .uint8: .unsigned(UInt64(try uint8()), kind)
    case .uint16: .unsigned(UInt64(try uint16()), kind)
    case .uint32: .unsigned(UInt64(try uint32()), kind)
    case .uint64: .unsigned(try uint64(), kind)
    case .int8: .integer(Int64(Int8(bitPattern: try uint8())), kind)
    case .int16: .integer(Int64(Int16(bitPattern: try uint16())), kind)
    case .int32: .integer(Int64(Int32(bitPattern: try uint32())), kind)
    case .int64: .integer(Int64(bitPattern: try uint64()), kind)
    case .float32: .float(Double(Float(bitPattern: try uint32())), kind)
    case .float64: .float(Double(bitPattern: try uint64()), kind)
    case .bool: .bool(try flag())
    case .text: .text(try text("a text").text)
    case .list: nil
    }
  }
}
