import Containers
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// GGUF files that llama.cpp's converter wrote are the models that they were made of, by what the files say of
/// themselves alone; and what is written is understood the same way.
@Suite struct GGUFModelTests {
  /// The files, and the folders with the models that they were made of.
  static let cases: [(file: FilePath, source: FilePath, golden: FilePath)] = {
    let folder = fixture("containers/gguf/models")
    return fileNames(in: folder).map { name in
      let parts = name.dropLast(5).split(separator: "_", maxSplits: 1)
      let end = parts.count > 1 ? "_\(parts[1])" : ""
      let source = fixture("\(parts[0])/gguf_names\(end)")
      return (
        folder.appending(name), source.appending("huggingface"), source.appending("golden.npz")
      )
    }
  }()

  @Test(arguments: cases.indices)
  func `a file of llama.cpp's converter is the model that it was made of`(_ index: Int) throws {
    let (file, source, golden) = Self.cases[index]
    let model = try Model(file)
    #expect(model.checkpoint.format == .gguf)
    let report = try compare(Model(source), model, precision: Float.self)
    #expect(report.verdict == .identical, "\(file)")
    #expect(try model.check(Golden(golden)).isVerified, "\(file)")
  }

  @Test(arguments: cases.indices)
  func `it becomes a folder, which becomes a file again that says the same`(_ index: Int) throws {
    let (file, source, _) = Self.cases[index]
    let scratch = ScratchFolder()
    let folder = scratch.path.appending("hf")
    try convert(file, to: folder, isFolder: true, dialect: "huggingface")
    #expect(fileNames(in: folder) == ["config.json", "model.safetensors"])
    let again = scratch.path.appending("again.gguf")
    try convert(folder, to: again, dialect: "gguf", allowsMismatch: true)
    // What the file says of itself must suffice.
    remove(scratch.path.appending("again.gguf.config.json"))
    let model = try Model(again)
    #expect(model.checkpoint.config?.value["general.architecture"] != nil)
    let report = try compare(Model(source), model, precision: Float.self)
    #expect(report.verdict == .identical, "\(file)")
    let (old, new) = (try values(file), try values(again))
    for (key, value) in old
    where key.hasPrefix("clip.") || !Self.ownWays.contains(where: { key.hasSuffix($0) }) {
      #expect(new[key] == value, "\(key)")
    }
  }

  /// Keys whose values llama.cpp's converter takes from elsewhere, or that say nothing of the mathematics.
  private static let ownWays = [
    "general.type", "general.name", "general.size_label", "general.basename",
    "general.quantization_version", "tensor_data_layout", "context_length", "sliding_window",
    "classifier.pooling_type", "feed_forward_length", "head_count_kv",
    "add_bos_token", "general.finetune", "general.version", "general.description",
  ]

  private func values(_ path: FilePath) throws -> [String: JSONValue] {
    let members = try Checkpoint.open(path).config?.value.members ?? []
    return Dictionary(members.map { ($0.key, $0.value) }) { first, _ in first }
  }

  @Test func `vectors and normalisations stay in single precision`() throws {
    let scratch = ScratchFolder()
    let target = scratch.path.appending("m.gguf")
    let source = fixture("llama/gguf_names_qwen3/huggingface")
    try convert(source, to: target, dialect: "gguf", dtype: .f16, allowsLoss: true)
    let values = try Checkpoint.open(target).belongings.keyValues
    #expect(values?.json("general.file_type") == 1)
    for tensor in try Checkpoint.open(target).tensors.tensors {
      let isSingle = tensor.shape.count == 1
      #expect(tensor.dtype == (isSingle ? .f32 : .f16), "\(tensor.name)")
    }
  }

  @Test func `a file that is written again keeps its key-values and its blocks`() throws {
    let scratch = ScratchFolder()
    let target = scratch.path.appending("m.gguf")
    let source = fixture("containers/gguf/good/every_type.gguf")
    try convert(source, to: target)
    #expect(readFile(target) == readFile(source))
  }

  @Test func `a config beside the file goes before what the file says, unless it says nothing`()
    throws
  {
    let scratch = ScratchFolder()
    let bytes = readFile(fixture("containers/gguf/models/llama_qwen2.gguf"))
    let path = scratch.write(bytes, to: "model.gguf")
    scratch.write(Array(#"{"model_type": "qwen2"}"#.utf8), to: "config.json")
    #expect(try Model(path).graph.architecture.head == "Qwen2ForCausalLM")
    let config = readFile(fixture("llama/gguf_names_qwen2/huggingface/config.json"))
    scratch.write(config, to: "config.json")
    #expect(try Checkpoint.open(path).config?.bytes == config)
    #expect(try Checkpoint.open(scratch.path).config?.bytes == config)
  }

  @Test func `an architecture that nobody knows is named`() throws {
    let error = #expect(throws: CheckpointError.self) {
      try Model(fixture("containers/gguf/good/every_type.gguf"))
    }
    #expect(error?.category == .unsupported)
    #expect(error?.problem.text.contains("the architecture \"some\" is not supported") == true)
  }

  private func convert(
    _ source: FilePath, to destination: FilePath, isFolder: Bool = false, dialect: String? = nil,
    allowsMismatch: Bool = false, dtype: DType? = nil, allowsLoss: Bool = false
  ) throws {
    let target = Conversion.Target(
      destination, isFolder: isFolder, dialect: dialect, allowsMismatch: allowsMismatch,
      dtype: dtype, allowsLoss: allowsLoss)
    try Conversion(Checkpoint.open(source, options: OpenOptions()), to: target).run()
  }

  private func remove(_ path: FilePath) {
    unsafe path.withPlatformString { _ = unsafe unlink($0) }
  }
}
