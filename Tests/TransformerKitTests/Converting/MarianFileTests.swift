import Containers
import Families
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// The npz files of the program Marian, with the options among the tensors.
@Suite struct MarianFileTests {
  private let scratch = ScratchFolder()
  private static let cases = ["marian_npz", "marian_npz_separate"]

  private func convert(_ source: FilePath, to name: String, _ dialect: String) throws -> FilePath {
    let target = scratch.path.appending(name)
    try Conversion(Checkpoint.open(source), to: Conversion.Target(target, dialect: dialect)).run()
    return target
  }

  private func bytes(of tensor: Tensor) throws -> [UInt8] {
    try tensor.bytes.read(0..<tensor.byteCount)
  }

  @Test(arguments: cases)
  func `to transformers and back they are the same`(_ name: String) throws {
    let own = fixture("bart/\(name)/model.npz")
    let theirs = try Model(fixture("bart/\(name)/huggingface")).graph
    let there = try convert(own, to: "\(name)-hf", "huggingface")
    #expect(try ModelID(Model(there).graph).digest == ModelID(theirs).digest)
    let back = try convert(there, to: "\(name).npz", "marian")
    // Alone, without the config beside it.
    let alone = scratch.makeFolder("\(name)-alone").appending("model.npz")
    writeFile(readFile(back), to: alone)
    let (first, second) = (try Checkpoint.open(own), try Checkpoint.open(alone))
    #expect(first.tensors.count == second.tensors.count)
    for tensor in first.tensors.tensors where tensor.name != "special:model.yml" {
      let other = try #require(second.tensors[tensor.name])
      #expect(tensor.dtype == other.dtype && tensor.shape == other.shape, "\(tensor.name)")
      #expect(try bytes(of: tensor) == bytes(of: other), "\(tensor.name)")
    }
    // Of the options those that make the model are written, and mean the same.
    let options = try #require(first.config?.value)
    let written = try #require(second.config?.value.members)
    #expect(written.count == 26)
    for member in written where member.key != "tied-embeddings-src" {
      #expect(options[member.key] == member.value || member.key == "transformer-aan-activation")
    }
    #expect(try Model(second).graph.config == Model(first).graph.config)
    #expect(try bytes(of: #require(second.tensors["special:model.yml"])).last == 0)
  }

  @Test func `a word that is not zero has no place`() throws {
    let source = fixture("bart/marian")
    let error = #expect(throws: CheckpointError.self) {
      try convert(source, to: "x.npz", "marian")
    }
    #expect(error?.category == .refused)
    #expect(error?.details.contains { $0.contains("Wemb: the last of [37, 12]") } == true)
  }

  /// The fixture with other options.
  private func opened(_ old: String, _ new: String) throws -> Checkpoint {
    let own = try Checkpoint.open(fixture("bart/marian_npz/model.npz"))
    let text = String(
      decoding: try bytes(of: #require(own.tensors["special:model.yml"])), as: UTF8.self)
    #expect(text.contains(old))
    let changed = Array(text.replacing(old, with: new).utf8)
    let tensors = own.tensors.tensors.map { tensor in
      tensor.name == "special:model.yml"
        ? Tensor(
          name: tensor.name, dtype: .i8, shape: [changed.count], bytes: ByteArray(changed)) : tensor
    }
    let path = scratch.path.appending("changed.npz")
    try CheckpointWriter(destination: path, format: .npz, overwrite: true).write(tensors: tensors)
    return try Checkpoint.open(path)
  }

  @Test(arguments: [
    ("transformer-preprocess: \"\"", "transformer-preprocess: n", "transformer-preprocess is"),
    ("transformer-postprocess: dan", "transformer-postprocess: da", "transformer-postprocess is"),
    ("type: transformer", "type: s2s", "type is"),
    ("  - 36\n  - 36", "  - 36\n  - 37", "dim-vocabs is"),
    ("  - 36\n  - 36", "  - 9223372036854775807\n  - 9223372036854775807", "dim-vocabs is"),
    (
      "tied-embeddings: true\ntied-embeddings-all: true", "tied-embeddings: false",
      "tied-embeddings is"
    ),
    ("transformer-heads: 3", "transformer-heads: many", "transformer-heads is"),
  ])
  func `options of another model are refused`(_ old: String, _ new: String, _ wanted: String) throws
  {
    let checkpoint = try opened(old, new)
    let error = #expect(throws: CheckpointError.self) { try Model(checkpoint) }
    #expect(error?.category == .unsupported && error?.tensor == "special:model.yml")
    #expect(error?.problem.text.contains(wanted) == true)
  }

  @Test(arguments: ["dim-emb: {", "dim-emb: &a 12", "\tdim-emb: 12", "dim-emb: 12\ndim-emb: 12"])
  func `options that cannot be read are said with their line`(_ new: String) {
    let error = #expect(throws: CheckpointError.self) { try opened("dim-emb: 12", new) }
    #expect(error?.tensor == "special:model.yml")
    #expect(error?.problem.text.contains("of the settings") == true)
  }
}
