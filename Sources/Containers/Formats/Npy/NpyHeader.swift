import TensorCore

/// The header of an npy file: versions 1.0, 2.0 and 3.0.
///
/// Source: numpy, "numpy.lib.format", sections "Format Version 1.0" to "3.0". The header is the
/// literal of a Python dictionary with exactly the keys `descr`, `fortran_order` and `shape`.
struct NpyHeader: Equatable {
  /// The type string, as it stands there.
  let descr: String
  /// Whether the first index varies fastest.
  let isFortranOrder: Bool
  /// The extents, outermost first.
  let shape: [Int]
  /// Where the elements begin.
  let end: Int

  /// What every npy file begins with.
  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

  /// Reads a header.
  ///
  /// - Parameter bytes: the file, or the member of an archive.
  /// - Throws: `CheckpointError` for the first fault; offsets are counted from the magic bytes.
  init(of bytes: some TensorBytes) throws(CheckpointError) {
    // Read in order and each byte once: the source may be a compressed stream.
    let start = try bytes.read(0..<min(10, bytes.count))
    guard start.starts(with: Self.magic) else {
      throw CheckpointError(.malformed("does not begin as an npy file"), offset: 0)
    }
    guard start.count == 10 else {
      throw CheckpointError(.truncated(needed: 10, available: start.count), offset: 0)
    }
    let version = (start[6], start[7])
    guard (1...3).contains(version.0), version.1 == 0 else {
      throw CheckpointError(
        .unsupported("npy version \(version.0).\(version.1) is not known"), offset: 6)
    }
    let first = version.0 == 1 ? 10 : 12
    guard bytes.count >= first else {
      throw CheckpointError(.truncated(needed: first, available: bytes.count), offset: 0)
    }
    let length = Int(littleEndian((start[8...] + (try bytes.read(10..<first)))[...]))
    guard length <= Limits.npyHeader else {
      throw CheckpointError(
        .limitExceeded("the header's length", limit: Limits.npyHeader, found: length), offset: 8)
    }
    guard length <= bytes.count - first else {
      throw CheckpointError(.truncated(needed: length, available: bytes.count - first), offset: 8)
    }
    var literal = PythonLiteral(try bytes.read(first..<first + length), at: first)
    (descr, isFortranOrder, shape) = try literal.header()
    end = first + length
  }

  /// Whether numpy has arrays of that shape: it multiplies all extents but zeros, and their bytes must be a
  /// number below 2^63, however empty the array is.
  static func canHave(_ shape: [Int], _ dtype: DType) -> Bool {
    let elements = checkedElementCount(of: shape.filter { $0 != 0 })
    return elements?.multipliedIfFits(by: dtype.byteWidth ?? 1) != nil
  }
}

/// Reads the few Python literals that numpy writes into a header.
private struct PythonLiteral {
  private let bytes: [UInt8]
  private let start: Int
  private var position = 0

  init(_ bytes: [UInt8], at start: Int) {
    self.bytes = bytes
    self.start = start
  }

  /// The dictionary, each of its keys once, in any order.
  mutating func header() throws(CheckpointError) -> (String, Bool, [Int]) {
    var descr: String?
    var isFortranOrder: Bool?
    var shape: [Int]?
    try expect("{")
    while !take("}") {
      let key = try string()
      try expect(":")
      switch key {
      case "descr" where descr == nil: descr = try self.descr()
      case "fortran_order" where isFortranOrder == nil: isFortranOrder = try bool()
      case "shape" where shape == nil: shape = try tuple()
      default: throw fault("the key '\(key)' is unknown or there twice")
      }
      if !take(",") {
        try expect("}")
        break
      }
    }
    skipSpace()
    guard position == bytes.count else { throw fault("something follows the dictionary") }
    guard let descr, let isFortranOrder, let shape else {
      throw fault("a key of descr, fortran_order and shape is missing")
    }
    return (descr, isFortranOrder, shape)
  }

  private mutating func descr() throws(CheckpointError) -> String {
    skipSpace()
    if peek == UInt8(ascii: "[") || peek == UInt8(ascii: "(") {
      throw CheckpointError(
        .unsupported("structured arrays are not read"), offset: start + position)
    }
    return try string()
  }

  private mutating func string() throws(CheckpointError) -> String {
    skipSpace()
    // Python 2 marked its Unicode strings.
    if peek == UInt8(ascii: "u") { position += 1 }
    guard let quote = peek, quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") else {
      throw fault("expected a string")
    }
    position += 1
    var text = ""
    while let byte = peek, byte != quote {
      // Type strings and keys are printable ASCII, without escapes.
      guard (0x20..<0x7F).contains(byte), byte != UInt8(ascii: "\\") else {
        throw fault("an unusual character in a string")
      }
      text.unicodeScalars.append(Unicode.Scalar(byte))
      position += 1
    }
    try expect(Unicode.Scalar(quote))
    return text
  }

  private mutating func bool() throws(CheckpointError) -> Bool {
    skipSpace()
    for (word, value) in [("True", true), ("False", false)]
    where bytes[position...].starts(with: word.utf8) {
      position += word.utf8.count
      return value
    }
    throw fault("expected True or False")
  }

  /// `()`, `(2,)`, `(2, 3)`, `(2, 3,)`; Python 2 wrote its long numbers with an L.
  private mutating func tuple() throws(CheckpointError) -> [Int] {
    try expect("(")
    var extents: [Int] = []
    var hasComma = false
    while !take(")") {
      if !extents.isEmpty && !hasComma { throw fault("expected \",\" or \")\"") }
      extents.append(try extent())
      _ = take("L")
      hasComma = take(",")
    }
    // Without the comma, parentheses around one number are only parentheses.
    if extents.count == 1 && !hasComma { throw fault("the shape is a number, not a tuple") }
    return extents
  }

  private mutating func extent() throws(CheckpointError) -> Int {
    skipSpace()
    let first = position
    var value = 0
    while let byte = peek, (0x30...0x39).contains(byte) {
      guard
        let next = value.multipliedIfFits(by: 10)?.addedIfFits(Int(byte) - 0x30)
      else { throw CheckpointError(.overflow("an extent"), offset: start + first) }
      value = next
      position += 1
    }
    guard position > first else { throw fault("expected a whole number from 0") }
    if bytes[first] == 0x30 && position > first + 1 { throw fault("a number starts with 0") }
    return value
  }

  // MARK: Bytes

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = peek, [0x20, 0x09, 0x0A, 0x0C, 0x0D].contains(byte) { position += 1 }
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard peek == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func expect(_ character: Unicode.Scalar) throws(CheckpointError) {
    guard take(character) else { throw fault("expected \"\(character)\"") }
  }

  private func fault(_ reason: String) -> CheckpointError {
    CheckpointError(.malformed("npy header: \(reason)"), offset: start + position)
  }
}
