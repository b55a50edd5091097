import Codecs
import Containers
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// A folder of parts, one for each process, is one model.
@Suite struct PartsTests {
  private let scratch = ScratchFolder()

  /// A folder with some of a fixture's files.
  private func folder(_ names: String..., of source: String = "meta_parts") -> FilePath {
    let target = scratch.makeFolder("parts")
    for name in names + ["params.json"] {
      writeFile(
        readFile(fixture("llama/\(source)").appending(name)), to: target.appending(name))
    }
    return target
  }

  @Test(arguments: ["meta", "meta_llama_2"])
  func `parts have the id of what they are parts of`(_ name: String) throws {
    let parts = try openModel("llama/" + name.replacing("meta", with: "meta_parts"))
    let whole = try openModel("llama/\(name)")
    #expect(
      parts.graph.dialect.name == "meta" && parts.plain.codecs.map(\.name) == ["tensor-parallel"])
    #expect(try ModelID(parts.graph).digest == ModelID(whole.graph).digest)
  }

  @Test func `converted, they are the whole model's files`() throws {
    func convert(_ source: FilePath, _ name: String, _ dialect: String) throws -> FilePath {
      var target = Conversion.Target(scratch.path.appending(name), isFolder: true)
      (target.dialect, target.isVerified) = (dialect, true)
      try Conversion(Checkpoint.open(source, options: OpenOptions()), to: target).run()
      return target.destination
    }
    let parts = try convert(fixture("llama/meta_parts"), "a", "huggingface")
    let whole = try convert(fixture("llama/meta"), "b", "huggingface")
    #expect(try tensors(in: parts) == tensors(in: whole))
    let config = "config.json"
    #expect(readFile(parts.appending(config)) == readFile(whole.appending(config)))
  }

  @Test func `written for the original code, the file has the name that it looks for`() throws {
    var target = Conversion.Target(scratch.path.appending("one"), isFolder: true, format: .torch)
    (target.dialect, target.isVerified) = ("meta", true)
    try Conversion(
      Checkpoint.open(fixture("llama/meta_parts"), options: OpenOptions()), to: target
    ).run()
    #expect(
      fileNames(in: target.destination) == ["config.json", "consolidated.00.pth", "params.json"])
    #expect(
      try ModelID(Model(target.destination).graph).digest
        == ModelID(openModel("llama/meta").graph).digest)
  }

  @Test func `a part that is missing is asked for`() {
    func problem(_ path: FilePath) -> String? {
      #expect(throws: CheckpointError.self) { try Model(path) }?.problem.text
    }
    #expect(
      problem(folder("consolidated.01.pth"))
        == "\"consolidated.00.pth\" is missing: the folder has other parts of the model, up to"
        + " \"consolidated.01.pth\"")
    #expect(
      problem(fixture("llama/meta_parts/consolidated.01.pth"))?.hasPrefix(
        "is shard 2 of 2; the model is")
        == true)
  }

  @Test func `the first part alone is not taken for the model`() {
    let error = #expect(throws: CheckpointError.self) { try Model(folder("consolidated.00.pth")) }
    #expect(
      error?.problem.text
        == "layers.0.attention.wq.weight has 8 of the 16 rows that dim of params.json asks for: not"
        + " all parts of the model are here")
  }
}
