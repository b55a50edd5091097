import Kernels
import TensorCore

/// A tensor of A and one of B that have the same content, and how.
struct Match: Sendable {
  /// The position of A's tensor.
  let a: Int
  /// The position of B's tensor.
  let b: Int
  /// The types, if B's elements are A's cast.
  let cast: (from: DType, to: DType)?
  /// How the elements stand in B.
  let rearrangement: Rearrangement
  /// Whether A's tensor is somewhere else in B as well.
  var isCopy = false
}

/// Finds tensors of B whose content is that of a tensor of A, under whatever name.
///
/// Fingerprints that do not depend on order find candidates; each is proven. A tensor whose elements are all
/// the same is like many others: it is found under another name only where that is how others were renamed.
struct Matching {
  let a: [Participant]
  let b: [Participant]
  /// The tensors of A that stand nowhere in B yet, and those of B that are not explained yet.
  var openA: Set<Int>
  var openB: Set<Int>
  /// The tensors of A that are not to be read.
  var unread: Set<Int> = []

  /// Tensors with the same fingerprint that are tried, at most.
  private static let mostCandidates = 64

  /// All matches, in the order of B.
  ///
  /// - Throws: `CheckpointError` when bytes cannot be read.
  func matches() throws(CheckpointError) -> [Match] {
    if openB.isEmpty { return [] }
    let pool = candidates()
    let places = try fingerprints(of: pool, a, for: Set(openB.map { b[$0].dtype }))
    let order = openB.sorted()
    let keys = try fingerprints(of: order, b, for: Set(pool.map { a[$0].dtype }))
    var keysOfB: [Int: [Fingerprint]] = [:]
    for (key, positions) in keys {
      for position in positions { keysOfB[position, default: []].append(key) }
    }
    var constants: Set<Int> = []
    for position in order where try b[position].open().isConstant() { constants.insert(position) }
    var (free, matches, renamings) = (openA, [Int: Match](), Set<Renaming>())
    // Those that kept their names first: nobody else may take their partners.
    for pass in Pass.allCases {
      for position in order where matches[position] == nil {
        if pass == .others, constants.contains(position) { continue }
        let found = (keysOfB[position] ?? []).flatMap { key in
          (places[key] ?? []).filter { place in
            let names = (a[place].name, b[position].name)
            let isMeant =
              switch pass {
              case .namesakes: names.0 == names.1
              case .others: names.0 != names.1
              case .constants:
                free.contains(place) && renamings.contains(Renaming(names.0, names.1))
              }
            return isMeant && isPossible(a[place], b[position], key)
          }
        }
        if let match = try firstProven(Set(found), position, free: free) {
          free.remove(match.a)
          matches[position] = match
          if !match.isCopy { renamings.insert(Renaming(a[match.a].name, b[position].name)) }
        }
      }
    }
    return order.compactMap { matches[$0] }
  }

  /// Which tensors are looked for, in this order.
  private enum Pass: CaseIterable {
    case namesakes
    case others
    case constants
  }

  /// The tensors of A that B's could be: those that are open, and for copies those of the same size.
  private func candidates() -> [Int] {
    let counts = Set(openB.map { b[$0].elementCount })
    return a.indices.filter {
      openA.contains($0) || counts.contains(a[$0].elementCount) && !unread.contains($0)
    }
  }

  /// Whether a fingerprint that both have says anything: it must be that of one of them as it is, and
  /// of the other one as it is or cast to that type.
  private func isPossible(_ x: Participant, _ y: Participant, _ key: Fingerprint) -> Bool {
    guard key.dtype == x.dtype || key.dtype == y.dtype,
      x.dtype != y.dtype || key.dtype == x.dtype
    else { return false }
    if x.elementCount == y.elementCount { return true }
    return key.nonzero > 0 && x.shape.count == y.shape.count
      && x.shape.dropFirst() == y.shape.dropFirst()
  }

  /// The first candidate, the likeliest first, that is proven.
  private func firstProven(
    _ candidates: Set<Int>, _ position: Int, free: Set<Int>
  ) throws(CheckpointError) -> Match? {
    let name = b[position].name
    // Of very many that look the same, such as zeros, those that come first are as good as any.
    let first = candidates.sorted { x, y in
      free.contains(x) == free.contains(y) ? x < y : free.contains(x)
    }.prefix(Self.mostCandidates)
    let sorted = first.map { ($0, free.contains($0), likeness(a[$0].name, name)) }
      .sorted { x, y in
        if x.1 != y.1 { return x.1 }
        return x.2 == y.2 ? x.0 < y.0 : x.2 > y.2
      }.map(\.0)
    for candidate in sorted {
      if var match = try proven(candidate, position) {
        match.isCopy = !free.contains(candidate)
        return match
      }
    }
    return nil
  }

  private func proven(_ x: Int, _ y: Int) throws(CheckpointError) -> Match? {
    let (from, to) = (a[x].dtype, b[y].dtype)
    guard let found = try rearrangement(of: a[x].cast(to: to), in: b[y]) else { return nil }
    // Then the fingerprint is all there is, and it may be that of B's tensor when it is narrowed.
    if found == .reordered, to.bitWidth > from.bitWidth { return nil }
    return Match(a: x, b: y, cast: from == to ? nil : (from, to), rearrangement: found)
  }

  /// Where each fingerprint is found; of real numbers also those that they have when they are cast to
  /// the other side's types.
  private func fingerprints(
    of positions: [Int], _ all: [Participant], for types: Set<DType>
  ) throws(CheckpointError) -> [Fingerprint: [Int]] {
    var tasks: [(position: Int, tensor: Tensor)] = []
    for position in positions {
      let participant = all[position]
      tasks.append((position, participant.open()))
      guard participant.isComputable else { continue }
      for type in types.sorted(by: { $0.name < $1.name }) {
        guard type.isComputable, type != participant.dtype,
          type.bitWidth <= participant.dtype.bitWidth
        else { continue }
        tasks.append((position, participant.cast(to: type).open()))
      }
    }
    let groups = Stretch.groups(of: tasks.map(\.tensor))
    let parts = try inParallel(groups.count) { number throws(CheckpointError) in
      let tensor = tasks[groups[number][0].tensor].tensor
      return try tensor.bytes.inTurn { () throws(CheckpointError) in
        var fingerprint = Fingerprint(tensor.dtype)
        for stretch in groups[number] {
          try tensor.stream(of: stretch.elements) { bytes, _ in fingerprint.add(bytes) }
        }
        return fingerprint
      }
    }
    var totals: [Int: Fingerprint] = [:]
    for (group, part) in zip(groups, parts) {
      totals[group[0].tensor, default: Fingerprint(part.dtype)].merge(part)
    }
    var result: [Fingerprint: [Int]] = [:]
    for (task, (position, tensor)) in tasks.enumerated() {
      result[totals[task] ?? Fingerprint(tensor.dtype), default: []].append(position)
    }
    return result
  }
}

extension Participant {
  /// The same tensor in another type, rounded when it is read.
  func cast(to type: DType) -> Participant {
    guard dtype != type, isComputable, type.isComputable else { return self }
    let open = open
    return Participant(casting: self, to: type) { open().cast(to: type) }
  }

  private init(
    casting other: Participant, to dtype: DType, open: @escaping @Sendable () -> Tensor
  ) {
    (name, stored, allNames) = (other.name, other.stored, other.allNames)
    self.dtype = dtype
    shape = other.shape
    self.open = open
  }
}

/// How much two names have in common: their numbers, then their ends, then their beginnings.
private func likeness(_ a: TensorName, _ b: TensorName) -> Int {
  func parts(_ name: TensorName) -> [Substring] {
    name.text.split { $0 == "." || $0 == "/" || $0 == "_" }
  }
  let (x, y) = (parts(a), parts(b))
  let numbers = x.compactMap { Int($0) } == y.compactMap { Int($0) } ? 100 : 0
  let end = zip(x.reversed(), y.reversed()).prefix { $0.0 == $0.1 }.count
  let common = Set(x).intersection(y).count
  return numbers + 10 * end + common
}
