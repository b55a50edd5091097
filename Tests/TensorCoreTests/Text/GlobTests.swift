import TensorCore
import Testing

/// Patterns for names.
@Suite struct GlobTests {
  private static let matching: [(String, [String], [String])] = [
    ("wte", ["wte"], ["wte.weight", "xwte", "Wte", ""]),
    ("*", ["", "a", "a.b/c"], []),
    ("*.bias", [".bias", "h.0.bias"], ["bias", "h.0.bias.x"]),
    ("h.*.attn.*", ["h.0.attn.q", "h.10.x.attn."], ["h.attn.q"]),
    ("h.?.w", ["h.0.w", "h.é.w", "h.😀.w"], ["h.10.w", "h..w", "h.e\u{301}.w"]),
    ("h.[0-36].w", ["h.0.w", "h.3.w", "h.6.w"], ["h.4.w", "h.-.w"]),
    ("[!a]x", ["bx", "éx"], ["ax", "x"]),
    ("[^a]x", ["bx"], ["ax"]),
    ("[]a]", ["]", "a"], ["b"]),
    ("[a-]", ["a", "-"], ["b"]),
    ("[\\]\\\\]", ["]", "\\"], ["a"]),
    ("\\*\\?", ["*?"], ["ab"]),
    ("é", ["é"], ["e\u{301}"]),
    ("a*b*c", ["abc", "aXbYbZc"], ["acb", "ab"]),
    ("", [""], ["a"]),
    ("a\\u{a}b", ["a\nb"], ["au{a}b", "a\\u{a}b"]),
    ("\\u{1f600}*", ["😀x"], ["x"]),
    // No number, no scalar, no end: the character behind the `\` alone.
    ("\\u{g}", ["u{g}"], ["g"]),
    ("\\u{d800}", ["u{d800}"], []),
    ("\\u{41", ["u{41"], ["A"]),
  ]

  @Test(arguments: matching)
  func `a pattern stands for the whole name, byte for byte`(
    pattern: String, matches: [String], others: [String]
  ) throws {
    let glob = try #require(Glob(pattern))
    for name in matches { #expect(glob.matches(TensorName(name)), "\(pattern) \(name)") }
    for name in others { #expect(!glob.matches(TensorName(name)), "\(pattern) \(name)") }
  }

  @Test(arguments: ["[", "[a", "[]", "[z-a]", "a\\", "[\\", "[a-\\", "[!]"])
  func `what is no pattern is refused`(pattern: String) {
    #expect(Glob(pattern) == nil)
  }

  @Test(.timeLimit(.minutes(10))) func `many stars do not take exponential time`() throws {
    let glob = try #require(Glob(String(repeating: "a*", count: 50) + "b"))
    #expect(!glob.matches(TensorName(String(repeating: "a", count: 20_000))))
  }

  private func tensors(_ names: String...) -> [Tensor] {
    names.map { Tensor(name: TensorName($0), dtype: .u8, shape: [1], bytes: ByteArray([1])) }
  }

  private func selection(_ include: [String], _ exclude: [String]) throws -> TensorSelection {
    TensorSelection(
      include: try include.map { try #require(Glob($0)) },
      exclude: try exclude.map { try #require(Glob($0)) })
  }

  @Test func `what is excluded is out, even if included`() throws {
    let all = tensors("b.x", "a.x", "a.y", "c")
    func names(_ include: [String], _ exclude: [String]) throws -> [String] {
      try selection(include, exclude).chosen(from: all).map(\.name.text)
    }
    #expect(try names([], []) == ["b.x", "a.x", "a.y", "c"])
    #expect(try names(["*.x"], []) == ["b.x", "a.x"])
    #expect(try names(["a.*", "c"], ["*.y"]) == ["a.x", "c"])
    #expect(try names([], ["nothing"]) == ["b.x", "a.x", "a.y", "c"])
  }

  @Test func `a pattern that matches nothing is a mistake, and so is leaving nothing`() throws {
    let all = tensors("a", "b")
    let misspelt = try selection(["a", "x*"], [])
    #expect(throws: CheckpointError(.malformed("has no tensor that --include 'x*' matches"))) {
      try misspelt.chosen(from: all)
    }
    let nothing = try selection([], ["?"])
    #expect(throws: CheckpointError(.malformed("--exclude leaves none of the 2 tensors"))) {
      try nothing.chosen(from: all)
    }
    #expect(try nothing.chosen(from: []).isEmpty)
  }
}
