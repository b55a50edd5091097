import TensorCore
import TestSupport
import Testing

/// Base64 as RFC 4648 has it.
@Suite struct Base64Tests {
  /// RFC 4648, §10.
  private static let vectors = [
    ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
    ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
  ]

  @Test(arguments: vectors)
  func `the RFC's own texts`(_ plain: String, _ text: String) {
    #expect(encodeBase64(Array(plain.utf8)) == text)
    #expect(decodeBase64(Array(text.utf8)) == Array(plain.utf8))
  }

  @Test func `every byte, there and back`() {
    for count in 0..<300 {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ count) }
      #expect(decodeBase64(Array(encodeBase64(bytes).utf8)) == bytes)
    }
  }

  @Test(arguments: [
    "Z", "Zg", "Zg=", "Zg===", "Z===", "Zm9v\n", "Zm-v", "Zm9=v", "====", "Zg==Zg==",
  ])
  func `what is no base64`(_ text: String) {
    #expect(decodeBase64(Array(text.utf8)) == nil)
  }
}
