import Containers
import Kernels
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// Differences against those that `Tools/oracle/differences.py` made and measured.
@Suite struct DiffTests {
  private func open(_ path: String) throws -> Checkpoint { try Checkpoint.open(fixture(path)) }

  private func found() throws -> CheckpointDiff {
    try diff(open("inspect/a.safetensors"), open("inspect/b.safetensors"))
  }

  private func facts() throws -> [JSONValue] {
    let bytes = readFile(fixture("inspect/differences.json"))
    return try #require(try JSONValue(parsing: bytes, grammar: .strict).elements)
  }

  @Test func `every kind of difference is recognised, and nothing else`() throws {
    let found = try found()
    #expect(found.basis == .name)
    var expected: Set<[String]> = []
    for fact in try facts() where fact["kind"]?.string != "same" {
      expected.insert([fact["kind"], fact["a"], fact["b"]].map { $0?.string ?? "" })
    }
    let names = found.changes.map { change in
      ["\(change.kind)", change.a?.name.text ?? "", change.b?.name.text ?? ""]
    }
    #expect(Set(names) == expected && names.count == expected.count)
    #expect(found.identical == 2)
  }

  @Test func `how they were rearranged is told`() throws {
    var texts: [String: String] = [:]
    for change in try found().changes {
      if let text = change.rearrangement?.text { texts[change.b?.name.text ?? ""] = text }
    }
    #expect(
      texts == [
        "transposed": "transposed", "rows": "rows permuted", "square": "transposed",
        "columns": "columns of each head of 8 interleaved",
        "convolution": "axes permuted [3, 2, 0, 1]", "second.weight": "transposed",
        "reshaped": "reshaped", "padded": "padded by 3 rows of zeros",
        "shuffled": "the same elements in another order",
      ])
    let copies = try found().changes.filter { $0.copyOf != nil }
    #expect(copies.map(\.b?.name) == ["head"] && copies.map(\.copyOf) == ["embedding"])
  }

  @Test func `distances are those of numpy`() throws {
    let changes = try found().changes
    var count = 0
    for fact in try facts() where fact["elements"] != nil {
      let name = fact["a"]?.string ?? ""
      let change = changes.first { $0.a?.name.text == name }
      let difference = try #require(change?.difference, "\(name)")
      count += 1
      #expect(difference.count == fact["elements"]?.int, "\(name)")
      #expect(difference.differing == fact["differing"]?.int, "\(name)")
      #expect(difference.first == fact["first"]?.int, "\(name)")
      #expect(difference.incomparable == fact["incomparable"]?.int, "\(name)")
      #expect(difference.ulps.map(Int.init) == fact["ulp"]?.int, "\(name)")
      #expect(isNear(difference.largest, fact["max"]), "\(name)")
      #expect(isNear(difference.mean, fact["mean"]), "\(name)")
      #expect(isNear(difference.relative, fact["relative"]), "\(name)")
      #expect(isNear(difference.relativeNorm, fact["relative_norm"]), "\(name)")
      if let place = fact["max_at"] { #expect(difference.largestIndex == place.int, "\(name)") }
      if let cosine = difference.cosine { #expect(isNear(cosine, fact["cosine"]), "\(name)") }
      #expect((difference.cosine == nil) == (fact["cosine"] == .null), "\(name)")
    }
    #expect(count == 10)
  }

  @Test(arguments: [
    (0.5, Double.nan), (.nan, 0.5), (.infinity, 0.5), (0.5, -.infinity), (.infinity, -.infinity),
    (.nan, .infinity),
  ]) func `nothing is further away than what is not finite`(_ a: Double, _ b: Double) {
    // In the second block, after a larger one of the finite differences.
    var difference = ElementDifference()
    add([1, 2, 3], [1, 2, 9], to: &difference, start: 0)
    add([1, a, 2], [1, b, 2.5], to: &difference, start: 3)
    #expect(difference.incomparable == 1 && difference.differing == 3)
    #expect(difference.largest == .infinity && difference.largestIndex == 4)
    #expect(difference.largestFinite == 6)
    #expect(difference.relative == .infinity && difference.relativeNorm == .infinity)
    #expect(difference.mean == .infinity && difference.cosine == nil && difference.ulps == nil)
  }

  @Test func `what is not finite and the same is no distance`() {
    var difference = ElementDifference()
    add([.nan, .infinity, 1], [.nan, .infinity, 1.5], to: &difference, start: 0)
    #expect(difference.incomparable == 0 && difference.differing == 1)
    #expect(difference.largest == 0.5 && difference.largestIndex == 2)
    #expect(difference.relativeNorm == 0.5)
  }

  /// Squares that are no doubles, in one block or beside others.
  @Test(arguments: [1e200, 1e-200, 1, 0x1p-1074])
  func `norms and angles do not depend on the unit`(_ unit: Double) {
    for other in [unit, 1] {
      var difference = ElementDifference()
      add([3 * unit, 0], [3 * unit, 4 * unit], to: &difference, start: 0)
      #expect(difference.largest == 4 * unit && difference.relativeNorm.rounded(3) == 1.333)
      #expect(difference.cosine?.rounded(3) == 0.6)
      add([0, 4 * other], [0, 4 * other], to: &difference, start: 2)
      let expected = unit == other ? 0.8 : unit > 1 ? 1.333 : 0
      #expect(difference.relativeNorm.rounded(3) == expected, "\(unit) beside \(other)")
      let angle = unit == other ? 0.781 : unit > 1 ? 0.6 : 1
      #expect(difference.cosine?.rounded(3) == angle, "\(unit) beside \(other)")
    }
    var opposite = ElementDifference()
    add([unit], [-unit], to: &opposite, start: 0)
    #expect(opposite.cosine == -1 && opposite.relativeNorm == 2)
    var none = ElementDifference()
    add([0, 0], [unit, 0], to: &none, start: 0)
    #expect(none.cosine == nil && none.relativeNorm == .infinity)
  }

  private func add(
    _ a: [Double], _ b: [Double], to difference: inout ElementDifference, start: Int
  ) {
    difference.add(
      unsafe a.span.bytes, unsafe b.span.bytes, types: (.f64, .f64), start: start)
  }

  @Test func `signs of zeros and payloads of NaN are told apart`() throws {
    let changes = try found().changes
    let zero = try #require(changes.first { $0.a?.name == "zero sign" }?.difference)
    #expect(zero.zeroSigns == 1 && zero.payloads == 0 && zero.isOnlyBits && zero.ulps == nil)
    let payload = try #require(changes.first { $0.a?.name == "payload" }?.difference)
    #expect(payload.payloads == 1 && payload.zeroSigns == 0 && payload.isOnlyBits)
    #expect(payload.largest == 0 && payload.incomparable == 0)
  }

  @Test func `nothing depends on the order of the arguments' tensors or on workers`() throws {
    let runs = try [1, 5].map { workers in
      try exclusively {
        defer { Parallel.workers = 0 }
        Parallel.workers = workers
        return try found().changes.map { [$0.a?.name, $0.b?.name] }
      }
    }
    #expect(runs[0] == runs[1])
  }

  @Test(arguments: [
    "gpt2/openai", "gpt2/nanogpt", "gpt2/gguf_names", "t5/t5x_v11", "t5/mesh_v11",
    "t5/t5x_scanned", "t5/gguf_names", "bert/google_base", "bert/gguf_names",
  ])
  func `dialects of the same model are the same by meaning, and not by name`(
    _ name: String
  ) throws {
    let sides = (try open(name), try open(name + "/huggingface"))
    let meaning = try diff(sides.0, sides.1)
    #expect(meaning.basis == .meaning && meaning.isEmpty && meaning.identical > 20)
    let names = try diff(sides.0, sides.1, options: DiffOptions(byName: true))
    #expect(names.basis == .name && !names.isEmpty)
  }

  @Test func `shards make no difference`() throws {
    let found = try diff(open("bert/sharded"), open("bert/sharded"))
    #expect(found.isEmpty)
  }

  /// A checkpoint of single-precision tensors.
  private func checkpoint(_ tensors: [(String, [Float])]) throws -> Checkpoint {
    let folder = ScratchFolder()
    let path = folder.path.appending("model.safetensors")
    try CheckpointWriter(destination: path, format: .safetensors).write(
      tensors: tensors.map { name, values in
        Tensor(
          TensorName(name), .f32, [values.count],
          bytes: values.flatMap { littleEndian($0.bitPattern) })
      })
    return try withExtendedLifetime(folder) { try Checkpoint.open(path) }
  }

  /// The most frequent wrong copy: a cast that every weight has does not hide that some are in another order.
  @Test func `a tensor that was rearranged and cast is rearranged`() throws {
    let values = (0..<12).map { Float($0 * 3 + 1) }
    let halves = values.map { UInt16($0.bitPattern >> 16) }
    let order = [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]
    let folder = ScratchFolder()
    func write(_ name: String, _ tensors: [Tensor]) throws -> Checkpoint {
      let path = folder.path.appending(name)
      try CheckpointWriter(destination: path, format: .safetensors).write(tensors: tensors)
      return try Checkpoint.open(path)
    }
    func tensor(_ name: TensorName, _ shape: [Int], _ bits: [UInt16]) -> Tensor {
      Tensor(name, .bf16, shape, bytes: bits.flatMap { littleEndian($0) })
    }
    let bytes = values.flatMap { littleEndian($0.bitPattern) }
    let a = try write(
      "a.safetensors",
      [Tensor("moved", .f32, [3, 4], bytes: bytes), Tensor("kept", .f32, [3, 4], bytes: bytes)])
    let b = try write(
      "b.safetensors",
      [tensor("moved", [4, 3], order.map { halves[$0] }), tensor("kept", [3, 4], halves)])
    let changes = try diff(a, b).changes
    #expect(changes.map(\.kind) == [.rearranged, .cast])
    #expect(changes[0].rearrangement == .transposed(axes: [1, 0]) && changes[0].b?.dtype == .bf16)
  }

  @Test func `constant tensors are renamed only as others are`() throws {
    let (ones, zeros) = ([Float](repeating: 1, count: 8), [Float](repeating: 0, count: 8))
    let (x, y) = ((0..<8).map { Float($0) }, (0..<8).map { Float($0 * $0 + 1) })
    let a = try checkpoint([
      ("h.0.proj.weight", x), ("h.0.proj.bias", zeros), ("h.0.norm.weight", ones),
      ("h.1.proj.weight", y), ("h.1.proj.bias", zeros),
    ])
    let unrelated = try checkpoint([("gain", ones), ("shift", zeros), ("matrix", x.reversed())])
    let kinds = try diff(a, unrelated).changes.map(\.kind)
    #expect(!kinds.contains(.renamed) && kinds.contains(.added))
    let renamed = try checkpoint([
      ("b.0.lin.weight", x), ("b.0.lin.bias", zeros), ("gain", ones),
      ("b.1.lin.weight", y), ("b.1.lin.bias", zeros),
    ])
    let changes = try diff(a, renamed).changes
    let names = changes.filter { $0.kind == .renamed }.map { "\($0.a?.name.text ?? "")" }
    #expect(names == ["h.0.proj.weight", "h.0.proj.bias", "h.1.proj.weight", "h.1.proj.bias"])
    #expect(changes.count == 6)
  }

  @Test func `what differs by no more than it may is no change`() throws {
    let a = try checkpoint([("x", [1, 2, 0, .infinity, .nan]), ("y", [1, 1, 1, 1, 1])])
    let b = try checkpoint([("x", [1.01, 2, 0, .infinity, .nan]), ("y", [1, 1, 1, 1, .nan])])
    func found(_ absolute: Double, _ relative: Double) throws -> CheckpointDiff {
      let tolerance = Tolerance(absolute: absolute, relative: relative)
      return try diff(a, b, options: DiffOptions(tolerance: tolerance))
    }
    let within = try found(0, 0.011)
    #expect(within.tolerated == 1 && within.changes.map(\.a?.name) == ["y"])
    #expect(try found(0.011, 0).tolerated == 1)
    #expect(try found(0, 0.009).tolerated == 0)
    #expect(try found(.greatestFiniteMagnitude, 0).changes.map(\.a?.name) == ["y"])
  }

  @Test func `a config that differs is a difference`() throws {
    let found = try diff(open("bert/base"), open("bert/relu"))
    #expect(found.configDifferences.contains("activation: gelu in A, relu in B"))
    #expect(found.basis == .meaning && !found.isEmpty)
  }

  @Test func `only what is selected is compared`() throws {
    let glob = try #require(Glob("*.cast"))
    let found = try diff(
      open("inspect/a.safetensors"), open("inspect/b.safetensors"),
      options: DiffOptions(selection: TensorSelection(include: [glob])))
    #expect(found.changes.map(\.kind) == [.cast] && found.identical == 0)
    let none = try #require(Glob("nowhere"))
    #expect(throws: CheckpointError.self) {
      try diff(
        open("inspect/a.safetensors"), open("inspect/b.safetensors"),
        options: DiffOptions(selection: TensorSelection(include: [none])))
    }
  }

  private func isNear(_ value: Double, _ fact: JSONValue?) -> Bool {
    if fact?.string == "Infinity" { return value == .infinity }
    guard let goal = fact?.double else { return false }
    return abs(value - goal) <= 1e-13 * abs(goal)
  }
}

extension Double {
  /// The nearest number with so many decimal places.
  fileprivate func rounded(_ places: Int) -> Double {
    let power = (0..<places).reduce(1.0) { power, _ in power * 10 }
    return (self * power).rounded() / power
  }
}
