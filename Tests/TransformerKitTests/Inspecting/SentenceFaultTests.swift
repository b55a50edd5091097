import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// What can be wrong with the modules of sentence-transformers, and what is said of it.
@Suite struct SentenceFaultTests {
  struct Fault: Sendable, CustomTestStringConvertible {
    let file: String
    let from: String
    let to: String
    let category: CheckpointError.Category
    let text: String

    var testDescription: String { to }
  }

  private static let pooling = "1_Pooling/config.json"
  private static let dense = "2_Dense/config.json"

  static let faults: [Fault] = [
    Fault(
      file: dense, from: "\"in_features\": 96", to: "\"in_features\": 95", category: .refused,
      text: "2_Dense reads 95 numbers, what comes before it gives 96"),
    Fault(
      file: dense, from: "\"bias\": true", to: "\"bias\": false", category: .refused,
      text: "2_Dense: linear.bias is unexpected"),
    Fault(
      file: "3_Dense/config.json", from: "\"in_features\": 12", to: "\"in_features\": 11",
      category: .refused, text: "3_Dense reads 11 numbers, what comes before it gives 12"),
    Fault(
      file: pooling, from: "\"embedding_dimension\": 16", to: "\"embedding_dimension\": 1e999",
      category: .failed, text: "embedding_dimension"),
    Fault(
      file: pooling, from: "\"embedding_dimension\": 16",
      to: "\"embedding_dimension\": 2147483648", category: .refused,
      text: "2_Dense reads 96 numbers, what comes before it gives 12884901888"),
    Fault(
      file: pooling, from: "\"cls\"", to: "\"median\"", category: .unsupported, text: "\"median\""),
    Fault(
      file: dense, from: "torch.nn.modules.activation.Tanh", to: "mine.Tanh",
      category: .unsupported, text: "activation_function \"mine.Tanh\" is not known"),
    Fault(
      file: "modules.json", from: "sentence_transformers.base.modules.normalize.Normalize",
      to: "sentence_transformers.models.LSTM", category: .unsupported,
      text: "module 7 is a sentence_transformers.models.LSTM, which is not supported"),
    Fault(
      file: "modules.json", from: "\"path\": \"\"", to: "\"path\": \"0_Transformer\"",
      category: .unsupported, text: "in the folder 0_Transformer, as before sentence-transformers 2"
    ),
    Fault(
      file: "modules.json", from: "\"2_Dense\"", to: "\"9_Dense\"", category: .failed,
      text: "9_Dense/config.json is not there"),
    Fault(
      file: "modules.json", from: "\"2_Dense\"", to: "\"../2_Dense\"", category: .failed,
      text: "\"../2_Dense\" is no path of a folder in this one"),
    Fault(
      file: "modules.json", from: "[", to: "{", category: .failed, text: ""),
    Fault(
      file: "sentence_bert_config.json", from: "feature-extraction", to: "fill-mask",
      category: .unsupported, text: "transformer_task \"fill-mask\" is not supported"),
  ]

  @Test(arguments: faults) func `is said`(_ fault: Fault) throws {
    let scratch = ScratchFolder()
    let folder = try SentenceTests.copy("several", scratch, fault.file) {
      $0.replacing(fault.from, with: fault.to)
    }
    let error = #expect(throws: CheckpointError.self) { try Model(folder) }
    #expect(error?.category == fault.category)
    let text = ([error?.description ?? ""] + (error?.details ?? [])).joined(separator: "\n")
    #expect(text.contains(fault.text), "\(text)")
    // The file alone is a model all the same.
    #expect(try Model(folder.appending("model.safetensors")).sentences == nil)
  }

  /// Not only where modules are held against each other.
  @Test func `a pooling of another width than the hidden states is refused`() throws {
    let scratch = ScratchFolder()
    let folder = try SentenceTests.copy("mean", scratch, Self.pooling) {
      $0.replacing("\"word_embedding_dimension\": 16", with: "\"word_embedding_dimension\": 17")
    }
    let error = #expect(throws: CheckpointError.self) { try Model(folder) }
    #expect(
      error?.problem
        == .refused(
          "the modules on the Transformer do not fit: the pooling reads 17 numbers, hidden states have 16"
        ))
    #expect(try check(folder).faults.map(\.group) == [.weights])
  }

  @Test func `a module that is not there is a fault of the check`() throws {
    let scratch = ScratchFolder()
    let folder = try SentenceTests.copy("several", scratch, "modules.json") {
      $0.replacing("\"2_Dense\"", with: "\"9_Dense\"")
    }
    #expect(try check(folder).faults.map(\.group) == [.config])
    #expect(try check(fixture("sentences/several")).faults.isEmpty)
  }
}
