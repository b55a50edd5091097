public import SystemPackage

/// A path as it is printed: valid UTF-8 as it is, every other byte as `\xNN`.
///
/// Paths are bytes and need not be text. Addresses have no secrets in them when they are printed. Control characters stay; whoever prints escapes them.
public func displayed(_ path: FilePath) -> String {
  path.isRemote ? displayedAddress(text(path)) : text(path)
}

private func text(_ path: FilePath) -> String {
  var bytes = unsafe path.withPlatformString { text in
    var bytes: [UInt8] = []
    var index = 0
    while unsafe text[index] != 0 {
      unsafe bytes.append(UInt8(bitPattern: text[index]))
      index += 1
    }
    return bytes
  }
  var result = ""
  while true {
    guard let invalid = firstInvalidRange(in: bytes) else {
      return result + String(decoding: bytes, as: UTF8.self)
    }
    result += String(decoding: bytes[..<invalid.lowerBound], as: UTF8.self)
    for byte in bytes[invalid] {
      result += "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
    }
    bytes.removeFirst(invalid.upperBound)
  }
}

private func firstInvalidRange(in bytes: [UInt8]) -> Range<Int>? {
  do {
    _ = try UTF8Span(validating: bytes.span)
    return nil
  } catch {
    return error.byteOffsets
  }
}
