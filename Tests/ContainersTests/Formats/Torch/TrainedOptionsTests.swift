import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// Options and words beside weights come from a pickle that anybody can write.
@Suite struct TrainedOptionsTests {
  // MARK: Pickles

  private func text(_ text: String) -> [UInt8] {
    [UInt8(ascii: "X")] + littleEndian(UInt32(text.utf8.count)) + Array(text.utf8)
  }

  private func dictionary(_ pairs: [UInt8]) -> [UInt8] {
    Array("}(".utf8) + pairs + Array("u".utf8)
  }

  private func list(_ items: [UInt8]) -> [UInt8] { Array("](".utf8) + items + Array("e".utf8) }

  /// An object of a class, with that state.
  private func object(_ state: [UInt8], of name: String = "argparse\nNamespace\n") -> [UInt8] {
    Array("c\(name))".utf8) + [0x81] + state + Array("b".utf8)
  }

  private func options(_ pairs: [UInt8]) -> [UInt8] { object(dictionary(pairs)) }

  private var heads: [UInt8] { text("heads") + [UInt8(ascii: "K"), 4] }
  private var words: [UInt8] {
    dictionary(text("src") + list(["<unk>", "<blank>", "a"].flatMap(text)))
  }

  /// A checkpoint without tensors: what is put aside first, words and options.
  private func file(_ words: [UInt8], _ options: [UInt8], behind aside: [UInt8] = []) -> [UInt8] {
    let pairs = text("model") + Array("}".utf8) + text("vocab") + words + text("opt") + options
    return legacyTorchFile(aside + dictionary(pairs) + Array(".".utf8)) + [0x80, 2, 0x5D, 0x2E]
  }

  /// What such a file says; `nil` if it says nothing.
  private func said(
    _ words: [UInt8], _ options: [UInt8], behind aside: [UInt8] = []
  ) throws -> JSONValue? {
    let scratch = ScratchFolder()
    let path = scratch.write(file(words, options, behind: aside), to: "x.pt")
    return try Checkpoint.open(path, format: .torch).config?.value
  }

  // MARK: What is said

  @Test func `options and the places of marks are said`() throws {
    #expect(
      try said(words, options(heads))
        == ["options": ["heads": 4], "vocab": ["src": ["<unk>": 0, "<blank>": 1]]])
  }

  @Test func `an option that is there twice is the last one, and keys are texts`() throws {
    let pairs = heads + Array("NN".utf8) + text("heads") + [UInt8(ascii: "K"), 5]
    #expect(try said(words, options(pairs))?["options"] == ["heads": 5])
  }

  @Test func `of two namespaces the first has the options`() throws {
    let second = text("opt2") + options(text("heads") + [UInt8(ascii: "K"), 9])
    #expect(try said(words, options(heads) + second)?["options"] == ["heads": 4])
  }

  @Test func `a mark that is there twice is where it is first`() throws {
    let twice = dictionary(text("tgt") + list(["</s>", "<s>", "</s>"].flatMap(text)))
    #expect(try said(twice, options(heads))?["vocab"] == ["tgt": ["</s>": 0, "<s>": 1]])
  }

  @Test func `the word that begins texts is a mark`() throws {
    let lists =
      text("tgt") + list(["b", "b", "go"].flatMap(text)) + text("decoder_start_token") + text("go")
    #expect(
      try said(dictionary(lists), options(heads))?["vocab"]
        == ["tgt": ["go": 2], "decoder_start_token": "go"])
  }

  // MARK: Attacks

  @Test func `what is no namespace with a dictionary says nothing`() throws {
    for other in [
      dictionary(heads), list(heads), object(dictionary(heads), of: "os\nsystem\n"),
      object(Array("N".utf8)), object(list(heads)), Array("N".utf8),
    ] {
      #expect(try said(words, other) == nil)
    }
    for other in [list(text("<s>")), text("src"), Array("N".utf8)] {
      #expect(try said(other, options(heads)) == nil)
    }
  }

  @Test func `a namespace, a list and words in themselves end`() throws {
    // The state has the namespace that it is the state of, and a list that has itself.
    let own: [UInt8] = Array("cargparse\nNamespace\n)".utf8) + [0x81] + Array("q\0}(".utf8)
    let inside = own + heads + text("self") + Array("h\0".utf8) + text("list")
    let pickle = inside + Array("]q\u{1}h\u{1}aub".utf8)
    #expect(try said(words, pickle)?["options"] == ["heads": 4])
    let circle = Array("}q\0(".utf8) + text("src") + Array("h\0u".utf8)
    #expect(try said(circle, options(heads))?["vocab"] == [:])
  }

  @Test func `more options than the program has are none`() throws {
    func many(_ count: Int) -> [UInt8] {
      options((0..<count).flatMap { text("k\($0)") + Array("N".utf8) })
    }
    #expect(try said(words, many(1024))?["options"]?.members?.count == 1024)
    #expect(try said(words, many(1025)) == nil)
  }

  @Test func `long lists, long texts and what is in lists of lists are no settings`() throws {
    func nones(_ count: Int) -> [UInt8] {
      list([UInt8](repeating: UInt8(ascii: "N"), count: count))
    }
    let kept = text("fits") + nones(64) + text("text") + text(String(repeating: "t", count: 256))
    let long = text(String(repeating: "t", count: 257))
    let lost =
      text("long") + nones(65) + text("deep") + list(nones(1)) + text("text2") + long
      + text("texts") + list(long)
    let found = try #require(try said(words, options(kept + lost))?["options"]?.members)
    #expect(found.map(\.key) == ["fits", "text"])
  }

  /// A thousand options of 64 texts each, which are one text of 4096 bytes, would be 268 MB to say.
  @Test func `a text in a thousand lists is not said`() throws {
    let aside = text(String(repeating: "t", count: 4096)) + Array("q\u{0}0".utf8)
    let texts = list((0..<64).flatMap { _ in Array("h\0".utf8) })
    let pairs = (0..<1000).flatMap { text("k\($0)") + texts }
    #expect(try said(words, options(heads + pairs), behind: aside)?["options"] == ["heads": 4])
  }

  /// A thousand names of one list of a million words would take a billion looks.
  @Test func `a list of words under a thousand names is looked through once`() throws {
    let word = text("w") + Array("q\u{0}0".utf8)
    let million = (0..<2_000_000).map { $0 % 2 == 0 ? UInt8(ascii: "h") : 0 }
    let aside = word + list(million + text("<s>")) + Array("q\u{1}0".utf8)
    let names = dictionary((0..<1000).flatMap { text("k\($0)") + Array("h\u{1}".utf8) })
    let clock = ContinuousClock()
    let start = clock.now
    let vocabulary = try said(names, options(heads), behind: aside)?["vocab"]
    #expect(vocabulary?.members?.count == 1000 && vocabulary?["k999"] == ["<s>": 1_000_000])
    #expect(start.duration(to: clock.now) < .seconds(20))
  }

  // MARK: Damage

  private var damaged: [UInt8] {
    let words = text("src") + list(["<unk>", "</s>"].flatMap(text)) + text("start") + text("<s>")
    let given = heads + text("layers") + list([UInt8(ascii: "K"), 2]) + text("bias") + [0x88]
    return file(dictionary(words), options(given))
  }

  @Test func `options that are cut off anywhere are an error`() {
    let scratch = ScratchFolder()
    let bytes = damaged
    for count in bytes.indices {
      let path = scratch.write(Array(bytes[..<count]), to: "x.pt")
      #expect(error(reading: path, as: .torch) != nil, "cut at \(count)")
    }
  }

  @Test func `any flipped bit of options is an error or other options`() throws {
    let scratch = ScratchFolder()
    let bytes = damaged
    var opened = 0
    for bit in 0..<8 * bytes.count {
      var flipped = bytes
      flipped[bit / 8] ^= 1 << UInt8(bit % 8)
      let path = scratch.write(flipped, to: "x.pt")
      guard let checkpoint = try? Checkpoint.open(path, format: .torch) else { continue }
      opened += 1
      guard let members = checkpoint.config?.value.members else { continue }
      #expect(members.map(\.key) == ["options", "vocab"], "bit \(bit)")
    }
    #expect(opened > 0 && opened < 8 * bytes.count)
  }
}
