import Kernels
import Models
public import TensorCore

/// One line of why two models differ: the same mistake in the same weights of several layers.
public struct Explanation: Sendable {
  /// What differs: a weight, or the module of which all weights do, with `*` for the numbers of
  /// several layers.
  public let place: String
  /// The paths of the weights that differ.
  public let paths: [String]
  /// What was done to them, or `nil` if it is none of the known mistakes.
  public let cause: Cause?
  /// How much differs, if there is no known cause.
  public let difference: Difference?
  /// Whether all outputs agree when this alone is undone.
  public let isSufficient: Bool
  /// The type that A was cast to, if a cast is all that is left when this alone is undone.
  public let remainingCast: DType?

  /// The line.
  public var text: String {
    let end =
      isSufficient
      ? "; undoing it makes all outputs agree"
      : remainingCast.map { "; undoing it leaves a cast to \($0)" } ?? ""
    guard let cause else {
      let what = difference?.text ?? "differs"
      return "\(place): \(what), by no known mistake"
    }
    return "\(place): \(cause.text)\(end)"
  }
}

extension PairReport.Rest {
  /// The type of a cast that is all that is left.
  var castType: DType? { if case .cast(let type) = self { type } else { nil } }
}

/// Up to how many explanations are tried out one by one on the outputs.
private let mostTrials = 4

/// Explains the weights that differ, mistake by mistake.
///
/// - Parameters:
///   - paths: the weights, in the order of the computation.
///   - rest: what is left when all of them are undone.
///   - agrees: whether B, with A's weights in place of some, gives A's outputs.
/// - Throws: `CheckpointError` when weights cannot be read.
func explanations(
  _ a: WeightGraph, _ b: WeightGraph, of paths: [String], rest: PairReport.Rest,
  agrees: (WeightGraph) throws(CheckpointError) -> Bool
) throws(CheckpointError) -> [Explanation] {
  // What shares its numbers with another weight in both models is explained there.
  let paths = paths.filter { a.ties[$0] == nil || a.ties[$0] != b.ties[$0] }
  if paths.isEmpty { return [] }
  let explainer = try Explainer(a, b)
  let found = try fused(try findings(explainer, paths), explainer)
  let parts = renumbered(found.flatMap { $0.parts(explainer) }, a, b)
  let findings = acrossLayers(parts, of: a.slots.map(\.path))
  var result: [Explanation] = []
  for finding in findings {
    var difference: Difference?
    if finding.cause == nil { difference = try explainer.difference(at: finding.paths[0]) }
    var isSufficient = rest == .nothing && findings.count == 1
    // Outputs of what was cast do not agree.
    if !isSufficient, rest.castType == nil, findings.count <= mostTrials {
      isSufficient = try agrees(b.replacing(Set(finding.paths), by: a))
    }
    result.append(
      Explanation(
        place: finding.place, paths: finding.paths, cause: finding.cause, difference: difference,
        isSufficient: isSufficient,
        remainingCast: findings.count == 1 ? rest.castType : nil))
  }
  return result
}

/// What was done to each weight, where weights of one module go together.
private func findings(
  _ explainer: Explainer, _ paths: [String]
) throws(CheckpointError) -> [Finding] {
  var findings: [Finding] = []
  for path in paths {
    let finding = Finding(path, try explainer.cause(of: path))
    let known = findings.firstIndex { $0.isMirror(of: finding) || $0.isAlike(finding) }
    if let known {
      findings[known].paths.append(path)
    } else {
      findings.append(finding)
    }
  }
  return findings
}

/// Takes queries, keys and values together that are explained together and not alone.
private func fused(
  _ findings: [Finding], _ explainer: Explainer
) throws(CheckpointError) -> [Finding] {
  var wholes: [Finding] = []
  for finding in findings where finding.cause == nil {
    let path = finding.paths[0]
    guard !wholes.contains(where: { $0.paths.contains(path) }),
      let (module, parts) = explainer.fusedParts(of: path),
      let cause = try explainer.fusion(in: module, of: parts)
    else { continue }
    var whole = finding
    (whole.place, whole.paths, whole.cause) = (module, parts, cause)
    wholes.append(whole)
  }
  // Each stands once, where the first of its parts stood.
  var result: [Finding] = []
  for finding in findings {
    let whole = wholes.first { $0.paths.contains(finding.paths[0]) }
    if !result.contains(where: { $0.paths == whole?.paths }) { result.append(whole ?? finding) }
  }
  return result
}

/// A mistake, and where.
private struct Finding {
  var place: String
  var cause: Cause?
  var paths: [String]

  /// Where one weight stands for another, the modules that were confused are what is of interest.
  init(_ path: String, _ cause: Cause?) {
    (paths, place, self.cause) = ([path], path, cause)
    guard let other = cause?.confusion?.other else { return }
    let (here, there) = withoutCommonEnd(path, other)
    (place, self.cause) = (here, cause?.confused(with: there))
  }

  /// The numbers of two modules of which one stands for the other.
  var numbers: NumberedPair? {
    switch cause {
    case .exchanged(let other), .copied(let other): NumberedPair(place, other)
    default: nil
    }
  }

  var isExchange: Bool { if case .exchanged = cause { true } else { false } }

  func isAlike(_ other: Finding) -> Bool {
    place == other.place && cause == other.cause
  }

  /// Two that were exchanged are one mistake.
  func isMirror(of other: Finding) -> Bool {
    guard let own = cause?.confusion, let mirror = other.cause?.confusion, own.isExchange else {
      return false
    }
    return own.other == other.place && mirror.other == place
      && cause == other.cause?.confused(with: own.other)
  }

  /// Modules of which not all weights were confused, taken apart: one weight that stands for another is not
  /// a whole block that does.
  func parts(_ explainer: Explainer) -> [Finding] {
    guard let there = cause?.confusion?.other else { return [self] }
    return explainer.confusedModules(place, there, Set(paths)).map { part in
      var finding = self
      finding.place = part.here
      finding.cause = cause?.confused(with: part.there)
      finding.paths = paths.filter { path in
        [part.here, part.there].contains { path == $0 || path.hasPrefix($0 + ".") }
      }
      return finding
    }
  }

  /// What it has in common with the same mistake elsewhere.
  var kind: String {
    switch cause {
    case .rounded, .truncated, .roundedSum: cause?.text ?? ""
    case nil: place
    default: starred(place) + "|" + starred(cause?.text ?? "")
    }
  }
}

/// Layers, or experts of layers, of which several stand for one another, taken together.
private func renumbered(
  _ findings: [Finding], _ a: WeightGraph, _ b: WeightGraph
) -> [Finding] {
  let pairs = findings.map(\.numbers)
  var members: [NumberedPair.Place: [Int]] = [:]
  var places: [String: Set<String>] = [:]
  for (index, pair) in pairs.enumerated() {
    guard let place = pair?.place else { continue }
    members[place, default: []].append(index)
    places[starred(place.kind), default: []].insert(place.kind)
  }
  return findings.enumerated().compactMap { index, finding in
    guard let place = pairs[index]?.place, let group = members[place],
      group.count > 1 || (places[starred(place.kind)]?.count ?? 0) > 1
    else { return finding }
    guard index == group[0] else { return nil }
    var whole = finding
    whole.place = place.kind
    whole.paths = group.flatMap { findings[$0].paths }
    whole.cause = .renumbered(
      Renumbering(
        origins: group.reduce(into: [:]) { origins, member in
          guard let pair = pairs[member] else { return }
          origins[pair.here] = pair.there
          if findings[member].isExchange { origins[pair.there] = pair.here }
        }, countOfA: a.numberedModules(in: place.parent),
        countOfB: b.numberedModules(in: place.parent)))
    return whole
  }
}

/// The same finding in several layers becomes one, with `*` for their numbers where it is in all of them; a rounding that
/// went through many weights becomes one too.
private func acrossLayers(_ findings: [Finding], of all: [String]) -> [Finding] {
  var groups: [(kind: String, findings: [Finding])] = []
  for finding in findings {
    if let index = groups.firstIndex(where: { $0.kind == finding.kind }) {
      groups[index].findings.append(finding)
    } else {
      groups.append((finding.kind, [finding]))
    }
  }
  return groups.map { group in
    guard group.findings.count > 1 else { return group.findings[0] }
    var merged = group.findings[0]
    merged.paths = group.findings.flatMap(\.paths)
    let places = Set(group.findings.map(\.place))
    if places.count == 1 { return merged }
    let isOneModule = Set(places.map(starred)).count == 1
    let layers = LayerPlaces(places, among: all)
    merged.place = isOneModule ? layers.text : "\(merged.paths.count) weights"
    let elsewhere = isOneModule ? layers.elsewhere : starred
    if let other = merged.cause?.confusion?.other {
      merged.cause = merged.cause?.confused(with: elsewhere(other))
    }
    return merged
  }
}

/// Two paths without the components at their ends that they have in common.
private func withoutCommonEnd(_ a: String, _ b: String) -> (String, String) {
  var (x, y) = (a.split(separator: ".")[...], b.split(separator: ".")[...])
  while x.count > 1, y.count > 1, x.last == y.last {
    x.removeLast()
    y.removeLast()
  }
  return (x.joined(separator: "."), y.joined(separator: "."))
}

/// A path with `*` for every number.
func starred(_ path: String) -> String {
  path.split(separator: ".", omittingEmptySubsequences: false)
    .map { part in
      let end = part.firstIndex(of: " ") ?? part.endIndex
      let number = part[..<end]
      return !number.isEmpty && number.allSatisfy(\.isNumber) ? "*" + part[end...] : String(part)
    }
    .joined(separator: ".")
}
