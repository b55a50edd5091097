import Kernels
import TensorCore

/// Puts what was found out about single tensors together.
struct Sorting {
  private let a: [Participant]
  private let b: [Participant]
  private let placesInA: [TensorName: Int]
  private let placesInB: [TensorName: Int]
  /// What namesakes of the same shape are to each other, by their positions in A.
  private let compared: [Int: PairComparison]
  /// The tensors of A whose namesakes differ by no more than they may.
  private let tolerated: Set<Int>
  /// The tensors of B that are tensors of A under other names or in other orders, by their positions.
  private let matches: [Int: Match]
  /// Where tensors of A went.
  private let moved: [Int: Match]
  /// The tensors of A without a partner that are copies of some of B, where A is B and B is A.
  var copies: [Match] = []

  init(
    _ a: [Participant], _ b: [Participant], compared: [Int: PairComparison],
    tolerated: Set<Int>, matches: [Match]
  ) {
    self.a = a
    self.b = b
    self.compared = compared
    self.tolerated = tolerated
    placesInA = Dictionary(a.enumerated().map { ($1.name, $0) }) { first, _ in first }
    placesInB = Dictionary(b.enumerated().map { ($1.name, $0) }) { first, _ in first }
    self.matches = Dictionary(matches.map { ($0.b, $0) }) { first, _ in first }
    moved = Dictionary(matches.filter { !$0.isCopy }.map { ($0.a, $0) }) { first, _ in first }
  }

  /// The tensors of A that have neither a namesake nor a match.
  var missing: Set<Int> {
    Set(a.indices.filter { placesInB[a[$0].name] == nil && moved[$0] == nil })
  }

  /// All tensors in the order of A, then what only B has, and their changes.
  var sorted: (entries: [CheckpointDiff.Entry], changes: [TensorChange]) {
    var (entries, changes): ([CheckpointDiff.Entry], [TensorChange]) = ([], [])
    func add(_ change: TensorChange?, _ name: TensorName, _ x: Participant?, _ y: Participant?) {
      let (first, second) = (x?.open, y?.open)
      entries.append(
        CheckpointDiff.Entry(
          name: name, change: change == nil ? nil : changes.count, open: { (first?(), second?()) }))
      if let change { changes.append(change) }
    }
    for (index, tensor) in a.enumerated() {
      let change = changeOfA(index)
      guard change != nil || compared[index]?.isIdentical == true else { continue }
      let place = placesInB[tensor.name] ?? moved[index]?.b
      add(change, tensor.name, tensor, place.map { b[$0] })
    }
    for (index, tensor) in b.enumerated() where placesInA[tensor.name] == nil {
      guard let match = matches[index] else {
        add(TensorChange(kind: .added, a: nil, b: side(tensor)), tensor.name, nil, tensor)
        continue
      }
      guard match.isCopy || placesInB[a[match.a].name] != nil else { continue }
      add(change(match), tensor.name, match.isCopy ? nil : a[match.a], tensor)
    }
    return (entries, changes)
  }

  /// What became of a tensor of A: of its namesake, or of itself under another name.
  private func changeOfA(_ index: Int) -> TensorChange? {
    if let place = placesInB[a[index].name] { return namesake(index, place) }
    guard let match = moved[index] else { return removal(index) }
    // To a place that has a namesake in A it is listed there.
    return placesInA[b[match.b].name] == nil ? change(match) : nil
  }

  private func namesake(_ index: Int, _ place: Int) -> TensorChange? {
    let pair = compared[index]
    if pair?.isIdentical == true || tolerated.contains(index) { return nil }
    if pair?.isCast == true {
      return TensorChange(
        kind: .cast, a: side(a[index]), b: side(b[place]), difference: pair?.difference)
    }
    if let match = matches[place] { return change(match) }
    var change = TensorChange(
      kind: .changed, a: side(a[index]), b: side(b[place]), difference: pair?.difference)
    let (first, second) = (a[index].open, b[place].open)
    if pair != nil { change.tensors = { (first(), second()) } }
    return change
  }

  private func change(_ match: Match) -> TensorChange {
    let isNew = placesInA[b[match.b].name] == nil
    let kind: TensorChange.Kind =
      if match.isCopy {
        isNew ? .added : .changed
      } else if match.rearrangement != .inPlace {
        .rearranged
      } else {
        match.cast == nil ? .renamed : .cast
      }
    var change = TensorChange(
      kind: kind, a: kind == .added ? nil : side(a[match.a]), b: side(b[match.b]))
    change.rearrangement = match.rearrangement == .inPlace ? nil : match.rearrangement
    if match.isCopy { change.copyOf = a[match.a].name }
    return change
  }

  private func removal(_ index: Int) -> TensorChange {
    var change = TensorChange(kind: .removed, a: side(a[index]), b: nil)
    if let match = copies.first(where: { $0.b == index }) {
      change.copyOf = b[match.a].name
      change.rearrangement = match.rearrangement == .inPlace ? nil : match.rearrangement
    }
    return change
  }

  private func side(_ participant: Participant) -> TensorChange.Side {
    TensorChange.Side(
      name: participant.name, stored: participant.stored, dtype: participant.dtype,
      shape: participant.shape)
  }
}
