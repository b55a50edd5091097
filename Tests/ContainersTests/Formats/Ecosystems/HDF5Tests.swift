import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// What Keras says about names, and how chunks are read.
@Suite struct HDF5Tests {
  private static let good = fixture("containers/hdf5/good")

  private func names(_ file: String) throws -> [String] {
    try Checkpoint.open(Self.good.appending(file)).tensors.tensors.map(\.name.text)
  }

  @Test func `layers and weights have the names and the order that Keras says`() throws {
    // The name of the whole model, `tf_model`, is left out.
    #expect(
      try names("layers.h5") == [
        "bert/word/weight:0", "bert/encoder/layer_._1/kernel:0", "bert/encoder/layer_._0/kernel:0",
        "classifier/kernel:0", "classifier/bias:0",
      ])
    let stripped = try Checkpoint.open(Self.good.appending("layers.h5")).strippedPrefix
    #expect(stripped?.text == "tf_model/" && stripped?.count == 5)
    // The second of one name goes by its path.
    #expect(try names("layers_alike.h5") == ["kernel:0", "w/kernel:0"])
  }

  @Test func `chunks are the same however they are read`() throws {
    let checkpoint = try Checkpoint.open(Self.good.appending("chunks.h5"))
    for tensor in checkpoint.tensors.tensors {
      let whole = try tensor.bytes.read(0..<tensor.byteCount)
      for step in [1, 7, 64] {
        var found: [UInt8] = []
        for start in stride(from: 0, to: whole.count, by: step) {
          found += try tensor.bytes.read(start..<min(whole.count, start + step))
        }
        #expect(found == whole, "\(tensor.name) by \(step)")
      }
      // And backwards.
      for start in stride(from: max(0, whole.count - 5), through: 0, by: -5) {
        let end = min(whole.count, start + 5)
        #expect(try tensor.bytes.read(start..<end) == Array(whole[start..<end]))
      }
    }
  }

  @Test func `a Keras archive that is no such thing is refused`() throws {
    let scratch = ScratchFolder()
    let bytes = readFile(Self.good.appending("keras_3.weights.h5"))
    // The weights themselves may be called as the archive.
    scratch.write(bytes, to: "model.keras")
    #expect(try readAll(scratch.path).count == 8)
  }
}
