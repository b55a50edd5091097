import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Folders of shards with their index.
@Suite struct ShardTests {
  private let scratch = ScratchFolder()

  private func shard(_ file: String, _ tensors: TensorName..., metadata: Metadata? = nil) throws {
    try CheckpointWriter(
      destination: scratch.path.appending(file), format: .safetensors, overwrite: true
    ).write(tensors: tensors.map { Tensor($0, .u8, [2], [1, 2]) }, metadata: metadata)
  }

  private func index(_ map: String) -> FilePath {
    scratch.write(
      Array("{\"metadata\":{\"total_size\":4},\"weight_map\":\(map)}".utf8),
      to: "model.safetensors.index.json")
  }

  @Test func `reads shards in the order of their names`() throws {
    try shard("b.safetensors", "y", "x", metadata: ["format": "pt"])
    try shard("a.safetensors", "z", metadata: ["format": "pt"])
    let path = index(
      "{\"x\":\"b.safetensors\",\"y\":\"b.safetensors\",\"z\":\"a.safetensors\"}")
    for source in [path, scratch.path] {
      let checkpoint = try Checkpoint.open(source)
      #expect(checkpoint.tensors.tensors.map(\.name) == ["z", "y", "x"])
      #expect(checkpoint.metadata == ["format": "pt"])
      #expect(checkpoint.indexMetadata?["total_size"] == 4)
    }
  }

  @Test func `all shards of one numbering are opened without an index`() throws {
    try shard("x-00002-of-00003.safetensors", "y", metadata: ["format": "pt"])
    try shard("x-00003-of-00003.safetensors", "a")
    let missing = try #require(error(reading: scratch.path))
    #expect(
      missing.description.contains(
        "2 of 3 shards (\"x-00002-of-00003.safetensors\" …) without the index that joins them; shard 1 is not"
      ), "\(missing)")
    try shard("x-00001-of-00003.safetensors", "z", "b")
    let checkpoint = try Checkpoint.open(scratch.path)
    #expect(checkpoint.tensors.tensors.map(\.name) == ["z", "b", "y", "a"])
    #expect(checkpoint.metadata == ["format": "pt"])
    #expect(checkpoint.lacksIndex && checkpoint.index == nil && checkpoint.part == nil)
    #expect(structureFaults(of: scratch.path).isEmpty)
    // With an index that is there, nothing is missing.
    let map = ["z": 1, "b": 1, "y": 2, "a": 3].map {
      "\"\($0.key)\":\"x-0000\($0.value)-of-00003.safetensors\""
    }
    _ = index("{\(map.joined(separator: ","))}")
    #expect(try !Checkpoint.open(scratch.path).lacksIndex)
  }

  @Test func `shards without an index that are not of one model are not joined`() throws {
    try shard("x-00001-of-00002.safetensors", "a")
    for (other, tensor, expected) in [
      ("y-00002-of-00002.safetensors", "b", "the folder has several containers"),
      ("x-00002-of-00003.safetensors", "b", "the folder has several containers"),
      ("x-00002-of-00002.safetensors", "a", "the name occurs twice"),
    ] {
      try shard(other, TensorName(tensor))
      let found = try #require(error(reading: scratch.path), "\(other)")
      #expect(found.category == .failed && found.description.contains(expected), "\(found)")
      #expect(!structureFaults(of: scratch.path).isEmpty)
      unsafe scratch.path.appending(other).withPlatformString { _ = unsafe unlink($0) }
    }
  }

  @Test func `all disagreements of index and shards are listed`() throws {
    try shard("a.safetensors", "here", "extra", "moved")
    try shard("b.safetensors", "twice", "here")
    let path = index(
      """
      {"here":"a.safetensors","moved":"b.safetensors","twice":"b.safetensors",
       "lost":"a.safetensors","gone":"c.safetensors"}
      """)
    let found = error(reading: path)
    #expect(found?.category == .failed)
    #expect(
      found?.details == [
        "tensor \"extra\" is in \"a.safetensors\", the index puts it nowhere",
        "tensor \"moved\" is in \"a.safetensors\", the index puts it in \"b.safetensors\"",
        "tensor \"here\" is in \"b.safetensors\", the index puts it in \"a.safetensors\"",
        "shard \"c.safetensors\" does not exist, and 1 of the tensors with it",
        "tensor \"lost\" is not in \"a.safetensors\"",
        "tensor \"moved\" is not in \"b.safetensors\"",
      ])
  }

  @Test(arguments: [
    "../a.safetensors", "/etc/passwd", "x/../../a", "..", ".", "", "a//b", "a\\\\b", "x/./a",
    "a\\u0000b",
  ])
  func `a shard's path stays in the folder`(_ shard: String) {
    let path = index("{\"x\":\"\(shard)\"}")
    #expect(error(reading: path)?.description.contains("leaves the folder") == true)
  }

  @Test(arguments: [
    ("{}", "has no weight_map"), ("{\"weight_map\":{}}", "has no weight_map"),
    ("{\"weight_map\":[]}", "expected an object"),
    ("{\"weight_map\":{\"a\":1}}", "is not a string"),
    ("{\"weight_map\":{\"a\":\"x\",\"a\":\"y\"}}", "duplicate key"), ("{", "ends too early"),
  ])
  func `a broken index is an error`(_ text: String, _ message: String) {
    let path = scratch.write(Array(text.utf8), to: "model.safetensors.index.json")
    let found = error(reading: path)?.description ?? ""
    #expect(found.contains(message), "\(found)")
  }

  @Test func `shards behind links are read, as in the hub's cache`() throws {
    try shard("blob", "x")
    let folder = scratch.makeFolder("snapshot")
    unsafe folder.appending("m.safetensors").withPlatformString {
      _ = unsafe symlink("../blob", $0)
    }
    writeFile(
      Array("{\"weight_map\":{\"x\":\"m.safetensors\"}}".utf8),
      to: folder.appending("model.safetensors.index.json"))
    #expect(try Checkpoint.open(folder).tensors.count == 1)
  }

  @Test func `writes shards and index as Hugging Face does`() throws {
    let target = scratch.path.appending("out")
    let tensors = ["c", "é\u{7F}\n", "a", "b"].map {
      Tensor(TensorName($0), .u8, [100], [UInt8](repeating: 1, count: 100))
    }
    let writer = CheckpointWriter(
      destination: target, format: .safetensors, isFolder: true, maxShardSize: 460)
    let plan = try writer.plan(tensors: tensors, metadata: ["format": "pt"])
    try writer.write(tensors: tensors, metadata: ["format": "pt"])
    #expect(
      fileNames(in: target) == [
        "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
      ])
    for file in plan.files { #expect(readFile(file.path).count == file.byteCount) }
    #expect(
      String(decoding: readFile(target.appending("model.safetensors.index.json")), as: UTF8.self)
        == """
        {
          "metadata": {
            "total_size": 400
          },
          "weight_map": {
            "a": "model-00002-of-00002.safetensors",
            "b": "model-00002-of-00002.safetensors",
            "c": "model-00001-of-00002.safetensors",
            "\\u00e9\\u007f\\n": "model-00001-of-00002.safetensors"
          }
        }

        """)
    let back = try Checkpoint.open(target)
    let found = try back.tensors.tensors.map { try ReadTensor($0) }
    #expect(try found == tensors.map { try ReadTensor($0) })
    #expect(back.metadata == ["format": "pt"])
  }

  @Test func `no shard is larger than allowed unless one tensor is`() throws {
    for seed in 0..<UInt64(20) {
      let inner = ScratchFolder()
      let random = RandomCheckpoint(seed: seed)
      let isLong = random.metadata?.entries.contains { $0.value.utf8.count > 9000 } ?? false
      if isLong { continue }
      let writer = CheckpointWriter(
        destination: inner.path.appending("o"), format: .safetensors, isFolder: true,
        maxShardSize: 1000)
      try writer.write(tensors: random.tensors, metadata: random.metadata)
      let checkpoint = try Checkpoint.open(inner.path.appending("o"))
      for file in checkpoint.files {
        let count = try Checkpoint.open(file).tensors.count
        #expect(readFile(file).count <= 1000 || count <= 1, "seed \(seed)")
      }
    }
  }

  @Test func `what fits one file is not split, and npz never is`() throws {
    let tensors = [Tensor("a", .u8, [100], [UInt8](repeating: 1, count: 100))]
    let one = scratch.path.appending("one")
    try CheckpointWriter(
      destination: one, format: .safetensors, isFolder: true, maxShardSize: 1000
    ).write(tensors: tensors)
    #expect(fileNames(in: one) == ["model.safetensors"])
    let found = #expect(throws: CheckpointError.self) {
      try CheckpointWriter(
        destination: scratch.path.appending("two"), format: .npz, isFolder: true, maxShardSize: 10
      ).write(tensors: tensors)
    }
    #expect(found?.category == .unsupported)
  }
}
