import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// What is written for torch. That torch reads it so is what Tools/oracle/torch_differential.py shows.
@Suite struct TorchWritingTests {
  private let scratch = ScratchFolder()

  private func write(
    _ tensors: [Tensor], _ metadata: Metadata? = ["format": "pt"], to name: String = "x.pt"
  ) throws -> FilePath {
    let path = scratch.path.appending(name)
    try CheckpointWriter(destination: path, format: .torch, overwrite: true)
      .write(tensors: tensors, metadata: metadata)
    return path
  }

  /// How many members of an archive have names that begin so.
  private func count(_ name: String, in path: FilePath) -> Int {
    let (bytes, name) = (readFile(path), Array(name.utf8))
    // Every name is in the directory and before its member.
    return bytes.indices.count { bytes[$0] == name[0] && bytes[$0...].starts(with: name) } / 2
  }

  @Test func `reads what it wrote, and writes the same again`() throws {
    for seed in 0..<(isThorough ? 300 : 30) as Range<UInt64> {
      let random = RandomCheckpoint(seed: seed)
      let tensors = random.tensors.filter { tensor in
        switch tensor.dtype {
        case .f6e2m3, .f6e3m2: false
        case .f4: tensor.shape.last?.isMultiple(of: 2) == true
        default: true
        }
      }
      let path = try write(tensors, random.metadata)
      let checkpoint = try Checkpoint.open(path, format: .torch)
      #expect(checkpoint.metadata == random.metadata, "seed \(seed)")
      // A dictionary of nothing is listed as such.
      #expect(checkpoint.others.count == (tensors.isEmpty ? 1 : 0))
      #expect(checkpoint.strippedPrefix == nil)
      let found = try checkpoint.tensors.tensors.map { try ReadTensor($0) }
      #expect(try found == tensors.map { try ReadTensor($0) }, "seed \(seed)")
      let again = try write(checkpoint.tensors.tensors, checkpoint.metadata, to: "y.pt")
      #expect(readFile(again) == readFile(path), "seed \(seed)")
    }
  }

  @Test(arguments: ["views.pt", "views_legacy.bin"]) func `ties stay, views become tensors`(
    _ name: String
  ) throws {
    let source = try Checkpoint.open(fixture("containers/torch/good/\(name)"))
    let path = try write(source.tensors.tensors)
    // "whole" and "tied" are one storage.
    #expect(count("archive/data/", in: path) == source.tensors.count - 1)
    let found = try readAll(path)
    #expect(try found == source.tensors.tensors.map { try ReadTensor($0) })
    // The same bytes as another type are another tensor.
    let other = Tensor(
      name: "other", dtype: .i32, shape: [24], bytes: source.tensors.tensors[0].bytes)
    let both = try write([source.tensors.tensors[0], other], to: "z.pt")
    #expect(count("archive/data/", in: both) == 2)
  }

  @Test func `storages begin where they can be mapped`() throws {
    let tensors = (1...70).map { number in
      let bytes = [UInt8](repeating: UInt8(number), count: 16) + [0xFE]
      return Tensor(TensorName("t\(number)"), .u8, [17], bytes)
    }
    let bytes = readFile(try write(tensors))
    for number in 1...70 as ClosedRange<UInt8> {
      let pattern = [UInt8](repeating: number, count: 16) + [0xFE]
      let place = bytes.indices.first { bytes[$0] == number && bytes[$0...].starts(with: pattern) }
      #expect(place?.isMultiple(of: 64) == true, "\(number)")
    }
  }

  @Test func `what torch has no type for is refused`() {
    for tensor in [
      Tensor("a", .f6e2m3, [4], [1, 2, 3]), Tensor("a", .f4, [2, 1], [1]),
    ] {
      let problem = #expect(throws: CheckpointError.self) { try write([tensor]) }
      #expect(problem?.category == .refused && problem?.tensor == "a")
    }
    #expect(scratch.names.isEmpty)
  }

  @Test func `a folder gets the names that transformers looks for`() throws {
    let tensors = (0..<9).map { number in
      Tensor(TensorName("t\(number)"), .u8, [900], .init(repeating: UInt8(number), count: 900))
    }
    let one = scratch.path.appending("one")
    try CheckpointWriter(destination: one, format: .torch, isFolder: true).write(tensors: tensors)
    #expect(fileNames(in: one) == ["pytorch_model.bin"])
    let many = scratch.path.appending("many")
    try CheckpointWriter(
      destination: many, format: .torch, isFolder: true, maxShardSize: 6000
    ).write(tensors: tensors)
    #expect(
      fileNames(in: many) == [
        "pytorch_model-00001-of-00003.bin", "pytorch_model-00002-of-00003.bin",
        "pytorch_model-00003-of-00003.bin", "pytorch_model.bin.index.json",
      ])
    for name in fileNames(in: many).prefix(3) {
      #expect(readFile(many.appending(name)).count <= 6000)
    }
    let checkpoint = try Checkpoint.open(many)
    #expect(checkpoint.format == .torch)
    #expect(try readAll(many) == tensors.map { try ReadTensor($0) })
    #expect(try Checkpoint.open(many.appending("pytorch_model-00002-of-00003.bin")).part != nil)
  }

  @Test(arguments: ["pt", "pth", "bin", "ckpt", "PT"]) func `the endings that torch's files have`(
    _ ending: String
  ) throws {
    #expect(try ContainerFormat.written(at: FilePath("x.\(ending)")) == .torch)
  }
}
