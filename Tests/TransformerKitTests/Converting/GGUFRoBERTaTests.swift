import Containers
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// RoBERTa is a BERT in GGUF, whose positions count from 0; what tells it from one is the kind of its tokenizer.
@Suite struct GGUFRoBERTaTests {
  private let scratch = ScratchFolder()

  private func convert(
    _ source: FilePath, to name: String, _ change: (inout Conversion.Target) -> Void = { _ in }
  ) throws -> FilePath {
    let path = scratch.path.appending(name)
    var target = Conversion.Target(
      path, isFolder: path.extension == nil,
      dialect: path.extension == nil ? "huggingface" : "gguf")
    // Types of tokens, and what the activation is.
    target.allowsMismatch = true
    change(&target)
    try Conversion(Checkpoint.open(source), to: target).run()
    return path
  }

  /// The bytes of all tensors, by name.
  private func bytes(_ path: FilePath) throws -> [TensorName: [UInt8]] {
    var found: [TensorName: [UInt8]] = [:]
    for tensor in try Checkpoint.open(path).tensors.tensors {
      found[tensor.name] = try tensor.bytes.read(0..<tensor.byteCount)
    }
    return found
  }

  /// A file of a random model without a tokenizer, with key-values that a tokenizer would bring.
  private func file(_ kind: String, padding: Int = 3) throws -> FilePath {
    let file = try convert(fixture("roberta/gguf_names/huggingface"), to: "\(kind).gguf")
    let checkpoint = try Checkpoint.open(file)
    var belongings = checkpoint.belongings
    belongings.keyValues = checkpoint.belongings.keyValues?
      .setting("tokenizer.ggml.model", .string(kind))
      .setting("tokenizer.ggml.padding_token_id", .number(padding))
    let target = scratch.path.appending("\(kind)-\(padding).gguf")
    try CheckpointWriter(destination: target, format: .gguf, belongings: belongings)
      .write(tensors: checkpoint.tensors.tensors)
    return target
  }

  @Test(arguments: [("gpt2", "RobertaModel"), ("t5", "XLMRobertaModel"), ("bert", "BertModel")])
  func `the tokenizer tells what a file is`(_ kind: String, _ head: String) throws {
    let path = try file(kind)
    let model = try Model(path)
    #expect(model.graph.architecture.head == head)
    // All of them compute the same of a text without padding.
    let golden = try Golden(fixture("roberta/gguf_names/golden.npz"))
    #expect(try model.check(golden).isVerified)
    // 15 rows, of which the first four are those of padding and what is before it.
    let rows = model.graph.config["max_position_embeddings"]?.int
    #expect(rows == (kind == "bert" ? 11 : 15))
    let folder = try convert(path, to: "hf")
    let again = try convert(folder, to: "again.gguf")
    let (first, second) = (try Checkpoint.open(path), try Checkpoint.open(again))
    #expect(try bytes(again) == bytes(path))
    let key = "bert.context_length"
    #expect(first.belongings.keyValues?.json(key) == 11)
    #expect(second.belongings.keyValues?.json(key) == 11)
  }

  @Test func `rows that padding has are left out only if that is allowed`() throws {
    let source = fixture("roberta/base_no_pooler")
    let error = #expect(throws: CheckpointError.self) {
      try convert(source, to: "a.gguf")
    }
    #expect(error?.category == .refused)
    let details = error?.details.joined(separator: "\n") ?? ""
    #expect(
      details.contains("position_embd.weight: the first 4 rows, which only padding has"),
      "\(details)")
    #expect(scratch.names.isEmpty)
    let file = try convert(source, to: "a.gguf") { $0.allowsLoss = true }
    let whole = try #require(
      Checkpoint.open(source).tensors["embeddings.position_embeddings.weight"])
    let rest = try #require(Checkpoint.open(file).tensors["position_embd.weight"])
    #expect(rest.shape == [whole.shape[0] - 4, whole.shape[1]])
    let start = whole.byteCount - rest.byteCount
    #expect(
      try rest.bytes.read(0..<rest.byteCount) == whole.bytes.read(start..<whole.byteCount))
    // What has no zeros there is not the same model any more.
    let refused = #expect(throws: CheckpointError.self) {
      try convert(source, to: "b.gguf") {
        ($0.allowsLoss, $0.isVerified) = (true, true)
      }
    }
    #expect(refused?.category == .refused)
  }
}
