import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// GGUF files that gguf-py wrote are read as numpy had them; others for what is wrong with them.
@Suite struct GGUFReadingTests {
  private static func path(_ name: String) -> FilePath { fixture("containers/gguf/\(name)") }

  @Test(arguments: ["every_type", "big_endian", "alignment_64"])
  func `every type is what numpy had`(_ name: String) throws {
    let found = try readAll(Self.path("good/\(name).gguf"))
    let expected = try readAll(Self.path("\(name).safetensors"))
    #expect(found.count == expected.count)
    for tensor in found {
      let other = try #require(expected.first { $0.name == tensor.name })
      #expect(tensor.bytes == other.bytes, "\(tensor.name)")
      // The blocks were saved as the bytes that they are.
      let isSame = tensor.dtype == other.dtype && tensor.shape == other.shape
      #expect(tensor.dtype.isBlock || isSame, "\(tensor.name)")
    }
  }

  @Test func `both orders of bytes mean the same`() throws {
    #expect(
      try readAll(Self.path("good/every_type.gguf")) == readAll(Self.path("good/big_endian.gguf")))
  }

  @Test(arguments: ["every_type", "big_endian"])
  func `key-values of thirteen types are told as they are`(_ name: String) throws {
    let checkpoint = try Checkpoint.open(Self.path("good/\(name).gguf"))
    let config = try #require(checkpoint.config?.value)
    #expect(config["general.architecture"] == "some")
    #expect(config["some.uint8"]?.int == 200 && config["some.int8"]?.int == -5)
    #expect(config["some.uint16"]?.int == 60000 && config["some.int16"]?.int == -30000)
    #expect(config["some.uint32"]?.int == 4_000_000_000)
    #expect(config["some.int32"]?.int == -2_000_000_000)
    #expect(config["some.float32"]?.double == 1e-5 && config["some.float64"]?.double == 0.1)
    #expect(config["some.bool"] == true && config["some.text"] == "é 😀\n")
    #expect(config["some.int64"]?.int == -(1 << 62))
    #expect(config["some.numbers"] == [1, -2, 3] && config["some.flags"] == [true, false])
    #expect(config["some.fractions"] == [.double(0.5), .double(1.25)])
    #expect(config["some.texts"] == ["a", "", "ü"])
    // Lists of lists are kept for GGUF alone.
    #expect(
      checkpoint.belongings.keyValues?.keys.suffix(2) == ["some.lists", "some.lists_of_texts"])
    #expect(checkpoint.metadata?["some.text"] == "é 😀\n")
  }

  @Test func `innermost extents come first in the file, and last here`() throws {
    let found = try readAll(Self.path("good/version_2.gguf"))
    #expect(found.map(\.shape) == [[4, 2]] && found[0].bytes == Array(0..<32))
    let odd = try readAll(Self.path("good/empty_and_scalar.gguf"))
    #expect(odd.map(\.shape) == [[0, 3], [], [8]] && odd[1].bytes == [7, 0, 0, 0])
    #expect(try readAll(Self.path("good/no_tensors.gguf")).isEmpty)
  }

  @Test(arguments: ["every_type", "big_endian", "alignment_64", "version_2", "empty_and_scalar"])
  func `what is written again is the same, little-endian and aligned to 32`(
    _ name: String
  ) throws {
    let scratch = ScratchFolder()
    let checkpoint = try Checkpoint.open(Self.path("good/\(name).gguf"))
    let target = scratch.path.appending("again.gguf")
    try write(checkpoint, to: target, .gguf)
    #expect(try readAll(target) == readAll(Self.path("good/\(name).gguf")))
    let again = try Checkpoint.open(target)
    let gone = ["general.alignment"]
    #expect(
      again.config?.value.members?.filter { !gone.contains($0.key) }
        == checkpoint.config?.value.members?.filter { !gone.contains($0.key) })
    // gguf-py's own file comes out byte for byte.
    if name == "every_type" {
      #expect(readFile(target) == readFile(Self.path("good/\(name).gguf")))
    }
  }

  @Test func `a big-endian file is written as gguf-py writes it, and comes back`() throws {
    let scratch = ScratchFolder()
    let source = Self.path("good/big_endian.gguf")
    let (big, little) = (scratch.path.appending("b.gguf"), scratch.path.appending("l.gguf"))
    let checkpoint = try Checkpoint.open(source)
    // Of some blocks nobody has said how they stand there.
    let tensors = checkpoint.tensors.tensors
    try CheckpointWriter(
      destination: big, format: .gguf(isBigEndian: true), belongings: checkpoint.belongings
    ).write(tensors: tensors, metadata: checkpoint.metadata)
    #expect(readFile(big) == readFile(source))
    try write(Checkpoint.open(big), to: little, .gguf)
    #expect(readFile(little) == readFile(Self.path("good/every_type.gguf")))
  }

  @Test func `blocks that have no big-endian form are not written in it`() throws {
    let scratch = ScratchFolder()
    let blocks = Tensor("t", .q50, [1, 32], [UInt8](repeating: 1, count: 22))
    let error = #expect(throws: CheckpointError.self) {
      try CheckpointWriter(
        destination: scratch.path.appending("b.gguf"), format: .gguf(isBigEndian: true)
      ).write(tensors: [blocks])
    }
    #expect(error?.category == .unsupported)
    #expect(error?.description.contains("tensor \"t\": blocks of Q5_0 are not written") == true)
  }

  // MARK: Damage

  @Test(arguments: fixtures("gguf", "good")) func `survives cuts, flipped bits and stretches`(
    _ path: FilePath
  ) throws {
    let scratch = ScratchFolder()
    let bytes = readFile(path)
    for count in bytes.indices {
      #expect(
        error(reading: scratch.write(Array(bytes[..<count]), to: "a.gguf")) != nil, "\(count)")
    }
    var random = SeededGenerator(seed: 18)
    for round in 0..<1500 {
      var damaged = bytes
      if round.isMultiple(of: 3) {
        let start = Int.random(in: 0..<bytes.count, using: &random)
        let fill: UInt8 = [0, 0xFF, 0x7F, 1].randomElement(using: &random) ?? 0
        for index in start..<min(bytes.count, start + 8) { damaged[index] = fill }
      } else {
        let bit = Int.random(in: 0..<8 * bytes.count, using: &random)
        damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      }
      _ = try? readAll(damaged, as: "a.gguf", in: scratch)
    }
  }
}
