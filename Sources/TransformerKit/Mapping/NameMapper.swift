import Kernels
import TensorCore

/// The work of finding where tensors belong whose names are nobody's.
///
/// Content comes first, where there is a base; then what names say, of all layers at once; then what shapes leave.
/// Whatever could stand in two places stays open.
struct NameMapper {
  let sources: [Tensor]
  let targets: [MapTarget]
  /// The tensors that have a place, by their positions.
  private(set) var found: [Int: Assignment] = [:]
  private(set) var openTargets: Set<Int>
  /// For tensors whose elements the base has in several places, or several tensors have, these places.
  var alike: [Int: Set<Int>] = [:]

  init(_ sources: [Tensor], _ targets: [MapTarget]) {
    self.sources = sources
    self.targets = targets
    openTargets = Set(targets.indices)
  }

  /// The tensors without a place.
  var openSources: [Int] { sources.indices.filter { found[$0] == nil } }

  /// The places that must be filled, and are not.
  var missing: [Int] {
    openTargets.sorted().filter { targets[$0].isRequired }
  }

  /// Whether a tensor has the shape of a place, and is none whose elements the base has elsewhere.
  func fits(_ source: Int, _ target: Int) -> Bool {
    targets[target].shapes.contains(sources[source].shape)
      && alike[source]?.contains(target) != false
  }

  /// Gives a tensor a place.
  mutating func assign(_ source: Int, _ assignment: Assignment) {
    found[source] = assignment
    openTargets.remove(assignment.target)
  }

  /// Takes its place from a tensor.
  mutating func unassign(_ source: Int) {
    if let old = found.removeValue(forKey: source) { openTargets.insert(old.target) }
  }

  /// Finds what can be found.
  ///
  /// - Throws: `CheckpointError` when bytes cannot be read.
  mutating func map() throws(CheckpointError) {
    if targets.contains(where: { $0.tensor != nil }) {
      try matchEqual()
      try matchNear()
    }
    matchGroups()
    matchTied()
    releaseSquares()
  }

  // MARK: A base's content

  /// Tensors that go with one of the base's, and with no other one of its shape: it was trained on.
  private mutating func matchNear() throws(CheckpointError) {
    let open = openSources.filter { sources[$0].dtype.isComputable && alike[$0] == nil }
    let taken = alike.values.reduce(into: Set<Int>()) { $0.formUnion($1) }
    let places = openTargets.subtracting(taken).sorted().filter {
      targets[$0].tensor?.dtype.isComputable == true
    }
    let bySource = Dictionary(grouping: open) { sources[$0].shape }
    let byPlace = Dictionary(grouping: places) { targets[$0].shapes[0] }
    for (shape, group) in bySource.sorted(by: { $0.value[0] < $1.value[0] }) {
      guard let there = byPlace[shape], there.count <= Self.mostCompared,
        group.count <= Self.mostCompared
      else { continue }
      let x = try group.map { source throws(CheckpointError) in try ElementSample(sources[source]) }
      let y = try there.map { place throws(CheckpointError) in
        try ElementSample(targets[place].tensor ?? sources[group[0]])
      }
      let table = x.map { own in y.map { own.correlation(with: $0) } }
      for (row, source) in group.enumerated() {
        guard let best = table[row].indices.max(by: { table[row][$0] < table[row][$1] }) else {
          continue
        }
        let value = table[row][best]
        let others =
          table[row].indices.filter { $0 != best }.map { table[row][$0] }
          + table.indices.filter { $0 != row }.map { table[$0][best] }
        guard x[row].isTelling(value, next: others.max() ?? 0) else { continue }
        assign(
          source,
          Assignment(
            target: there[best], reason: .near(value),
            isTransposed: targets[there[best]].isTransposed))
      }
    }
  }

  /// More tensors of one shape are not compared each with each.
  private static let mostCompared = 512
}
