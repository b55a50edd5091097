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
  private static let cases = [
    "ct2_bart", "ct2_float16", "ct2_int8", "ct2_int16", "ct2_m2m100", "ct2_marian", "ct2_mbart",
    "ct2_pegasus",
  ]
  /// Those whose numbers are stored as they are.
  private static let plain = cases.filter { !$0.contains("int") }

  @Test(arguments: cases)
  func `the weights are those of the model of transformers, rounded as the file has them`(
    _ name: String
  ) throws {
    let own = try Model(fixture("bart/\(name)"))
    let theirs = try Model(fixture("bart/\(name)/huggingface"))
    let result = try compare(theirs, own, precision: Float.self)
    #expect(result.verdict == (name == "ct2_float16" ? .cast(.f16) : .identical))
    #expect(own.plain.codecs.map(\.name) == (name.contains("int") ? ["ctranslate2"] : []))
    #expect(own.unknownKeys == [])
  }

  @Test(arguments: plain)
  func `to transformers' names it is the same model`(_ name: String) throws {
    let target = scratch.path.appending(name)
    try Conversion(
      Checkpoint.open(fixture("bart/\(name)")),
      to: Conversion.Target(target, dialect: "huggingface")
    ).run()
    let (own, other) = (try Model(fixture("bart/\(name)")).graph, try Model(target).graph)
    #expect(other.dialect.fullName == "huggingface")
    #expect(try ModelID(other).digest == ModelID(own).digest)
  }

  /// A fixture with other bytes behind the name of a setting: its type by number, their count, and the value.
  private func opened(_ setting: String, _ type: UInt8, _ value: [UInt8]) throws -> Model {
    let own = readFile(fixture("bart/ct2_bart/model.bin"))
    let name = Array(setting.utf8) + [0, 0]
    let place = try #require(
      own.indices.first { own.dropFirst($0).starts(with: name) })
    let start = place + name.count
    let count = Int(own[start + 1])
    var changed = own
    changed.replaceSubrange(
      start..<start + 5 + count, with: [type] + littleEndian(UInt32(value.count)) + value)
    let folder = scratch.makeFolder("changed")
    writeFile(changed, to: folder.appending("model.bin"))
    writeFile(readFile(fixture("bart/ct2_bart/config.json")), to: folder.appending("config.json"))
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
}
