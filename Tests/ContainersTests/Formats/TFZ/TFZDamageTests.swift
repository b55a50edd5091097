import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// Whatever happens to a TFZ file is noticed, and what is wrong is named.
@Suite struct TFZDamageTests {
  private static let small =
    ["example", "shapes", "origins", "shared_streams", "names"]
    .map { fixture("containers/tfz/good/\($0).tfz") }
    + ["example", "origins"].map { fixture("containers/tfz/version1/\($0).tfz") }

  /// The error that opening, reading and checking everything ends in.
  private func fault(of bytes: [UInt8], in scratch: ScratchFolder) throws -> CheckpointError? {
    let path = scratch.write(bytes, to: "x.tfz")
    do {
      let checkpoint = try Checkpoint.open(path)
      for tensor in checkpoint.tensors.tensors { _ = try ReadTensor(tensor) }
      return try checkpoint.integrityFaults().first
    } catch let error as CheckpointError {
      return error
    }
  }

  @Test(arguments: small) func `a flipped bit anywhere is detected`(_ path: FilePath) throws {
    let scratch = ScratchFolder()
    var bytes = readFile(path)
    #expect(try fault(of: bytes, in: scratch) == nil)
    for bit in 0..<8 * bytes.count where isThorough || bit % 37 == 0 {
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      let fault = try #require(try fault(of: bytes, in: scratch), "\(path) bit \(bit)")
      #expect(fault.file != nil && !fault.description.contains("\n"))
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
    }
  }

  @Test(arguments: small) func `a file that is cut off anywhere is refused`(
    _ path: FilePath
  ) throws {
    let scratch = ScratchFolder()
    let bytes = readFile(path)
    for count in bytes.indices where isThorough || count % 13 == 0 {
      let fault = try fault(of: Array(bytes[..<count]), in: scratch)
      #expect(fault != nil, "\(path) cut at \(count)")
    }
  }

  @Test func `chunks in another order are detected, and named`() throws {
    let scratch = ScratchFolder()
    let tensors = ["a", "b"].map { name in
      Tensor(TensorName(name), .u8, [4096], name == "a" ? random(4096, 1) : random(4096, 2))
    }
    let options = TFZ.Options(chunkUnits: 1024)
    let bytes = try TFZ.encode(tensors, options: options)
    // Incompressible, so every chunk has 1024 bytes, the first at byte 16.
    for (a, b) in [(0, 1), (2, 3), (3, 4), (0, 7)] {
      var swapped = bytes
      for index in 0..<1024 { swapped.swapAt(16 + 1024 * a + index, 16 + 1024 * b + index) }
      let fault = try #require(try fault(of: swapped, in: scratch))
      #expect(fault.tensor == (a < 4 ? "a" : "b"))
      #expect(fault.problem == .checksum("chunk \(a % 4)"))
      #expect(fault.offset == 16 + 1024 * a)
    }
  }

  @Test func `every damaged tensor and file is listed`() throws {
    let scratch = ScratchFolder()
    var bytes = readFile(fixture("containers/tfz/good/files.tfz"))
    let checkpoint = try Checkpoint.open(scratch.write(bytes, to: "a.tfz"))
    #expect(try checkpoint.integrityFaults().isEmpty)
    bytes[16] ^= 1  // the constant planes of the tensor
    bytes[24] ^= 1  // the config
    let damaged = scratch.write(bytes, to: "b.tfz")
    let error = #expect(throws: CheckpointError.self) { try Checkpoint.open(damaged) }
    #expect(error?.description.contains("checksum of chunk 0 of \"config.json\"") == true)
    bytes[24] ^= 1
    let faults = try Checkpoint.open(scratch.write(bytes, to: "c.tfz")).integrityFaults()
    #expect(faults.map(\.tensor) == ["a"])
  }

  @Test func `an index beyond the limit is refused before it is read`() throws {
    let scratch = ScratchFolder()
    let size = 32 << 20 | 1
    let head = Array(readFile(fixture("containers/tfz/good/nothing.tfz"))[..<16])
    let end = littleEndian(UInt64(16)) + littleEndian(UInt64(size)) + littleEndian(UInt64(0))
    let file = head + [UInt8](repeating: 0, count: size) + end + Array("\nTFZEND\n".utf8)
    let fault = try #require(try fault(of: file, in: scratch))
    #expect(fault.description.contains("the index is 33554433, the limit is 33554432"))
  }

  @Test func `a file that changes while it is open is an error`() throws {
    let scratch = ScratchFolder()
    let path = scratch.write(readFile(Self.small[0]), to: "x.tfz")
    let checkpoint = try Checkpoint.open(path)
    scratch.write(readFile(Self.small[1]), to: "x.tfz")
    let error = #expect(throws: CheckpointError.self) {
      try ReadTensor(checkpoint.tensors.tensors[0])
    }
    #expect(error?.problem == .changedWhileRead)
  }

  private func random(_ count: Int, _ seed: UInt64) -> [UInt8] {
    var random = SeededGenerator(seed: seed)
    return random.bytes(count)
  }
}
