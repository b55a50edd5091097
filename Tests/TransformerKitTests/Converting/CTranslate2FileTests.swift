import Codecs
import Containers
import Families
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// The model.bin of CTranslate2, with its settings among the tensors.
@Suite struct CTranslate2FileTests {
  private let scratch = ScratchFolder()
  private static let cases = goldenCases.filter { $0.contains("/ct2_") }
  /// Those whose numbers are stored as they are.
  private static let plain = cases.filter { !isQuantised($0) }

  private static func isQuantised(_ name: String) -> Bool {
    name.contains("int") || name.hasSuffix("qwen2")
  }

  @Test func `there are fixtures of all models`() {
    #expect(Self.cases.count >= 18 && Self.plain.count < Self.cases.count)
    let own = Family.all.dialects.filter { $0.name == "ctranslate2" }.map(\.architecture)
    let found = Self.cases.compactMap { try? Model(fixture($0)).graph.dialect }
    #expect(Set(found.map(\.architecture)) == Set(own))
    #expect(found.allSatisfy { $0.name == "ctranslate2" } && found.count == Self.cases.count)
  }

  @Test(arguments: cases)
  func `the weights are those of the model of transformers, rounded as the file has them`(
    _ name: String
  ) throws {
    let own = try Model(fixture(name))
    let theirs = try Model(fixture("\(name)/huggingface"))
    let result = try compare(theirs, own, precision: Float.self)
    let isHalf = ["ct2_float16", "ct2_qwen3", "whisper/ct2_int8"].contains { name.hasSuffix($0) }
    #expect(result.verdict == (isHalf ? .cast(.f16) : .identical))
    #expect(own.plain.codecs.map(\.name) == (Self.isQuantised(name) ? ["ctranslate2"] : []))
    #expect(own.unknownKeys == [])
  }

  @Test(arguments: plain)
  func `to transformers' names it is the same model`(_ name: String) throws {
    let target = scratch.path.appending("converted")
    try Conversion(
      Checkpoint.open(fixture(name)),
      to: Conversion.Target(target, dialect: "huggingface")
    ).run()
    let (own, other) = (try Model(fixture(name)).graph, try Model(target).graph)
    #expect(other.dialect.fullName == "huggingface")
    #expect(try ModelID(other).digest == ModelID(own).digest)
  }

  /// A fixture with other bytes behind the name of a setting: its type by number, their count, and the value.
  private func opened(
    _ setting: String, _ type: UInt8, _ value: [UInt8], in name: String = "bart/ct2_bart"
  ) throws -> Model {
    let own = readFile(fixture("\(name)/model.bin"))
    let marker = Array(setting.utf8) + [0, 0]
    let place = try #require(
      own.indices.first { own.dropFirst($0).starts(with: marker) })
    let start = place + marker.count
    let count = Int(own[start + 1])
    var changed = own
    changed.replaceSubrange(
      start..<start + 5 + count, with: [type] + littleEndian(UInt32(value.count)) + value)
    let folder = scratch.makeFolder("changed")
    writeFile(changed, to: folder.appending("model.bin"))
    writeFile(readFile(fixture("\(name)/config.json")), to: folder.appending("config.json"))
    return try Model(folder)
  }

  @Test(arguments: [
    ("decoder/alibi", UInt8(1)), ("encoder/multi_query_attention", 1),
    ("decoder/start_from_zero_embedding", 1), ("decoder/activation", 0), ("encoder/activation", 9),
  ])
  func `settings of another model are refused`(_ setting: String, _ value: UInt8) {
    let error = #expect(throws: CheckpointError.self) { try opened(setting, 1, [value]) }
    let named = setting == "decoder/activation" ? "encoder/activation" : setting
    #expect(error?.category == .unsupported && error?.tensor?.text == named)
  }

  @Test func `a factor of words is a flag, or a number`() throws {
    let name = "decoder/scale_embeddings"
    #expect(try opened(name, 1, [0]).graph.dialect.fullName == "ctranslate2")
    let three = littleEndian(Float(3).bitPattern)
    for (type, value) in [(UInt8(1), [UInt8(1)]), (0, three)] {
      let error = #expect(throws: CheckpointError.self) { try opened(name, type, value) }
      #expect(error?.category == .unsupported && error?.tensor?.text == name)
    }
  }

  @Test(arguments: [
    ("whisper/ct2_whisper", "decoder/activation", UInt8(0)),
    ("gpt2/ct2_gpt2", "decoder/scale_embeddings", 1),
    ("gpt2/ct2_gpt2", "decoder/activation", 9),
    ("bert/ct2_bert", "encoder/embeddings_merge", 0),
    ("t5/ct2_t5", "encoder/scale_embeddings", 1), ("t5/ct2_t5", "encoder/activation", 9),
    ("llama/ct2_llama", "decoder/layer_1/self_attention/rotary_interleave", 1),
    ("llama/ct2_linear", "decoder/layer_0/self_attention/rotary_scaling_type", 2),
  ])
  func `settings of another model of these are refused`(
    _ name: String, _ setting: String, _ value: UInt8
  ) {
    let error = #expect(throws: CheckpointError.self) { try opened(setting, 1, [value], in: name) }
    #expect(error?.category == .unsupported && error?.tensor?.text == setting)
  }

  /// What T5 adds to scores and divides them by stands in numbers of 32 bits.
  @Test(arguments: [
    ("encoder/layer_0/self_attention/relative_attention_max_distance", UInt8(3), UInt32(10)),
    ("decoder/layer_1/attention/queries_scale", 0, Float(0.5).bitPattern),
    ("encoder/layer_1/self_attention/queries_scale", 0, Float(0.5).bitPattern),
    ("decoder/scale_outputs", 0, Float(0.5).bitPattern),
  ])
  func `numbers of another model than T5 are refused`(
    _ setting: String, _ type: UInt8, _ value: UInt32
  ) {
    let error = #expect(throws: CheckpointError.self) {
      try opened(setting, type, littleEndian(value), in: "t5/ct2_t5")
    }
    #expect(error?.category == .unsupported && error?.tensor != nil)
  }

  /// Settings by which a file is one of no model that is read: OPT's activation, Gemma's words, RoBERTa's types.
  @Test(arguments: [
    ("gpt2/ct2_gpt2", "decoder/activation", UInt8(0)), ("gpt2/ct2_gpt2", "decoder/alibi", 1),
    ("llama/ct2_llama", "decoder/scale_embeddings", 1), ("bert/ct2_bert", "encoder/pre_norm", 1),
  ])
  func `a model that is not read is refused with those that are`(
    _ name: String, _ setting: String, _ value: UInt8
  ) {
    let error = #expect(throws: CheckpointError.self) { try opened(setting, 1, [value], in: name) }
    #expect(error?.category == .unsupported && error?.tensor == nil)
    for architecture in ["bart", "marian", "whisper", "bert", "gpt2", "llama", "qwen3"] {
      #expect(error?.advice?.contains("\(architecture),") == true)
    }
  }

  /// Another number in the place of one of the zeros is refused, and one beside them is a weight.
  @Test func `a bias of keys must be zero`() throws {
    let path = fixture("whisper/ct2_whisper/model.bin")
    let checkpoint = try Checkpoint.open(path)
    let name = "encoder/layer_0/self_attention/linear_0/bias"
    let bias = try #require(checkpoint.tensors[TensorName(name)])
    let bytes = try bias.bytes.read(0..<bias.byteCount)
    let own = readFile(path)
    let start = try #require(own.indices.first { own.dropFirst($0).starts(with: bytes) })
    for (element, isRefused) in [(11, false), (12, true), (23, true), (24, false)] {
      var changed = own
      changed.replaceSubrange(
        start + 4 * element..<start + 4 * element + 4, with: littleEndian(Float(1).bitPattern))
      let folder = scratch.makeFolder("bias\(element)")
      writeFile(changed, to: folder.appending("model.bin"))
      writeFile(
        readFile(fixture("whisper/ct2_whisper/config.json")), to: folder.appending("config.json"))
      guard isRefused else {
        _ = try Model(folder)
        continue
      }
      let error = #expect(throws: CheckpointError.self) { try Model(folder) }
      #expect(error?.category == .refused)
      #expect(
        error?.details == [
          "not zero     \(name): rows 12 to 23 must be zero: the model has no weight for them"
        ])
    }
  }
}
