/// The character that begins at a byte of valid UTF-8, and how many bytes it takes.
@inline(__always)
func decodeScalar(_ bytes: [UInt8], at index: Int) -> (scalar: UInt32, length: Int) {
  let first = UInt32(bytes[index])
  if first < 0x80 { return (first, 1) }
  let second = UInt32(bytes[index + 1] & 0x3F)
  if first < 0xE0 { return ((first & 0x1F) << 6 | second, 2) }
  let third = UInt32(bytes[index + 2] & 0x3F)
  if first < 0xF0 { return ((first & 0xF) << 12 | second << 6 | third, 3) }
  return ((first & 0x7) << 18 | second << 12 | third << 6 | UInt32(bytes[index + 3] & 0x3F), 4)
}

/// How many bytes the character takes that begins with this byte.
@inline(__always)
func scalarLength(_ first: UInt8) -> Int {
  first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
}

/// How many bytes a character takes.
func encodedLength(_ scalar: UInt32) -> Int {
  scalar < 0x80 ? 1 : scalar < 0x800 ? 2 : scalar < 0x10000 ? 3 : 4
}

/// Whether a byte continues a character.
@inline(__always)
func isContinuation(_ byte: UInt8) -> Bool { byte & 0xC0 == 0x80 }

/// Where the character before a position begins.
@inline(__always)
func scalarStart(_ bytes: [UInt8], before index: Int) -> Int {
  var index = index - 1
  while isContinuation(bytes[index]) { index -= 1 }
  return index
}

/// Adds a character to a text.
@inline(__always)
func append(_ scalar: UInt32, to bytes: inout [UInt8]) {
  if scalar < 0x80 {
    bytes.append(UInt8(scalar))
  } else if scalar < 0x800 {
    bytes.append(UInt8(0xC0 | scalar >> 6))
    bytes.append(UInt8(0x80 | scalar & 0x3F))
  } else if scalar < 0x10000 {
    bytes.append(UInt8(0xE0 | scalar >> 12))
    bytes.append(UInt8(0x80 | scalar >> 6 & 0x3F))
    bytes.append(UInt8(0x80 | scalar & 0x3F))
  } else {
    bytes.append(UInt8(0xF0 | scalar >> 18))
    bytes.append(UInt8(0x80 | scalar >> 12 & 0x3F))
    bytes.append(UInt8(0x80 | scalar >> 6 & 0x3F))
    bytes.append(UInt8(0x80 | scalar & 0x3F))
  }
}

/// The characters of a part of a text.
func scalars(_ bytes: [UInt8], _ range: Range<Int>) -> [UInt32] {
  var result: [UInt32] = []
  result.reserveCapacity(range.count)
  var index = range.lowerBound
  while index < range.upperBound {
    let (scalar, length) = decodeScalar(bytes, at: index)
    result.append(scalar)
    index += length
  }
  return result
}

extension String {
  /// The text that bytes of UTF-8 are.
  init(_ bytes: [UInt8], _ range: Range<Int>) {
    self = String(decoding: bytes[range], as: UTF8.self)
  }

  /// The text as bytes.
  var bytes: [UInt8] { Array(utf8) }
}
