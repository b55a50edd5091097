import Containers
import Models
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// Tensors with the same elements, and matrices that are transposed, get no wrong rule.
@Suite struct MapTwinTests {
  /// A model whose second layer has queries that are its keys.
  private func base(_ change: (inout Variant) throws -> Void = { _ in }) throws -> Checkpoint {
    var variant = try Variant(of: "llama/base")
    variant.set(
      "layers.1.self_attn.q_proj.weight",
      bytes: try variant.bytes("layers.1.self_attn.k_proj.weight"))
    try change(&variant)
    return try variant.model().checkpoint
  }

  /// The names that tensors get when theirs are changed.
  private func map(
    _ base: Checkpoint, like: Bool = true, _ name: (String) -> String
  ) throws -> (map: NameMap, rules: [String: String], copy: Checkpoint) {
    let copy = try base.replacing(
      base.tensors.tensors.map { $0.renamed(TensorName(name($0.name.text))) }.shuffled())
    let map = try NameMap(copy, base: like ? base : nil)
    let rules = map.rules.rules
    let pairs = copy.tensors.tensors.compactMap { tensor in
      rules.lazy.compactMap { $0.name(for: tensor.name) }.first.map { (tensor.name.text, $0.text) }
    }
    return (map, Dictionary(pairs) { first, _ in first }, copy)
  }

  @Test func `equal tensors stay open where names say nothing`() throws {
    let (map, rules, _) = try map(base()) { name in
      name.replacing("q_proj", with: "zk").replacing("k_proj", with: "aa")
    }
    #expect(rules["layers.1.self_attn.zk.weight"] == nil)
    #expect(rules["layers.1.self_attn.aa.weight"] == nil)
    #expect(rules["layers.0.self_attn.zk.weight"] == "layers.0.self_attn.q_proj.weight")
    #expect(map.open.count == 2)
    #expect(map.open.allSatisfy { $0.places.count == 2 })
    #expect(!map.isComplete)
  }

  @Test func `equal tensors are told by their names`() throws {
    let (map, rules, copy) = try map(base()) { name in
      "x." + name.replacing("q_proj", with: "wq").replacing("k_proj", with: "wk")
    }
    #expect(map.isComplete)
    #expect(rules["x.layers.1.self_attn.wq.weight"] == "layers.1.self_attn.q_proj.weight")
    #expect(rules["x.layers.1.self_attn.wk.weight"] == "layers.1.self_attn.k_proj.weight")
    let proof = try MapProof(map, copy, base: base(), golden: nil, options: OpenOptions())
    #expect(
      proof.lines.contains { $0.hasPrefix("\(map.tensorCount) of \(map.tensorCount) tensors") })
  }

  /// Two tensors of the file are one of the base.
  @Test func `of two equal tensors and one place neither has it`() throws {
    let base = try Checkpoint.open(fixture("llama/base"))
    let twice = try base.replacing(
      base.tensors.tensors.flatMap { tensor in
        tensor.name.text.contains("0.mlp.up_proj")
          ? [tensor.renamed("aa"), tensor.renamed("bb")] : [tensor]
      })
    let map = try NameMap(twice, base: base)
    #expect(map.open.map(\.tensors).flatMap(\.self).sorted { $0.text < $1.text } == ["aa", "bb"])
    #expect(map.missing == ["layers.0.mlp.up_proj.weight"])
  }

  /// What is tied is one weight, whichever of both names it has.
  @Test func `what the base ties is told by nothing, and need not be`() throws {
    let base = try Checkpoint.open(fixture("llama/lm_tied"))
    let table = try #require(base.tensors["model.embed_tokens.weight"])
    let both = try base.replacing(base.tensors.tensors + [table.renamed("lm_head.weight")])
    let (map, rules, _) = try map(both) { name in
      name.replacing("lm_head.weight", with: "aa").replacing(
        "model.embed_tokens.weight", with: "bb")
    }
    #expect(map.isComplete)
    #expect(Set([rules["aa"], rules["bb"]]) == ["lm_head.weight", "model.embed_tokens.weight"])
  }

  /// With three layers, those of two say where the third one's belongs.
  @Test func `equal tensors are told by the names of other layers`() throws {
    var variant = try Variant(of: "llama/base")
    var tensors = variant.tensors
    for tensor in variant.tensors where tensor.name.text.contains("layers.1.") {
      let bytes = try tensor.bytes.read(0..<tensor.byteCount)
      let name = tensor.name.text.replacing("layers.1.", with: "layers.2.")
      tensors.append(Tensor(TensorName(name), tensor.dtype, tensor.shape, bytes: bytes.reversed()))
    }
    variant.tensors = tensors
    variant["num_hidden_layers"] = 3
    let name = "layers.2.self_attn"
    variant.set("\(name).q_proj.weight", bytes: try variant.bytes("\(name).k_proj.weight"))
    let (map, rules, _) = try map(variant.model().checkpoint) { name in
      name.replacing("q_proj", with: "zk").replacing("k_proj", with: "aa")
    }
    #expect(map.isComplete)
    #expect(rules["\(name).zk.weight"] == "\(name).q_proj.weight")
    #expect(rules["\(name).aa.weight"] == "\(name).k_proj.weight")
  }

  // MARK: Kernels

  /// The matrices of linear layers that a choice means, transposed.
  private func turned(_ isMeant: (String) -> Bool) throws -> Checkpoint {
    let base = try Checkpoint.open(fixture("llama/base"))
    return try base.replacing(
      base.tensors.tensors.map { tensor in
        guard tensor.name.text.contains("_proj"), isMeant(tensor.name.text) else { return tensor }
        let (bytes, rows, columns) = (
          try tensor.bytes.read(0..<tensor.byteCount), tensor.shape[0], tensor.shape[1]
        )
        let width = bytes.count / (rows * columns)
        let moved = (0..<rows * columns).flatMap { index -> ArraySlice<UInt8> in
          let start = (index % rows * columns + index / rows) * width
          return bytes[start..<start + width]
        }
        return Tensor(tensor.name, tensor.dtype, [columns, rows], bytes: moved)
      })
  }

  /// Without the dialect that has them turned.
  private static let options: OpenOptions = {
    var options = OpenOptions()
    options.recognition.dialect = "huggingface"
    return options
  }()

  private let home = { (name: String) in
    name.replacing("self_attn.", with: "attention/").replacing(
      "q_proj.weight", with: "query/kernel"
    )
    .replacing("o_proj.weight", with: "out/kernel")
  }

  @Test func `square kernels follow those that only fit transposed`() throws {
    let base = try Checkpoint.open(fixture("llama/base"))
    let copy = try turned { _ in true }
    let renamed = try copy.replacing(
      copy.tensors.tensors.map { $0.renamed(TensorName(home($0.name.text))) })
    let map = try NameMap(renamed, base: nil, options: Self.options)
    #expect(map.isComplete)
    for line in map.lines { #expect(line.isTransposed == line.to.contains("_proj"), "\(line)") }
    let named = try renamed.applying(map.rules)
    for tensor in named.tensors.tensors {
      let there = try #require(base.tensors[tensor.name])
      #expect(try SHA256.digest(of: tensor) == SHA256.digest(of: there), "\(tensor.name.text)")
    }
    let like = try NameMap(renamed, base: base, options: Self.options)
    let proof = try MapProof(like, renamed, base: base, golden: nil, options: Self.options)
    #expect(proof.holds)
    #expect(proof.lines.contains("20 of 20 tensors have the base's elements, bit for bit"))
  }

  @Test func `kernels as they are are not turned`() throws {
    let copy = try turned { _ in false }
    let map = try NameMap(copy, base: nil, options: Self.options)
    #expect(map.isComplete)
    #expect(map.lines.allSatisfy { !$0.isTransposed })
  }

  /// Some matrices fit as they are, and some transposed: nobody knows what the square ones are.
  @Test func `square kernels stay open where others are of both kinds`() throws {
    let copy = try turned { $0.contains("up_proj") || $0.contains("gate_proj") }
    let renamed = try copy.replacing(
      copy.tensors.tensors.map { $0.renamed(TensorName(home($0.name.text))) })
    let map = try NameMap(renamed, base: nil, options: Self.options)
    #expect(!map.isComplete)
    for line in map.lines { #expect(line.shape != [16, 16], "\(line)") }
  }
}
