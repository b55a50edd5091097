import TensorCore

/// Walks through a JSON text that `JSONScanner` has checked: where the parts of large objects and lists
/// stand, without values of them.
struct CheckedJSON {
  let bytes: [UInt8]

  /// The text of a string with its quotes; `nil` if it is none.
  func text(_ range: Range<Int>) -> [UInt8]? {
    guard let first = range.first, bytes[first] == UInt8(ascii: "\"") else { return nil }
    let inner = range.dropFirst().dropLast()
    if !bytes[inner].contains(UInt8(ascii: "\\")) { return Array(bytes[inner]) }
    return JSONScanner.string(ofChecked: range, in: bytes)?.bytes
  }

  /// Shows the members of an object.
  ///
  /// - Returns: `false` if it is none.
  func visitMembers(
    _ range: Range<Int>,
    _ visit: (_ key: Range<Int>, _ value: Range<Int>) throws(CheckpointError) -> Void
  ) throws(CheckpointError) -> Bool {
    guard let first = range.first, bytes[first] == UInt8(ascii: "{") else { return false }
    var position = skipSpace(first + 1)
    while bytes[position] != UInt8(ascii: "}") {
      let key = position..<end(of: position)
      // The colon stands between.
      position = skipSpace(skipSpace(key.upperBound) + 1)
      let value = position..<end(of: position)
      try visit(key, value)
      position = skipSpace(value.upperBound)
      if bytes[position] == UInt8(ascii: ",") { position = skipSpace(position + 1) }
    }
    return true
  }

  /// Shows the elements of a list.
  ///
  /// - Returns: `false` if it is none.
  func visitElements(
    _ range: Range<Int>, _ visit: (Range<Int>) throws(CheckpointError) -> Void
  ) throws(CheckpointError) -> Bool {
    guard let first = range.first, bytes[first] == UInt8(ascii: "[") else { return false }
    var position = skipSpace(first + 1)
    while bytes[position] != UInt8(ascii: "]") {
      let value = position..<end(of: position)
      try visit(value)
      position = skipSpace(value.upperBound)
      if bytes[position] == UInt8(ascii: ",") { position = skipSpace(position + 1) }
    }
    return true
  }

  private func skipSpace(_ start: Int) -> Int {
    var position = start
    while bytes[position] <= 0x20 { position += 1 }
    return position
  }

  /// Where the value that begins somewhere ends.
  private func end(of start: Int) -> Int {
    var (position, depth) = (start, 0)
    while position < bytes.count {
      switch bytes[position] {
      case UInt8(ascii: "\""):
        position = endOfString(position)
        if depth == 0 { return position }
        continue
      case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        if depth == 0 { return position }
        depth -= 1
        if depth == 0 { return position + 1 }
      case UInt8(ascii: ","), 0x09, 0x0A, 0x0D, 0x20:
        if depth == 0 { return position }
      default: break
      }
      position += 1
    }
    return position
  }

  private func endOfString(_ start: Int) -> Int {
    var position = start + 1
    while bytes[position] != UInt8(ascii: "\"") {
      position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1
    }
    return position + 1
  }
}
