import Containers
import Families
import Models
import SystemPackage
import TensorCore
import TestSupport
import TransformerKit

/// A checkpoint of the fixtures, to be changed and written again.
struct Variant {
  var tensors: [Tensor]
  var config: [JSONValue.Member]
  var metadata: Metadata?

  /// A case of `Fixtures/bert`.
  init(_ name: String) throws {
    try self.init(of: "bert/\(name)")
  }

  /// A case of `Fixtures`.
  init(of path: String) throws {
    let checkpoint = try Checkpoint.open(fixture(path))
    tensors = checkpoint.tensors.tensors
    config = checkpoint.config?.value.members ?? []
    metadata = checkpoint.metadata
  }

  /// A value of the config; `nil` removes it.
  subscript(key: String) -> JSONValue? {
    get { config.first { $0.key == key }?.value }
    set {
      config.removeAll { $0.key == key }
      if let newValue { config.append(.init(key, newValue)) }
    }
  }

  /// The model, by way of a safetensors file.
  func model() throws -> Model {
    // The folder goes away in the end, and the open file stays.
    let folder = ScratchFolder()
    let path = try write(to: folder)
    return try withExtendedLifetime(folder) { try Model(path) }
  }

  /// The model's file.
  func write(to folder: ScratchFolder, name: String = "model.safetensors") throws -> FilePath {
    let path = folder.path.appending(name)
    let format = ContainerFormat.withExtension(path.extension ?? "") ?? .safetensors
    try CheckpointWriter(destination: path, format: format)
      .write(
        tensors: tensors, metadata: metadata, config: Array(JSONValue.object(config).text().utf8))
    return path
  }

  // MARK: Edits

  /// The position of the tensor of that name.
  private func index(_ name: String) -> Int {
    guard let index = tensors.firstIndex(where: { $0.name == TensorName(name) }) else {
      fatalError("the fixture has no tensor \(name)")
    }
    return index
  }

  /// The bytes of a tensor.
  func bytes(_ name: String) throws -> [UInt8] {
    let tensor = tensors[index(name)]
    return try tensor.bytes.read(0..<tensor.byteCount)
  }

  /// The numbers of a single-precision tensor.
  func floats(_ name: String) throws -> [Float] {
    let bytes = try bytes(name)
    return stride(from: 0, to: bytes.count, by: 4).map { start in
      Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << (8 * $1) })
    }
  }

  /// Replaces a tensor's bytes.
  mutating func set(_ name: String, bytes: [UInt8]) {
    let (index, old) = (index(name), tensors[index(name)])
    tensors[index] = Tensor(old.name, old.dtype, old.shape, bytes: bytes)
  }

  /// Replaces a tensor's single-precision numbers.
  mutating func set(_ name: String, floats: [Float]) {
    set(name, bytes: floats.flatMap { littleEndian($0.bitPattern) })
  }

  /// Gives two tensors each other's numbers.
  mutating func swap(_ a: String, _ b: String) throws {
    let (left, right) = (try bytes(a), try bytes(b))
    set(a, bytes: right)
    set(b, bytes: left)
  }

  /// Transposes a matrix that has as many rows as columns.
  mutating func transpose(_ name: String) throws {
    let size = tensors[index(name)].shape[0]
    let old = try floats(name)
    set(name, floats: (0..<size * size).map { old[$0 % size * size + $0 / size] })
  }

  /// Gives every tensor another name.
  mutating func renameAll(_ newName: (String) -> String) {
    tensors = tensors.map { $0.renamed(TensorName(newName($0.name.text))) }
  }

  /// Converts every single-precision tensor.
  mutating func convert(to dtype: DType, _ code: (Float) -> UInt16) throws {
    for (index, tensor) in tensors.enumerated() where tensor.dtype == .f32 {
      let codes = try floats(tensor.name.text).map(code)
      tensors[index] = Tensor(
        tensor.name, dtype, tensor.shape, bytes: codes.flatMap { littleEndian($0) })
    }
  }
}

/// The bfloat16 nearest to a number, the even one of two: the usual trick on the bits.
func bfloat16(_ value: Float) -> UInt16 {
  let bits = value.bitPattern
  return UInt16((bits + 0x7FFF + (bits >> 16 & 1)) >> 16)
}

/// What a careless converter does: the upper half.
func truncatedBfloat16(_ value: Float) -> UInt16 { UInt16(value.bitPattern >> 16) }

/// The half nearest to a number.
func float16(_ value: Float) -> UInt16 { Float16(value).bitPattern }

/// The folders of all families among the sources, which are those of their fixtures in small letters.
let familyFolders = houses.flatMap { house in
  fileNames(in: fixture().removingLastComponent().appending("Sources/\(house)/Families"))
}.sorted()

/// The targets that have families: what is built alike stands in one.
let houses = ["Decoders", "EncoderDecoders", "Encoders", "Hearing", "Vision", "Towers"]

/// All cases of all families' fixtures that have a golden: `bert/base`.
let goldenCases = familyFolders.map { $0.lowercased() }.flatMap { family in
  fileNames(in: fixture(family)).map { "\(family)/\($0)" }
}.filter { fileNames(in: fixture($0)).contains("golden.npz") }

/// All cases whose text a framework has continued: `generated.npz` says how.
let generatedCases = goldenCases.filter { fileNames(in: fixture($0)).contains("generated.npz") }

/// One case of each way to read a file: of an architecture and a head, the same facts, flags, choices, and names.
let tellingCases: [String] = {
  var seen: Set<String> = []
  return goldenCases.filter { name in
    guard let graph = try? openModel(name).graph else { return true }
    let facts = graph.facts.map { fact in
      switch fact.kind {
      case .flag, .choice, .modelClass: "\(fact.key) \(fact.value.text())"
      default: fact.key
      }
    }
    let names = Set(graph.slots.map { $0.path.filter { !$0.isNumber } }).sorted()
    let way = [type(of: graph.architecture).name, graph.dialect.fullName] + facts + names
    return seen.insert(way.joined(separator: ";")).inserted
  }
}()

/// The model of a case. Training state, where a case has it, is left out.
func openModel(_ name: String) throws -> Model {
  let recognition = RecognitionOptions(dropsTrainingState: name.hasSuffix("_training_state"))
  return try Model(fixture(name), options: OpenOptions(recognition: recognition))
}

/// A case's golden.
func golden(_ name: String) throws -> Golden { try Golden(fixture("\(name)/golden.npz")) }

/// A tensor as a file has it, to be compared.
struct StoredTensor: Equatable {
  let dtype: DType
  let shape: [Int]
  let bytes: [UInt8]
}

/// What a checkpoint holds, by name.
func tensors(in path: FilePath) throws -> [TensorName: StoredTensor] {
  var all: [TensorName: StoredTensor] = [:]
  for tensor in try Checkpoint.open(path).tensors.tensors {
    all[tensor.name] = StoredTensor(
      dtype: tensor.dtype, shape: tensor.shape, bytes: try tensor.bytes.read(0..<tensor.byteCount))
  }
  return all
}
