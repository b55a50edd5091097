import CommandSupport
import Testing

@Suite struct KeyDecoderTests {
  static let sequences: [(String, [Key])] = [
    ("a", [.character("a")]), ("\u{1B}[A\u{1B}[B", [.up, .down]),
    ("\u{1B}OC\u{1B}OD", [.right, .left]),
    ("\u{1B}[5~\u{1B}[6~", [.pageUp, .pageDown]), ("\u{1B}[H\u{1B}[4~", [.home, .end]),
    ("\u{1B}[1;5A", [.up]), ("\u{1B}[3~x", [.character("x")]), ("\r\n", [.enter, .enter]),
    ("\u{7F}\u{8}", [.backspace, .backspace]), ("\t", [.tab]),
    ("\u{3}\u{4}", [.interrupt, .interrupt]),
    ("é中🎉", [.character("é"), .character("中"), .character("🎉")]),
    ("\u{1B}q", [.escape, .character("q")]),
    ("\u{0}\u{1}", []),
  ]

  @Test(arguments: sequences)
  func `bytes become keys, however they are cut`(_ text: String, _ keys: [Key]) {
    let bytes = Array(text.utf8)
    var whole = KeyDecoder()
    #expect(whole.keys(bytes) == keys)
    for cut in bytes.indices {
      var decoder = KeyDecoder()
      #expect(decoder.keys(Array(bytes[..<cut])) + decoder.keys(Array(bytes[cut...])) == keys)
    }
  }

  @Test func `an escape is one when nothing follows`() {
    var decoder = KeyDecoder()
    #expect(decoder.keys([0x1B]) == [])
    #expect(decoder.keys([], isPause: true) == [.escape])
    #expect(decoder.keys([0x1B]) == [])
    #expect(decoder.keys(Array("[A".utf8)) == [.up])
  }

  @Test func `what is no key is nothing, and does not stay`() {
    var decoder = KeyDecoder()
    #expect(decoder.keys([0x1B] + Array("[0;0;0".utf8)) == [])
    #expect(decoder.keys([], isPause: true) == [])
    #expect(
      decoder.keys([0xFF, 0xC0, 0x80, 0xE2, 0x28, 0x61]) == [.character("("), .character("a")])
    #expect(decoder.keys([0xF0, 0x9F]) == [])
    #expect(decoder.keys([], isPause: true) == [])
    #expect(decoder.keys([0x61]) == [.character("a")])
    #expect(decoder.keys([0x1B, 0x5B] + [UInt8](repeating: 0x30, count: 100_000)) == [])
    #expect(decoder.keys([0x62]) == [.character("b")])
  }
}
