import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// What goes into a TFZ file comes out of it, byte for byte.
@Suite struct TFZRoundTripTests {
  static let seeds: [UInt64] = Array(0..<(isThorough ? 300 : 20))

  @Test func `reads what it wrote, on any number of threads, at any level`() throws {
    for seed in Self.seeds {
      let scratch = ScratchFolder()
      var random = SeededGenerator(seed: seed)
      let checkpoint = RandomCheckpoint(seed: seed)
      let tensors = checkpoint.tensors + weights(&random)
      let options = TFZ.Options(
        level: [1, 1, 2, 9, 19].randomElement(using: &random) ?? 1,
        keepsDigests: Bool.random(using: &random), chunkUnits: 1024)
      let path = scratch.path.appending("x")
      try CheckpointWriter(destination: path, format: .tfz(options))
        .write(tensors: tensors, metadata: checkpoint.metadata)
      let read = try Checkpoint.open(path)
      #expect(read.format == .tfz && read.keepsOrder && read.hasDigests == options.keepsDigests)
      #expect(read.metadata == checkpoint.metadata, "seed \(seed)")
      #expect(try read.integrityFaults().isEmpty, "seed \(seed)")
      let found = try read.tensors.tensors.map { try ReadTensor($0) }
      #expect(try found == tensors.map { try ReadTensor($0) }, "seed \(seed)")
      try exclusively {
        defer { Workers.count = 0 }
        Workers.count = Int.random(in: 1...7, using: &random)
        let again = scratch.path.appending("y")
        try CheckpointWriter(destination: again, format: .tfz(options))
          .write(tensors: tensors, metadata: checkpoint.metadata)
        #expect(readFile(again) == readFile(path), "seed \(seed)")
      }
    }
  }

  @Test func `gives back the same file on any number of threads`() throws {
    let scratch = ScratchFolder()
    var random = SeededGenerator(seed: 4)
    let source = scratch.path.appending("x.safetensors")
    try CheckpointWriter(destination: source, format: .safetensors).write(tensors: weights(&random))
    let packed = scratch.path.appending("x.tfz")
    let options = TFZ.Options(chunkUnits: 1024)
    try write(Checkpoint.open(source), to: packed, .tfz(options))
    for count in [1, 2, 3, 7, 16] {
      let again = scratch.path.appending("\(count).safetensors")
      try exclusively {
        defer { Workers.count = 0 }
        Workers.count = count
        var heard = [0]
        let checkpoint = try Checkpoint.open(packed)
        try CheckpointWriter(
          destination: again, format: .safetensors, belongings: checkpoint.belongings
        ).write(tensors: checkpoint.tensors.tensors, progress: { heard.append($0) })
        #expect(readFile(again) == readFile(source), "\(count) threads")
        #expect(heard.last == readFile(again).count && heard == heard.sorted(), "\(count) threads")
      }
    }
  }

  @Test func `any stretch of any tensor can be read`() throws {
    var random = SeededGenerator(seed: 5)
    let tensors = weights(&random)
    let read = try TFZ.decode(TFZ.encode(tensors, options: TFZ.Options(chunkUnits: 1024)))
    for round in 0..<2000 {
      let number = Int.random(in: tensors.indices, using: &random)
      let count = tensors[number].byteCount
      let start = Int.random(in: 0...count, using: &random)
      let end = Int.random(in: start...count, using: &random)
      let found = try read[number].bytes.read(start..<end)
      #expect(try found == tensors[number].bytes.read(start..<end), "round \(round)")
    }
  }

  @Test func `identical tensors are stored once`() throws {
    var random = SeededGenerator(seed: 6)
    let bytes = random.bytes(100_000)
    var other = bytes
    other[99_999] ^= 1
    func size(_ tensors: [Tensor]) throws -> Int { try TFZ.encode(tensors).count }
    let one = try size([Tensor("a", .f16, [50_000], bytes)])
    let names: [TensorName] = ["a", "b", "c"]
    let three = names.map { Tensor($0, .f16, [50_000], bytes) }
    #expect(try size(three) < one + 200)
    #expect(try size([three[0], Tensor("b", .f16, [50_000], other)]) > 2 * one - 200)
    // Other units are other planes.
    let mixed = [three[0], Tensor("b", .bf16, [50_000], bytes)]
    #expect(try size(mixed) > 2 * one - 20_000)
    let read = try TFZ.decode(TFZ.encode(mixed + [Tensor("e", .f16, [2, 25_000], bytes)]))
    #expect(try read.allSatisfy { try $0.bytes.read(0..<100_000) == bytes })
  }

  @Test func `weights become smaller, and random bytes hardly larger`() throws {
    var random = SeededGenerator(seed: 7)
    let values = (0..<300_000).map { _ in gaussian(&random) }
    let half = values.flatMap { littleEndian(UInt16($0.bitPattern >> 16)) }
    let ratio = Double(try TFZ.encode([Tensor("w", .bf16, [300_000], half)]).count) / 600_000
    #expect((0.6...0.68).contains(ratio))
    let noise = random.bytes(600_000)
    let size = try TFZ.encode([Tensor("w", .f32, [150_000], noise)]).count
    #expect(size < 600_000 + 200)
  }

  @Test(arguments: fixtures("safetensors", "good"))
  func `a safetensors file comes back byte for byte`(_ path: FilePath) throws {
    let scratch = ScratchFolder()
    let packed = scratch.path.appending("x.tfz")
    try write(Checkpoint.open(path), to: packed, .tfz)
    let again = scratch.path.appending("again.safetensors")
    try write(Checkpoint.open(packed), to: again, .safetensors)
    #expect(readFile(again) == readFile(path))
    // And through another TFZ file.
    let repacked = scratch.path.appending("y.tfz")
    try write(Checkpoint.open(packed), to: repacked, .tfz)
    #expect(readFile(repacked) == readFile(packed))
  }

  @Test func `a header of any layout comes back`() throws {
    let scratch = ScratchFolder()
    let headers = [
      #"{"b":{"shape":[2],"dtype":"U8","data_offsets":[1,3]}  ,"a":{"data_offsets":[0,1],"dtype":"I8","shape":[]}}"#,
      #"{"\u0061":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"__metadata__":{"é":"\u00e9"}}     "#,
      #"{"z":{"dtype":"F32","shape":[0],"data_offsets":[3,3]},"y":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"x":{"dtype":"I64","shape":[0,2],"data_offsets":[3,3]}}"#,
      "{\n\t\"a\" : { \"dtype\":\"U8\",\"shape\" : [3 ],\"data_offsets\": [ 0,3]} }",
    ]
    for (number, header) in headers.enumerated() {
      let file = scratch.write(safetensorsFile(header, data: 3), to: "\(number).safetensors")
      let packed = scratch.path.appending("\(number).tfz")
      try write(Checkpoint.open(file), to: packed, .tfz)
      let again = scratch.path.appending("\(number)-again.safetensors")
      try write(Checkpoint.open(packed), to: again, .safetensors)
      #expect(readFile(again) == readFile(file))
    }
  }

  @Test func `a header that describes other tensors is not kept`() throws {
    let scratch = ScratchFolder()
    let path = fixture("containers/safetensors/good/every_dtype.safetensors")
    let checkpoint = try Checkpoint.open(path)
    let packed = scratch.path.appending("x.tfz")
    try CheckpointWriter(
      destination: packed, format: .tfz, belongings: checkpoint.belongings
    ).write(tensors: Array(checkpoint.tensors.tensors.dropFirst()))
    let again = scratch.path.appending("again.safetensors")
    try write(Checkpoint.open(packed), to: again, .safetensors)
    let names = try Checkpoint.open(again).tensors.tensors.map(\.name)
    #expect(names == checkpoint.tensors.tensors.dropFirst().map(\.name))
  }

  @Test func `npz to TFZ and back has the same contents`() throws {
    for path in fixtures("npz", "good") + fixtures("npz", "ours") {
      let scratch = ScratchFolder()
      let packed = scratch.path.appending("x.tfz")
      let source = try Checkpoint.open(path)
      try write(source, to: packed, .tfz)
      let read = try Checkpoint.open(packed)
      #expect(read.keepsOrder == source.keepsOrder && read.metadata == source.metadata)
      #expect(try readAll(packed) == readAll(path), "\(path)")
      let again = scratch.path.appending("again.npz")
      try write(read, to: again, .npz)
      #expect(try readAll(again) == readAll(path), "\(path)")
    }
  }

  @Test func `many tensors fit`() throws {
    let scratch = ScratchFolder()
    let tensors = (0..<20_000).map { Tensor(TensorName("t\($0)"), .u16, [], [UInt8($0 & 255), 1]) }
    let path = scratch.path.appending("x.tfz")
    try CheckpointWriter(destination: path, format: .tfz).write(tensors: tensors)
    #expect(try Checkpoint.open(path).tensors.count == 20_000)
    #expect(try readAll(path) == tensors.map { try ReadTensor($0) })
  }

  /// One tensor of several chunks for each kind of unit.
  private func weights(_ random: inout SeededGenerator) -> [Tensor] {
    let dtypes: [DType] = [.bf16, .f16, .f32, .f64, .u8, .i16, .i32, .i64, .f8e4m3, .bool]
    return dtypes.map { dtype in
      let width = dtype.byteWidth ?? 1
      let count = Int.random(in: 1000...5000, using: &random)
      let bytes = (0..<count).flatMap { index -> [UInt8] in
        let value = gaussian(&random)
        return switch dtype {
        case .f64: littleEndian(Double(value).bitPattern)
        case .f32: littleEndian(value.bitPattern)
        case .f16: littleEndian(UInt16(truncatingIfNeeded: random.next() & 0xB7FF))
        case .bf16: littleEndian(UInt16(value.bitPattern >> 16))
        default: Array(littleEndian(UInt64(index % 300)).prefix(width))
        }
      }
      return Tensor(TensorName("weights.\(dtype)"), dtype, [count], bytes)
    }
  }

  /// About normal, as weights are.
  private func gaussian(_ random: inout SeededGenerator) -> Float {
    let sum = (0..<6).reduce(0) { sum, _ in sum + Float.random(in: -1...1, using: &random) }
    return sum * 0.02
  }
}
