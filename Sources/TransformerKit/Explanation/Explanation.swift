import Kernels
import Models
import TensorCore

/// One line of why two models differ: the same mistake in the same weights of several layers.
public struct Explanation: Sendable {
  /// What differs: a weight, or the module of which all weights do, with `*` for the numbers of
  /// several layers.
  public let place: String
  /// The paths of the weights that differ.
  public let paths: [String]
  /// What was done to them, or `nil` if it is none of the known mistakes.
  public let cause: Cause?
  /// Whether all outputs agree when this alone is undone.
  public let isSufficient: Bool

  /// The line.
  public var text: String {
    guard let cause else { return "\(place): differs, and not by a known mistake" }
    let end = isSufficient ? "; undoing it makes all outputs agree" : ""
    return "\(place): \(cause.text)\(end)"
  }
}

/// Explains the weights that differ, mistake by mistake.
///
/// - Parameters:
///   - paths: the weights, in the order of the computation.
///   - agrees: whether B, with A's weights in place of some, gives A's outputs.
/// - Throws: `CheckpointError` when weights cannot be read.
func explanations(
  _ a: WeightGraph, _ b: WeightGraph, of paths: [String],
  agrees: (WeightGraph) throws(CheckpointError) -> Bool
) throws(CheckpointError) -> [Explanation] {
  if paths.isEmpty { return [] }
  let explainer = try Explainer(a, b)
  var findings: [Finding] = []
  for path in paths {
    let finding = Finding(path, try explainer.cause(of: path))
    if let index = findings.firstIndex(where: { $0.isMirror(of: finding) }) {
      findings[index].paths.append(path)
    } else if let index = findings.firstIndex(where: { $0.isAlike(finding) }) {
      findings[index].paths.append(path)
    } else {
      findings.append(finding)
    }
  }
  var result: [Explanation] = []
  for finding in acrossLayers(findings) {
    let isSufficient = try agrees(b.replacing(Set(finding.paths), by: a))
    result.append(
      Explanation(
        place: finding.place, paths: finding.paths, cause: finding.cause,
        isSufficient: isSufficient))
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
    paths = [path]
    switch cause {
    case .exchanged(let other):
      let (here, there) = withoutCommonEnd(path, other)
      (place, self.cause) = (here, .exchanged(with: there))
    case .copied(let other):
      let (here, there) = withoutCommonEnd(path, other)
      (place, self.cause) = (here, .copied(from: there))
    default: (place, self.cause) = (path, cause)
    }
  }

  func isAlike(_ other: Finding) -> Bool {
    place == other.place && cause == other.cause
  }

  /// Two that were exchanged are one mistake.
  func isMirror(of other: Finding) -> Bool {
    guard case .exchanged(let partner) = cause, case .exchanged(let mine) = other.cause else {
      return false
    }
    return partner == other.place && mine == place
  }
}

/// The same finding in several layers becomes one, with `*` for their numbers.
private func acrossLayers(_ findings: [Finding]) -> [Finding] {
  var groups: [(key: String, findings: [Finding])] = []
  for finding in findings {
    let key = starred(finding.place) + "|" + starred(finding.cause?.text ?? "")
    if let index = groups.firstIndex(where: { $0.key == key }) {
      groups[index].findings.append(finding)
    } else {
      groups.append((key, [finding]))
    }
  }
  return groups.map { group in
    guard group.findings.count > 1 else { return group.findings[0] }
    var merged = group.findings[0]
    merged.place = starred(merged.place)
    merged.paths = group.findings.flatMap(\.paths)
    if case .exchanged(let other) = merged.cause { merged.cause = .exchanged(with: starred(other)) }
    if case .copied(let other) = merged.cause { merged.cause = .copied(from: starred(other)) }
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
