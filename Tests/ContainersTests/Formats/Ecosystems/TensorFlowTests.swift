import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// What only checkpoints of TensorFlow can be: several files.
@Suite struct TensorFlowTests {
  private let scratch = ScratchFolder()
  private static let good = fixture("containers/tensorflow/good")

  /// Copies a good checkpoint under another name.
  @discardableResult
  private func copy(_ name: String, as prefix: String, to folder: String = "") -> [UInt8] {
    let index = readFile(Self.good.appending(name + ".index"))
    for number in 0..<2 {
      for count in 1...2 {
        let ending = ".data-0000\(number)-of-0000\(count)"
        let path = Self.good.appending(name + ending)
        guard (try? path.stat()) != nil else { continue }
        scratch.write(readFile(path), to: folder + prefix + ending)
      }
    }
    scratch.write(index, to: folder + prefix + ".index")
    return index
  }

  @Test func `index, prefix, file of bytes and folder are the same checkpoint`() throws {
    copy("two_shards", as: "model.ckpt-100")
    scratch.write(Array("{}".utf8), to: "config.json")
    let expected = try readAll(Self.good.appending("two_shards.index"))
    #expect(expected.map(\.name) == ["a", "b", "c"])
    for name in [
      "model.ckpt-100.index", "model.ckpt-100", "model.ckpt-100.data-00001-of-00002", "",
    ] {
      let checkpoint = try Checkpoint.open(
        name.isEmpty ? scratch.path : scratch.path.appending(name))
      #expect(try checkpoint.tensors.tensors.map { try ReadTensor($0) } == expected)
      #expect(checkpoint.format == .tensorFlow && checkpoint.config != nil)
      #expect(
        checkpoint.files.map { $0.lastComponent?.string } == [
          "model.ckpt-100.index", "model.ckpt-100.data-00000-of-00002",
          "model.ckpt-100.data-00001-of-00002",
        ])
      #expect(try checkpoint.surroundings(isDeep: true).weights.isEmpty)
    }
  }

  @Test func `of several checkpoints the latest counts, if the folder says which`() throws {
    copy("many_names", as: "model.ckpt-1")
    copy("two_shards", as: "model.ckpt-2")
    #expect(error(reading: scratch.path)?.description.contains("several containers") == true)
    scratch.write(
      Array("model_checkpoint_path: \"model.ckpt-2\"\nall_model_checkpoint_paths: \"x\"\n".utf8),
      to: "checkpoint")
    #expect(try readAll(scratch.path).count == 3)
    // It names nothing outside.
    scratch.write(Array("model_checkpoint_path: \"../model.ckpt-2\"\n".utf8), to: "checkpoint")
    #expect(error(reading: scratch.path)?.description.contains("several containers") == true)
  }

  @Test func `a SavedModel has its variables in a folder`() throws {
    let folder = fixture("containers/tensorflow/saved_model")
    let expected = try Checkpoint.open(
      fixture("containers/tensorflow/expected/saved_model.safetensors"))
    let found = try Checkpoint.open(folder)
    #expect(found.tensors.count == 2)
    for tensor in found.tensors.tensors {
      let there = try ReadTensor(try #require(expected.tensors[tensor.name]))
      #expect(try ReadTensor(tensor) == there)
    }
  }

  @Test func `an index of another name has no bytes`() throws {
    let index = copy("two_shards", as: "a")
    let found = error(reading: scratch.write(index, to: "weights"))
    #expect(found?.description.contains("is not called NAME.index") == true)
  }

  @Test func `a checksum is compared however the bytes are read`() throws {
    copy("partitioned", as: "a")
    let name = "a.data-00000-of-00001"
    var bytes = readFile(scratch.path.appending(name))
    bytes[2400] ^= 1
    scratch.write(bytes, to: name)
    let table = try #require(try Checkpoint.open(scratch.path).tensors["emb"])
    var read = 0
    let found = #expect(throws: CheckpointError.self) {
      while read < table.byteCount {
        let end = min(table.byteCount, read + 333)
        _ = try table.bytes.read(read..<end)
        read = end
      }
    }
    #expect(found?.problem == .checksum("the bytes"))
  }

  @Test(arguments: ["every_dtype", "many_names", "two_shards", "partitioned", "object_graph"])
  func `an index that is cut off or changed is refused`(_ name: String) throws {
    let index = copy(name, as: "a")
    let path = scratch.path.appending("a.index")
    let good = try readAll(path)
    for count in stride(from: 0, to: index.count, by: 7) {
      scratch.write(Array(index[..<count]), to: "a.index")
      #expect(error(reading: path, as: .tensorFlow) != nil, "cut at \(count)")
    }
    var random = SeededGenerator(seed: 5)
    for round in 0..<300 {
      var damaged = index
      let bit = Int.random(in: 0..<8 * index.count, using: &random)
      damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      scratch.write(damaged, to: "a.index")
      guard let found = try? readAll(path) else { continue }
      #expect(found == good, "round \(round)")
    }
  }

  @Test func `bytes that are cut off or changed are refused`() throws {
    copy("many_names", as: "a")
    let name = "a.data-00000-of-00001"
    let bytes = readFile(scratch.path.appending(name))
    let good = try readAll(scratch.path)
    for count in stride(from: 0, to: bytes.count - 18, by: 5) {
      scratch.write(Array(bytes[..<count]), to: name)
      #expect(error(reading: scratch.path) != nil, "cut at \(count)")
    }
    for bit in stride(from: 0, to: 8 * bytes.count, by: 11) {
      var damaged = bytes
      damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      scratch.write(damaged, to: name)
      // What is not read are the texts behind the numbers.
      if let found = try? readAll(scratch.path) { #expect(found == good) }
    }
  }
}
