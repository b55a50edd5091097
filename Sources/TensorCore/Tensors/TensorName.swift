#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The name of a tensor: valid UTF-8, equal to another only byte for byte.
///
/// Swift compares `String` by canonical equivalence, so that two different tensor names could be
/// equal and one of them be lost in a dictionary. A name is therefore compared by its bytes.
public struct TensorName: Sendable {
  /// The name as text. Compare names, not texts.
  public let text: String

  /// Names a tensor.
  public init(_ text: String) {
    self.text = text
  }

  /// Names a tensor by the bytes found in a file, or returns `nil` if these are not UTF-8.
  public init?(validating bytes: some Sequence<UInt8>) {
    guard let text = String(validating: Array(bytes), as: UTF8.self) else { return nil }
    self.text = text
  }
}

extension TensorName: Hashable, Comparable {
  public static func == (a: TensorName, b: TensorName) -> Bool {
    unsafe a.withBytes { left in
      unsafe b.withBytes { right in
        guard left.count == right.count else { return false }
        guard let x = left.baseAddress, let y = right.baseAddress else { return true }
        return unsafe memcmp(x, y, left.count) == 0
      }
    }
  }

  public static func < (a: TensorName, b: TensorName) -> Bool {
    a.text.utf8.lexicographicallyPrecedes(b.text.utf8)
  }

  public func hash(into hasher: inout Hasher) {
    unsafe withBytes { unsafe hasher.combine(bytes: $0) }
  }

  private func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    let result = unsafe text.utf8.withContiguousStorageIfAvailable { bytes in
      unsafe body(UnsafeRawBufferPointer(bytes))
    }
    if let result { return result }
    // A bridged string of another platform.
    return unsafe Array(text.utf8).withUnsafeBytes { unsafe body($0) }
  }
}

extension TensorName: ExpressibleByStringLiteral, CustomStringConvertible {
  public init(stringLiteral text: String) {
    self.init(text)
  }

  public var description: String { text }
}
