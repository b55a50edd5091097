import Models
import TensorCore

/// Tensors of all layers that are called the same, or places.
private struct NameGroup {
  /// The members by the numbers of their layers and experts.
  var members: [[Int]: Int] = [:]
  /// What their name says.
  var words: NameWords
  /// The name without numbers.
  let skeleton: String
  /// The module that it is a part of, and which: `weight`, `bias`, or `nil` where its name does not say.
  var module = ""
  var part: String?

  /// The numbers, which only a group with the same ones can be.
  var numbers: Set<[Int]> { Set(members.keys) }
}

extension NameMapper {
  /// Finds out by names and shapes, of all layers at once, where what is left belongs.
  mutating func matchGroups() {
    var groups = Groups(self)
    var isGoing = true
    while isGoing {
      isGoing = false
      for step in [
        Groups.byOnlyShape, Groups.byModule, Groups.byWords, Groups.byShape, Groups.byNeed,
        Groups.byOrder,
      ] {
        let pairs = step(groups)()
        for (pair, reason) in pairs { settle(pair, reason, &groups) }
        isGoing = !pairs.isEmpty
        if isGoing { break }
      }
    }
    for pair in groups.torn { release(pair, groups) }
  }

  /// Takes back what was found of a pair.
  private mutating func release(_ pair: Groups.Pair, _ groups: Groups) {
    for source in groups.sources[pair.source].members.values { unassign(source) }
  }

  private mutating func settle(
    _ pair: Groups.Pair, _ reason: Assignment.Reason, _ groups: inout Groups
  ) {
    for (numbers, source) in groups.sources[pair.source].members {
      guard let target = groups.targets[pair.target].members[numbers] else { continue }
      assign(
        source,
        Assignment(
          target: target, reason: reason, isTransposed: targets[target].isTransposed,
          isShared: alike[source] != nil))
    }
    groups.close(pair)
  }

  /// Why tensors that are left are: where else they could be.
  func candidates() -> [(sources: [Int], targets: [Int])] {
    let groups = Groups(self)
    return groups.sources.indices.map { number in
      (
        groups.sources[number].members.values.sorted(),
        groups.candidates[number].flatMap { groups.targets[$0].members.values }.sorted()
      )
    }
  }
}

/// Whether all tensors of a group have the shapes of a group of places with the same numbers.
private func fit(_ source: NameGroup, _ target: NameGroup, _ mapper: NameMapper) -> Bool {
  source.members.allSatisfy { numbers, source in
    guard let place = target.members[numbers] else { return false }
    return mapper.fits(source, place)
  }
}

/// What is left of tensors and places, by names.
private struct Groups {
  /// A group of tensors, and one of places.
  struct Pair: Hashable {
    let source: Int
    let target: Int
  }

  private(set) var sources: [NameGroup]
  private(set) var targets: [NameGroup]
  /// For each group of tensors the groups of places that it can be.
  private(set) var candidates: [Set<Int>] = []
  /// The same by shapes alone, without what names exclude.
  private var shapes: [Set<Int>] = []
  /// What was found.
  private(set) var settled: [Pair] = []
  /// The number of the first place of each group: their order in the computation.
  private let order: [Int]
  /// Whether each group of places must be filled.
  private let isNeeded: [Bool]

  init(_ mapper: NameMapper) {
    let openTargets = mapper.openTargets.sorted()
    let facts = NameWords.Facts(mapper.targets)
    let places = mapper.targets.isEmpty ? [] : Self.names(of: mapper.targets)
    targets = Self.grouped(
      openTargets.map { (places[$0], $0) },
      words: { position in mapper.targets[position].words(places[position].skeleton, facts) })
    let open = mapper.openSources
    let there = Dictionary(grouping: targets, by: \.numbers)
    let names = Self.names(of: mapper.sources.map(\.name.text), open: open) { group in
      (there[group.numbers] ?? []).contains { fit(group, $0, mapper) }
    }
    sources = Self.grouped(
      open.map { (names[$0], $0) }, words: { NameWords(names[$0].skeleton, facts) })
    order = targets.map { $0.members.values.min() ?? 0 }
    isNeeded = targets.map { $0.members.values.contains { mapper.targets[$0].isRequired } }
    addSides()
    addModules(mapper)
    candidates = sources.map { _ in [] }
    shapes = candidates
    guard sources.count * targets.count <= Self.mostPairs else { return }
    let byNumbers = Dictionary(grouping: targets.indices) { targets[$0].numbers }
    candidates = sources.map { source in
      Set((byNumbers[source.numbers] ?? []).filter { fit(source, targets[$0], mapper) })
    }
    shapes = candidates
    excludeByModule()
    // What a name excludes, if it leaves something.
    for x in sources.indices {
      let fitting = candidates[x].filter { !sources[x].words.contradicts(targets[$0].words) }
      if !fitting.isEmpty { candidates[x] = fitting }
    }
  }

  /// Names without numbers, of which those are counted that places have: more than usual, or fewer, where no place is like
  /// the usual ones; and of names without any the first one, which may be a layer's whatever is called so.
  private static func names(
    of texts: [String], open: [Int], hasPlace: (NameGroup) -> Bool
  ) -> [CountedNames.Name] {
    func grouped(_ names: [CountedNames.Name], _ positions: [Int]) -> [NameGroup] {
      self.grouped(positions.map { (names[$0], $0) }, words: { _ in NameWords() })
    }
    var all = CountedNames(texts).names
    let others = [CountedNames.Counting.leading, .all, .things, .outermost].map { counting in
      let names = CountedNames(texts, counting: counting).names
      return (names: names, alike: Dictionary(grouping: open) { names[$0].skeleton })
    }
    var chosen: [([Int], [CountedNames.Name])] = []
    for group in grouped(all, open) {
      let isPlaced = hasPlace(group)
      if isPlaced, group.numbers != [[]] { continue }
      let own = Array(group.members.values)
      for (names, alike) in isPlaced ? others.prefix(1) : others[...] {
        let members = Set(own.map { names[$0].skeleton }).flatMap { alike[$0] ?? [] }
        guard grouped(names, members).allSatisfy(hasPlace) else { continue }
        chosen.append((own, names))
        break
      }
    }
    for (own, names) in chosen {
      for source in own { all[source] = names[source] }
    }
    return all
  }

  /// Takes away places of a module where the other part of this one has none: of a bias, what its weight cannot be.
  private mutating func excludeByModule() {
    let byModule = Dictionary(grouping: sources.indices) { sources[$0].module }
    let parts = Dictionary(grouping: targets.indices) { targets[$0].module }
    for group in byModule.values where group.count == 2 {
      for (x, other) in [(group[0], group[1]), (group[1], group[0])] {
        guard let part = sources[other].part, sources[x].part != nil, sources[x].part != part else {
          continue
        }
        let modules = Set(shapes[other].map { targets[$0].module })
        candidates[x] = candidates[x].filter { place in
          let module = targets[place].module
          let hasOther = (parts[module] ?? []).contains { targets[$0].part == part }
          return !hasOther || modules.contains(module)
        }
      }
    }
  }

  /// More groups of tensors are not held against more groups of places: names of thousands of kinds say nothing.
  private static let mostPairs = 1 << 22

  /// The numbers in paths; where there are none, in names.
  private static func names(of targets: [MapTarget]) -> [CountedNames.Name] {
    CountedNames(
      targets.map { target in
        guard !target.paths.isEmpty else { return target.name.text }
        return target.commonPath
      }, countsAllParts: !targets.allSatisfy(\.paths.isEmpty)
    ).names
  }

  private static func grouped(
    _ names: [(name: CountedNames.Name, position: Int)], words: (Int) -> NameWords
  ) -> [NameGroup] {
    var (groups, places): ([NameGroup], [String: Int]) = ([], [:])
    for (name, position) in names {
      if let place = places[name.skeleton] {
        groups[place].members[name.numbers] = position
      } else {
        places[name.skeleton] = groups.count
        groups.append(
          NameGroup(
            members: [name.numbers: position], words: words(position), skeleton: name.skeleton))
      }
    }
    return groups
  }

  /// Says of normalisations of blocks on which side of what they stand, as names say it: where there are two, the second
  /// one of a block is behind attention if names know one before it, else the first one.
  private mutating func addSides() {
    let all = Set(targets.compactMap { Self.normalisation($0.skeleton)?.module })
    let hasBoth = all.contains { $0.hasSuffix("_post_norm") }
    let knowsBefore = sources.contains { $0.words.meanings.contains("before attention") }
    for index in targets.indices {
      let sides: [String]
      switch Self.normalisation(targets[index].skeleton)?.module {
      case "attention_norm":
        sides = [hasBoth || knowsBefore ? "before attention" : "after attention"]
      case "feed_forward_norm":
        let isSecond = !hasBoth && knowsBefore && !all.contains("cross_attention_norm")
        sides =
          ["before feed forward"] + (hasBoth ? [] : ["after feed forward"])
          + (isSecond ? ["after attention"] : [])
      case "attention_post_norm": sides = ["after attention"]
      case "feed_forward_post_norm": sides = ["after feed forward"]
      default: continue
      }
      targets[index].words = targets[index].words.adding(sides)
    }
  }

  /// `…blocks.#.attention_norm.weight`: the module, and the block.
  private static func normalisation(_ path: String) -> (module: String, block: String)? {
    let parts = path.split(separator: ".")
    guard parts.count > 2 else { return nil }
    return (String(parts[parts.count - 2]), parts.dropLast(2).joined(separator: "."))
  }

  /// Says of each group of which module it is a part. A name without a word for that is a weight's, if another one is
  /// the same with a bias's.
  private mutating func addModules(_ mapper: NameMapper) {
    for index in targets.indices {
      let paths = targets[index].members.values.min().map { mapper.targets[$0].paths } ?? []
      let name = targets[index].skeleton
      let parts = (paths.isEmpty ? [name] : paths).map {
        NameWords.module(of: Models.withoutNumbers($0))
      }
      targets[index].module = parts.map(\.name).distinct.joined(separator: ", ")
      targets[index].part = parts.allSatisfy { $0.part == parts[0].part } ? parts[0].part : nil
    }
    for index in sources.indices {
      (sources[index].module, sources[index].part) = NameWords.module(of: sources[index].skeleton)
    }
    let withBias = Set(sources.filter { $0.part == "bias" }.map(\.module))
    for index in sources.indices
    where sources[index].part == nil && withBias.contains(sources[index].module) {
      sources[index].part = "weight"
      sources[index].words = sources[index].words.adding(["weight"])
    }
  }

  /// Takes a pair out of what is left.
  mutating func close(_ pair: Pair) {
    settled.append(pair)
    candidates[pair.source] = []
    for index in candidates.indices { candidates[index].remove(pair.target) }
  }

  /// What was found of modules whose weight went elsewhere than their bias: none of it is known.
  var torn: [Pair] {
    let modules = Dictionary(grouping: settled) { sources[$0.source].module }
    return modules.values.flatMap { pairs -> [Pair] in
      let parts = pairs.filter { sources[$0.source].part != nil && targets[$0.target].part != nil }
      return Set(parts.map { targets[$0.target].module }).count > 1 ? pairs : []
    }
  }

  // MARK: Steps

  /// Groups whose other part has a place, and that can be in the module of that place.
  func byModule() -> [(Pair, Assignment.Reason)] {
    var places: [String: Set<String>] = [:]
    for pair in settled {
      places[sources[pair.source].module, default: []].insert(targets[pair.target].module)
    }
    let found = sources.indices.compactMap { x -> Pair? in
      guard let own = places[sources[x].module], own.count == 1, let part = sources[x].part else {
        return nil
      }
      let fitting = candidates[x].filter {
        targets[$0].part == part && own.contains(targets[$0].module)
      }
      return fitting.count == 1 ? fitting.first.map { Pair(source: x, target: $0) } : nil
    }
    let wanted = Dictionary(grouping: found, by: \.target)
    return found.filter { wanted[$0.target]?.count == 1 }.map { ($0, .module) }
  }

  /// Groups whose name says which place is meant, more than any other, where no other group says the same.
  func byWords() -> [(Pair, Assignment.Reason)] {
    let picks = sources.indices.compactMap { x in pick(x).map { Pair(source: x, target: $0) } }
    let wanted = Dictionary(grouping: picks, by: \.target)
    return picks.filter { wanted[$0.target]?.count == 1 && !isRivalled($0) }.map { pair in
      let common = sources[pair.source].words.common(with: targets[pair.target].words)
      return (pair, .words(common))
    }
  }

  /// Whether another name that could be there says more of the place.
  private func isRivalled(_ pair: Pair) -> Bool {
    let done = Set(settled.map(\.source))
    return sources.indices.contains { other in
      other != pair.source && !done.contains(other) && candidates[other].contains(pair.target)
        && targets[pair.target].words.preference(
          for: sources[pair.source].words, over: sources[other].words) < 0
    }
  }

  /// The place that a name prefers to every other one.
  private func pick(_ x: Int) -> Int? {
    let words = sources[x].words
    guard candidates[x].count > 1 else { return nil }
    let order = candidates[x].sorted()
    var best = order[0]
    for y in order.dropFirst()
    where words.preference(for: targets[y].words, over: targets[best].words) > 0 {
      best = y
    }
    let isBest = order.allSatisfy { other in
      other == best
        || words.preference(for: targets[best].words, over: targets[other].words) >= 2
    }
    return isBest && !words.contradicts(targets[best].words) ? best : nil
  }

  /// Groups of shapes that one place alone has, and no other group.
  func byOnlyShape() -> [(Pair, Assignment.Reason)] {
    byShape().filter { $0.1 == .shape }
  }

  /// Groups that can be in one place only, where no other group can only be there; and places that only one can have.
  func byShape() -> [(Pair, Assignment.Reason)] {
    var counts: [Int: Int] = [:]
    for set in candidates where set.count == 1 { counts[set.first ?? 0, default: 0] += 1 }
    var users: [Int: Int] = [:]
    for set in shapes { for target in set { users[target, default: 0] += 1 } }
    return sources.indices.compactMap { x in
      guard let target = candidates[x].first, candidates[x].count == 1, counts[target] == 1,
        !sources[x].words.contradicts(targets[target].words)
      else { return nil }
      if shapes[x].count == 1, users[target] == 1 {
        return (Pair(source: x, target: target), .shape)
      }
      let common = sources[x].words.common(with: targets[target].words)
      if common.isEmpty {
        return isTight(x) ? (Pair(source: x, target: target), .rest) : nil
      }
      return (Pair(source: x, target: target), .words(common))
    }
  }

  /// Whether there are as many groups of tensors of these shapes left as places: then each has one.
  private func isTight(_ x: Int) -> Bool {
    let done = Set(settled.map(\.target))
    let left = shapes[x].subtracting(done)
    let others = Set(settled.map(\.source))
    let rivals = shapes.indices.filter {
      !others.contains($0) && !shapes[$0].subtracting(done).isDisjoint(with: left)
    }
    return rivals.count == left.count
  }

  /// Places that must be filled, and that one group alone can fill, if that group can fill no other such place.
  func byNeed() -> [(Pair, Assignment.Reason)] {
    var users: [Int: [Int]] = [:]
    let done = Set(settled.map(\.source))
    for x in candidates.indices where !done.contains(x) {
      for target in shapes[x] where isNeeded[target] { users[target, default: []].append(x) }
    }
    let taken = Set(settled.map(\.target))
    return users.sorted { $0.key < $1.key }.compactMap { target, group in
      guard let x = group.first, group.count == 1, !taken.contains(target),
        candidates[x].contains(target), candidates[x].count(where: { isNeeded[$0] }) == 1,
        !sources[x].words.contradicts(targets[target].words)
      else { return nil }
      return (Pair(source: x, target: target), .rest)
    }
  }

  /// Normalisations that only a number tells apart, `norm1` and `norm2`, in the order of the computation; and what has
  /// numbers of its own on both sides.
  func byOrder() -> [(Pair, Assignment.Reason)] {
    let liked = sources.indices.map { preferred($0) }
    var sets: [Set<Int>: [Int]] = [:]
    for x in sources.indices where liked[x].count > 1 { sets[liked[x], default: []].append(x) }
    for (places, group) in sets.sorted(by: { $0.value[0] < $1.value[0] })
    where places.count == group.count {
      let areNorms = places.allSatisfy { targets[$0].words.meanings.contains("norm") }
      let users = liked.indices.filter { !liked[$0].isDisjoint(with: places) }
      let areNumbered = Self.ordered(places.map { (targets[$0].skeleton, $0) }) != nil
      guard areNorms || areNumbered, users.count == group.count,
        let numbered = Self.ordered(group.map { (sources[$0].skeleton, $0) })
      else { continue }
      let byPlace = places.sorted { order[$0] < order[$1] }
      return zip(numbered, byPlace).map { (Pair(source: $0, target: $1), .order) }
    }
    return []
  }

  /// The places than which a name prefers no other.
  private func preferred(_ x: Int) -> Set<Int> {
    let (words, all) = (sources[x].words, candidates[x])
    return all.filter { place in
      all.allSatisfy { words.preference(for: targets[$0].words, over: targets[place].words) < 2 }
    }
  }

  /// The order of names that are the same but for one number in each, in digits or as a word.
  private static func ordered(_ names: [(text: String, position: Int)]) -> [Int]? {
    var keys: [(number: Int, position: Int)] = []
    var common: Set<String> = []
    for (name, position) in names {
      var text = name.lowercased()
      for (number, word) in ["first", "second", "third", "fourth"].enumerated() {
        text = text.split(separator: word, omittingEmptySubsequences: false)
          .joined(separator: "\(number + 1)")
      }
      guard
        let run = text.firstRange(where: { $0.isASCII && $0.isNumber }),
        let number = Int(text[run]),
        text[run.upperBound...].firstIndex(where: { $0.isASCII && $0.isNumber }) == nil
      else { return nil }
      common.insert(String(text[..<run.lowerBound]) + "\u{0}" + text[run.upperBound...])
      keys.append((number, position))
    }
    guard common.count == 1, Set(keys.map(\.number)).count == keys.count else { return nil }
    return keys.sorted { $0.number < $1.number }.map(\.position)
  }
}

extension String {
  /// The first stretch of characters for which something holds.
  fileprivate func firstRange(where isIn: (Character) -> Bool) -> Range<Index>? {
    guard let start = firstIndex(where: isIn) else { return nil }
    let end = self[start...].firstIndex { !isIn($0) } ?? endIndex
    return start..<end
  }
}

extension MapTarget {
  /// The path of the weights, with what they have of numbers in common: those of stacked layers have none.
  fileprivate var commonPath: String {
    guard let first = paths.first, paths.count > 1 else { return paths.first ?? name.text }
    let all = paths.map { $0.split(separator: ".") }
    let parts = first.split(separator: ".").enumerated().map { index, part in
      let isSame = all.allSatisfy { $0.count > index && $0[index] == part }
      return isSame ? String(part) : Int(part) == nil ? String(part) : "*"
    }
    return parts.joined(separator: ".")
  }

  fileprivate func words(_ skeleton: String, _ facts: NameWords.Facts) -> NameWords {
    let open = paths.isEmpty ? [skeleton] : paths.map(Self.withoutNumbers)
    let own = NameWords(joining: open.distinct.map { NameWords($0, facts) })
    return own.naming(([name.text] + aliases).map(Self.withoutNumbers), facts)
  }

  /// A path or name with `#` for parts that are numbers.
  private static func withoutNumbers(_ text: String) -> String {
    text.split(separator: ".").map { Int($0) == nil ? $0 : "#" }.joined(separator: ".")
  }
}

extension NameWords.Facts {
  fileprivate init(_ targets: [MapTarget]) {
    let paths = targets.flatMap(\.paths)
    isGated = paths.contains { $0.contains(".gate.") }
    let stacks = paths.filter { $0.contains(".blocks.") }.compactMap { path in
      path.split(separator: ".").first { $0 == "encoder" || $0 == "decoder" }
    }
    hasBothStacks = Set(stacks).count == 2
    if paths.isEmpty {
      let names = targets.map { $0.name.text.lowercased() }
      isGated = names.contains { $0.contains("gate") }
      hasBothStacks =
        names.contains { $0.contains("encoder") } && names.contains { $0.contains("decoder") }
    }
  }
}
