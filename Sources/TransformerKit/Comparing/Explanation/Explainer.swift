import Kernels
import Models
import TensorCore

/// Finds out what was done to the weights of A that differ in B.
///
/// Every known mistake is tried on the weight's own bytes, so that an explanation is a proof: undoing
/// the mistake gives A's weight, bit for bit. Where B stores another type, A's weight is taken as it
/// would be in that type.
struct Explainer {
  let a: WeightGraph
  let b: WeightGraph
  /// The paths of A's weights by the digest of their elements.
  private var pathsOfA: [String: [String]] = [:]
  private var digestsOfA: [String: String] = [:]
  private let fingerprints = FingerprintTable()

  /// Digests the weights of A that B's could be confused with.
  ///
  /// - Throws: `CheckpointError` when weights cannot be read.
  init(_ a: WeightGraph, _ b: WeightGraph) throws(CheckpointError) {
    self.a = a
    self.b = b
    for slot in a.slots where a.ties[slot.path] == nil {
      guard let tensor = reference(slot.path) else { continue }
      let digest = try SHA256.digest(of: tensor)
      digestsOfA[slot.path] = digest
      pathsOfA[digest, default: []].append(slot.path)
    }
  }

  /// A weight of A, in the type that it has in B.
  func reference(_ path: String) -> Tensor? {
    guard let x = a.tensor(at: path) else { return nil }
    guard let y = b.tensor(at: path), y.dtype.isComputable else { return x }
    return x.cast(to: y.dtype)
  }

  /// The cause of a difference, or `nil` if it is none of the known ones.
  ///
  /// - Throws: `CheckpointError` when weights cannot be read.
  func cause(of path: String) throws(CheckpointError) -> Cause? {
    guard let x = reference(path), let y = b.tensor(at: path), x.shape == y.shape,
      x.dtype == y.dtype
    else { return nil }
    if let tie = b.ties[path], a.ties[path] == nil { return .tied(to: tie) }
    if let tie = a.ties[path], b.ties[path] == nil { return .untied(from: tie) }
    if let original = a.tensor(at: path), original.dtype != y.dtype,
      try original.isTruncated(in: y)
    {
      return .truncated(y.dtype)
    }
    if let other = try confusion(path, y) { return other }
    if let offset = try shift(of: y, in: x) { return .shifted(axis: 0, offset: offset) }
    if let cause = try rearrangement(y, of: path) { return cause }
    guard x.dtype.isComputable else { return nil }
    if let change = try x.change(to: y) { return change }
    return try changedRearrangement(x, y, of: path)
  }

  /// How much of a weight differs, for one that no known mistake explains.
  ///
  /// - Throws: `CheckpointError` when weights cannot be read.
  func difference(at path: String) throws(CheckpointError) -> Difference? {
    guard let x = reference(path), let y = b.tensor(at: path), x.shape == y.shape,
      x.dtype == y.dtype, x.dtype.isComputable
    else { return nil }
    let difference = try Difference(x, y, from: a.tensor(at: path)?.dtype)
    return difference.count > 0 ? difference : nil
  }

  /// The module of the first weight that a common matrix would hold, of queries, keys and values or of gate and
  /// up, and all weights that it would hold, if that is what the path is.
  func fusedParts(of path: String) -> (module: String, paths: [String])? {
    let parts = path.split(separator: ".")
    if parts.count > 2, parts[parts.count - 2] == "gate" {
      let module = parts.dropLast(2).joined(separator: ".")
      let other = "\(module).up.\(parts[parts.count - 1])"
      return a.tensor(at: other) == nil ? nil : (module, [path, other])
    }
    guard parts.count > 2 else { return nil }
    let module = parts.dropLast(2).joined(separator: ".")
    guard let common = a.layers[module]?.commonParts, String(parts[parts.count - 2]) == common.first
    else { return nil }
    return (module, common.map { "\(module).\($0).\(parts[parts.count - 1])" })
  }

  /// Query, key and value of one module, or gate and up, taken wrongly from their common matrix: parts that are
  /// no rearrangement of themselves, but together are one of all.
  ///
  /// - Parameter paths: those of all parts.
  /// - Throws: `CheckpointError` when weights cannot be read.
  func fusion(in module: String, of paths: [String]) throws(CheckpointError) -> Cause? {
    var (references, found): ([Tensor], [Tensor]) = ([], [])
    for path in paths {
      guard let x = reference(path), let y = b.tensor(at: path), x.shape == y.shape,
        x.dtype == y.dtype, x.dtype == references.first?.dtype ?? x.dtype
      else { return nil }
      references.append(x)
      found.append(y)
    }
    guard let right = Tensor(stacking: references), let wrong = Tensor(stacking: found) else {
      return nil
    }
    if try right.isReshaped(to: wrong) { return .reshaped }
    guard let lines = try lineOrder(of: wrong, in: right), lines.axis == 0 else { return nil }
    let order = lines.order
    guard let layer = a.layers[module], !layer.commonParts.isEmpty else {
      let halves = HalvedOrder(half: order.count / 2)
      return order == halves.byTurns
        ? .halved(inverse: false) : order == halves.asHalves ? .halved(inverse: true) : nil
    }
    for fused in fusedOrders(layer, rows: references.map { $0.shape.first ?? 1 }) {
      let (parts, size) = (layer.commonParts, fused.size)
      if order == fused.partByPart { return .fused(parts, headSize: size, inverse: true) }
      if order == fused.headByHead { return .fused(parts, headSize: size, inverse: false) }
    }
    return nil
  }

  /// Those of the model's heads first; a converter may have believed in others where all parts are as long.
  private func fusedOrders(_ layer: LayerFact, rows: [Int]) -> [FusedOrder] {
    let count = rows.first ?? 1
    let others =
      Set(rows).count == 1 ? (1...max(1, count)).filter { count.isMultiple(of: $0) } : []
    return [layer.fusedOrder].compactMap(\.self)
      + others.map { heads in
        FusedOrder(heads: heads, sizes: rows.map { $0 / heads })
      }
  }

  /// Another weight of A in this one's place.
  private func confusion(_ path: String, _ tensor: Tensor) throws(CheckpointError) -> Cause? {
    let candidates = pathsOfA[try SHA256.digest(of: tensor)] ?? []
    if candidates.isEmpty { return nil }
    // All ones, or all zeros, came from anywhere.
    if try tensor.isConstant() { return nil }
    let mine = digestsOfA[path]
    for other in candidates.sorted(by: { isNearer($0, $1, to: path) }) where other != path {
      guard let there = b.tensor(at: other) else { return .copied(from: other) }
      return try SHA256.digest(of: there) == mine ? .exchanged(with: other) : .copied(from: other)
    }
    return nil
  }

  /// Where weights of A stand for others, module by module: of each the largest of which all weights do that
  /// are not the same in both places.
  ///
  /// - Parameters:
  ///   - here: a module, or a weight.
  ///   - there: what was confused with it.
  ///   - paths: all weights that were confused.
  func confusedModules(
    _ here: String, _ there: String, _ paths: Set<String>
  ) -> [(here: String, there: String)] {
    let inside = a.slots.map(\.path).filter { $0.hasPrefix(here + ".") }
    let differing = inside.filter { path in
      let partner = there + path.dropFirst(here.count)
      return digestsOfA[partner] != nil && digestsOfA[partner] != digestsOfA[path]
    }
    if inside.isEmpty || differing.allSatisfy(paths.contains) { return [(here, there)] }
    var parts: [String] = []
    for path in differing where paths.contains(path) {
      let part = path.dropFirst(here.count + 1).prefix { $0 != "." }
      if parts.last.map({ $0 != part }) ?? true { parts.append(String(part)) }
    }
    return parts.flatMap { confusedModules("\(here).\($0)", "\(there).\($0)", paths) }
  }

  /// Weights of the same module are confused more easily than others.
  func isNearer(_ x: String, _ y: String, to path: String) -> Bool {
    let (first, second) = (common(x, path), common(y, path))
    return first == second ? x < y : first > second
  }

  private func common(_ x: String, _ y: String) -> Int {
    zip(x, y).prefix { $0.0 == $0.1 }.count
  }

  /// The elements of this weight of A in another order, or those of another one.
  private func rearrangement(_ y: Tensor, of path: String) throws(CheckpointError) -> Cause? {
    guard y.dtype.byteWidth != nil else { return nil }
    let candidates = try pathsOfA(likeElementsOf: y)
    if candidates.contains(path), let order = try order(of: y, as: path) { return order }
    if candidates.allSatisfy({ $0 == path }) { return nil }
    if try y.isConstant() { return nil }
    for other in candidates.sorted(by: { isNearer($0, $1, to: path) }) where other != path {
      guard let order = try order(of: y, as: other) else { continue }
      guard let there = b.tensor(at: other), try self.order(of: there, as: path) != nil else {
        return .both(.copied(from: other), order)
      }
      return .both(.exchanged(with: other), order)
    }
    return nil
  }

  /// How the elements of a weight of A stand in a tensor, if these are the same in an order that has a name.
  private func order(of y: Tensor, as path: String) throws(CheckpointError) -> Cause? {
    guard let x = reference(path) else { return nil }
    return try orderCause(of: y, in: x, heads: a.headPart(ofWeight: path)?.order)
  }

  /// The weights of A that have the elements of a tensor, in whatever order.
  private func pathsOfA(likeElementsOf y: Tensor) throws(CheckpointError) -> [String] {
    if fingerprints.paths == nil {
      var paths: [Fingerprint: [String]] = [:]
      for slot in a.slots where digestsOfA[slot.path] != nil {
        guard let tensor = reference(slot.path), tensor.dtype.byteWidth != nil else { continue }
        paths[try tensor.fingerprint(), default: []].append(slot.path)
      }
      fingerprints.paths = paths
    }
    return fingerprints.paths?[try y.fingerprint()] ?? []
  }
}

/// The paths of weights by their fingerprints, made when the first one is asked for.
private final class FingerprintTable {
  var paths: [Fingerprint: [String]]?
}
