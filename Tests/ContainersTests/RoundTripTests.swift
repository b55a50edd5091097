import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// What is written is read back, and what is converted there and back is what it was.
@Suite struct RoundTripTests {
  static let seeds: [UInt64] = Array(0..<(isThorough ? 1000 : 80))

  /// Writes a checkpoint, and returns where.
  private func write(
    _ tensors: [Tensor], _ metadata: Metadata?, as format: ContainerFormat,
    _ name: String, in scratch: ScratchFolder
  ) throws -> FilePath {
    let path = scratch.path.appending(name)
    try CheckpointWriter(destination: path, format: format)
      .write(tensors: tensors, metadata: metadata)
    return path
  }

  @Test(arguments: ["safetensors", "npz"]) func `reads what it wrote`(_ name: String) throws {
    let format = try #require(ContainerFormat.named(name))
    for seed in Self.seeds {
      let scratch = ScratchFolder()
      let random = RandomCheckpoint(seed: seed)
      guard hasRoom(random, in: format) else { continue }
      let path = try write(random.tensors, random.metadata, as: format, "x", in: scratch)
      let checkpoint = try Checkpoint.open(path)
      #expect(checkpoint.metadata == random.metadata, "seed \(seed)")
      #expect(checkpoint.format == format)
      let found = try checkpoint.tensors.tensors.map { try ReadTensor($0) }
      #expect(try found == random.tensors.map { try ReadTensor($0) }, "seed \(seed)")
    }
  }

  @Test func `safetensors to npz and back is the same file`() throws {
    for seed in Self.seeds {
      let scratch = ScratchFolder()
      let random = RandomCheckpoint(seed: seed)
      guard hasRoom(random, in: .npz) else { continue }
      let first = try write(random.tensors, random.metadata, as: .safetensors, "a", in: scratch)
      let a = try Checkpoint.open(first)
      let second = try write(a.tensors.tensors, a.metadata, as: .npz, "b", in: scratch)
      let b = try Checkpoint.open(second)
      #expect(b.keepsOrder)
      let third = try write(b.tensors.tensors, b.metadata, as: .safetensors, "c", in: scratch)
      #expect(readFile(third) == readFile(first), "seed \(seed)")
      let fourth = try write(b.tensors.tensors, b.metadata, as: .npz, "d", in: scratch)
      #expect(readFile(fourth) == readFile(second), "seed \(seed)")
    }
  }

  /// Large metadata needs members to be in.
  private func hasRoom(_ random: RandomCheckpoint, in format: ContainerFormat) -> Bool {
    let size = random.metadata?.entries.reduce(0) { $0 + $1.value.utf8.count } ?? 0
    return format != .npz || size < 10_000 || random.tensors.count > 6
  }

  @Test func `large metadata goes into the members`() throws {
    let scratch = ScratchFolder()
    let metadata: Metadata = ["a": String(repeating: "x", count: 150_000), "b": ""]
    let tensors = (0..<3).map { Tensor(TensorName("t\($0)"), .bf16, [1], [1, 2]) }
    let path = try write(tensors, metadata, as: .npz, "x", in: scratch)
    #expect(try Checkpoint.open(path).metadata == metadata)
    let problem = #expect(throws: CheckpointError.self) {
      try write([tensors[0]], metadata, as: .npz, "y", in: scratch)
    }
    #expect(problem?.category == .unsupported)
    #expect(scratch.names == ["x"])
  }

  @Test(arguments: fixtures("npz", "good")) func `somebody's npz has no declared order`(
    _ path: FilePath
  ) throws {
    let checkpoint = try Checkpoint.open(path)
    #expect(!checkpoint.keepsOrder)
    #expect(checkpoint.metadata == nil)
  }

  @Test func `misaligned elements are sorted only if the order is not declared`() throws {
    let tensors = [
      Tensor("byte", .u8, [3], [1, 2, 3]),
      Tensor("double", .f64, [1], .init(repeating: 4, count: 8)),
      Tensor("pair", .c64, [1], .init(repeating: 6, count: 8)), Tensor("half", .f16, [1], [5, 5]),
    ]
    func names(_ tensors: [Tensor], keepsOrder: Bool) throws -> [String] {
      let scratch = ScratchFolder()
      let path = scratch.path.appending("x")
      try CheckpointWriter(destination: path, format: .safetensors, keepsOrder: keepsOrder)
        .write(tensors: tensors)
      return try Checkpoint.open(path).tensors.tensors.map(\.name.text)
    }
    #expect(try names(tensors, keepsOrder: true) == ["byte", "double", "pair", "half"])
    #expect(try names(tensors, keepsOrder: false) == ["double", "pair", "half", "byte"])
    let aligned = [tensors[1], tensors[3], tensors[0]]
    #expect(try names(aligned, keepsOrder: false) == ["double", "half", "byte"])
  }

  @Test(.enabled(if: isThorough)) func `npz has room for more members than 16 bits count`() throws {
    let scratch = ScratchFolder()
    let tensors = (0..<65_600).map { Tensor(TensorName("t\($0)"), .u8, [], [UInt8($0 & 255)]) }
    let path = try write(tensors, nil, as: .npz, "x", in: scratch)
    #expect(try readAll(path) == tensors.map { try ReadTensor($0) })
  }

  @Test func `double precision complex numbers fit npz only`() throws {
    let scratch = ScratchFolder()
    let tensor = Tensor("z", .c128, [1], .init(repeating: 7, count: 16))
    let path = try write([tensor], nil, as: .npz, "x", in: scratch)
    #expect(try readAll(path) == [ReadTensor(tensor)])
    let problem = #expect(throws: CheckpointError.self) {
      try write([tensor], nil, as: .safetensors, "y", in: scratch)
    }
    #expect(problem?.tensor == "z")
    #expect(problem?.category == .unsupported)
  }

  @Test func `npy holds one tensor that it can say`() throws {
    let scratch = ScratchFolder()
    let half = Tensor("w", .bf16, [1], [1, 2])
    let path = try write([half], nil, as: .npy, "w.npy", in: scratch)
    #expect(try readAll(path) == [ReadTensor(half)])
    for tensors in [[], [half, half.renamed("v")], [Tensor("f", .f8e4m3, [1], [1])]] {
      let problem = #expect(throws: CheckpointError.self) {
        try write(tensors, nil, as: .npy, "y", in: scratch)
      }
      #expect(problem?.category == .refused)
    }
  }

  @Test func `reserved and repeated names are refused`() throws {
    let scratch = ScratchFolder()
    let tensor = Tensor("__metadata__", .u8, [1], [1])
    #expect(throws: CheckpointError.self) {
      try write([tensor], nil, as: .safetensors, "x", in: scratch)
    }
    #expect(throws: CheckpointError.self) {
      try write([tensor, tensor], nil, as: .npz, "x", in: scratch)
    }
    #expect(throws: CheckpointError.self) {
      try write([tensor.renamed("a\0")], nil, as: .npz, "x", in: scratch)
    }
    #expect(scratch.names.isEmpty)
  }
}
