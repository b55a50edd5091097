import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

private let root = fixture("containers/dcp")
private func folders(_ kind: String) -> [FilePath] {
  fileNames(in: root.appending(kind)).map { root.appending(kind).appending($0) }
}

/// What torch.distributed.checkpoint wrote is read as torch reads it: Tools/oracle/dcp_files.py.
@Suite struct DCPTests {
  private static let manifest = try? JSONValue(
    parsing: readFile(root.appending("manifest.json")), grammar: .strict)

  @Test func `every good folder is in the manifest`() {
    let listed = Self.manifest?.members?.map(\.key).sorted() ?? []
    #expect(listed == folders("good").map { $0.lastComponent?.string ?? "" }.sorted())
    #expect(listed.count == 9)
  }

  @Test(arguments: folders("good")) func `reads what torch reads`(_ path: FilePath) throws {
    let expected = try #require(Self.manifest?[path.lastComponent?.string ?? ""])
    let checkpoint = try Checkpoint.open(path)
    #expect(checkpoint.format == .dcp)
    let tensors = try #require(expected["tensors"]?.elements)
    #expect(checkpoint.tensors.count == tensors.count)
    for (facts, tensor) in zip(tensors, checkpoint.tensors.tensors) {
      let found = try ReadTensor(tensor)
      #expect(found.name == TensorName(facts["name"]?.string ?? "?"))
      #expect(found.dtype.name == facts["dtype"]?.string, "\(found.name)")
      #expect(found.shape == facts["shape"]?.elements?.compactMap(\.int), "\(found.name)")
      let digits = found.bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
      #expect(digits == facts["bytes"]?.string, "\(found.name)")
    }
    #expect(checkpoint.others.map(\.name) == expected["others"]?.elements?.compactMap(\.string))
    #expect(checkpoint.strippedPrefix?.text == expected["prefix"]?.string)
    let files = checkpoint.files.compactMap { $0.lastComponent?.string }.filter {
      $0 != ".metadata"
    }
    #expect(files.sorted() == expected["files"]?.elements?.compactMap(\.string))
    #expect(try checkpoint.surroundings(isDeep: true).leftOut.isEmpty)
    #expect(structureFaults(of: path).isEmpty)
  }

  @Test func `tensors are read alike in pieces of any size`() throws {
    for name in ["mesh", "rows"] {
      for tensor in try Checkpoint.open(root.appending("good").appending(name)).tensors.tensors {
        let whole = try tensor.bytes.read(0..<tensor.byteCount)
        for size in [1, 3, 7, 16] {
          var pieces: [UInt8] = []
          for start in stride(from: 0, to: whole.count, by: size) {
            pieces += try tensor.bytes.read(start..<min(whole.count, start + size))
          }
          #expect(pieces == whole, "\(tensor.name) by \(size)")
        }
      }
    }
  }

  @Test func `what is no tensor is said, short values with what they are`() throws {
    let checkpoint = try Checkpoint.open(root.appending("good/nested"))
    let others = checkpoint.others.map { "\($0.name): \($0.what)" }
    #expect(others.contains("step: 7"))
    #expect(others.contains("words: \"seven steps\""))
    #expect(others.contains("lr_scheduler.last_epoch: 3"))
  }

  @Test func `metadata and files of chunks lead to the whole`() throws {
    for name in [".metadata", "__0_0.distcp", "__1_0.distcp"] {
      let checkpoint = try Checkpoint.open(root.appending("good/rows").appending(name))
      #expect(checkpoint.format == .dcp && checkpoint.tensors.count == 7, "\(name)")
    }
  }

  @Test func `the usual names come before it, and it is named beside them`() throws {
    let scratch = ScratchFolder()
    copy("good/flat", to: scratch)
    scratch.write(
      readFile(fixture("containers/safetensors/good/empty_metadata.safetensors")),
      to: "model.safetensors")
    let checkpoint = try Checkpoint.open(scratch.path)
    #expect(checkpoint.format == .safetensors)
    let beside = try checkpoint.surroundings(isDeep: false).weights
    #expect(beside.map(\.name) == [".metadata", "__0_0.distcp"])
    #expect(beside.map(\.what) == ["dcp", "chunks of a distributed checkpoint of PyTorch"])
    #expect(try Checkpoint.open(scratch.path, format: .dcp).tensors.count == 2)
  }

  @Test func `in another folder it is left out as a whole`() throws {
    let scratch = ScratchFolder()
    scratch.write(
      readFile(fixture("containers/safetensors/good/empty_metadata.safetensors")),
      to: "model.safetensors")
    _ = scratch.makeFolder("inner")
    for name in [".metadata", "__0_0.distcp"] {
      scratch.write(readFile(root.appending("good/flat").appending(name)), to: "inner/\(name)")
    }
    let around = try Checkpoint.open(scratch.path).surroundings(isDeep: true)
    #expect(
      around.leftOut.map { "\($0.name): \($0.what)" } == [
        "inner: a distributed checkpoint of PyTorch (torch.distributed.checkpoint)"
      ])
  }

  // MARK: Faults

  @Test func `every bad folder has an expectation`() {
    #expect(
      folders("bad").map { $0.lastComponent?.string ?? "" } == expectedDCPFaults.keys.sorted())
  }

  @Test(arguments: folders("bad")) func `refuses`(_ path: FilePath) throws {
    let expected = try #require(expectedDCPFaults[path.lastComponent?.string ?? ""])
    let found = try #require(error(reading: path, as: .dcp))
    #expect(found.file == path.appending(expected.file ?? ".metadata").string)
    #expect(found.description.contains(expected.text), "\(found)")
    #expect(found.category == expected.category, "\(found)")
    #expect(!found.description.contains("\n"))
  }

  private func copy(_ name: String, to scratch: ScratchFolder) {
    let folder = root.appending(name)
    for file in fileNames(in: folder) {
      scratch.write(readFile(folder.appending(file)), to: file)
    }
  }

  @Test(arguments: ["nested", "mesh"])
  func `metadata that is cut off or damaged ends in an error or in a checkpoint`(_ name: String)
    throws
  {
    let scratch = ScratchFolder()
    copy("good/\(name)", to: scratch)
    let bytes = readFile(root.appending("good/\(name)/.metadata"))
    for count in stride(from: 0, to: bytes.count, by: isThorough ? 1 : 37) {
      scratch.write(Array(bytes[..<count]), to: ".metadata")
      #expect(error(reading: scratch.path, as: .dcp) != nil, "cut at \(count)")
    }
    var random = SeededGenerator(seed: 11)
    for _ in 0..<(isThorough ? 1500 : 30) {
      var damaged = bytes
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        let bit = Int.random(in: 0..<8 * bytes.count, using: &random)
        damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      }
      scratch.write(damaged, to: ".metadata")
      if let found = error(reading: scratch.path, as: .dcp) {
        #expect(!found.description.contains("\n"))
      }
    }
  }

  @Test func `chunks that are cut off or damaged are noticed`() throws {
    let scratch = ScratchFolder()
    copy("good/mesh", to: scratch)
    let file = "__1_0.distcp"
    let bytes = readFile(root.appending("good/mesh").appending(file))
    for count in stride(from: 0, to: bytes.count, by: isThorough ? 7 : 301) {
      scratch.write(Array(bytes[..<count]), to: file)
      #expect(error(reading: scratch.path, as: .dcp) != nil, "cut at \(count)")
    }
    // Numbers are under the checksums of the archives that chunks are.
    let good = try Checkpoint.open(root.appending("good/mesh")).tensors.tensors.map {
      try ReadTensor($0).bytes
    }
    var random = SeededGenerator(seed: 12)
    for round in 0..<(isThorough ? 600 : 20) {
      var damaged = bytes
      damaged[Int.random(in: 0..<bytes.count, using: &random)] ^=
        1 << UInt8.random(in: 0..<8, using: &random)
      scratch.write(damaged, to: file)
      guard let checkpoint = try? Checkpoint.open(scratch.path),
        let found = try? checkpoint.tensors.tensors.map({ try ReadTensor($0).bytes })
      else { continue }
      #expect(found == good, "round \(round)")
    }
  }
}
