import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

@Suite struct ConversionTests {
  private func convert(
    _ source: FilePath, to destination: FilePath, isFolder: Bool = false, overwrite: Bool = false,
    maxShardSize: Int? = nil
  ) throws {
    let target = Conversion.Target(
      destination, isFolder: isFolder, overwrite: overwrite, maxShardSize: maxShardSize)
    try Conversion(Checkpoint.open(source, options: OpenOptions()), to: target).run()
  }

  private func failure(_ work: () throws -> Void) -> CheckpointError? {
    #expect(throws: CheckpointError.self) { try work() }
  }

  @Test(
    arguments: goldenCases.filter {
      fileNames(in: fixture($0)).contains("model.safetensors")
    })
  func `there and back again is the same file, byte for byte`(_ name: String) throws {
    let folder = ScratchFolder()
    let source = fixture("\(name)/model.safetensors")
    let (npz, again) = (folder.path.appending("m.npz"), folder.path.appending("m.safetensors"))
    try convert(source, to: npz)
    try convert(npz, to: again)
    if name.contains("/mlx") {
      // Its program writes heads in an order of its own.
      #expect(try tensors(in: again) == tensors(in: source))
    } else {
      #expect(readFile(again) == readFile(source))
    }
    // The config travels, and the model is still the same.
    let own = try #require(Checkpoint.open(source, options: OpenOptions()).config?.path)
    let config = fixture("\(name)/\(own.lastComponent?.string ?? "")")
    #expect(readFile(folder.path.appending("m.npz.config.json")) == readFile(config))
    #expect(try Model(npz).check(golden(name)).isVerified)
  }

  @Test func `a folder gets weights, config and the small files`() throws {
    let folder = ScratchFolder()
    let source = folder.makeFolder("source")
    for name in ["model.safetensors", "config.json"] {
      writeFile(readFile(fixture("bert/base/\(name)")), to: source.appending(name))
    }
    writeFile(Array("words".utf8), to: source.appending("vocab.txt"))
    writeFile(Array("{}".utf8), to: source.appending("tokenizer.json"))
    writeFile(
      readFile(fixture("bert/base/golden.npz")), to: source.appending("pytorch_model.bin"))
    writeFile(Array("x".utf8), to: source.appending(".hidden"))
    let target = folder.path.appending("target")
    try convert(source, to: target, isFolder: true)
    #expect(
      fileNames(in: target) == [
        ".hidden", "config.json", "model.safetensors", "tokenizer.json", "vocab.txt",
      ])
    for name in fileNames(in: target) {
      #expect(readFile(target.appending(name)) == readFile(source.appending(name)))
    }
    #expect(folder.names == ["source", "target"])
  }

  @Test func `shards are small, complete, and the same model`() throws {
    let folder = ScratchFolder()
    let target = folder.path.appending("shards")
    let source = fixture("bert/base")
    try convert(source, to: target, isFolder: true, maxShardSize: 20_000)
    let shards = fileNames(in: target).filter { $0.hasSuffix(".safetensors") }
    #expect(shards.count > 1)
    for shard in shards { #expect(readFile(target.appending(shard)).count <= 20_000) }
    #expect(try compare(Model(source), Model(target)).verdict == .identical)
    let one = folder.path.appending("one.safetensors")
    try convert(target, to: one)
    #expect(try compare(Model(source), Model(one)).verdict == .identical)
  }

  @Test func `an existing target stays as it is`() throws {
    let folder = ScratchFolder()
    let file = folder.write([1, 2, 3], to: "m.npz")
    let error = failure { try convert(fixture("bert/base"), to: file) }
    #expect(error?.category == .refused && error?.advice == "--force replaces it")
    #expect(readFile(file) == [1, 2, 3] && folder.names == ["m.npz"])
    try convert(fixture("bert/base"), to: file, overwrite: true)
    #expect(try Model(file).check(golden("bert/base")).isVerified)
  }

  @Test func `an existing folder stays as it is`() throws {
    let folder = ScratchFolder()
    let target = folder.makeFolder("target")
    writeFile([7], to: target.appending("note.txt"))
    let error = failure { try convert(fixture("bert/base"), to: target, isFolder: true) }
    #expect(error?.category == .refused && error?.advice == "--force replaces it")
    #expect(fileNames(in: target) == ["note.txt"] && folder.names == ["target"])
    try convert(fixture("bert/base"), to: target, isFolder: true, overwrite: true)
    #expect(fileNames(in: target) == ["config.json", "model.safetensors", "note.txt"])
  }

  @Test func `a source is never its own target`() throws {
    let folder = ScratchFolder()
    let source = try Variant("base").write(to: folder)
    let before = readFile(source)
    let error = failure { try convert(source, to: source, overwrite: true) }
    #expect(error?.category == .refused)
    #expect(readFile(source) == before)
    #expect(folder.names == ["model.safetensors", "model.safetensors.config.json"])
  }

  @Test func `a source's config is never a target either`() throws {
    let folder = ScratchFolder()
    let source = try Variant("base").write(to: folder)
    let config = folder.path.appending("model.safetensors.config.json")
    let before = readFile(config)
    let target = Conversion.Target(config, format: .npz, overwrite: true)
    let error = failure { try Conversion(Checkpoint.open(source), to: target).run() }
    #expect(error?.category == .refused)
    #expect(readFile(config) == before)
  }

  @Test(arguments: ["m.onnx", "m.mar", "m.safetensors.gz", "m.zip"])
  func `an unknown extension is not supported, and says what is`(_ name: String) throws {
    let folder = ScratchFolder()
    let error = failure { try convert(fixture("bert/base"), to: folder.path.appending(name)) }
    #expect(error?.category == .unsupported)
    for format in ContainerFormat.written {
      #expect(error?.description.contains(".\(format.fileExtension)") ?? false)
    }
    #expect(folder.names.isEmpty)
  }

  @Test func `npy holds one tensor`() throws {
    let folder = ScratchFolder()
    let error = failure {
      try convert(fixture("bert/base"), to: folder.path.appending("m.npy"))
    }
    #expect(error != nil && folder.names.isEmpty)
  }

  @Test func `a file without a tensor is no empty checkpoint`() throws {
    let folder = ScratchFolder()
    let error = failure {
      try convert(
        fixture("containers/torch/good/nothing.bin"),
        to: folder.path.appending("out.safetensors"))
    }
    #expect(error?.description.contains("has no tensor in it") == true)
    #expect(folder.names == [])
  }

  @Test func `a plan writes nothing, and says what would be written`() throws {
    let folder = ScratchFolder()
    let target = folder.path.appending("m.safetensors")
    let plan = try Conversion(
      Checkpoint.open(fixture("bert/base")), to: Conversion.Target(target)
    ).plan()
    #expect(folder.names.isEmpty)
    try convert(fixture("bert/base"), to: target)
    #expect(plan.files.map(\.path.lastComponent?.string).compactMap(\.self) == folder.names)
    #expect(
      plan.files.map(\.byteCount) == folder.names.map { readFile(folder.path.appending($0)).count })
    #expect(plan.files.map(\.tensorCount) == [39, 0])
  }

  @Test func `progress ends where the plan says`() throws {
    let folder = ScratchFolder()
    let conversion = try Conversion(
      Checkpoint.open(fixture("bert/base")),
      to: Conversion.Target(folder.path.appending("m.npz")))
    var heard: [Int] = []
    try conversion.run { heard.append($0) }
    #expect(heard == heard.sorted())
    #expect(try heard.last == conversionSize(folder))
  }

  private func conversionSize(_ folder: ScratchFolder) throws -> Int {
    folder.names.reduce(0) { $0 + readFile(folder.path.appending($1)).count }
  }

  @Test func `a target folder that does not exist is an error`() throws {
    let folder = ScratchFolder()
    let target = folder.path.appending("no").appending("such").appending("m.npz")
    let error = failure { try convert(fixture("bert/base"), to: target) }
    #expect(error?.category == .failed)
    #expect(folder.names.isEmpty)
  }
}
