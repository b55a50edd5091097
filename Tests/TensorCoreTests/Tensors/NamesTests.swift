import TensorCore
import TestSupport
import Testing

/// Two spellings of one letter, which Swift's strings cannot tell apart.
private let composed = "w\u{E9}ight"
private let decomposed = "we\u{301}ight"

@Suite struct TensorNameTests {
  @Test func `names are equal byte for byte only`() {
    #expect(composed == decomposed)
    #expect(TensorName(composed) != TensorName(decomposed))
    #expect(TensorName(composed) == TensorName("w\u{E9}ight"))
    #expect(Set([TensorName(composed), TensorName(decomposed)]).count == 2)
    #expect(TensorName("a") != TensorName("a\u{0}"))
    #expect(TensorName("\u{AC00}") != TensorName("\u{1100}\u{1161}"))
  }

  @Test func `names are ordered by their bytes`() {
    let names: [TensorName] = ["b", "a", "Z", "", "a.10", "a.2", "\u{E9}", "e\u{301}", "z"]
    let sorted: [TensorName] = ["", "Z", "a", "a.10", "a.2", "b", "e\u{301}", "z", "\u{E9}"]
    #expect(names.sorted() == sorted)
  }

  @Test func `a name is valid UTF-8 or none`() {
    #expect(TensorName(validating: Array("w\u{E9}".utf8)) == "w\u{E9}")
    for bytes: [UInt8] in [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0x61, 0xE2, 0x82]] {
      #expect(TensorName(validating: bytes) == nil)
    }
  }

  @Test func `a table keeps names apart that look alike, and order`() throws {
    let names: [TensorName] = ["z", TensorName(composed), TensorName(decomposed), "a"]
    let table = try TensorTable(
      names.map { Tensor($0, .u8, [1], bytes: [UInt8($0.text.utf8.count)]) })
    #expect(table.tensors.map(\.name) == names)
    #expect(table.count == 4 && table.byteCount == 4)
    #expect(try table[TensorName(decomposed)]?.bytes.read(0..<1) == [8])
    #expect(table["missing"] == nil)
  }

  @Test func `a table refuses the same name twice`() {
    let twice = ["a", "b", "a"].map { Tensor(TensorName($0), .u8, [0], bytes: []) }
    #expect(throws: CheckpointError(.duplicate, tensor: "a")) { try TensorTable(twice) }
  }
}

@Suite struct EscapingTests {
  @Test func `what could act on a terminal becomes visible`() {
    #expect(escaped("a\nb\r\t\u{0}") == #"a\u{a}b\u{d}\u{9}\u{0}"#)
    #expect(escaped("\u{1B}[31mred") == #"\u{1b}[31mred"#)
    #expect(escaped("\u{1B}]52;c;AAAA\u{7}") == #"\u{1b}]52;c;AAAA\u{7}"#)
    #expect(escaped("\u{7F}\u{80}\u{9B}\u{9F}") == #"\u{7f}\u{80}\u{9b}\u{9f}"#)
  }

  @Test func `text in markup means itself, and nothing else`() {
    #expect(markup("<a b=\"c\" d='e'>&amp;") == "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;amp;")
    #expect(markup("\u{1B}[31m\u{FFFE}\u{FFFF}é") == #"\u{1b}[31m\u{fffe}\u{ffff}é"#)
  }

  @Test func `what hides or turns text round becomes visible`() {
    #expect(escaped("\u{202E}txt\u{2066}\u{200F}") == #"\u{202e}txt\u{2066}\u{200f}"#)
    #expect(
      escaped("\u{200B}\u{FEFF}\u{AD}\u{2028}\u{2029}")
        == #"\u{200b}\u{feff}\u{ad}\u{2028}\u{2029}"#)
    #expect(escaped("\u{E000}\u{E0041}") == #"\u{e000}\u{e0041}"#)
  }

  @Test func `every control and format character is escaped`() {
    for value in 0...0x10FFFF as ClosedRange<UInt32> {
      guard let scalar = Unicode.Scalar(value) else { continue }
      let isHidden =
        [.control, .format, .lineSeparator, .paragraphSeparator]
        .contains(scalar.properties.generalCategory)
      if isHidden {
        #expect(escaped(String(scalar)) == "\\u{\(String(value, radix: 16))}")
      }
    }
  }

  @Test func `other text stays as it is, byte for byte`() {
    for text in ["layer.0.weight", "\u{E9}", "e\u{301}", "重み", "😀", "a b", ""] {
      #expect(Array(escaped(text).utf8) == Array(text.utf8))
    }
  }
}

@Suite struct NearestNameTests {
  private let names = ["pooler.dense.weight", "pooler.dense.bias", "embeddings.word.weight", "x"]

  @Test(arguments: [
    ("pooler.dense.wieght", "pooler.dense.weight"), ("pooler.dense.bia", "pooler.dense.bias"),
    ("poolerdense.bias", "pooler.dense.bias"), ("embedding.words.weight", "embeddings.word.weight"),
    ("y", "x"), ("x", "x"), ("poolre.dense.bias", "pooler.dense.bias"),
    ("pooler.dense.weight", "pooler.dense.weight"),
  ])
  func `finds the name that was meant`(_ typed: String, _ meant: String) {
    #expect(nearestName(to: typed, among: names) == meant)
  }

  @Test(arguments: ["classifier.weight", "abc", "", "embeddings"])
  func `guesses nothing that is far away`(_ typed: String) {
    #expect(nearestName(to: typed, among: names.dropLast()) == nil)
  }

  @Test func `prefers the nearer one, whatever the order`() {
    for candidates in [["abcdefgx", "abcdefxx"], ["abcdefxx", "abcdefgx"]] {
      #expect(nearestName(to: "abcdefgh", among: candidates) == "abcdefgx")
    }
  }

  @Test func `two letters in the wrong order are one mistake`() {
    #expect(nearestName(to: "chekc", among: ["check", "hash"]) == "check")
    #expect(nearestName(to: "sl", among: ["ls"]) == "ls")
    #expect(nearestName(to: "hcekc", among: ["check"]) == nil)
  }

  @Test func `does not compare what is long`() {
    let name = String(repeating: "a", count: 256)
    #expect(nearestName(to: name, among: [name + "b"]) == name + "b")
    #expect(nearestName(to: name + "a", among: [name + "b"]) == nil)
  }

  @Test func `needs candidates`() {
    #expect(nearestName(to: "a", among: []) == nil)
  }
}
