import TensorCore

/// What a base's elements tell.
extension NameMapper {
  /// Tensors that have the elements of one of the base's, as they are, cast or transposed. Those that have the elements of
  /// several, or of another tensor, are told by names, or not at all.
  mutating func matchEqual() throws(CheckpointError) {
    let places = targets.indices.filter { targets[$0].tensor != nil }
    let base = places.compactMap { targets[$0].tensor }
    let (twinsOfBase, twins) = (try twins(of: base), try twins(of: sources))
    let matching = Matching(
      a: base.map { Participant($0) }, b: sources.map { Participant(unnamed: $0) },
      openA: Set(base.indices).subtracting(twinsOfBase),
      openB: Set(sources.indices).subtracting(twins))
    for match in try matching.matches() where !match.isCopy {
      let place = places[match.a]
      let isTurned =
        match.rearrangement == .transposed(axes: [1, 0])
        ? true : match.rearrangement == .inPlace ? false : nil
      guard let isTurned else { continue }
      let isTransposed = isTurned != targets[place].isTransposed
      assign(match.b, Assignment(target: place, reason: .equal, isTransposed: isTransposed))
    }
    try findAlike()
    matchByOtherLayers()
  }

  /// Those of some tensors that have type, shape and elements of another one.
  private func twins(of tensors: [Tensor]) throws(CheckpointError) -> Set<Int> {
    var likely: [[UInt8]: [Int]] = [:]
    for (index, tensor) in tensors.enumerated() {
      let size = min(tensor.byteCount, Self.glimpse)
      var key = Array("\(tensor.dtype) \(tensor.shape) ".utf8)
      key += try tensor.bytes.read(0..<size)
      key += try tensor.bytes.read(tensor.byteCount - size..<tensor.byteCount)
      likely[key, default: []].append(index)
    }
    var twins: Set<Int> = []
    for group in likely.values where group.count > 1 {
      var same: [String: [Int]] = [:]
      for index in group { same[try digest(of: tensors[index]), default: []].append(index) }
      for indices in same.values where indices.count > 1 { twins.formUnion(indices) }
    }
    return twins
  }

  /// So many bytes at both ends of tensors are looked at before they are read whole.
  private static let glimpse = 256

  /// Which places of the base have the elements of tensors that are left.
  private mutating func findAlike() throws(CheckpointError) {
    var places: [String: Set<Int>] = [:]
    let types = Set(openSources.map { sources[$0].dtype })
    let shapes = Set(openSources.map { sources[$0].shape })
    for place in openTargets.sorted() {
      guard let tensor = targets[place].tensor, shapes.contains(tensor.shape) else { continue }
      for type in types where type == tensor.dtype || type.isComputable && tensor.dtype.isComputable
      {
        let own = type == tensor.dtype ? tensor : tensor.cast(to: type)
        places[try digest(of: own), default: []].insert(place)
      }
    }
    if places.isEmpty { return }
    for source in openSources { alike[source] = places[try digest(of: sources[source])] }
  }

  /// A digest of type, shape and elements.
  private func digest(of tensor: Tensor) throws(CheckpointError) -> String {
    "\(tensor.dtype) \(tensor.shape) \(try SHA256.digest(of: tensor))"
  }

  /// Tensors that are called as others are, but for numbers: they go where the rule of these says.
  private mutating func matchByOtherLayers() {
    func kind(_ source: Int) -> String { sources[source].name.text.filter { !$0.isNumber } }
    let known = Dictionary(grouping: found.keys.sorted(), by: kind)
    let names = Dictionary(targets.enumerated().map { ($1.name, $0) }) { first, _ in first }
    for (source, places) in alike.sorted(by: { $0.key < $1.key }) {
      let pairs = (known[kind(source)] ?? []).compactMap { other in
        found[other].map {
          RuleWriter.Pair(from: sources[other].name.text, to: targets[$0.target].name.text)
        }
      }
      guard let rule = RuleWriter.rule(for: pairs), let pattern = NamePattern(rule.from),
        let template = NameTemplate(rule.to, for: pattern),
        let name = NameRules.Rule(pattern, template, origin: "").name(for: sources[source].name),
        let place = names[name], places.contains(place), openTargets.contains(place)
      else { continue }
      assign(
        source,
        Assignment(
          target: place, reason: .alike, isTransposed: targets[place].isTransposed, isShared: true))
    }
  }

  /// Tensors whose elements several places have of which one at most is a weight of its own: the others are tied to it, or
  /// constants, and which is which makes no difference.
  mutating func matchTied() {
    let groups = Dictionary(grouping: openSources.filter { alike[$0] != nil }) { alike[$0] ?? [] }
    for (places, group) in groups {
      let open = places.intersection(openTargets).sorted()
      guard open.count == group.count, open.count(where: { targets[$0].isRequired }) <= 1 else {
        continue
      }
      for (source, place) in zip(group, open) {
        assign(
          source,
          Assignment(
            target: place, reason: .tied, isTransposed: targets[place].isTransposed, isShared: true)
        )
      }
    }
  }

  // MARK: Squares

  /// Takes their places from square matrices that only names have told, where another matrix has a place only if it is
  /// turned: nobody knows whether they have to be.
  mutating func releaseSquares() {
    let open = Set(openTargets.flatMap { targets[$0].shapes })
    let isDoubtful = openSources.contains { source in
      let shape = sources[source].shape
      return shape.count == 2 && !open.contains(shape) && open.contains(shape.reversed())
    }
    guard isDoubtful else { return }
    for (source, assignment) in found {
      let shape = sources[source].shape
      guard targets[assignment.target].isLinear, shape[0] == shape[1],
        !assignment.reason.isOfContent
      else { continue }
      unassign(source)
    }
  }
}

extension Assignment.Reason {
  /// Whether a base's elements tell it.
  fileprivate var isOfContent: Bool {
    switch self {
    case .equal, .alike, .near, .tied: true
    default: false
    }
  }
}

extension Participant {
  /// A tensor whose name says nothing, and must not be taken for that of another one.
  fileprivate init(unnamed tensor: Tensor) {
    self.init(tensor.renamed(TensorName("\u{0}" + tensor.name.text)))
  }
}
