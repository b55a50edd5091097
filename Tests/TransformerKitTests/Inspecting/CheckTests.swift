import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// Faults planted one at a time in sound checkpoints, and each is found, and nothing else.
@Suite struct CheckTests {
  private let scratch = ScratchFolder()

  private func faults(_ path: FilePath) throws -> [String] {
    try check(path).faults.map {
      "\($0.group): \($0.tensor.map { $0.text + ": " } ?? "")\($0.text)"
    }
  }

  /// A copy of a sound model, with its tensors changed.
  private func planted(
    _ name: String = "bert/base", _ change: (Tensor) -> Tensor?
  ) throws -> FilePath {
    let source = try Checkpoint.open(fixture(name))
    let path = scratch.path.appending("model.safetensors")
    try CheckpointWriter(destination: path, format: .safetensors, overwrite: true)
      .write(tensors: source.tensors.tensors.compactMap(change))
    scratch.write(readFile(fixture(name).appending("config.json")), to: "config.json")
    return path
  }

  private func replacing(
    _ name: TensorName, _ values: @escaping ([UInt8]) -> [UInt8]
  ) -> (Tensor) -> Tensor? {
    { tensor in
      guard tensor.name == name, let bytes = try? tensor.bytes.read(0..<tensor.byteCount) else {
        return tensor
      }
      return Tensor(
        name: name, dtype: tensor.dtype, shape: tensor.shape, bytes: ByteArray(values(bytes)))
    }
  }

  @Test(arguments: [
    "bert/base", "bert/masked_lm", "bert/sharded", "gpt2/lm", "gpt2/openai", "gpt2/nanogpt",
    "gpt2/lm_old_buffers", "t5/model", "t5/f16_mixed", "t5/t5x_scanned", "bert/google_base",
  ])
  func `a sound model has no fault`(_ name: String) throws {
    let report = try check(fixture(name))
    #expect(report.faults.isEmpty && report.isReadable)
    #expect(report.model != nil && report.tensorCount > 10)
  }

  @Test func `NaN and infinities are found, and where the first is`() throws {
    let name: TensorName = "pooler.dense.weight"
    let path = try planted(
      "bert/base",
      replacing(name) { bytes in
        var bytes = bytes
        let start = 4 * (2 * 24 + 5)
        bytes.replaceSubrange(start..<start + 4, with: littleEndian(Float.nan.bitPattern))
        let infinity = littleEndian(Float.infinity.bitPattern)
        bytes.replaceSubrange(start + 8..<start + 12, with: infinity)
        return bytes
      })
    #expect(
      try faults(path) == [
        "values: pooler.dense.weight: 1 NaN and 1 infinite of 576, the first at [2, 5]"
      ])
  }

  @Test func `a matrix that is constant is found, a bias that is zero is not`() throws {
    let matrix = try planted(
      "bert/base", replacing("pooler.dense.weight") { $0.map { _ in 0 } })
    #expect(try faults(matrix) == ["values: pooler.dense.weight: all 576 elements are 0.0"])
    let bias = try planted("bert/base", replacing("pooler.dense.bias") { $0.map { _ in 0 } })
    #expect(try faults(bias).isEmpty)
  }

  @Test func `a layer that is a copy of another is found`() throws {
    let source = try Checkpoint.open(fixture("bert/base"))
    let path = try planted("bert/base") { tensor in
      guard tensor.name.text.hasPrefix("encoder.layer.1.") else { return tensor }
      let other = tensor.name.text.replacing("layer.1.", with: "layer.0.")
      return source.tensors[TensorName(other)]?.renamed(tensor.name)
    }
    let found = try check(path).faults
    #expect(found.count == 6 && found.allSatisfy { $0.group == .duplicates })
  }

  @Test func `missing, unexpected and misshapen weights are found, with a hint`() throws {
    let path = try planted("bert/base") { tensor in
      switch tensor.name.text {
      case "pooler.dense.bias": tensor.renamed("pooler.dense.bais")
      case "embeddings.LayerNorm.bias": Tensor("embeddings.LayerNorm.bias", [2], values: [1, 2])
      default: tensor
      }
    }
    let found = try faults(path)
    #expect(found.count == 3 && found.allSatisfy { $0.hasPrefix("weights: ") })
    #expect(found.contains { $0.contains("did you mean pooler.dense.bias?") })
    #expect(found.contains { $0.contains("is [2], must be [24]") })
  }

  @Test func `training state and other tensors that are left over are one piece of advice`() throws
  {
    let source = try Checkpoint.open(fixture("bert/base"))
    func advice(with names: TensorName...) throws -> String? {
      let path = scratch.path.appending("model.safetensors")
      try CheckpointWriter(destination: path, format: .safetensors, overwrite: true)
        .write(tensors: source.tensors.tensors + names.map { Tensor($0, [1], values: [1]) })
      scratch.write(readFile(fixture("bert/base/config.json")), to: "config.json")
      return try check(path).advice(on: .weights)
    }
    #expect(
      try advice(with: "pooler.dense.weight.exp_avg", "what")
        == "--allow-extra with --drop-training-state leaves out what is no part of BertModel")
    #expect(try advice(with: "what") == "--allow-extra leaves out what is no part of BertModel")
    #expect(
      try advice(with: "pooler.dense.weight.exp_avg")
        == "--drop-training-state leaves it out where the model is needed")
  }

  @Test func `a weight of one layer in another type is found`() throws {
    let name: TensorName = "encoder.layer.1.output.dense.weight"
    let path = try planted("bert/eleven_layers") { tensor in
      guard tensor.name.text.hasSuffix(name.text) else { return tensor }
      let bytes = [UInt8](repeating: 3, count: tensor.byteCount / 2)
      return Tensor(tensor.name, .bf16, tensor.shape, bytes: bytes)
    }
    #expect(try faults(path).contains { $0.contains("is BF16, in most other layers F32") })
  }

  @Test func `weights that the config ties and that differ are found`() throws {
    let source = try Checkpoint.open(fixture("gpt2/lm"))
    let path = scratch.path.appending("model.safetensors")
    let table = try #require(source.tensors["transformer.wte.weight"])
    let head = Tensor(
      "lm_head.weight", .f32, table.shape,
      bytes: [UInt8](repeating: 7, count: table.byteCount - 1) + [0])
    try CheckpointWriter(destination: path, format: .safetensors)
      .write(tensors: source.tensors.tensors.filter { $0.name != "lm_head.weight" } + [head])
    scratch.write(readFile(fixture("gpt2/lm/config.json")), to: "config.json")
    let found = try check(path).faults
    #expect(found.map(\.group) == [.ties] && found[0].tensor == "lm_head.weight")
  }

  @Test func `every fault of a header is listed, not only the first`() throws {
    let text = """
      {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]},\
      "b":{"dtype":"F99","shape":[1],"data_offsets":[8,12]},\
      "c":{"dtype":"F32","shape":[1],"data_offsets":[12,16]},\
      "d":{"dtype":"F32","shape":[1],"data_offsets":[14,18]}}
      """
    let path = scratch.write(
      littleEndian(UInt64(text.utf8.count)) + Array(text.utf8) + [UInt8](repeating: 0, count: 40),
      to: "broken.safetensors")
    let report = try check(path)
    #expect(!report.isReadable)
    #expect(report.faults.count == 5 && report.faults.allSatisfy { $0.group == .structure })
  }

  @Test func `an index that disagrees is told both ways`() throws {
    for name in fileNames(in: fixture("bert/sharded")) {
      scratch.write(readFile(fixture("bert/sharded").appending(name)), to: name)
    }
    let index = scratch.path.appending("model.safetensors.index.json")
    let text = String(decoding: readFile(index), as: UTF8.self)
      .replacing("embeddings.LayerNorm.bias", with: "embeddings.LayerNorm.bogus")
    writeFile(Array(text.utf8), to: index)
    let found = try faults(scratch.path)
    #expect(found.contains { $0.contains("embeddings.LayerNorm.bias") && $0.contains("nowhere") })
    #expect(
      found.contains { $0.contains("embeddings.LayerNorm.bogus") && $0.contains("is not in") })
  }

  @Test func `what cannot be read is a fault of the file, tensor by tensor`() throws {
    let npz = scratch.path.appending("a.npz")
    try CheckpointWriter(destination: npz, format: .npz).write(tensors: [
      Tensor("x", [4], values: [1, 2, 3, 4]), Tensor("y", [2], values: [5, 6]),
    ])
    var bytes = readFile(npz)
    let place = try #require(bytes.firstRange(of: littleEndian(Float(2).bitPattern)))
    bytes[place.lowerBound] ^= 1
    let report = try check(scratch.write(bytes, to: "b.npz"))
    #expect(!report.isReadable && report.faults.map(\.tensor) == ["x"])
  }

  @Test func `an unknown model is checked as far as its container goes`() throws {
    let path = scratch.path.appending("x.safetensors")
    try CheckpointWriter(destination: path, format: .safetensors).write(tensors: [
      Tensor("layers.0.w", [2, 2], values: [1, 2, 3, 4]),
      Tensor("layers.1.w", [2, 2], values: [1, 2, 3, 4]),
      Tensor("head", [2, 2], values: [1, 2, 3, 4]), Tensor("b", [2], values: [0, 0]),
    ])
    let report = try check(path)
    #expect(report.faults.map(\.tensor) == ["layers.1.w"] && report.model == nil)
    #expect(report.notes.contains { $0.tensor == "head" && $0.group == .duplicates })
  }

  @Test func `no file is an error, not a fault`() {
    #expect(throws: CheckpointError.self) { try check("/nowhere/model.safetensors") }
  }
}
