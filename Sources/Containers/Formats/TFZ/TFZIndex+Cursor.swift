import TensorCore

extension ByteCursor {
  /// A fault of the index at the byte that is `back` bytes before the next one.
  func fault(_ reason: String, back: Int = 0) -> CheckpointError {
    CheckpointError(.malformed("the index: " + reason), offset: offset - back)
  }

  /// A 32-bit count of things that have at least `size` bytes each, and are at most `limit`.
  mutating func count(_ what: String, limit: Int, size: Int) throws(CheckpointError) -> Int {
    let offset = offset
    let count = Int(try uint32())
    guard count <= limit else {
      throw CheckpointError(
        .limitExceeded("the number of \(what)", limit: limit, found: count), offset: offset)
    }
    guard count <= left / size else {
      throw CheckpointError(.truncated(needed: count * size, available: left), offset: offset)
    }
    return count
  }

  /// A count as `count` reads it, or `nil` if it is the one that says that there is nothing.
  mutating func optionalCount(
    _ what: String, limit: Int, size: Int
  ) throws(CheckpointError) -> Int? {
    var ahead = self
    if try ahead.uint32() == TFZ.noMetadata {
      self = ahead
      return nil
    }
    return try count(what, limit: limit, size: size)
  }

  /// Bytes with their 32-bit length before them.
  mutating func string() throws(CheckpointError) -> [UInt8] {
    try bytes(Int(try uint32()))
  }

  /// Text with its 32-bit length before it.
  mutating func text(_ what: String) throws(CheckpointError) -> String {
    let offset = offset
    guard let text = String(validating: try string(), as: UTF8.self) else {
      throw CheckpointError(.malformed("the index: \(what) is not UTF-8"), offset: offset)
    }
    return text
  }
}
