import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// Where changes are, in a sentence and layer by layer.
@Suite struct ChangeMapTests {
  private let scratch = ScratchFolder()

  /// A checkpoint with two vectors in each layer of each stack, and one outside.
  private func checkpoint(
    _ file: String, layers: Int = 12, stacks: [String] = ["h"],
    _ value: (_ stack: String, _ layer: Int) -> Float?
  ) throws -> Checkpoint {
    var tensors: [Tensor] = []
    for stack in stacks {
      for layer in 0..<layers {
        for name in ["w", "b"] {
          guard let value = value(stack, layer) else { continue }
          tensors.append(
            Tensor(
              TensorName("\(stack).\(layer).\(name)"), [2],
              values: [value + Float(layer) / 1024, Float(layer)]))
        }
      }
    }
    tensors.append(Tensor("norm", [1], values: [value("norm", 0) ?? 0]))
    let path = scratch.path.appending(file)
    try CheckpointWriter(destination: path, format: .safetensors, overwrite: true)
      .write(tensors: tensors)
    return try Checkpoint.open(path)
  }

  private func headline(
    layers: Int = 12, stacks: [String] = ["h"], isChanged: (String, Int) -> Bool
  ) throws -> String {
    let a = try checkpoint("a.safetensors", layers: layers, stacks: stacks) { _, _ in 1 }
    let b = try checkpoint("b.safetensors", layers: layers, stacks: stacks) { stack, layer in
      isChanged(stack, layer) ? 2 : 1
    }
    let found = try diff(a, b)
    return ChangeMap(found).headline(found, noun: "tensors")
  }

  @Test func `most changes are in a few layers`() throws {
    let some = try headline { $0 == "norm" || (3...5).contains($1) }
    #expect(some == "7 of 25 tensors changed, most in layers 3 to 5")
    let only = try headline { $0 == "h" && (3...5).contains($1) }
    #expect(only == "6 of 25 tensors changed, all in layers 3 to 5")
    let one = try headline { $0 == "h" && $1 == 7 }
    #expect(one == "2 of 25 tensors changed, all in layer 7")
  }

  @Test func `changes everywhere, nowhere, and here and there`() throws {
    let none = try headline { _, _ in false }
    #expect(none == "All 25 tensors are the same, bit for bit")
    let all = try headline { _, _ in true }
    #expect(all == "All 25 tensors changed, in all 12 layers")
    let inLayers = try headline { stack, _ in stack == "h" }
    #expect(inLayers == "24 of 25 tensors changed, in all 12 layers")
    let outside = try headline { stack, _ in stack == "norm" }
    #expect(outside == "1 of 25 tensors changed, none of them in a layer")
    let scattered = try headline { $0 == "h" && $1.isMultiple(of: 2) }
    #expect(scattered == "12 of 25 tensors changed, in 6 of 12 layers")
  }

  @Test func `of several stacks the one is named`() throws {
    let found = try headline(stacks: ["encoder", "decoder"]) { $0 == "decoder" && $1 < 3 }
    #expect(found == "6 of 49 tensors changed, all in layers 0 to 2 of decoder")
  }

  @Test func `very many layers are no trouble`() throws {
    let found = try headline(layers: 3000) { $0 == "h" && (1000..<1500).contains($1) }
    #expect(found == "1000 of 6001 tensors changed, all in layers 1000 to 1499")
  }

  @Test func `layers that are the same are there, and what is missing is no change of them`() throws
  {
    let a = try checkpoint("a.safetensors") { _, _ in 1 }
    let b = try checkpoint("b.safetensors") { stack, layer in layer == 4 ? 2 : layer == 9 ? nil : 1
    }
    let found = try diff(a, b)
    let map = ChangeMap(found)
    #expect(map.layers.map(\.number) == Array(0..<12))
    #expect(map.layers.map(\.count).allSatisfy { $0 == 2 })
    #expect(map.layers.map(\.changed) == [0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0])
    // (1 + 4/1024, 4) became (2 + 4/1024, 4), twice.
    let relative = try #require(map.layers[4].relative)
    let first = 1 + 4.0 / 1024
    #expect(abs(relative - (1 / (first * first + 16)).squareRoot()) < 1e-15)
    #expect(map.layers[9].relative == nil && map.layers[0].relative == nil)
    #expect(
      found.entries.count == 25 && found.entries.count { $0.change == nil } == found.identical)
    #expect(map.headline(found, noun: "tensors").hasPrefix("4 of 25 tensors differ"))
  }
}
