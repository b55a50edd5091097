import Models
import TensorCore

/// Up to how many places every choice of some of them is tried; of more, pairs and whatever has something in
/// common.
private let fewPlaces = 5

extension [Trial] {
  /// The same mistake made in several places: in all, in those of one stack, in all of one role, in some.
  var together: [Trial] {
    var order: [String] = []
    var kinds: [String: [Trial]] = [:]
    for trial in self where trial.paths?.isEmpty == false {
      let kind = "\(trial.mistake) \(trial.way)"
      if kinds[kind] == nil { order.append(kind) }
      // The same change of the same weights, which has another name elsewhere.
      if kinds[kind]?.contains(where: { $0.paths == trial.paths }) == true { continue }
      kinds[kind, default: []].append(trial)
    }
    return order.flatMap { kind in
      let trials = kinds[kind] ?? []
      return choices(of: trials.map(\.place)).compactMap { choice in
        Trial(together: choice.map { trials[$0] })
      }
    }
  }
}

/// Which of some places are tried together, the likeliest first.
private func choices(of places: [String]) -> [[Int]] {
  let all = Array(places.indices)
  guard all.count > 1 else { return [] }
  func shared(_ key: (String) -> String) -> [[Int]] {
    Dictionary(grouping: all) { key(places[$0]) }.values.sorted { $0[0] < $1[0] }
  }
  let stacks = shared { String($0.prefix { $0 != "." }) }
  let roles = shared {
    $0.split(separator: ".").suffix(3).filter { $0 != "*" }.joined(separator: ".")
  }
  var choices = [all] + stacks + roles
  if all.count <= fewPlaces {
    choices += (1..<1 << all.count).map { bits in all.filter { bits >> $0 & 1 == 1 } }
  } else {
    for first in all { choices += all[(first + 1)...].map { [first, $0] } }
    choices += all.map { missing in all.filter { $0 != missing } }
  }
  var seen: Set<[Int]> = []
  return choices.filter { $0.count > 1 && seen.insert($0).inserted }
}

extension Trial {
  /// Several mistakes of one kind, one after the other; `nil` if two of them change the same weight.
  init?(together trials: [Trial]) {
    let paths = trials.flatMap { $0.paths ?? [] }
    guard let first = trials.first, Set(paths).count == paths.count else { return nil }
    self.init(
      place: common(trials.map(\.place)), mistake: first.mistake,
      isRounded: trials.contains(where: \.isRounded), paths: paths
    ) { graph throws(CheckpointError) in
      var graph = graph
      for trial in trials {
        guard let undone = try trial.undo(graph) else { return nil }
        graph = undone
      }
      return graph
    }
  }
}

/// Places with what they have in common once: `decoder.blocks.*.attention.{query,output}.weight`.
private func common(_ places: [String]) -> String {
  let parts = places.map { $0.split(separator: ".") }
  guard let first = parts.first, parts.allSatisfy({ $0.count == first.count }) else {
    return places.listed
  }
  let differing = first.indices.filter { index in parts.contains { $0[index] != first[index] } }
  guard differing.count == 1, let index = differing.first else { return places.listed }
  var result = first.map(String.init)
  result[index] = "{" + parts.map { String($0[index]) }.joined(separator: ",") + "}"
  return result.joined(separator: ".")
}

extension Modules {
  /// No matrix transposed where all should have been, square ones and others.
  func matricesTrials(_ trials: [Trial]) -> [Trial] {
    let square = trials.filter { $0.mistake == Self.transposed }
    let others = trials.filter { $0.mistake == Self.reshaped }
    return (0..<2).compactMap { way in
      let both = square + others.filter { $0.way == way }
      guard !square.isEmpty, both.count > square.count, let all = Trial(together: both) else {
        return nil
      }
      return Trial(
        place: "all matrices",
        mistake: "not transposed; those not square were given the other shape",
        paths: all.paths, undo: all.undo)
    }
  }
}
