import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// What only Flax's files can be.
@Suite struct FlaxTests {
  private let scratch = ScratchFolder()

  private static func text(_ text: String) -> [UInt8] {
    let count = text.utf8.count
    return (count < 32 ? [0xA0 + UInt8(count)] : [0xDA, UInt8(count >> 8), UInt8(count & 255)])
      + Array(text.utf8)
  }

  /// Two numbers as an array of Flax.
  private static let array: [UInt8] =
    [0xC7, 21, 1, 0x93, 0x91, 2] + text("float32") + [0xC4, 8] + [UInt8](repeating: 1, count: 8)

  @Test func `shards are told by their index`() throws {
    let names = ["flax_model-00001-of-00002.msgpack", "flax_model-00002-of-00002.msgpack"]
    for (name, key) in zip(names, ["a", "b"]) {
      scratch.write([0x81] + Self.text(key) + [0x81] + Self.text("kernel") + Self.array, to: name)
    }
    scratch.write(
      Array(#"{"weight_map":{"a/kernel":"\#(names[0])","b/kernel":"\#(names[1])"}}"#.utf8),
      to: "flax_model.msgpack.index.json")
    let checkpoint = try Checkpoint.open(scratch.path)
    #expect(checkpoint.format == .flax)
    #expect(checkpoint.tensors.tensors.map(\.name) == ["a/kernel", "b/kernel"])
  }

  @Test func `long names of very many tensors are refused before they take memory`() {
    let key = Self.text(String(repeating: "a", count: 60_000))
    var bytes: [UInt8] = [0x81] + key + [0xDE, 0x10, 0x00]
    for number in 0..<4096 { bytes += Self.text("\(number)") + Self.array }
    let found = error(reading: scratch.write(bytes, to: "a.msgpack"))
    #expect(found?.description.contains("the names take more than") == true, "\(found as Any)")
  }

  @Test func `too many members are refused`() {
    var bytes: [UInt8] =
      [0x82] + Self.text("w") + Self.array + Self.text("v") + [0xDD, 0, 16, 0, 0]
    bytes += [UInt8](repeating: 1, count: 1 << 20)
    let found = error(reading: scratch.write(bytes, to: "a.msgpack"))
    #expect(
      found?.problem
        == .limitExceeded("the number of members of maps", limit: 524_288, found: 524_289))
  }

  @Test func `a folder with it is a model, and a text in it is named`() throws {
    scratch.write(
      [0x82] + Self.text("note") + Self.text("x") + Self.text("w") + Self.array,
      to: "flax_model.msgpack")
    scratch.write(Array("{}".utf8), to: "config.json")
    let checkpoint = try Checkpoint.open(scratch.path)
    #expect(checkpoint.config != nil)
    #expect(checkpoint.others.map { "\($0.name): \($0.what)" } == ["note: a text"])
  }
}
