import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// What opening refuses, and what it says instead: each fault by the words that help.
@Suite struct RefusalTests {
  private let scratch = ScratchFolder()

  /// A file of that size which takes no place on the disk, with a few bytes at its beginning.
  private func sparse(_ name: String, _ size: Int, beginning text: String = "{") -> FilePath {
    let path = scratch.write(Array(text.utf8), to: name)
    let file = try? FileDescriptor.open(path, .writeOnly)
    _ = try? file?.closeAfter { try file?.resize(to: Int64(size)) }
    return path
  }

  private func weights(_ name: String, as format: ContainerFormat = .safetensors) throws {
    try CheckpointWriter(destination: scratch.path.pushing(FilePath(name)), format: format)
      .write(tensors: [Tensor("a", .u8, [1], [1])])
  }

  private func text(reading path: FilePath) -> String { error(reading: path)?.description ?? "" }

  // MARK: Limits

  /// The head of a GGUF file without tensors, up to the first text of `texts`.
  private func ggufHead(texts: Int) -> [UInt8] {
    Array("GGUF".utf8) + littleEndian(UInt32(3)) + littleEndian(UInt64(0))
      + littleEndian(UInt64(texts))
  }

  private func ggufText(_ key: String, _ text: String) -> [UInt8] {
    let both = [key, text].map { littleEndian(UInt64($0.utf8.count)) + Array($0.utf8) }
    return both[0] + littleEndian(UInt32(8)) + both[1]
  }

  @Test func `a text among key-values has a size that is believed, and so have all of them`() {
    var head = ggufHead(texts: 1) + ggufText("a", "").dropLast(8)
    head += littleEndian(UInt64(32 << 20 | 1))
    let path = scratch.write(head, to: "long.gguf")
    let file = try? FileDescriptor.open(path, .writeOnly)
    _ = try? file?.closeAfter { try file?.resize(to: 1 << 26) }
    #expect(text(reading: path).contains("the length of a text is 33554433, the limit is 33554432"))
    var many = ggufHead(texts: 50) + ggufText("general.architecture", "some")
    for i in 1..<50 { many += ggufText("text.\(i)", String(repeating: "t", count: 65_536)) }
    let said = text(reading: scratch.write(many, to: "many.gguf"))
    #expect(said.contains("what key-values say of a model is"), "\(said)")
    #expect(said.contains("the limit is 3145728"), "\(said)")
  }

  @Test func `an index, a config and a header have sizes that are believed`() throws {
    let index = sparse("model.safetensors.index.json", 100_000_001)
    #expect(text(reading: index).contains("the size is 100000001, the limit is 100000000"))
    let config = sparse("config.json", 3 << 20 | 1)
    #expect(throws: CheckpointError.self) { try ConfigFile(config) }
    try weights("m.safetensors")
    let inside = text(reading: scratch.path.appending("m.safetensors"))
    #expect(inside.contains("config.json") && inside.contains("the limit is 3145728"))
  }

  @Test(arguments: [
    (String(repeating: "n", count: 65_537), "[1]", "the length of a name is 65537"),
    ("a", "[" + Array(repeating: "1", count: 65).joined(separator: ",") + "]", "dimensions is 65"),
  ]) func `a name and a shape have lengths that are believed`(
    _ name: String, _ shape: String, _ words: String
  ) {
    let header = "{\"\(name)\":{\"dtype\":\"U8\",\"shape\":\(shape),\"data_offsets\":[0,1]}}"
    let path = scratch.write(safetensorsFile(header, data: 1), to: "x.safetensors")
    #expect(text(reading: path).contains(words))
  }

  // MARK: Shards

  @Test func `shards are of one format, and of one that has shards`() throws {
    try weights("a.safetensors")
    try weights("b.npz", as: .npz)
    let map = #"{"weight_map": {"a": "a.safetensors", "b": "b.npz"}}"#
    let path = scratch.write(Array(map.utf8), to: "model.safetensors.index.json")
    #expect(text(reading: path).contains("b.npz: is npz, which has no shards"))
    #expect(structureFaults(of: path).count == 1)
  }

  @Test func `of an index every shard's faults are told`() throws {
    for name in ["a", "b"] {
      scratch.write(
        safetensorsFile(#"{"x":{"dtype":"F7","shape":[1],"data_offsets":[0,1]}}"#, data: 1),
        to: name + ".safetensors")
    }
    scratch.write(Array("lmgg".utf8), to: "c.safetensors")
    let map = #"{"x": "a.safetensors", "y": "b.safetensors", "z": "c.safetensors"}"#
    let path = scratch.write(
      Array("{\"weight_map\": \(map)}".utf8), to: "model.safetensors.index.json")
    let faults = structureFaults(of: path).map(\.description)
    for words in ["a.safetensors", "b.safetensors", "c.safetensors: is a GGML file"] {
      #expect(faults.contains { $0.contains(words) }, "\(faults)")
    }
    #expect(structureFaults(of: scratch.path.appending("nowhere")).count == 1)
    try weights("good.npz", as: .npz)
    #expect(structureFaults(of: scratch.path.appending("good.npz")).isEmpty)
    let cut = Array(readFile(scratch.path.appending("good.npz")).dropLast(30))
    #expect(structureFaults(of: scratch.write(cut, to: "cut.npz")).count == 1)
  }

  @Test func `an index that names too many tensors is none`() {
    let map = (0...262_144).map { "\"t\($0)\":\"a\"" }.joined(separator: ",")
    let path = scratch.write(
      Array("{\"weight_map\":{\(map)}}".utf8), to: "model.safetensors.index.json")
    #expect(text(reading: path).contains("the number of tensors is 262145"))
  }

  // MARK: Folders

  @Test func `weights that cannot be read name those beside them that can`() throws {
    scratch.write(Array("lmgg".utf8), to: "model.safetensors")
    for name in ["a", "b", "c", "d"] { try weights(name + ".npz", as: .npz) }
    let found = text(reading: scratch.path)
    #expect(
      found.contains(
        "is not read; \"a.npz\", \"b.npz\", \"c.npz\" and 1 more beside it can be named instead"),
      "\(found)")
    scratch.write(Array("<html>".utf8), to: "model.safetensors")
    #expect(text(reading: scratch.path).contains("not its page; \"a.npz\""))
  }

  @Test func `several containers are named, and a pointer in their place is told`() throws {
    for name in ["a", "b"] { try weights(name + ".safetensors") }
    #expect(
      text(reading: scratch.path).contains(
        "has several containers: \"a.safetensors\", \"b.safetensors\"; name one of them"))
    let other = ScratchFolder()
    let pointer = Array("version https://git-lfs.github.com/spec/v1\n".utf8)
    other.write(pointer, to: "weights.bin")
    #expect(text(reading: other.path).contains("weights.bin: is a Git LFS pointer"))
    // What has no name of weights is no model that is missing.
    let third = ScratchFolder()
    third.write(pointer, to: "notes.txt")
    #expect(text(reading: third.path).hasSuffix("the folder has no container in it"))
  }

  @Test func `a format that is asked for is taken from the folder's usual names`() throws {
    try weights("model.safetensors")
    try weights("model.npz", as: .npz)
    #expect(try Checkpoint.open(scratch.path).format == .safetensors)
    #expect(try Checkpoint.open(scratch.path, format: .npz).format == .npz)
  }

  @Test func `more than three models in folders are counted`() throws {
    for name in ["a", "b", "c", "d", "e"] {
      _ = scratch.makeFolder(name)
      try weights(name + "/model.safetensors")
    }
    #expect(text(reading: scratch.path).hasSuffix("\" or one of 2 more"))
  }

  @Test(arguments: [
    "# xet version 0\n", "Entry not found", "  404: Not Found", "<!-- x --><!DOCTYPE html>",
    "\u{FEFF}<?xml version=\"1.0\"?>\n<Error>", "\u{FEFF}{}", "<!-- without an end",
  ]) func `what stands in a config's place is told`(_ content: String) throws {
    try weights("model.safetensors")
    scratch.write(Array(content.utf8), to: "config.json")
    let found = text(reading: scratch.path)
    let words = [
      "# xet": "is a Xet pointer", "Entry": "holds only \"Entry not found\"",
      "  404": "holds only \"404: Not Found\"", "<!-- x": "is a web page",
      "\u{FEFF}<": "is a web page", "\u{FEFF}{": "begins with a byte order mark",
      "<!-- w": "expected a value",
    ]
    let expected = words.first { content.hasPrefix($0.key) }?.value ?? "?"
    #expect(found.contains(expected), "\(found)")
  }

  @Test func `text in UTF-16 and lists are no config`() throws {
    try weights("model.safetensors")
    scratch.write([0xFF, 0xFE, 0x7B, 0, 0x7D, 0], to: "config.json")
    #expect(text(reading: scratch.path).contains("is UTF-16"))
    scratch.write(Array("[]".utf8), to: "config.json")
    #expect(text(reading: scratch.path).contains("is not a JSON object"))
  }

  // MARK: What is packed

  /// MessagePack in all the ways in which maps, texts, numbers and arrays can be written.
  @Test(
    arguments: [
      [0xDE, 0, 1, 0xD9, 1, 0x77, 0xC7, 1, 1, 0], [0xDF, 0, 0, 0, 1, 0xA1, 0x77, 0xC8, 0, 1, 1, 0],
      [0x82, 0xA1, 0x61, 0xCC, 1, 0xA1, 0x77, 0xC9, 0, 0, 0, 1, 1, 0],
      [0x82, 0xA1, 0x61, 0xCD, 1, 2, 0xA1, 0x77, 0xD4, 1, 0],
      [0x82, 0xA1, 0x61, 0xCA, 1, 2, 3, 4, 0xA1, 0x77, 0xD5, 1, 0],
      [0x82, 0xA1, 0x61, 0xCB, 1, 2, 3, 4, 5, 6, 7, 8, 0xA1, 0x77, 0xD8, 1, 0],
      [0x81, 0xA1, 0x61, 0x81, 0xB9] + Array("__msgpack_chunked_array__".utf8) + [0xC3],
    ] as [[UInt8]]) func `Flax's arrays are found behind what stands before them`(_ bytes: [UInt8])
  {
    // Found, and broken.
    let found = text(reading: scratch.write(bytes + [UInt8](repeating: 0, count: 16), to: "x"))
    #expect(!found.contains("is none of safetensors"))
    #expect(
      found.contains("an array is no list of shape") || found.contains("follow the last item")
        || found.contains("a key of a map is no text") || found.contains("an array in pieces"),
      "\(found)")
  }

  @Test(
    arguments: [
      // Another type of extension, something else, a key that is no text, nothing behind a key.
      [0x81, 0xA1, 0x77, 0xC7, 1, 2, 0], [0x81, 0xA1, 0x77, 0xD4, 5, 0],
      [0x81, 0xA1, 0x77, 0xC4, 1],
      [0x82, 7, 7, 7], [0x81, 0xA1, 0x77], [0x80], [0x81, 0x81, 0xA1, 0x61, 1],
    ] as [[UInt8]]) func `other messages are not Flax's`(_ bytes: [UInt8])
  {
    #expect(text(reading: scratch.write(bytes, to: "x")).contains("is none of safetensors"))
  }

  @Test func `a file called bin is judged by its bytes alone`() {
    let path = scratch.write([0x15, 0, 0, 0], to: "weight.bin")
    #expect(text(reading: path).contains("is none of safetensors"))
  }

  @Test(arguments: [0x01, 0x5E, 0x9C, 0xDA] as [UInt8])
  func `what is compressed is said to be`(_ level: UInt8) {
    let path = scratch.write([0x78, level, 0x4B], to: "forest.joblib")
    #expect(
      text(reading: path).contains("is compressed with zlib, which is not read: unpack it first"))
  }

  /// Messages of Protocol Buffers that are cut, or of no kind that is known.
  @Test(
    arguments: [
      [8, 8, 0x12], [8, 8, 0x12, 200, 1],
      [8, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1],
      [8, 8, 0x13], [8, 8, 2, 0], [8, 70, 0x3A, 0], [10, 1, 0], [10, 2, 10, 0, 0x22, 0],
      [8, 1, 0x12, 1, 0x12], [8, 1, 0x3D, 1, 2, 3, 4], [8, 1, 0x39, 1, 2, 3, 4, 5, 6, 7, 8],
    ] as [[UInt8]]) func `other messages are no model`(_ bytes: [UInt8])
  {
    #expect(text(reading: scratch.write(bytes, to: "x")).contains("is none of safetensors"))
  }

  @Test func `a zip archive of other things, and one that is cut, are left to npz`() {
    let whole = archive(of: ["readme.txt"])
    #expect(text(reading: scratch.write(whole, to: "x.bin")).contains("readme.txt"))
    let cut = scratch.write(Array(whole.dropLast(10)), to: "x.bin")
    #expect(text(reading: cut).contains("no end record"))
  }

  @Test func `an exported program is called by its name`() {
    let names = ["m/archive_format", "m/models/model.json", "m/data/weights/weight_0"]
    let path = scratch.write(archive(of: names), to: "x.pt2")
    #expect(text(reading: path).contains("is a program of torch.export (.pt2), which is not read"))
  }

  /// An archive of empty members.
  private func archive(of names: [String]) -> [UInt8] {
    var (members, directory): ([UInt8], [UInt8]) = ([], [])
    for name in names {
      let start = members.count
      let size = littleEndian(UInt16(name.utf8.count))
      let common = [20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0] + [UInt8](repeating: 0, count: 12) + size
      members += [0x50, 0x4B, 3, 4] + common + [0, 0] + name.utf8
      directory += [0x50, 0x4B, 1, 2, 20, 0] + common + [UInt8](repeating: 0, count: 12)
      directory += littleEndian(UInt32(start)) + name.utf8
    }
    let count = littleEndian(UInt16(names.count))
    return members + directory + [0x50, 0x4B, 5, 6, 0, 0, 0, 0] + count + count
      + littleEndian(UInt32(directory.count)) + littleEndian(UInt32(members.count)) + [0, 0]
  }

  // MARK: Beside the tensors

  @Test func `metadata is read by its keys`() {
    let metadata: Metadata = ["format": "pt", "e\u{301}": "two"]
    #expect(metadata["format"] == "pt" && metadata["e\u{301}"] == "two")
    // Other bytes are another key.
    #expect(metadata["\u{E9}"] == nil)
  }

  @Test func `a config that is known is taken instead of the one that lies there`() throws {
    try weights("model.safetensors")
    scratch.write(Array(#"{"a": 1}"#.utf8), to: "config.json")
    let other = try ConfigFile(scratch.write(Array(#"{"a": 2}"#.utf8), to: "other.json"))
    let checkpoint = try Checkpoint.open(scratch.path, config: other)
    #expect(checkpoint.config?.value["a"] == 2)
  }

  @Test func `a config inside a container has the same limit`() throws {
    let config = scratch.write(
      Array("{\"a\":\"".utf8) + [UInt8](repeating: 0x61, count: 3 << 20) + Array("\"}".utf8),
      to: "config.json")
    let path = scratch.path.appending("x.tfz")
    try CheckpointWriter(destination: path, format: .tfz).write(
      tensors: [Tensor("a", .u8, [1], [1])], companions: [try CompanionFile(config)])
    #expect(text(reading: path).contains("the limit is 3145728"))
  }
}
