import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// Models in several GGUF files. `Fixtures/containers/gguf/split` is what gguf-py writes.
@Suite struct GGUFSplitTests {
  private static let folder = fixture("containers/gguf/split/parts")
  private static let names = (1...3).map { "model-0000\($0)-of-00003.gguf" }
  private let scratch = ScratchFolder()

  @Test(arguments: ["", "/model-00001-of-00003.gguf", "/model-00003-of-00003.gguf"])
  func `a model that was split is read whole, whichever file is named`(_ name: String) throws {
    let checkpoint = try Checkpoint.open(FilePath(Self.folder.string + name))
    #expect(checkpoint.tensors.tensors.map(\.name.text) == (0..<5).map { "t.\($0)" })
    #expect(checkpoint.files.count == 3 && checkpoint.part == nil)
    #expect(checkpoint.metadata?["general.name"] == "in parts")
    for (number, tensor) in checkpoint.tensors.tensors.enumerated() {
      #expect(
        try tensor.dtype.element(at: 7, of: tensor.bytes(of: 0..<8)) == .single(Float(number)))
    }
  }

  // MARK: Faults

  private func fault(_ files: [(from: String, to: String)]) -> String {
    fault(files.map { (readFile(Self.folder.appending($0.from)), $0.to) })
  }

  private func fault(_ files: [(bytes: [UInt8], to: String)]) -> String {
    let folder = scratch.makeFolder("\(scratch.names.count)")
    for (bytes, to) in files { writeFile(bytes, to: folder.appending(to)) }
    return error(reading: folder.appending(files[0].to))?.description ?? "none"
  }

  @Test func `files that are missing are named, with what the file is that is there`() {
    let names = Self.names
    #expect(
      fault([(names[0], names[0]), (names[1], names[1])]).hasSuffix(
        "is file 1 of 3 of a model, and \"\(names[2])\" is not beside it"))
    #expect(
      fault([(names[1], names[1])]).contains(
        "is file 2 of 3 of a model, and \"\(names[0])\", \"\(names[2])\" are not beside it"))
  }

  @Test func `a file that is another one than its name says is an error`() {
    let names = Self.names
    #expect(
      fault([(names[0], names[0]), (names[0], names[1]), (names[2], names[2])])
        .contains("\(names[1]): is file 1 of 3 by its metadata, and not file 2 of 3"))
    for other in ["model.gguf", names[1], "model-00001-of-00004.gguf"] {
      #expect(
        fault([(names[0], other), (names[1], names[0]), (names[2], names[2])]).contains(
          "is file 1 of 3 by its metadata, and is not called so: …-00001-of-00003.gguf"), "\(other)"
      )
    }
  }

  /// A file of several, with tensors of eight zeros each, and a key-value of text.
  private func file(
    _ number: Int, of count: Int, _ tensors: [String], all: Int, name: String? = nil
  ) -> (bytes: [UInt8], to: String) {
    func text(_ text: String) -> [UInt8] { little(UInt64(text.utf8.count)) + Array(text.utf8) }
    var values = [
      text("split.no") + little(UInt32(2)) + little(UInt16(number - 1)),
      text("split.count") + little(UInt32(2)) + little(UInt16(count)),
      text("split.tensors.count") + little(UInt32(5)) + little(Int32(all)),
    ]
    if let name { values.append(text("general.name") + little(UInt32(8)) + text(name)) }
    var bytes = Array("GGUF".utf8) + little(UInt32(3))
    bytes += little(UInt64(tensors.count)) + little(UInt64(values.count)) + values.joined()
    for (place, name) in tensors.enumerated() {
      bytes += text(name) + little(UInt32(1)) + little(UInt64(8)) + little(UInt32(0))
      bytes += little(UInt64(32 * place))
    }
    bytes += [UInt8](repeating: 0, count: (32 - bytes.count % 32) % 32 + 32 * tensors.count)
    return (bytes, "m-0000\(number)-of-0000\(count).gguf")
  }

  private func little(_ number: some FixedWidthInteger) -> [UInt8] {
    (0..<number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
  }

  @Test func `files that contradict each other are an error`() {
    let first = file(1, of: 2, ["a"], all: 2, name: "one")
    let second = file(2, of: 2, ["b"], all: 2, name: "one")
    #expect(fault([first, second]) == "none")
    #expect(
      fault([first, file(2, of: 2, ["a"], all: 2)]).hasSuffix(
        "m-00002-of-00002.gguf: tensor \"a\": \"m-00001-of-00002.gguf\" has a tensor of this name, too"
      ))
    #expect(
      fault([first, file(2, of: 2, ["b"], all: 3)]).hasSuffix(
        "m-00002-of-00002.gguf: split.tensors.count is 3, in the first file 2:"
          + " these are files of two models"))
    #expect(
      fault([first, file(2, of: 2, ["b"], all: 2, name: "two")]).hasSuffix(
        "m-00002-of-00002.gguf: key \"general.name\" differs from the first file's:"
          + " these are files of two models"))
    #expect(
      fault([
        file(1, of: 2, ["a"], all: 3), file(2, of: 2, ["b"], all: 3),
      ]).hasSuffix("m-00001-of-00002.gguf: split.tensors.count is 3, the files have 2"))
    let third = (bytes: file(2, of: 3, ["b"], all: 2).bytes, to: second.to)
    #expect(
      fault([first, third]).hasSuffix(
        "m-00002-of-00002.gguf: is file 2 of 3 by its metadata, and not file 2 of 2"))
  }

  // MARK: Writing

  private func write(_ checkpoint: Checkpoint, to name: String, limit: Int?) throws -> FilePath {
    let target = scratch.path.appending(name)
    let writer = CheckpointWriter(
      destination: target, format: .gguf, isFolder: true, maxShardSize: limit,
      belongings: checkpoint.belongings)
    let plan = try writer.plan(
      tensors: checkpoint.tensors.tensors, metadata: checkpoint.metadata)
    try writer.write(plan)
    for file in plan.files { #expect(readFile(file.path).count == file.byteCount) }
    return target
  }

  @Test func `writes the files that gguf-py writes`() throws {
    let checkpoint = try Checkpoint.open(Self.folder)
    let target = try write(checkpoint, to: "again", limit: 450)
    #expect(fileNames(in: target) == Self.names)
    for name in Self.names {
      #expect(readFile(target.appending(name)) == readFile(Self.folder.appending(name)), "\(name)")
    }
    let whole = try write(checkpoint, to: "whole", limit: nil)
    #expect(fileNames(in: whole) == ["model.gguf"])
    #expect(try readAll(whole) == readAll(target))
    #expect(try Checkpoint.open(whole).metadata == checkpoint.metadata)
  }

  @Test(arguments: [200, 400, 700, 1000, 5000])
  func `no file is larger than allowed unless one tensor is`(_ limit: Int) throws {
    let source = fixture("containers/gguf/models/llama.gguf")
    let checkpoint = try Checkpoint.open(source)
    let target = try write(checkpoint, to: "o", limit: limit)
    let back = try Checkpoint.open(target)
    #expect(back.files.count > 1)
    #expect(try readAll(target) == readAll(source))
    for (number, file) in back.files.enumerated() {
      let count = Int(readFile(file)[8]) + 256 * Int(readFile(file)[9])
      // What is true of the whole model stands in the first file, however long it is.
      #expect(readFile(file).count <= limit || count <= (number == 0 ? 0 : 1), "\(number)")
    }
    // Bytes, key-values and their order are those of a file that was never split.
    let once = try write(checkpoint, to: "once", limit: nil)
    let twice = try write(back, to: "twice", limit: nil)
    #expect(
      readFile(once.appending("model.gguf")) == readFile(twice.appending("model.gguf")))
  }

  @Test func `what an older run has left in more files goes with them`() throws {
    let checkpoint = try Checkpoint.open(Self.folder)
    let target = try write(checkpoint, to: "again", limit: 450)
    try CheckpointWriter(
      destination: target, format: .gguf, isFolder: true, overwrite: true,
      belongings: checkpoint.belongings
    ).write(tensors: checkpoint.tensors.tensors, metadata: checkpoint.metadata)
    #expect(fileNames(in: target) == ["model.gguf"])
  }
}
