import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// Damaged files of ONNX, HDF5 and CTranslate2 end in an error, or in tensors; never in a crash.
@Suite struct EcosystemDamageTests {
  private static let files =
    ["raw.onnx", "constants.onnx", "typed.onnx"].map { fixture("containers/onnx/good/\($0)") }
    + [
      "every_dtype.h5", "superblock_3.h5", "chunks.h5", "layers.h5", "many.h5", "archive.keras",
      "keras_3.weights.h5", "many_chunks.h5",
    ].map { fixture("containers/hdf5/good/\($0)") }
    + ["translator.bin", "listener_int8_float16.bin", "version_4.bin"].map {
      fixture("containers/ctranslate2/good/\($0)")
    }

  @Test(arguments: files) func `a file that is cut off is refused, or says the same`(
    _ path: FilePath
  ) throws {
    let scratch = ScratchFolder()
    let bytes = readFile(path)
    let good = try readAll(path)
    let name = path.lastComponent?.string ?? ""
    for count in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 300)) {
      scratch.write(Array(bytes[..<count]), to: name)
      guard let found = try? readAll(scratch.path.appending(name)) else { continue }
      // What follows an ONNX model's graph has no tensors; HDF5 says where it ends.
      #expect(found == good && name.hasSuffix("onnx"), "cut at \(count)")
    }
  }

  @Test(arguments: files) func `flipped bits and replaced stretches do no harm`(
    _ path: FilePath
  ) throws {
    let scratch = ScratchFolder()
    let bytes = readFile(path)
    let name = path.lastComponent?.string ?? ""
    var random = SeededGenerator(seed: 11)
    // Most of an HDF5 file's structure is in its first half.
    let places = bytes.count > 8192 ? bytes.count / 2 : bytes.count
    for round in 0..<600 {
      var damaged = bytes
      if round.isMultiple(of: 2) {
        let bit = Int.random(in: 0..<8 * places, using: &random)
        damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      } else {
        let start = Int.random(in: 0..<places, using: &random)
        let fill: UInt8 = [0, 0xFF, 0x7F, 1].randomElement(using: &random) ?? 0
        for index in start..<min(bytes.count, start + Int.random(in: 1...9, using: &random)) {
          damaged[index] = fill
        }
      }
      _ = try? readAll(damaged, as: name, in: scratch)
    }
  }
}
