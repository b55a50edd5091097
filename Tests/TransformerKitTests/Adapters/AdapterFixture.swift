import Containers
import Kernels
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// A tiny model, an adapter that PEFT has saved, and what PEFT makes of both (Tools/oracle/peft_adapters.py).
struct AdapterFixture: Sendable, CustomTestStringConvertible {
  let name: String
  var testDescription: String { name }
  var folder: FilePath { fixture("adapters/\(name)") }

  /// The adapters, in the order in which they are merged.
  var adapters: [Adapter] {
    get throws {
      try ["adapter", "second"].map { folder.appending($0) }
        .filter { (try? $0.stat()) != nil }.map { try Adapter($0) }
    }
  }

  var base: Checkpoint { get throws { try Checkpoint.open(folder.appending("base")) } }

  func merged() throws -> Merge { try Merge(adapters, into: base) }

  /// The tensors that PEFT changed, of one of its files.
  func expected(_ file: String = "merged") throws -> TensorTable {
    try Checkpoint.open(folder.appending("\(file).safetensors")).tensors
  }
}

extension Tensor {
  /// All bytes.
  var all: [UInt8] { get throws { try bytes.read(0..<byteCount) } }

  /// All numbers.
  var numbers: [Double] {
    get throws {
      let bytes = try all
      return unsafe dtype.doubles(bytes.span.bytes)
    }
  }
}

/// A copy of a fixture's adapter with other tensors, or another config.
func changedAdapter(
  _ name: String, in folder: ScratchFolder, config: (inout [String: JSONValue]) -> Void = { _ in },
  tensors: ([Tensor]) throws -> [Tensor] = { $0 }
) throws -> Adapter {
  let source = AdapterFixture(name: name).folder.appending("adapter")
  let path = folder.makeFolder("adapter-\(UInt32.random(in: 0 ... .max))")
  let old = try ConfigFile(source.appending("adapter_config.json")).value.members ?? []
  var members = Dictionary(uniqueKeysWithValues: old.map { ($0.key, $0.value) })
  config(&members)
  let text = JSONValue.object(members.sorted { $0.key < $1.key }.map { .init($0.key, $0.value) })
  writeFile(Array(text.text().utf8), to: path.appending("adapter_config.json"))
  let checkpoint = try Checkpoint.open(source.appending("adapter_model.safetensors"))
  try CheckpointWriter(
    destination: path.appending("adapter_model.safetensors"), format: .safetensors
  ).write(tensors: tensors(checkpoint.tensors.tensors))
  return try Adapter(path)
}
