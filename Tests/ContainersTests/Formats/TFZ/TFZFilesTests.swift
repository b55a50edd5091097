import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// Files that Tools/tfz.py wrote are read as it reads them; what it refuses is refused.
@Suite struct TFZFilesTests {
  static let manifest = try? JSONValue(
    parsing: readFile(fixture("containers/tfz/manifest.json")), grammar: .strict)

  @Test func `every good file is in the manifest`() {
    let good = fixtures("tfz", "good").map { $0.stem ?? "" }
    #expect(Self.manifest?.members?.map(\.key).sorted() == good)
  }

  @Test(arguments: fixtures("tfz", "good") + fixtures("tfz", "version1"))
  func `reads what is there`(_ path: FilePath) throws {
    let expected = try #require(Self.manifest?[path.stem ?? ""]?.elements)
    let checkpoint = try Checkpoint.open(path)
    #expect(try checkpoint.integrityFaults().isEmpty)
    let found = try checkpoint.tensors.tensors.map { try ReadTensor($0) }
    #expect(found.count == expected.count)
    for (tensor, facts) in zip(found, expected) {
      #expect(TensorName(facts["name"]?.string ?? "?") == tensor.name)
      #expect(facts["dtype"]?.string == tensor.dtype.name)
      #expect(facts["shape"]?.elements?.compactMap(\.int) == tensor.shape)
      #expect(facts["bytes"]?.string == hexadecimal(tensor.bytes))
    }
  }

  @Test(arguments: [
    ("digest_wrong", "tensor \"a\": checksum of its bytes (SHA-256) does not match"),
    ("origin_head_lies", "the head of an original safetensors file inside does not fit"),
    ("origin_head_no_json", "the head of an original safetensors file inside does not fit"),
    ("origin_head_length", "the head of an original safetensors file inside does not fit"),
    ("origin_head_metadata", "the head of an original safetensors file inside does not fit"),
    ("origin_head_metadata_number", "the head of an original safetensors file inside does not fit"),
    ("origin_head_more_keys", "the head of an original safetensors file inside does not fit"),
    ("origin_head_space", "the head of an original safetensors file inside does not fit"),
  ]) func `a check of everything finds`(_ name: String, _ text: String) throws {
    let path = fixture("containers/tfz/lying/\(name).tfz")
    let checkpoint = try Checkpoint.open(path)
    let faults = try checkpoint.integrityFaults()
    #expect(faults.count == 1)
    #expect(faults.first?.description.contains(text) == true, "\(faults)")
    #expect(faults.first?.file == path.string)
    // Whoever wants the original file back is told as well.
    guard name.hasPrefix("origin") else { return }
    let scratch = ScratchFolder()
    #expect(throws: CheckpointError.self) {
      try write(checkpoint, to: scratch.path.appending("x.safetensors"), .safetensors)
    }
    #expect(scratch.names.isEmpty)
  }

  @Test func `a folder with folders is restored`() throws {
    let scratch = ScratchFolder()
    let folder = scratch.path.appending("x")
    try write(
      Checkpoint.open(fixture("containers/tfz/good/paths.tfz")), to: folder, .safetensors,
      isFolder: true)
    #expect(
      fileNames(in: folder) == [
        ".gitattributes", "1_Pooling", "2_Dense", "config.json", "model.safetensors",
      ])
    let pooling = folder.appending("1_Pooling").appending("config.json")
    #expect(readFile(pooling) == Array("{\"pooling_mode_mean_tokens\": true}".utf8))
    #expect(fileNames(in: folder.appending("2_Dense")) == ["...", "a b"])
    #expect(try Checkpoint.open(folder).surroundings(isDeep: true).companions.count == 4)
  }

  @Test func `what 0.1.0 has written stays readable`() throws {
    let old = try Checkpoint.open(fixture("containers/tfz/written_by_0.1.0.tfz"))
    let now = try Checkpoint.open(fixture("containers/tfz/good/several_chunks.tfz"))
    #expect(try old.integrityFaults().isEmpty && old.hasDigests)
    #expect(
      try old.tensors.tensors.map { try ReadTensor($0) }
        == now.tensors.tensors.map { try ReadTensor($0) })
  }

  @Test func `frames of what is written have a checksum`() throws {
    let tensor = Tensor(
      name: "a", dtype: .u8, shape: [4096], bytes: ByteArray((0..<4096).map { UInt8($0 % 7) }))
    var bytes = try TFZ.encode([tensor])
    // Version 2; then the frame of the only plane.
    #expect(bytes[8..<12] == [2, 0, 0, 0] && bytes[16..<20] == [0x28, 0xB5, 0x2F, 0xFD])
    #expect(bytes[20] & 4 == 4)
    // The first version's readers did not ask for it.
    bytes[8] = 1
    #expect(try TFZ.decode(bytes)[0].bytes.read(0..<4096) == tensor.bytes.read(0..<4096))
  }

  @Test(arguments: ["file_reserved", "file_reserved_index"])
  func `a file of a reserved name is read of the first version, and left out by name`(
    _ name: String
  ) throws {
    var bytes = readFile(fixture("containers/tfz/bad/\(name).tfz"))
    bytes[8] = 1
    let scratch = ScratchFolder()
    let old = try Checkpoint.open(scratch.write(bytes, to: "old.tfz"))
    let files = old.belongings.files
    #expect(files.count == 1)
    let path = scratch.path.appending("x.tfz")
    let plan = try CheckpointWriter(destination: path, format: .tfz, belongings: old.belongings)
      .plan(tensors: old.tensors.tensors)
    #expect(plan.leftOut.map(\.name) == files.map { String(decoding: $0.name, as: UTF8.self) })
    #expect(plan.leftOut.map(\.what) == ["a name that is reserved for weights and their index"])
    try write(old, to: path, .tfz)
    let new = try Checkpoint.open(path)
    #expect(try new.belongings.files.isEmpty && readAll(path) == readAll(old.path))
  }

  @Test(.timeLimit(.minutes(10)))
  func `a group of very many chunks takes no time that grows with its square`() throws {
    let tensors = (0..<(1 << 15)).map { number in
      Tensor(TensorName("\(number)"), .u8, [8], littleEndian(Int64(number)))
    }
    var bytes: [UInt8] = []
    let seconds = try threadSeconds { bytes = try TFZ.encode(tensors) }
    #expect(try TFZ.decode(bytes).count == tensors.count)
    #expect(seconds < 8, "it took \(seconds) s of the processor's time")
  }

  @Test func `a wrong SHA-256 is not handed on`() throws {
    let path = fixture("containers/tfz/lying/digest_wrong.tfz")
    let scratch = ScratchFolder()
    let found = #expect(throws: CheckpointError.self) {
      try write(
        Checkpoint.open(path), to: scratch.path.appending("x.tfz"),
        .tfz(TFZ.Options(keepsDigests: true)))
    }
    #expect(found?.problem == .checksum("its bytes (SHA-256)") && found?.tensor == "a")
    #expect(scratch.names.isEmpty)
  }

  @Test func `says what it holds`() throws {
    let files = try Checkpoint.open(fixture("containers/tfz/good/files.tfz"))
    #expect(files.hasChecksums && files.hasDigests)
    #expect(files.config?.value["model_type"]?.string == "x")
    #expect(files.config?.path.string.hasSuffix("files.tfz/config.json") == true)
    // What is no UTF-8 stays as it was.
    #expect(
      files.belongings.files.map(\.name) == [
        Array("caf".utf8) + [0xE9] + Array(".txt".utf8), Array("a b".utf8),
        Array("tokenizer.json".utf8),
      ])
    #expect(!(try Checkpoint.open(fixture("containers/tfz/good/order_undeclared.tfz")).keepsOrder))
    let metadata = try Checkpoint.open(
      fixture("containers/tfz/good/no_tensors_but_metadata.tfz")
    ).metadata
    #expect(metadata == ["format": "pt", "é": "e\u{301}"])
    #expect(try Checkpoint.open(fixture("containers/tfz/good/nothing.tfz")).metadata == nil)
    #expect(try Checkpoint.open(fixture("containers/tfz/good/empty_metadata.tfz")).metadata == [:])
  }

  @Test func `the example of the specification is what its page says`() throws {
    let page = String(decoding: readFile(fixture("../docs/tfz.md")), as: UTF8.self)
    let lines = page.split(separator: "\n").drop { $0 != "```" }.dropFirst().prefix { $0 != "```" }
    var bytes: [UInt8] = []
    for line in lines {
      let words = line.split(separator: " ")
      #expect(Int(words[0], radix: 16) == bytes.count || bytes.count > 0x83, "\(line)")
      bytes += words.dropFirst().prefix { $0.utf8.count == 2 && UInt8($0, radix: 16) != nil }
        .compactMap { UInt8($0, radix: 16) }
    }
    #expect(bytes == readFile(fixture("containers/tfz/good/example.tfz")))
  }
}

/// Writes a checkpoint as a whole, as a conversion does.
func write(
  _ checkpoint: Checkpoint, to path: FilePath, _ format: ContainerFormat, isFolder: Bool = false
) throws(CheckpointError) {
  try CheckpointWriter(
    destination: path, format: format, isFolder: isFolder, keepsOrder: checkpoint.keepsOrder,
    sources: checkpoint.allFiles, belongings: checkpoint.belongings
  ).write(
    tensors: checkpoint.tensors.tensors, metadata: checkpoint.metadata,
    config: checkpoint.config?.bytes,
    companions: checkpoint.surroundings(isDeep: true).companions)
}

private func hexadecimal(_ bytes: [UInt8]) -> String {
  let digits = Array("0123456789abcdef")
  return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
}
