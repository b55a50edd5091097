import Codecs
import Containers
import TensorCore
import TestSupport
import Testing

/// compressed-tensors' lists name modules as its own code does.
@Suite struct ModuleListsTests {
  /// A checkpoint of four modules, whose config ignores or targets some.
  private func faults(
    ignore: [JSONValue] = [], groups: JSONValue = [:]
  ) throws -> [CodingSettings.Fault] {
    let checkpoint = try Checkpoint.open(fixture("codecs/compressed_tensors/four_bits"))
    let settings: JSONValue = [
      "quant_method": "compressed-tensors", "ignore": .array(ignore), "config_groups": groups,
    ]
    return try CodingSettings(
      checkpoint.tensors, config: ["quantization_config": settings], patterns: pattern
    ).faults
  }

  @Test func `a pattern names what compressed-tensors says it does`() throws {
    let golden = try JSONValue(
      parsing: readFile(fixture("codecs/module_lists.json")), grammar: .strict)
    let names = try #require(golden["names"]?.elements).compactMap(\.string)
    var refused: [String] = []
    for target in try #require(golden["named"]?.members) where target.key.hasPrefix("re:") {
      let named = target.value.elements?.compactMap(\.string)
      var steps = 1 << 20
      do {
        let read = try pattern(String(target.key.dropFirst(3)))
        let found = try names.filter { try read($0, &steps) }
        #expect(found == named, "\(target.key)")
      } catch is CheckpointError {
        refused.append(target.key)
      }
    }
    // Those that Python cannot read, and those of more than the engine has.
    #expect(
      Set(refused) == ["re:(", "re:a)|(b", "re:[", "re:*x", "re:(a)\\1"])
  }

  @Test func `a name is whole unless it is a pattern`() throws {
    #expect(try faults(ignore: ["self_attn", "q_proj", "re:q_proj", "re:layers"]) == [])
    #expect(try faults(ignore: ["re:model\\.layers\\.1\\."]).count == 1)
  }

  @Test func `each module is held against the scheme of its own target`() throws {
    let four: JSONValue = ["num_bits": 4, "type": "int", "symmetric": true]
    let eight: JSONValue = ["num_bits": 8, "type": "int", "symmetric": true]
    func groups(_ first: JSONValue, _ second: JSONValue) -> JSONValue {
      [
        "a": ["targets": ["re:.*mlp"], "weights": first],
        "b": ["targets": ["Linear"], "weights": second],
      ]
    }
    #expect(try faults(groups: groups(four, four)) == [])
    let mlp = try faults(groups: groups(eight, four))
    #expect(mlp.first?.tensor?.text == "model.layers.0.mlp.down_proj.weight_packed")
    #expect(!mlp.contains { $0.tensor?.text.contains("self_attn") == true })
    let attention = try faults(groups: groups(four, eight))
    #expect(attention.first?.tensor?.text == "model.layers.0.self_attn.k_proj.weight_packed")
    #expect(!attention.contains { $0.tensor?.text.contains("mlp") == true })
  }

  @Test(arguments: ["re:(", "re:(a)\\1", "re:[z-a]", "re:((((a{1000}){1000}){1000}){1000})"])
  func `a pattern that cannot be read is refused by name`(_ text: String) throws {
    let error = #expect(throws: CheckpointError.self) { try faults(ignore: [.string(text)]) }
    #expect(error?.problem.text.contains("ignore has \"\(text.prefix(4))") == true, "\(error!)")
  }

  @Test func `a pattern whose work explodes ends in one line`() throws {
    let error = #expect(throws: CheckpointError.self) {
      try faults(ignore: ["re:(([a-z_.0-9]+)+)+!", "re:(.*)*(.*)*(.*)*!"])
    }
    #expect(error?.problem.text.contains("quantization_config.ignore has") == true)
  }

  @Test func `all patterns share their steps`() throws {
    let many = (0..<2_000).map { JSONValue.string("re:.*.*.*.*.*x\($0)") }
    #expect(throws: CheckpointError.self) { try faults(ignore: many) }
  }
}
