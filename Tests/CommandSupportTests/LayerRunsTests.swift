import CommandSupport
import Testing

@Suite struct LayerRunsTests {
  @Test func `lines of consecutive layers become one, where the first was`() {
    let lines = [
      "missing h.2.attn.weight [24, 24]", "missing h.2.attn.bias [24]",
      "missing h.3.attn.weight [24, 24]", "missing h.3.attn.bias [24]", "missing wte [57, 24]",
      "missing h.4.attn.weight [24, 24]", "missing h.4.attn.bias [24]",
      "missing h.5.attn.weight [24, 24]", "missing h.5.attn.bias [24]",
    ]
    #expect(
      foldedByLayer(lines) == [
        "missing h.{2..5}.attn.weight [24, 24]", "missing h.{2..5}.attn.bias [24]",
        "missing wte [57, 24]",
      ])
  }

  @Test(arguments: [
    // Three are no run; a gap ends one; sizes and other parts of a line must be the same.
    ["h.0.a", "h.1.a", "h.2.a"], ["h.0.a", "h.1.a", "h.3.a", "h.4.a"],
    ["h.0.a [1]", "h.1.a [2]", "h.2.a [3]", "h.3.a [4]"],
    // Numbers that are no part of a name's path.
    ["a [0]", "a [1]", "a [2]", "a [3]"], ["a1b", "a2b", "a3b", "a4b"],
    ["a 1", "a 2", "a 3", "a 4"],
    // Descending, repeated, and more than an integer holds.
    ["h.4.a", "h.3.a", "h.2.a", "h.1.a"], ["h.1.a", "h.1.a", "h.1.a", "h.1.a"],
    (0..<4).map { "h.9223372036854775807999\($0).a" },
    Array(repeating: "h.9223372036854775807.a", count: 4),
    [], [""],
  ])
  func `what is no run of layers stays`(_ lines: [String]) {
    #expect(foldedByLayer(lines) == lines)
  }

  @Test func `layers of every ecosystem are seen`() {
    for pattern in [
      "blk.#.attn_q.weight", "bert/encoder/layer_#/attention", "encoder/layers_#/mlp",
    ] {
      let lines = (0..<12).map { pattern.replacing("#", with: "\($0)") }
      #expect(foldedByLayer(lines) == [pattern.replacing("#", with: "{0..11}")])
    }
  }
}
