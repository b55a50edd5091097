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

/// What lies in a folder travels, or is named.
@Suite struct FolderTests {
  private let scratch = ScratchFolder()

  private func weights(_ name: String, _ tensor: TensorName = "a") {
    try? CheckpointWriter(
      destination: scratch.path.pushing(FilePath(name)), format: .safetensors, overwrite: true
    ).write(tensors: [Tensor(tensor, .u8, [1], [1])])
  }

  private func link(_ target: String, _ name: String) {
    let path = scratch.path.pushing(FilePath(name))
    unsafe path.withPlatformString { _ = unsafe symlink(target, $0) }
  }

  /// A folder with everything that a folder can have.
  private func makeModel() -> FilePath {
    let folder = scratch.makeFolder("model")
    for name in ["1_Pooling", "onnx", "empty", ".git", ".git/objects", ".git/refs"] {
      _ = scratch.makeFolder("model/" + name)
    }
    weights("model/model.safetensors")
    weights("model/adapter_model.safetensors")
    for (name, text) in [
      ("config.json", "{}"), (".gitattributes", "*"), ("1_Pooling/config.json", "{ }"),
      ("vocab.txt", ""), ("onnx/model.onnx", "lmgg"), ("pytorch_model.bin", "lmgg"),
      ("x.data-00000-of-00001", "1"), ("x.index", "not one"), (".git/HEAD", "ref"),
      (".model.ab12cd.tfpart", "x"),
    ] {
      scratch.write(Array(text.utf8), to: "model/" + name)
    }
    link("nowhere", "model/gone.json")
    link("1_Pooling", "model/2_Link")
    link("../vocab.txt", "model/1_Pooling/vocab.txt")
    let pipe = folder.appending("pipe")
    unsafe pipe.withPlatformString { _ = unsafe mkfifo($0, 0o600) }
    return folder
  }

  @Test func `everything in a folder is a companion or named`() throws {
    let around = try Checkpoint.open(makeModel()).surroundings(isDeep: true)
    #expect(
      around.companions.map { String(decoding: $0.name, as: UTF8.self) } == [
        ".gitattributes", "1_Pooling/config.json", "1_Pooling/vocab.txt", "vocab.txt", "x.index",
      ])
    #expect(
      around.weights.map { "\($0.name): \($0.what)" } == [
        "adapter_model.safetensors: safetensors", "onnx/model.onnx: a GGML file",
        "pytorch_model.bin: a GGML file",
        "x.data-00000-of-00001: the data of a TensorFlow checkpoint",
      ])
    #expect(
      around.others.map { "\($0.name): \($0.what)" } == [
        ".git: a repository's history",
        ".model.ab12cd.tfpart: what an interrupted conversion has left",
        "2_Link: a link to a folder", "empty: an empty folder",
        "gone.json: a link to where nothing is", "pipe: a pipe",
      ])
    let single = try Checkpoint.open(scratch.path.pushing("model/model.safetensors"))
    #expect(try single.surroundings(isDeep: true).companions.isEmpty)
  }

  @Test(arguments: [ContainerFormat.safetensors, .tfz]) func `there and back is the same`(
    _ format: ContainerFormat
  ) throws {
    let source = try Checkpoint.open(makeModel())
    let middle = scratch.path.appending(format == .tfz ? "m.tfz" : "m")
    try write(source, to: middle, format, isFolder: format != .tfz)
    let back = scratch.path.appending("back")
    try write(Checkpoint.open(middle), to: back, .safetensors, isFolder: true)
    #expect(
      fileNames(in: back) == [
        ".gitattributes", "1_Pooling", "config.json", "model.safetensors", "vocab.txt", "x.index",
      ])
    #expect(fileNames(in: back.appending("1_Pooling")) == ["config.json", "vocab.txt"])
    for name in ["model.safetensors", "config.json", "1_Pooling/config.json", ".gitattributes"] {
      let original = readFile(source.path.pushing(FilePath(name)))
      #expect(readFile(back.pushing(FilePath(name))) == original, "\(name)")
    }
  }

  @Test func `names that TFZ cannot hold are named`() throws {
    _ = scratch.makeFolder("model")
    weights("model/model.safetensors")
    scratch.write([1], to: "model/a\\b")
    let source = try Checkpoint.open(scratch.path.appending("model"))
    let companions = try source.surroundings(isDeep: true).companions
    let plan = try CheckpointWriter(destination: scratch.path.appending("x.tfz"), format: .tfz)
      .plan(tensors: source.tensors.tensors, companions: companions)
    #expect(plan.leftOut.map(\.name) == ["a\\b"])
    let single = try CheckpointWriter(destination: scratch.path.appending("x.npz"), format: .npz)
      .plan(tensors: source.tensors.tensors, companions: companions)
    #expect(single.leftOut.map(\.name) == ["a\\b"])
  }

  // MARK: Replacing

  private func writer(_ overwrite: Bool = true) -> CheckpointWriter {
    CheckpointWriter(
      destination: scratch.path.appending("out"), format: .safetensors, isFolder: true,
      overwrite: overwrite)
  }

  private let tensor = Tensor("new", .u8, [1], [2])

  @Test func `replacing a folder removes what would be taken for its weights, and says so`() throws
  {
    let out = scratch.makeFolder("out")
    for name in ["keep", "keep/deep", "onnx"] { _ = scratch.makeFolder("out/" + name) }
    weights("out/old.bin")
    weights("out/onnx/inner.safetensors")
    for (name, bytes) in [
      ("keep/deep/notes", [1]), ("notes", [2]), ("pytorch_model.bin", [3]),
      ("config.json", [4]), ("optimizer.state", Array("lmgg".utf8)),
    ] as [(String, [UInt8])] {
      scratch.write(bytes, to: "out/" + name)
    }
    let plan = try writer().plan(tensors: [tensor])
    #expect(
      plan.removed.map { "\($0.name): \($0.what)" } == [
        "config.json: a config", "old.bin: safetensors",
        "pytorch_model.bin: what is called like weights",
      ])
    try writer().write(plan)
    #expect(
      fileNames(in: out) == ["keep", "model.safetensors", "notes", "onnx", "optimizer.state"])
    #expect(readFile(out.pushing("keep/deep/notes")) == [1])
    #expect(fileNames(in: out.appending("onnx")) == ["inner.safetensors"])
    #expect(scratch.names == ["out"])
    #expect(try Checkpoint.open(out).tensors.tensors.map(\.name) == ["new"])
  }

  @Test func `a folder gives no way to a file, nor a file to a folder`() throws {
    _ = scratch.makeFolder("out")
    _ = scratch.makeFolder("out/notes")
    scratch.write([1], to: "out/1_Pooling")
    let notes = try CompanionFile(scratch.write([2], to: "x"), name: Array("notes".utf8))
    let inner = try CompanionFile(scratch.write([2], to: "x"), name: Array("1_Pooling/x".utf8))
    for (file, text) in [(notes, "is a folder, and a file"), (inner, "is no folder, and a file")] {
      let found = #expect(throws: CheckpointError.self) {
        try writer().write(tensors: [tensor], companions: [file])
      }
      #expect(found?.description.contains(text) == true, "\(String(describing: found))")
      #expect(found?.category == .refused)
    }
    #expect(scratch.names == ["out", "x"])
  }

  @Test func `a target within the source does not travel into itself`() throws {
    _ = scratch.makeFolder("out")
    weights("model.safetensors")
    scratch.write([1], to: "notes")
    scratch.write([1], to: "out/notes")
    let source = try Checkpoint.open(scratch.path)
    let companions = try source.surroundings(isDeep: true).companions
    let plan = try writer().plan(tensors: source.tensors.tensors, companions: companions)
    #expect(plan.leftOut.map { "\($0.name): \($0.what)" } == ["out/notes: it is in the target"])
    // And a source within the target keeps it from being replaced.
    let target = CheckpointWriter(
      destination: scratch.path, format: .safetensors, isFolder: true, overwrite: true,
      sources: [scratch.path.pushing("out/notes")])
    let found = #expect(throws: CheckpointError.self) { try target.plan(tensors: [tensor]) }
    #expect(found?.description.contains("has the source in it") == true)
  }

  @Test func `an error leaves no folder behind`() throws {
    let notes = try CompanionFile(scratch.write([2], to: "x"), name: Array("a/b/c".utf8))
    scratch.write([2, 3], to: "x")
    #expect(throws: CheckpointError.self) {
      try writer().write(tensors: [tensor], companions: [notes])
    }
    #expect(scratch.names == ["x"])
  }

  // MARK: What is no model

  @Test func `a hub cache names its snapshot`() {
    for name in ["c", "c/refs", "c/blobs", "c/snapshots", "c/snapshots/abc", "c/snapshots/def"] {
      _ = scratch.makeFolder(name)
    }
    scratch.write(Array("def".utf8), to: "c/refs/main")
    weights("c/snapshots/abc/model.safetensors")
    for path in ["c", "c/snapshots"] {
      let text = error(reading: scratch.path.pushing(FilePath(path)))?.description ?? ""
      #expect(text.contains("is a cache of the hub"))
      #expect(text.contains("c/snapshots/def\", \""), "that of main comes first: \(text)")
    }
    let above = error(reading: scratch.path)?.description ?? ""
    #expect(above.contains("name one of those in it: \"") && above.contains("snapshots/abc\""))
  }

  @Test func `a shard is called one`() throws {
    _ = scratch.makeFolder("m")
    weights("m/model-00002-of-00003.safetensors", "b")
    let path = scratch.path.pushing("m/model-00002-of-00003.safetensors")
    #expect(try Checkpoint.open(path).part == .shard(number: 2, count: 3, whole: nil))
    let index = """
      {"weight_map": {"b": "model-00002-of-00003.safetensors", "a": "x", "c": "y"}}
      """
    scratch.write(Array(index.utf8), to: "m/model.safetensors.index.json")
    let folder = scratch.path.appending("m")
    let part = try Checkpoint.open(path).part
    #expect(part == .shard(number: 2, count: 3, whole: folder))
    #expect(part?.words == "shard 2 of 3; the model is \(folder)/")
    // Where the folder means something else, the index is the model.
    weights("m/model.safetensors")
    let whole = folder.appending("model.safetensors.index.json")
    #expect(try Checkpoint.open(path).part == .shard(number: 2, count: 3, whole: whole))
    #expect(try Checkpoint.open(folder).part == nil)
    weights("m/model-00001-of-00001.safetensors")
    #expect(try Checkpoint.open(folder.appending("model-00001-of-00001.safetensors")).part == nil)
  }

  @Test func `an adapter is called one`() throws {
    _ = scratch.makeFolder("m")
    weights("m/adapter_model.safetensors", "base_model.model.h.0.attn.lora_A.weight")
    let folder = scratch.path.appending("m")
    #expect(try Checkpoint.open(folder).part == .adapter(base: nil))
    scratch.write(
      Array("{\"base_model_name_or_path\": \"gpt2\"}".utf8), to: "m/adapter_config.json")
    #expect(try Checkpoint.open(folder).part == .adapter(base: "gpt2"))
    weights("m/adapter_model.safetensors", "h.0.attn.weight")
    #expect(try Checkpoint.open(folder).part == nil)
  }
}
