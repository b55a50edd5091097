import Models
import TensorCore
import TestSupport
import Testing

/// Random layouts, held against the same operations done element by element.
@Suite struct LayoutTests {
  @Test(arguments: 0..<200)
  func `pieces put every element where the operations put it`(seed: Int) throws {
    var model = RandomLayouts(seed: seed)
    let layout = model.layout()
    guard let form = try model.form(layout) else { return }
    let naive = model.naive(layout)
    #expect(form.shape == naive.shape, "seed \(seed)")
    var stored = [Int](repeating: -1, count: naive.ids.count)
    for (path, piece) in form.pieces {
      for (canonical, position) in positions(of: piece) {
        stored[position] = model.id(path, canonical)
      }
    }
    #expect(stored == naive.ids, "seed \(seed)")
  }

  @Test(arguments: 0..<100)
  func `any part of a gathered tensor reads as the whole does`(seed: Int) throws {
    var model = RandomLayouts(seed: seed)
    let layout = model.layout()
    guard let form = try model.form(layout) else { return }
    let naive = model.naive(layout)
    // The stored tensor is put together from weights that lie in memory.
    let parts = try form.pieces.map { path, piece in
      let whole = Piece(
        offset: 0,
        axes: piece.axes.map {
          Piece.Axis(extent: $0.extent, stored: $0.canonical, canonical: $0.canonical)
        })
      let move = try #require(Move(from: whole, to: piece))
      return GatheredBytes.Part(source: ByteArray(model.bytes(of: path)), move: move)
    }
    let bytes = GatheredBytes(width: 4, elementCount: naive.ids.count, parts: parts)
    let expected = naive.ids.flatMap { littleEndian($0) }
    #expect(try bytes.read(0..<bytes.count) == expected, "seed \(seed)")
    for _ in 0..<20 where bytes.count > 0 {
      let start = model.random(0..<bytes.count)
      let end = model.random(start..<bytes.count) + 1
      #expect(try bytes.read(start..<end) == Array(expected[start..<end]), "seed \(seed)")
    }
    // And back: every weight is read out of it.
    let stored = ByteArray(expected)
    for (path, piece) in form.pieces {
      let part = GatheredBytes.Part(source: stored, move: Move(reading: piece))
      let weight = model.bytes(of: path)
      let read = GatheredBytes(width: 4, elementCount: weight.count / 4, parts: [part])
      #expect(try read.read(0..<weight.count) == weight, "seed \(seed), \(path)")
    }
  }

  @Test(arguments: 0..<200)
  func `a partition is recognised, and a damaged one is not`(seed: Int) throws {
    var model = RandomLayouts(seed: seed)
    let layout = model.layout()
    guard let form = try model.form(layout) else { return }
    let pieces = form.pieces.map(\.piece)
    let size = form.shape.reduce(1, *)
    #expect(isPartition(pieces, of: size))
    var damaged = pieces
    let victim = model.random(0..<pieces.count)
    switch model.random(0..<4) {
    case 0: damaged.remove(at: victim)
    case 1: damaged.append(pieces[victim])
    case 2:
      let piece = pieces[victim]
      damaged[victim] = Piece(offset: piece.offset + 1, axes: piece.axes)
    default:
      damaged[victim] = Piece(
        offset: pieces[victim].offset,
        axes: pieces[victim].axes.map {
          Piece.Axis(extent: $0.extent, stored: $0.stored + 1, canonical: $0.canonical)
        })
    }
    // Believed only if every position is met exactly once; a damage may leave the pieces as they were.
    let met = damaged.flatMap { positions(of: $0).map(\.stored) }
    let isReallyOne = met.sorted() == Array(0..<size)
    #expect(!isPartition(damaged, of: size) || isReallyOne, "seed \(seed)")
  }

  @Test func `rotary heads are interleaved and joined again`() throws {
    let slots = [WeightSlot(path: "q.weight", shape: [8, 2], role: .linear)]
    let dialect = Dialect(
      name: "test", architecture: "test",
      rules: [.tensor("q", .interleavedHeads(.weight("q.weight"), axis: 0, size: "head_size"))],
      evidence: [])
    let forms = StoredForms(dialect, slots: slots, dimensions: ["head_size": 4])
    let form = try #require(forms.forms.first?.forms.first)
    #expect(form.shape == [8, 2])
    var rows = [Int](repeating: -1, count: 8)
    for (canonical, stored) in positions(of: form.pieces[0].piece) where canonical % 2 == 0 {
      rows[stored / 2] = canonical / 2
    }
    // Halves (0, 1 | 2, 3) of each head of four become neighbours (0, 2, 1, 3).
    #expect(rows == [0, 2, 1, 3, 4, 6, 5, 7])
  }

  @Test func `a rule stands for every layer and every expert of it`() {
    // The second layer has one expert more, and the first layer of all has none.
    let experts = [(1, 0), (1, 1), (2, 0), (2, 1), (2, 2)]
    let slots =
      experts.map {
        WeightSlot(path: "blocks.\($0).experts.\($1).up.weight", shape: [2, 3], role: .linear)
      } + [WeightSlot(path: "blocks.0.up.weight", shape: [2, 3], role: .linear)]
    let rules: [[Rule]] = [
      .rename("layers.{i}.{ee}.w1", "blocks.{i}.experts.{e}.up"),
      .rename("layers.{i}.w1", "blocks.{i}.up"),
    ]
    let single = StoredForms(
      Dialect(name: "test", architecture: "test", rules: rules, evidence: []), slots: slots,
      dimensions: [:])
    #expect(single.conflicts.isEmpty && single.homeless.isEmpty)
    #expect(
      single.forms.map(\.name) == [
        "layers.1.00.w1.weight", "layers.1.01.w1.weight", "layers.2.00.w1.weight",
        "layers.2.01.w1.weight", "layers.2.02.w1.weight", "layers.0.w1.weight",
      ])
    let stacked = StoredForms(
      Dialect(
        name: "test", architecture: "test",
        rules: [
          .tensor(
            "layers.{i}.w1",
            .stacked(.weight("blocks.{i}.experts.{e}.up.weight"), over: "e", axis: 0))
        ],
        evidence: []), slots: slots, dimensions: [:])
    #expect(stacked.conflicts.isEmpty && stacked.homeless.map(\.path) == ["blocks.0.up.weight"])
    #expect(stacked.forms.map(\.name) == ["layers.1.w1", "layers.2.w1"])
    #expect(stacked.forms.map(\.forms[0].shape) == [[2, 2, 3], [3, 2, 3]])
  }

  @Test func `a layout that its weight's rank does not allow is a conflict, and no trap`() {
    let slots = [WeightSlot(path: "a", shape: [2, 3], role: .linear)]
    let weight = Layout.weight("a")
    let layouts: [Layout] = [
      .permuted(weight, axes: [0]), .permuted(weight, axes: [0, 0]),
      .permuted(weight, axes: [2, 1]),
      .merged(weight, axis: 1), .merged(weight, axis: 5), .unit(weight, axis: 3),
      .divided(weight, axis: 2, inner: "size"), .divided(weight, axis: 0, inner: "none"),
      .interleavedHeads(weight, axis: 0, size: "size"), .joined([weight, weight], axis: 2),
    ]
    for layout in layouts {
      let dialect = Dialect(
        name: "test", architecture: "test", rules: [.tensor("x", layout)], evidence: [])
      let forms = StoredForms(dialect, slots: slots, dimensions: ["size": 1])
      #expect(forms.conflicts.count == 1 && forms.forms.isEmpty, "\(layout)")
    }
  }

  @Test func `a table that contradicts itself says so`() {
    let slots = ["a", "b", "c"].map { WeightSlot(path: $0, shape: [2, 3], role: .linear) }
    let dialect = Dialect(
      name: "test", architecture: "test",
      rules: [
        .tensor("x", .weight("a")), .tensor("y", .transposed(.weight("a"))),
        .tensor("z", .joined([.weight("b"), .transposed(.weight("b"))], axis: 0)),
      ],
      evidence: [])
    let forms = StoredForms(dialect, slots: slots, dimensions: [:])
    #expect(forms.conflicts.contains("a: two places, x and y"))
    #expect(forms.conflicts.contains { $0.hasPrefix("z: parts of different shapes") })
    #expect(forms.homeless.map(\.path) == ["b", "c"])
  }
}

/// Every element of a piece: its position in the weight and in the stored tensor.
private func positions(of piece: Piece) -> [(canonical: Int, stored: Int)] {
  var result = [(canonical: 0, stored: piece.offset)]
  for axis in piece.axes {
    result = result.flatMap { element in
      (0..<axis.extent).map {
        (element.canonical + $0 * axis.canonical, element.stored + $0 * axis.stored)
      }
    }
  }
  return result
}

private func littleEndian(_ id: Int) -> [UInt8] {
  (0..<4).map { UInt8(truncatingIfNeeded: id >> (8 * $0)) }
}

/// Random layouts over weights whose elements are numbered.
private struct RandomLayouts {
  private var generator: SeededGenerator
  private var shapes: [(path: String, shape: [Int])] = []
  private let headSize: Int
  private let layers: Int
  private let experts: Int

  init(seed: Int) {
    generator = SeededGenerator(seed: UInt64(seed))
    headSize = 2 * Int.random(in: 1...3, using: &generator)
    layers = Int.random(in: 1...4, using: &generator)
    experts = Int.random(in: 1...3, using: &generator)
  }

  mutating func random(_ range: Range<Int>) -> Int { Int.random(in: range, using: &generator) }

  /// A random layout. Its weights are declared on the way.
  mutating func layout() -> Layout {
    shapes = []
    let extents = [headSize * random(1..<4), headSize * random(1..<4), random(1..<4)]
    let shape = Array(extents.prefix(random(1..<4)))
    switch random(0..<4) {
    case 0:
      let parts = (0..<random(1..<4)).map { index in
        declare("part\(index).weight", shape)
        return Layout.weight("part\(index).weight")
      }
      return decorated(.joined(parts, axis: random(0..<shape.count)), rank: shape.count)
    case 1:
      for layer in 0..<layers { declare("blocks.\(layer).weight", shape) }
      let axis = random(0..<shape.count + 1)
      return decorated(.stacked(.weight("blocks.{i}.weight"), axis: axis), rank: shape.count + 1)
    case 2:
      for layer in 0..<layers {
        for expert in 0..<experts { declare("blocks.\(layer).experts.\(expert).weight", shape) }
      }
      let (inner, outer) = (random(0..<shape.count + 1), random(0..<shape.count + 2))
      let expert = Layout.weight("blocks.{i}.experts.{e}.weight")
      let layout =
        random(0..<2) == 0
        ? Layout.stacked(.stacked(expert, over: "e", axis: inner), axis: outer)
        : .stacked(.stacked(expert, axis: inner), over: "e", axis: outer)
      return decorated(layout, rank: shape.count + 2)
    default:
      declare("alone.weight", shape)
      return decorated(.weight("alone.weight"), rank: shape.count)
    }
  }

  private mutating func declare(_ path: String, _ shape: [Int]) {
    shapes.append((path, shape))
  }

  private mutating func decorated(_ layout: Layout, rank: Int) -> Layout {
    var (layout, rank) = (layout, rank)
    for _ in 0..<random(0..<4) {
      let axis = random(0..<rank)
      switch random(0..<6) {
      case 0: layout = .transposed(layout)
      case 5: layout = .permuted(layout, axes: Array(0..<rank).shuffled(using: &generator))
      case 1:
        layout = .unit(layout, axis: axis)
        rank += 1
      case 2 where naive(layout).shape[axis].isMultiple(of: headSize):
        layout = .divided(layout, axis: axis, inner: "head_size")
        rank += 1
      case 3 where axis + 1 < rank:
        layout = .merged(layout, axis: axis)
        rank -= 1
      case 4 where naive(layout).shape[axis].isMultiple(of: headSize):
        layout = .interleavedHeads(layout, axis: axis, size: "head_size")
      default: break
      }
    }
    return layout
  }

  /// The layout with numbers in it, or `nil` if it divides an axis where no part ends, which no
  /// affine piece can say and the table refuses.
  func form(_ layout: Layout) throws -> StoredForm.Form? {
    let dialect = Dialect(
      name: "test", architecture: "test", rules: [.tensor("stored", layout)], evidence: [])
    let slots = shapes.map { WeightSlot(path: $0.path, shape: $0.shape, role: .linear) }
    let forms = StoredForms(dialect, slots: slots, dimensions: ["head_size": headSize])
    if forms.conflicts == ["stored: a part does not end where an axis is divided"] { return nil }
    #expect(forms.conflicts == [])
    #expect(forms.homeless.isEmpty)
    return try #require(forms.forms.first?.forms.first)
  }

  /// The number of an element: different for every element of every weight.
  func id(_ path: String, _ index: Int) -> Int {
    let weight = shapes.firstIndex { $0.path == path } ?? -1
    return weight << 16 | index
  }

  func bytes(of path: String) -> [UInt8] {
    let count = shapes.first { $0.path == path }?.shape.reduce(1, *) ?? 0
    return (0..<count).flatMap { littleEndian(id(path, $0)) }
  }

  // MARK: Element by element

  struct Ids: Equatable {
    var shape: [Int]
    var ids: [Int]

    /// Element `index` of the result is the element of this that `source` names.
    func mapped(_ shape: [Int], _ source: ([Int]) -> [Int]) -> Ids {
      let ids = (0..<shape.reduce(1, *)).map { flat in
        self.ids[flatIndex(source(index(flat, shape)), self.shape)]
      }
      return Ids(shape: shape, ids: ids)
    }
  }

  func naive(_ layout: Layout, numbers: HoleNumbers = [:]) -> Ids {
    switch layout {
    case .weight(let path):
      let path = numbers.reduce(path) { $0.replacing("{\($1.key)}", with: "\($1.value)") }
      let shape = shapes.first { $0.path == path }?.shape ?? []
      return Ids(shape: shape, ids: (0..<shape.reduce(1, *)).map { id(path, $0) })
    case .transposed(let inner):
      let a = naive(inner, numbers: numbers)
      guard a.shape.count >= 2 else { return a }
      let (m, n) = (a.shape.count - 2, a.shape.count - 1)
      var shape = a.shape
      shape.swapAt(m, n)
      return a.mapped(shape) { index in
        var index = index
        index.swapAt(m, n)
        return index
      }
    case .joined(let parts, let axis):
      return concatenated(parts.map { naive($0, numbers: numbers) }, axis: axis)
    case .permuted(let inner, let axes):
      let a = naive(inner, numbers: numbers)
      return a.mapped(axes.map { a.shape[$0] }) { index in
        a.shape.indices.map { axis in index[axes.firstIndex(of: axis) ?? axis] }
      }
    case .stacked(let inner, let hole, let axis):
      let parts = (0..<(hole == "i" ? layers : experts)).map { number in
        inserted(naive(inner, numbers: numbers.merging([hole: number]) { $1 }), axis: axis)
      }
      return concatenated(parts, axis: axis)
    case .repeated(let inner, let axis):
      let copy = inserted(naive(inner, numbers: numbers), axis: axis)
      return concatenated((0..<layers).map { _ in copy }, axis: axis)
    case .unit(let inner, let axis):
      return inserted(naive(inner, numbers: numbers), axis: axis)
    case .divided(let inner, let axis, _):
      var a = naive(inner, numbers: numbers)
      a.shape[axis] /= headSize
      a.shape.insert(headSize, at: axis + 1)
      return a
    case .merged(let inner, let axis):
      var a = naive(inner, numbers: numbers)
      a.shape[axis] *= a.shape.remove(at: axis + 1)
      return a
    case .plus(let inner, _), .withoutLast(let inner, _), .withoutFirst(let inner, _),
      .withZeros(let inner, _, _):
      return naive(inner, numbers: numbers)
    case .interleavedHeads(let inner, let axis, _):
      let (a, half) = (naive(inner, numbers: numbers), headSize / 2)
      return a.mapped(a.shape) { index in
        var index = index
        let (head, place) = (index[axis] / headSize, index[axis] % headSize)
        index[axis] = head * headSize + place % 2 * half + place / 2
        return index
      }
    }
  }

  private func inserted(_ a: Ids, axis: Int) -> Ids {
    var a = a
    a.shape.insert(1, at: axis)
    return a
  }

  private func concatenated(_ parts: [Ids], axis: Int) -> Ids {
    var shape = parts[0].shape
    shape[axis] = parts.reduce(0) { $0 + $1.shape[axis] }
    let ids = (0..<shape.reduce(1, *)).map { flat in
      var position = index(flat, shape)
      for part in parts {
        if position[axis] < part.shape[axis] { return part.ids[flatIndex(position, part.shape)] }
        position[axis] -= part.shape[axis]
      }
      return -1
    }
    return Ids(shape: shape, ids: ids)
  }
}

private func index(_ flat: Int, _ shape: [Int]) -> [Int] {
  var (rest, index) = (flat, [Int]())
  for extent in shape.reversed() {
    index.insert(rest % extent, at: 0)
    rest /= extent
  }
  return index
}

private func flatIndex(_ index: [Int], _ shape: [Int]) -> Int {
  zip(index, shape).reduce(0) { $0 * $1.1 + $1.0 }
}
