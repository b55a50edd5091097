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

/// What a file or a folder that the user names is taken to be.
@Suite struct SourceTests {
  private let scratch = ScratchFolder()

  private func file(_ name: TensorName, as format: ContainerFormat = .safetensors) -> [UInt8] {
    let inner = ScratchFolder()
    let path = inner.path.appending("x")
    try? CheckpointWriter(destination: path, format: format)
      .write(tensors: [Tensor(name, .u8, [1], [1])])
    return readFile(path)
  }

  private func problem(_ path: FilePath) -> CheckpointError? {
    error(reading: path)
  }

  private func names(_ path: FilePath) throws -> [String] {
    try Checkpoint.open(path).tensors.tensors.map(\.name.text)
  }

  @Test func `a folder's usual names come first, in this order`() throws {
    scratch.write(file("other"), to: "another.safetensors")
    scratch.write(file("tfz", as: .tfz), to: "model.tfz")
    #expect(try names(scratch.path) == ["tfz"])
    scratch.write(file("npz", as: .npz), to: "model.npz")
    #expect(try names(scratch.path) == ["npz"])
    scratch.write(
      Array("{\"weight_map\":{\"other\":\"another.safetensors\"}}".utf8),
      to: "model.safetensors.index.json")
    let sharded = try Checkpoint.open(scratch.path)
    #expect(sharded.tensors.tensors.map(\.name) == ["other"])
    #expect(sharded.index == scratch.path.appending("model.safetensors.index.json"))
    #expect(sharded.files == [scratch.path.appending("another.safetensors")])
    // transformers reads the single file where there are both: the index is of an older save.
    scratch.write(file("safetensors"), to: "model.safetensors")
    let checkpoint = try Checkpoint.open(scratch.path)
    #expect(checkpoint.tensors.tensors.map(\.name) == ["safetensors"])
    #expect(checkpoint.index == nil)
    #expect(
      try checkpoint.surroundings(isDeep: false).weights.map { "\($0.name): \($0.what)" } == [
        "another.safetensors: safetensors", "model.npz: npz",
        "model.safetensors.index.json: a shard index", "model.tfz: tfz",
      ])
  }

  @Test func `a folder's container may be chosen by its format`() throws {
    scratch.write(file("npz", as: .npz), to: "model.npz")
    scratch.write(file("safetensors"), to: "model.safetensors")
    let path = scratch.path
    #expect(try Checkpoint.open(path, format: .npz).tensors.tensors.map(\.name) == ["npz"])
  }

  @Test func `weights are told by bytes, whatever they are called`() throws {
    scratch.write(file("a"), to: "pytorch_model.bin")
    #expect(try names(scratch.path) == ["a"])
  }

  @Test func `when the shards are gone, what else could be named is said`() throws {
    scratch.write(
      Array("{\"weight_map\":{\"a\":\"model-00001-of-00002.safetensors\"}}".utf8),
      to: "model.safetensors.index.json")
    scratch.write(file("b"), to: "other.safetensors")
    let text = problem(scratch.path)?.description ?? ""
    #expect(text.contains("\"other.safetensors\" beside it can be named instead"), "\(text)")
  }

  @Test func `a folder's only container is told by its bytes`() throws {
    scratch.write(file("w", as: .npz), to: "weights.data")
    scratch.write(Array("{}".utf8), to: "config.json")
    scratch.write(Array("hello".utf8), to: "notes.txt")
    let checkpoint = try Checkpoint.open(scratch.path)
    #expect(checkpoint.format == .npz)
    let companions = try checkpoint.surroundings(isDeep: true).companions
    #expect(companions.map { String(decoding: $0.name, as: UTF8.self) } == ["notes.txt"])
  }

  @Test func `several containers are an error that names them`() {
    scratch.write(file("a"), to: "a.safetensors")
    scratch.write(file("b"), to: "b\n.safetensors")
    let text = problem(scratch.path)?.description ?? ""
    #expect(text.contains("several containers: \"a.safetensors\", \"b\\u{a}.safetensors\""))
  }

  @Test func `a folder without weights is an error`() {
    #expect(problem(scratch.path)?.description.contains("no container in it") == true)
    scratch.write([0x80, 2, 0x7D], to: "pytorch_model.bin")
    #expect(problem(scratch.path)?.category == .unsupported)
    #expect(problem(scratch.path)?.file?.hasSuffix("pytorch_model.bin") == true)
  }

  @Test func `a file's own config comes before its folder's`() throws {
    let path = scratch.write(file("a"), to: "m.safetensors")
    #expect(try Checkpoint.open(path).config == nil)
    scratch.write(Array("{\"a\":NaN}".utf8), to: "config.json")
    #expect(try Checkpoint.open(path).config?.value["a"]?.double?.isNaN == true)
    scratch.write(Array("{\"a\":2}".utf8), to: "m.safetensors.config.json")
    #expect(try Checkpoint.open(path).config?.value["a"] == 2)
    let third = scratch.write(Array("{\"a\":3}".utf8), to: "other.json")
    #expect(try Checkpoint.open(path, config: third).config?.value["a"] == 3)
  }

  @Test(arguments: [
    ("{\"a\":1,}", "config.json: at byte 7: expected a key in quotes"),
    ("[]", "config.json: is not a JSON object"), ("", "config.json: the file is empty"),
    ("\u{FEFF}{}", "config.json: begins with a byte order mark"),
    ("version https://git-lfs.github.com/spec/v1\noid sha256:0", "is a Git LFS pointer"),
    ("<!-- -->\n<!DOCTYPE html><html>", "config.json: is a web page"),
    ("Entry not found", "config.json: holds only \"Entry not found\""),
    ("{\"a\":1,\"a\":2}", "duplicate key \"a\""),
  ])
  func `a broken config.json is an error`(_ text: String, _ message: String) {
    scratch.write(file("a"), to: "model.safetensors")
    scratch.write(Array(text.utf8), to: "config.json")
    let found = problem(scratch.path)
    #expect(found?.description.contains(message) == true, "\(found?.description ?? "")")
    #expect(found?.category == .failed)
  }

  @Test func `what is no regular file is refused at once`() {
    let pipe = scratch.path.appending("pipe")
    unsafe pipe.withPlatformString { _ = unsafe mkfifo($0, 0o600) }
    #expect(problem(pipe)?.description.contains("is a pipe, not a regular file") == true)
    #expect(problem("/dev/zero")?.description.contains("is a device") == true)
    #expect(problem(scratch.path.appending("missing"))?.problem == .system(ENOENT, "cannot open"))
    let link = scratch.path.appending("link")
    unsafe link.withPlatformString { _ = unsafe symlink("nowhere", $0) }
    #expect(
      problem(link)?.description.contains("is a link to \"nowhere\", where nothing is") == true)
    #expect(problem("-")?.description.contains("standard input is not read") == true)
    let address = problem("s3://bucket/model")
    #expect(address?.file == "s3://bucket/model")
    #expect(address?.category == .unsupported)
  }

  @Test func `a name that is not UTF-8 opens and prints`() throws {
    let name: [CChar] = [0x61, -1, 0x62, 0]
    let path = try #require(FilePath.Component(platformString: name))
    let target = scratch.path.appending(path)
    writeFile(file("a"), to: target)
    #expect(try names(target) == ["a"])
    #expect(displayed(target).hasSuffix("/a\\xFFb"))
    writeFile([1, 2, 3], to: target)
    #expect(problem(target)?.file?.hasSuffix("/a\\xFFb") == true)
  }

  @Test func `the container is told by bytes, or by the user`() throws {
    let path = scratch.write(file("a", as: .npz), to: "m.safetensors")
    #expect(try Checkpoint.open(path).format == .npz)
    #expect(throws: CheckpointError.self) { try Checkpoint.open(path, format: .safetensors) }
  }

  @Test func `a file that changes while it is read is an error`() throws {
    let path = scratch.write(file("a"), to: "m.safetensors")
    let cut = try Checkpoint.open(path)
    unsafe path.withPlatformString { _ = unsafe truncate($0, 20) }
    let problem = #expect(throws: CheckpointError.self) {
      try cut.tensors.tensors[0].bytes.read(0..<1)
    }
    #expect(problem?.problem == .changedWhileRead)
    let good = file("a")
    writeFile(good, to: path)
    let touched = try Checkpoint.open(path)
    var times = [timespec(tv_sec: 1, tv_nsec: 1), timespec(tv_sec: 1, tv_nsec: 1)]
    unsafe path.withPlatformString { _ = unsafe utimensat(AT_FDCWD, $0, &times, 0) }
    let second = #expect(throws: CheckpointError.self) {
      try touched.tensors.tensors[0].bytes.read(0..<1)
    }
    #expect(second?.problem == .changedWhileRead)
  }
}
