import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// What only pickles of arrays can be.
@Suite struct PickleTests {
  private let scratch = ScratchFolder()

  private static func text(_ text: String) -> [UInt8] {
    [UInt8(ascii: "X")] + number(text.utf8.count) + Array(text.utf8)
  }

  private static func number(_ value: Int) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }

  /// A pickle of a dictionary with one array of bytes, which stand in it as they do before protocol 3.
  private static func array(of count: Int, _ stored: [UInt8]) -> [UInt8] {
    let global = { (name: String) in [UInt8(ascii: "c")] + Array(name.utf8) }
    var bytes: [UInt8] = [0x80, 2, 0x7D] + text("w")
    bytes += global("numpy.core.multiarray\n_reconstruct\n") + global("numpy\nndarray\n")
    bytes += [0x4B, 0, 0x85, UInt8(ascii: "U"), 1, UInt8(ascii: "b"), 0x87, UInt8(ascii: "R")]
    bytes += [UInt8(ascii: "("), 0x4B, 1, UInt8(ascii: "J")] + number(count) + [0x85]
    bytes += global("numpy\ndtype\n") + text("u1") + [0x4B, 0, 0x4B, 1, 0x87, UInt8(ascii: "R")]
    bytes += [UInt8(ascii: "("), 0x4B, 3] + text("|") + Array("NNN".utf8)
    bytes += [UInt8(ascii: "J")] + number(-1) + [UInt8(ascii: "J")] + number(-1) + [0x4B, 0]
    bytes += Array("tb".utf8) + [0x89] + stored + Array("tbs.".utf8)
    return bytes
  }

  private static func encoded(_ text: [UInt8]) -> [UInt8] {
    Array("c_codecs\nencode\n".utf8) + [UInt8(ascii: "X")] + number(text.count) + text
      + Self.text("latin1") + [0x86, UInt8(ascii: "R")]
  }

  /// Bytes as letters of Latin-1 in UTF-8.
  private static func letters(_ bytes: [UInt8]) -> [UInt8] {
    bytes.flatMap { $0 < 0x80 ? [$0] : [0xC0 | $0 >> 6, 0x80 | $0 & 0x3F] }
  }

  @Test func `long arrays that stand there as a text are read from any place`() throws {
    var random = SeededGenerator(seed: 3)
    let bytes = (0..<300_000).map { index in
      // Stretches of one kind, so that windows begin within letters and between them.
      index / 50_000 % 3 == 0 ? UInt8(index & 0x7F) : UInt8.random(in: 0...255, using: &random)
    }
    let path = scratch.write(
      Self.array(of: bytes.count, Self.encoded(Self.letters(bytes))), to: "a.pkl")
    let tensor = try #require(Checkpoint.open(path).tensors["w"])
    #expect(tensor.dtype == .u8 && tensor.shape == [bytes.count])
    #expect(try tensor.bytes.read(0..<bytes.count) == bytes)
    for _ in 0..<300 {
      let start = Int.random(in: 0...bytes.count, using: &random)
      let end = min(bytes.count, start + Int.random(in: 0...70_000, using: &random))
      #expect(try tensor.bytes.read(start..<end) == Array(bytes[start..<end]), "\(start)..<\(end)")
    }
  }

  @Test(
    arguments: [
      ([0x61, 0xC3], "which is cut off"), ([0xC4, 0x80], "which has other letters"),
      ([0x80], "which has other letters"), ([0xC2, 0x61], "which has other letters"),
      ([0xC2, 0xC2, 0x80], "which has other letters"), ([0xFF], "which has other letters"),
    ] as [([UInt8], String)]) func `a text that is no bytes is refused`(
      _ end: [UInt8], _ reason: String
    )
  {
    for padding in [0, 65_535, 65_536, 131_071] {
      let text = [UInt8](repeating: 0x61, count: padding) + end
      let path = scratch.write(Self.array(of: padding + 1, Self.encoded(text)), to: "a.pkl")
      let found = error(reading: path)?.description ?? ""
      #expect(
        found.contains("tensor \"w\": its bytes stand there as a text, \(reason)"), "\(found)")
    }
  }

  @Test func `a text is bytes of Latin-1, and a string of Python 2 is bytes`() throws {
    let letters = Self.letters([0x41, 0xE9])
    let text = [UInt8(ascii: "X")] + Self.number(letters.count) + letters
    let string = [UInt8(ascii: "U"), 2, 0x41, 0xE9]
    for stored in [text, string, Self.encoded(letters)] {
      let found = try readAll(Self.array(of: 2, stored), as: "a.pkl", in: scratch)
      #expect(found.map(\.bytes) == [[0x41, 0xE9]])
    }
    // Python's codecs make letters of letters alone.
    let broken = Array("c_codecs\nencode\n".utf8) + string + Self.text("latin1") + [0x86, 0x52]
    let found = error(reading: scratch.write(Self.array(of: 2, broken), to: "a.pkl"))
    #expect(found?.description.contains("is not what numpy writes") == true)
  }

  @Test func `a dump of joblib is called by its name`() {
    let bytes: [UInt8] =
      [0x80, 3] + Array("cjoblib.numpy_pickle\nNumpyArrayWrapper\n".utf8)
      + Array("cnumpy.core.multiarray\n_reconstruct\n".utf8)
    let found = error(reading: scratch.write(bytes, to: "a.pkl"))
    #expect(found?.category == .unsupported)
    #expect(found?.description.contains("is a dump of joblib, which is not run") == true)
  }
}
