import Kernels
import Models
import TensorCore
import Testing

/// What layers say of themselves.
@Suite struct SymmetryTests {
  @Test func `attention says what it is`() throws {
    let graph = try TinyBERT().graph()
    #expect(
      graph.attention(at: "encoder.blocks.1.attention") == AttentionShape(heads: 2, headSize: 4))
    #expect(graph.attention(at: "encoder.blocks.1") == nil)
    #expect(graph.attention(ofWeight: "encoder.blocks.0.attention.key.bias")?.part == "key")
    #expect(graph.attention(ofWeight: "encoder.blocks.0.feed_forward.up.weight") == nil)
    #expect(graph.attention(ofWeight: "pooler.weight") == nil)
  }

  private func names(_ shape: AttentionShape, biased: Bool = true) -> [String] {
    let parts = ["query", "key", "value", "output"].flatMap { ["a.\($0).weight", "a.\($0).bias"] }
    let paths = Set(parts.filter { biased || !$0.hasSuffix("bias") })
    return LayerFact.attention(shape).symmetries(at: "a", among: paths).map(\.name)
  }

  private let bias = "key bias changed"
  private let heads = "heads renumbered alike everywhere"
  private let places = "places of heads permuted in query and key"

  @Test func `symmetries follow from what attention is`() {
    #expect(names(AttentionShape(heads: 4, headSize: 8)) == [bias, heads, places])
    #expect(names(AttentionShape(heads: 4, headSize: 8), biased: false) == [heads, places])
    #expect(
      names(AttentionShape(heads: 4, headSize: 8, rotary: RotaryPart(.halves, size: 8))) == [heads])
    #expect(
      names(AttentionShape(heads: 4, headSize: 8, rotary: RotaryPart(.pairs, size: 2))) == [heads])
    #expect(names(AttentionShape(heads: 4, headSize: 8, hasHeadBias: true)) == [bias, places])
    #expect(names(AttentionShape(heads: 4, keyHeads: 1, headSize: 8)) == [bias, places])
  }

  @Test func `heads that share keys go together`() {
    let shape = AttentionShape(heads: 6, keyHeads: 2, headSize: 4, valueSize: 3)
    let paths: Set = ["a.query.weight", "a.key.weight", "a.value.weight", "a.output.weight"]
    let symmetry = LayerFact.attention(shape).symmetries(at: "a", among: paths)[0]
    guard case .order(let count, let parts) = symmetry.change else {
      Issue.record("\(symmetry)")
      return
    }
    #expect(count == 2)
    #expect(
      parts.map(\.path) == ["a.query.weight", "a.key.weight", "a.value.weight", "a.output.weight"])
    #expect(parts.map(\.block) == [12, 4, 3, 9] && parts.map(\.axis) == [0, 0, 0, 1])
  }

  @Test func `a gate's bias goes with the units`() {
    let paths: Set = [
      "f.gate.weight", "f.gate.bias", "f.up.weight", "f.up.bias", "f.down.weight", "f.down.bias",
    ]
    let symmetry = LayerFact.feedForward(hidden: 5).symmetries(at: "f", among: paths)[0]
    guard case .order(5, let parts) = symmetry.change else {
      Issue.record("\(symmetry)")
      return
    }
    #expect(Set(parts.map(\.path)) == paths.subtracting(["f.down.bias"]))
  }
}
