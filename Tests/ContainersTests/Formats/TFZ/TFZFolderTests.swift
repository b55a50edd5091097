import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// A whole folder goes into one TFZ file and comes out of it.
@Suite struct TFZFolderTests {
  private let scratch = ScratchFolder()

  private func file(_ path: String) -> [UInt8] { readFile(scratch.path.pushing(FilePath(path))) }

  /// A safetensors file of one tensor, with a header of an unusual layout.
  private func shard(_ name: String, _ count: Int) -> [UInt8] {
    safetensorsFile(
      "{ \"\(name)\":{\"shape\":[\(count)],\"dtype\":\"U8\",\"data_offsets\":[0,\(count)]},"
        + "\"__metadata__\":{\"of\":\"\(name)\"} }", data: count)
  }

  private func makeFolder(_ files: [String: [UInt8]]) -> FilePath {
    let folder = scratch.makeFolder("model")
    for (name, bytes) in files { scratch.write(bytes, to: "model/\(name)") }
    return folder
  }

  private func expectSame(_ folder: String, _ files: [String: [UInt8]]) {
    #expect(fileNames(in: scratch.path.pushing(FilePath(folder))) == files.keys.sorted())
    for (name, bytes) in files { #expect(file("\(folder)/\(name)") == bytes, "\(name)") }
  }

  @Test func `one file`() throws {
    let files: [String: [UInt8]] = [
      "model.safetensors": shard("a", 5), "config.json": Array("{\"model_type\":\"x\"}".utf8),
      "tokenizer.json": Array("{ }\n\n".utf8), "README.md": Array("# Wörds\r\n".utf8),
      "vocab.txt": [], "generation_config.json": Array("{}".utf8),
    ]
    let packed = scratch.path.appending("x.tfz")
    try write(Checkpoint.open(makeFolder(files)), to: packed, .tfz)
    let read = try Checkpoint.open(packed)
    #expect(read.config?.bytes == files["config.json"])
    #expect(scratch.names == ["model", "x.tfz"], "config.json is inside, not beside")
    try write(read, to: scratch.path.appending("again"), .safetensors, isFolder: true)
    expectSame("again", files)
    // Into a folder as TFZ, everything stays inside.
    try write(read, to: scratch.path.appending("small"), .tfz, isFolder: true)
    #expect(fileNames(in: scratch.path.appending("small")) == ["model.tfz"])
    #expect(file("small/model.tfz") == readFile(packed))
    let small = try Checkpoint.open(scratch.path.appending("small"))
    try write(small, to: scratch.path.appending("third"), .safetensors, isFolder: true)
    expectSame("third", files)
  }

  @Test func shards() throws {
    let index = """
      {"weight_map": {"b": "part-2.safetensors",  "a": "part-1.safetensors"}, "metadata": {}}
      """
    let files: [String: [UInt8]] = [
      "part-1.safetensors": shard("a", 3), "part-2.safetensors": shard("b", 4),
      "model.safetensors.index.json": Array(index.utf8), "config.json": Array("{}".utf8),
    ]
    let source = try Checkpoint.open(makeFolder(files))
    let packed = scratch.path.appending("x.tfz")
    try write(source, to: packed, .tfz)
    let read = try Checkpoint.open(packed)
    #expect(read.metadata == ["of": "a"])
    try write(read, to: scratch.path.appending("again"), .safetensors, isFolder: true)
    expectSame("again", files)
    // One file was never there.
    try write(read, to: scratch.path.appending("one.safetensors"), .safetensors)
    #expect(try readAll(scratch.path.appending("one.safetensors")) == readAll(packed))
  }

  @Test func `the golden folder of several shards is restored`() throws {
    let path = fixture("containers/tfz/good/origins.tfz")
    try write(Checkpoint.open(path), to: scratch.path.appending("x"), .safetensors, isFolder: true)
    #expect(
      fileNames(in: scratch.path.appending("x")) == [
        "1.safetensors", "2.safetensors", "README.md", "model.safetensors.index.json",
      ])
    #expect(try readAll(scratch.path.appending("x")) == readAll(path))
  }

  @Test func `a config inside goes before one beside`() throws {
    let files = ["model.safetensors": shard("a", 1), "config.json": Array("{\"a\":1}".utf8)]
    let packed = scratch.path.appending("x.tfz")
    try write(Checkpoint.open(makeFolder(files)), to: packed, .tfz)
    scratch.write(Array("{\"b\":1}".utf8), to: "config.json")
    #expect(try Checkpoint.open(packed).config?.value["a"] != nil)
    let other = scratch.write(Array("{\"c\":1}".utf8), to: "other.json")
    #expect(try Checkpoint.open(packed, config: other).config?.value["c"] != nil)
    // One without finds the one beside.
    let bare = scratch.write(try TFZ.encode([]), to: "bare.tfz")
    #expect(try Checkpoint.open(bare).config?.value["b"] != nil)
  }

  @Test func `a target that would get somebody else's config is refused`() throws {
    scratch.write(Array("{}".utf8), to: "x.tfz.config.json")
    let error = #expect(throws: CheckpointError.self) {
      try CheckpointWriter(destination: scratch.path.appending("x.tfz"), format: .tfz)
        .write(tensors: [])
    }
    #expect(error?.category == .refused)
  }

  @Test func `shards are for safetensors`() throws {
    let writer = CheckpointWriter(
      destination: scratch.path.appending("x"), format: .tfz, isFolder: true, maxShardSize: 10)
    let error = #expect(throws: CheckpointError.self) {
      try writer.write(tensors: [Tensor("a", .u8, [100], .init(repeating: 1, count: 100))])
    }
    #expect(error?.category == .unsupported)
    #expect(scratch.names.isEmpty)
  }
}
