import TensorCore
import TestSupport
import Testing

/// Rules for names.
@Suite struct NamePatternTests {
  private static let renamings: [(rule: String, from: String, to: String?)] = [
    ("a=b", "a", "b"),
    ("a=b", "ab", nil),
    ("blk.{i}.w=layers.{i}.weight", "blk.12.w", "layers.12.weight"),
    ("blk.{i}.w=layers.{i}.weight", "blk.01.w", nil),
    ("blk.{i}.w=layers.{i}.weight", "blk.x.w", nil),
    ("blk.{ii}.w=l{i}", "blk.07.w", "l7"),
    ("blk.{ii}.w=l{i}", "blk.7.w", nil),
    ("blk.{ii}.w=l{i}", "blk.117.w", "l117"),
    ("l{i}=blk.{iii}", "l7", "blk.007"),
    ("b{i+1}=a{i}", "b1", "a0"),
    ("b{i+1}=a{i}", "b0", nil),
    ("a{i}=b{i+1}", "a9", "b10"),
    ("{i}.e{e}.w={e}.{i}", "3.e4.w", "4.3"),
    ("model.*=*", "model.a.b", "a.b"),
    ("*.q.*=*.query.*", "a.q.q.w", "a.query.q.w"),
    ("x*y*=\\**-*", "x1y2", "*1-2"),
    ("h[0-3].w=w", "h2.w", "w"),
    ("h[0-3].w=w", "h4.w", nil),
    ("a\\=b=c", "a=b", "c"),
    ("\\{i}=c", "{i}", "c"),
    ("*{i}*=*|{i}|*", "a12b", "a|12|b"),
  ]

  @Test(arguments: renamings)
  func `a rule gives names by what its pattern stood for`(
    text: String, from: String, to: String?
  ) throws {
    let rule = try #require(NameRules.Rule(renaming: text))
    #expect(rule.name(for: TensorName(from)) == to.map { TensorName($0) }, "\(text) \(from)")
  }

  @Test(arguments: [
    "a", "=", "a=", "a=*", "a={i}", "{i}{i}=a{i}", "{i=b", "{ij}=b", "{1}=b", "{i+2}=b", "[=b",
    "a\\=b",
    "*=**",
  ])
  func `what is no rule is refused`(text: String) {
    #expect(NameRules.Rule(renaming: text) == nil)
  }

  private func tensors(_ names: String...) -> [Tensor] {
    names.map { Tensor(TensorName($0), [1], values: [1]) }
  }

  private func rules(_ texts: String..., dropping: String...) throws -> NameRules {
    NameRules(
      try dropping.map { try #require(NameRules.Rule(dropping: $0)) }
        + texts.map { try #require(NameRules.Rule(renaming: $0)) })
  }

  @Test func `the first rule that stands for a name is taken, and the rest stays`() throws {
    let (found, changes) = try rules("a.*=b.*", "*=c.*").applied(to: tensors("a.x", "b.y"))
    #expect(found.map(\.name) == ["b.x", "c.b.y"])
    #expect(changes.count == 2)
    let (others, none) = try rules("q=r").applied(to: tensors("q", "s"))
    #expect(others.map(\.name) == ["r", "s"] && none.count == 1)
  }

  @Test func `a rule for one name is taken in its order among patterns`() throws {
    let (found, _) = try rules("ab=y", "a*=x*").applied(to: tensors("ab", "ac"))
    #expect(found.map(\.name) == ["y", "xc"])
    let (others, _) = try rules("a*=x*", "b=y").applied(to: tensors("ab", "b"))
    #expect(others.map(\.name) == ["xb", "y"])
    // What stands behind a pattern that takes all of its names stands for nothing.
    let shadowed = try rules("a*=x*", "ab=y")
    #expect(throws: CheckpointError.self) { try shadowed.applied(to: tensors("ab", "ac")) }
  }

  @Test func `tensors are left out by name`() throws {
    let (found, changes) = try rules("a=b", dropping: "ema.*").applied(to: tensors("a", "ema.a"))
    #expect(found.map(\.name) == ["b"])
    #expect(changes.last?.from == "ema.a" && changes.last.map { $0.to == nil } == true)
  }

  @Test func `two tensors of one name are refused, and all of them named`() throws {
    let rules = try rules("a{i}=b", "c=d")
    let error = #expect(throws: CheckpointError.self) {
      try rules.applied(to: tensors("a1", "a2", "c", "d"))
    }
    #expect(error?.category == .refused)
    #expect(error?.details == ["a1 and a2 would both be b", "d and c would both be d"])
  }

  @Test func `a rule that stands for nothing is a fault`() throws {
    let rules = try rules("a=b", "x=y")
    let error = #expect(throws: CheckpointError.self) { try rules.applied(to: tensors("a")) }
    #expect(error?.category == .failed)
    #expect(error?.description.contains("--rename 'x=y'") == true)
  }

  @Test func `a transposed matrix has rows for columns`() throws {
    let pattern = try #require(NamePattern("w"))
    let rule = NameRules.Rule(
      pattern, NameTemplate("v", for: pattern), isTransposed: true, origin: "w")
    let matrix = Tensor("w", [2, 3], values: [1, 2, 3, 4, 5, 6])
    let (found, _) = try NameRules([rule]).applied(to: [matrix])
    #expect(found[0].shape == [3, 2])
    let wanted = Tensor("v", [3, 2], values: [1, 4, 2, 5, 3, 6])
    #expect(
      try found[0].bytes.read(0..<24) == wanted.bytes.read(0..<24))
    #expect(throws: CheckpointError.self) {
      try NameRules([rule]).applied(to: [Tensor("w", [6], values: [1, 2, 3, 4, 5, 6])])
    }
  }
}
