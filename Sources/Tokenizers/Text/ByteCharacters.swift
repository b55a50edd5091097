/// GPT-2's characters for bytes: those that are printed stand for themselves, the others for characters
/// from U+0100.
///
/// Source: openai/gpt-2, `encoder.py`, `bytes_to_unicode`.
package enum ByteCharacters {
  /// The character of each byte.
  private static let scalars: [UInt32] = {
    var next: UInt32 = 0x100
    return (UInt32(0)..<256).map { byte in
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return byte
      default:
        next += 1
        return next - 1
      }
    }
  }()

  /// The byte of each character below U+0144.
  private static let bytes: [UInt8?] = {
    var bytes = [UInt8?](repeating: nil, count: 0x144)
    for (byte, scalar) in scalars.enumerated() { bytes[Int(scalar)] = UInt8(byte) }
    return bytes
  }()

  /// The character that stands for a byte.
  static func scalar(of byte: UInt8) -> UInt32 { scalars[Int(byte)] }

  /// The byte that a character stands for.
  static func byte(of scalar: UInt32) -> UInt8? {
    scalar < 0x144 ? bytes[Int(scalar)] : nil
  }

  /// The bytes that a word stands for; `nil` if it has other characters.
  static func bytes(of word: [UInt8]) -> [UInt8]? {
    var result: [UInt8] = []
    result.reserveCapacity(word.count)
    var index = 0
    while index < word.count {
      let (scalar, length) = decodeScalar(word, at: index)
      guard let byte = byte(of: scalar) else { return nil }
      result.append(byte)
      index += length
    }
    return result
  }

  /// The word that stands for bytes.
  package static func word(of bytes: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    for byte in bytes { append(scalar(of: byte), to: &result) }
    return result
  }
}
