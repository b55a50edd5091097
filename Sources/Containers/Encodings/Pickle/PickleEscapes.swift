/// The texts that protocol 0 writes as lines.
enum PickleEscapes {
  /// A text of Python 3, where only `\u` and `\U` are escapes, as bytes of UTF-8; halves of a pair of UTF-16
  /// by themselves as their three bytes, which are none. `nil` if an escape is broken.
  static func unicode(_ line: [UInt8]) -> [UInt8]? {
    var text: [UInt8] = []
    var rest = line[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "\\"), let kind = rest.first {
        let count = kind == UInt8(ascii: "u") ? 4 : kind == UInt8(ascii: "U") ? 8 : 0
        if count > 0 {
          guard let bytes = encoded(rest.dropFirst().prefix(count), count) else { return nil }
          text += bytes
          rest = rest.dropFirst(1 + count)
          continue
        }
      }
      // Bytes beyond ASCII are Latin-1 here.
      text += Array(String(Unicode.Scalar(byte)).utf8)
    }
    return text
  }

  private static func encoded(_ digits: ArraySlice<UInt8>, _ count: Int) -> [UInt8]? {
    guard digits.count == count,
      let number = UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
    else { return nil }
    if let scalar = Unicode.Scalar(number) { return Array(String(scalar).utf8) }
    guard (0xD800..<0xE000).contains(number) else { return nil }
    return [0xED, UInt8(0x80 | number >> 6 & 0x3F), UInt8(0x80 | number & 0x3F)]
  }

  /// A text of Python 2 as its literal, quotes and all, as the bytes that it is; `nil` without quotes.
  static func string(_ line: [UInt8]) -> [UInt8]? {
    guard line.count >= 2, let quote = line.first, quote == line.last,
      quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"")
    else { return nil }
    var bytes: [UInt8] = []
    var rest = line.dropFirst().dropLast()
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "\\"), let kind = rest.popFirst() else {
        bytes.append(byte)
        continue
      }
      switch kind {
      case UInt8(ascii: "n"): bytes.append(0x0A)
      case UInt8(ascii: "r"): bytes.append(0x0D)
      case UInt8(ascii: "t"): bytes.append(0x09)
      case UInt8(ascii: "x"):
        guard let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
          return nil
        }
        bytes.append(value)
        rest = rest.dropFirst(2)
      default: bytes.append(kind)
      }
    }
    return bytes
  }
}
