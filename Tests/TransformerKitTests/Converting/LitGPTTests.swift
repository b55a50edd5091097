import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// What LitGPT finds in a folder.
@Suite struct LitGPTTests {
  private let scratch = ScratchFolder()

  /// The values of the lines `key: value`, numbers as numbers.
  private func lines(of path: FilePath) -> [String: String] {
    let text = String(decoding: readFile(path), as: UTF8.self)
    return Dictionary(
      text.split(separator: "\n").filter { !$0.hasPrefix(" ") }.map { line in
        let key = line.prefix { $0 != ":" }
        let value = line.dropFirst(key.count + 2).filter { $0 != "\"" }
        return (String(key), Double(value).map { "\($0)" } ?? value)
      }
    ) { first, _ in first }
  }

  @Test(arguments: ["llama/litgpt", "llama/litgpt_qwen3", "gptneox/litgpt"])
  func `its config says what its own code wrote of the same model`(_ name: String) throws {
    var target = Conversion.Target(scratch.path.appending("out"), isFolder: true, format: .torch)
    (target.dialect, target.isVerified) = ("litgpt", true)
    try Conversion(Checkpoint.open(fixture(name), options: OpenOptions()), to: target).run()
    #expect(
      fileNames(in: target.destination) == ["config.json", "lit_model.pth", "model_config.yaml"])
    let found = lines(of: target.destination.appending("model_config.yaml"))
    let expected = lines(of: fixture(name).appending("model_config.yaml"))
    #expect(found.count > 15)
    for (key, value) in found where !["name", "rope_adjustments", "attn_bias"].contains(key) {
      #expect(expected[key] == value, "\(key)")
    }
    let text = String(
      decoding: readFile(target.destination.appending("model_config.yaml")), as: UTF8.self)
    #expect(!text.contains("1e-"), "a text to readers of YAML 1.1")
    #expect(
      text.contains("\"original_max_seq_len\": 16")
        == (expected["rope_adjustments"]?.isEmpty ?? false))
  }
}
