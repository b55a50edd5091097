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

/// A target appears whole or not at all, and nothing else is touched.
@Suite struct WriterTests {
  private let scratch = ScratchFolder()
  private let tensor = Tensor("w", .f32, [2], [1, 2, 3, 4, 5, 6, 7, 8])

  /// Bytes that cannot be read.
  private struct BrokenBytes: TensorBytes {
    let count = 10_000_000
    func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
      if offset > 5_000_000 { throw CheckpointError(.changedWhileRead, file: "source") }
    }
  }

  private func writer(
    _ name: String, isFolder: Bool = false, overwrite: Bool = false, sources: [FilePath] = []
  ) -> CheckpointWriter {
    CheckpointWriter(
      destination: scratch.path.pushing(FilePath(name)), format: .safetensors, isFolder: isFolder,
      overwrite: overwrite, sources: sources)
  }

  private func refusal(_ body: () throws -> Void) -> String {
    do {
      try body()
      return "nothing was refused"
    } catch let error as CheckpointError {
      return error.category == .refused ? error.description : "not refused: \(error)"
    } catch {
      return "\(error)"
    }
  }

  private func makeLink(_ target: String, _ name: String) {
    unsafe scratch.path.appending(name).withPlatformString { _ = unsafe symlink(target, $0) }
  }

  // MARK: Files

  @Test func `an existing file is replaced only if asked`() throws {
    let old = scratch.write([1], to: "x")
    #expect(refusal { try writer("x").write(tensors: [tensor]) }.contains("exists already"))
    #expect(refusal { _ = try writer("x").plan(tensors: [tensor]) }.contains("exists already"))
    #expect(readFile(old) == [1])
    try writer("x", overwrite: true).write(tensors: [tensor])
    #expect(try readAll(old) == [ReadTensor(tensor)])
    #expect(scratch.names == ["x"])
  }

  @Test func `a pipe is not replaced, nor is a link to one`() throws {
    let pipe = scratch.path.appending("pipe")
    unsafe pipe.withPlatformString { _ = unsafe mkfifo($0, 0o600) }
    makeLink("pipe", "link")
    for name in ["pipe", "link"] {
      let text = refusal { try writer(name, overwrite: true).write(tensors: [tensor]) }
      #expect(text.contains("is a pipe, and a file was to be written"))
    }
    #expect(try pipe.stat().type == .fifo)
    #expect(scratch.names == ["link", "pipe"])
  }

  @Test func `a replaced file's other name keeps the old bytes`() throws {
    let old = scratch.write([1], to: "x")
    unsafe old.withPlatformString { old in
      unsafe scratch.path.appending("other").withPlatformString { _ = unsafe link(old, $0) }
    }
    try writer("x", overwrite: true).write(tensors: [tensor])
    #expect(readFile(scratch.path.appending("other")) == [1])
    #expect(try readAll(old) == [ReadTensor(tensor)])
    #expect(scratch.names == ["other", "x"])
  }

  @Test func `a file that appears meanwhile is not replaced`() {
    let text = refusal {
      try writer("x").write(
        tensors: [tensor], beforeCommit: { _ in scratch.write([1], to: "x") })
    }
    #expect(text.contains("exists already"))
    #expect(readFile(scratch.path.appending("x")) == [1])
    #expect(scratch.names == ["x"])
  }

  @Test func `an error leaves nothing behind`() {
    let broken = Tensor(name: "b", dtype: .u8, shape: [10_000_000], bytes: BrokenBytes())
    for isFolder in [false, true] {
      let found = #expect(throws: CheckpointError.self) {
        try writer("x", isFolder: isFolder).write(
          tensors: [tensor, broken], config: [1], companions: [])
      }
      #expect(found?.tensor == "b")
      #expect(found?.file == "source")
      #expect(scratch.names.isEmpty)
    }
  }

  @Test(arguments: [false, true]) func `nothing has a name before it is checked`(
    _ isFolder: Bool
  ) throws {
    var seen: [String] = []
    let found = #expect(throws: CheckpointError.self) {
      try writer("x", isFolder: isFolder).write(
        tensors: [tensor],
        beforeCommit: { written throws(CheckpointError) in
          seen = scratch.names
          #expect(try Checkpoint.open(written.path).tensors.count == 1)
          throw CheckpointError(.refused("told to"))
        })
    }
    #expect(found?.problem == .refused("told to"))
    #expect(seen.count == 1 && seen[0].hasPrefix(".x.") && seen[0].hasSuffix(".tfpart"))
    #expect(scratch.names.isEmpty)
  }

  @Test func `a signal handler can remove everything unfinished`() async {
    // In a process of its own: it would remove what other tests are writing.
    await #expect(processExitsWith: .success) {
      for isFolder in [false, true] {
        let scratch = ScratchFolder()
        let writer = CheckpointWriter(
          destination: scratch.path.appending("x"), format: .safetensors, isFolder: isFolder)
        let tensor = Tensor("w", .u8, [1], [1])
        #expect(throws: CheckpointError.self) {
          try writer.write(
            tensors: [tensor], config: [1],
            beforeCommit: { _ throws(CheckpointError) in
              #expect(scratch.names.count == (isFolder ? 1 : 2))
              TemporaryFiles.removeAll()
              #expect(scratch.names.isEmpty)
            })
        }
        #expect(scratch.names.isEmpty)
      }
    }
  }

  @Test func `what a dead run left is removed, a living run's is not`() throws {
    scratch.write([1], to: ".x.abcdef.tfpart")
    let living = scratch.write([2], to: ".x.ghijkl.tfpart")
    _ = scratch.makeFolder(".x.mnopqr.tfpart")
    scratch.write([3], to: ".x.mnopqr.tfpart/model.safetensors")
    scratch.write([4], to: ".y.abcdef.tfpart")
    scratch.write([5], to: ".x.toolong7.tfpart")
    let lock = try FileDescriptor.open(living, .readOnly)
    #expect(flock(lock.rawValue, LOCK_EX | LOCK_NB) == 0)
    try writer("x").write(tensors: [tensor])
    try lock.close()
    #expect(
      scratch.names == [".x.ghijkl.tfpart", ".x.toolong7.tfpart", ".y.abcdef.tfpart", "x"])
  }

  @Test func `config goes beside a file, and equal bytes are left alone`() throws {
    try writer("x").write(tensors: [tensor], config: [1, 2])
    #expect(scratch.names == ["x", "x.config.json"])
    #expect(readFile(scratch.path.appending("x.config.json")) == [1, 2])
    scratch.write([1, 2], to: "y.config.json")
    try writer("y").write(tensors: [tensor], config: [1, 2])
    scratch.write([9], to: "z.config.json")
    let text = refusal { try writer("z").write(tensors: [tensor], config: [1, 2]) }
    #expect(text.contains("z.config.json: exists already and differs"))
    #expect(readFile(scratch.path.appending("z.config.json")) == [9])
    try writer("z", overwrite: true).write(tensors: [tensor], config: [1, 2])
    #expect(readFile(scratch.path.appending("z.config.json")) == [1, 2])
  }

  @Test func `another model's config is not taken for the new file's`() throws {
    scratch.write([9], to: "x.config.json")
    let text = refusal { try writer("x", overwrite: true).write(tensors: [tensor]) }
    #expect(text.contains("x.config.json: exists, and would be taken for the config"))
  }

  @Test func `the source is never touched`() throws {
    try writer("source").write(tensors: [tensor])
    let source = try Checkpoint.open(scratch.path.appending("source"))
    makeLink("source", "link")
    unsafe scratch.path.appending("source").withPlatformString { old in
      unsafe scratch.path.appending("hard").withPlatformString { _ = unsafe link(old, $0) }
    }
    let before = readFile(source.path)
    for name in ["source", "link", "hard"] {
      let text = refusal {
        try writer(name, overwrite: true, sources: source.allFiles)
          .write(tensors: source.tensors.tensors)
      }
      #expect(text.contains("is the source itself"), "\(name): \(text)")
    }
    #expect(readFile(source.path) == before)
  }

  @Test func `progress counts every byte`() throws {
    let large = Tensor("l", .u8, [9 << 20], [UInt8](repeating: 3, count: 9 << 20))
    var heard: [Int] = []
    let plan = try writer("x").plan(tensors: [large], config: [1])
    try writer("x").write(tensors: [large], config: [1], progress: { heard.append($0) })
    #expect(heard == heard.sorted())
    #expect(heard.last == plan.byteCount)
    #expect(heard.count >= 4)
  }

  // MARK: Folders

  @Test func `a folder appears with everything in it`() throws {
    let notes = scratch.write([7], to: "notes.txt")
    try writer("out/", isFolder: true).write(
      tensors: [tensor], config: [1, 2], companions: [CompanionFile(notes)])
    let out = scratch.path.appending("out")
    #expect(fileNames(in: out) == ["config.json", "model.safetensors", "notes.txt"])
    #expect(readFile(out.appending("notes.txt")) == [7])
    #expect(scratch.names == ["notes.txt", "out"])
  }

  @Test func `an empty folder may be filled, another only if asked`() throws {
    _ = scratch.makeFolder("out")
    try writer("out", isFolder: true).write(tensors: [tensor])
    let text = refusal { try writer("out", isFolder: true).write(tensors: [tensor]) }
    #expect(text.contains("exists already"))
  }

  @Test func `replacing a folder keeps what is not the checkpoint's`() throws {
    let out = scratch.makeFolder("out")
    let old = ["model-00001-of-00002.safetensors", "model.safetensors.index.json", "config.json"]
    for name in old {
      writeFile([1], to: out.appending(name))
    }
    writeFile([2], to: out.appending("notes.txt"))
    writeFile([3], to: out.appending("tokenizer.json"))
    let tokenizer = scratch.write([4], to: "tokenizer.json")
    try writer("out", isFolder: true, overwrite: true).write(
      tensors: [tensor], companions: [CompanionFile(tokenizer)])
    #expect(fileNames(in: out) == ["model.safetensors", "notes.txt", "tokenizer.json"])
    #expect(readFile(out.appending("notes.txt")) == [2])
    #expect(readFile(out.appending("tokenizer.json")) == [4])
    #expect(scratch.names == ["out", "tokenizer.json"])
  }

  @Test func `a folder with the source or with a pipe in it is not replaced`() throws {
    let out = scratch.makeFolder("out")
    try writer("out/model.safetensors").write(tensors: [tensor])
    let source = try Checkpoint.open(out)
    let first = refusal {
      try writer("out", isFolder: true, overwrite: true, sources: source.allFiles)
        .write(tensors: source.tensors.tensors)
    }
    #expect(first.contains("has the source in it"))
    _ = scratch.makeFolder("out/inner")
    let pipe = scratch.path.appending("out").appending("inner").appending("pipe")
    unsafe pipe.withPlatformString { _ = unsafe mkfifo($0, 0o600) }
    let second = refusal {
      try writer("out", isFolder: true, overwrite: true).write(tensors: [tensor])
    }
    #expect(second.contains("inner/pipe\" in it is no file, link or folder"), "\(second)")
    #expect(fileNames(in: out) == ["inner", "model.safetensors"])
  }

  @Test func `files and folders are not taken for each other`() {
    _ = scratch.makeFolder("folder")
    scratch.write([1], to: "file")
    makeLink("folder", "link")
    for (name, isFolder) in [("folder", false), ("file", true), ("link", true), ("link", false)] {
      let text = refusal {
        try writer(name, isFolder: isFolder, overwrite: true).write(tensors: [tensor])
      }
      #expect(text.contains(" is a "), "\(text)")
    }
  }

  @Test func `a missing parent folder is an error`() {
    let found = #expect(throws: CheckpointError.self) {
      try writer("missing/x").write(tensors: [tensor])
    }
    #expect(found?.problem == .system(ENOENT, "cannot create"))
    #expect(found?.file == scratch.path.pushing("missing/x").string)
  }
}
