public import Containers
import SystemPackage
import TensorCore

/// A file that planned work reads.
public struct PlannedInput: Sendable, Equatable {
  /// Its name, without the folder.
  public let name: String
  /// What tells it from what it may be later.
  public let identity: InputIdentity

  /// Looks at files, each once.
  ///
  /// - Throws: `CheckpointError` if one cannot be read.
  static func list(_ paths: [FilePath]) throws(CheckpointError) -> [PlannedInput] {
    var seen: Set<FilePath> = []
    var inputs: [PlannedInput] = []
    for path in paths where seen.insert(path).inserted {
      let name = path.lastComponent.map { displayed(FilePath(root: nil, [$0])) } ?? ""
      inputs.append(PlannedInput(name: name, identity: try InputIdentity(path)))
    }
    return inputs
  }

  /// What has changed since files were planned with, or `nil` if nothing has.
  ///
  /// - Parameter again: what to do then.
  static func change(
    of inputs: [PlannedInput], since planned: [PlannedInput], again: String
  ) -> CheckpointError? {
    for (new, old) in zip(inputs, planned) where new != old {
      let what = new.name == old.name ? "has changed since it was planned" : "was not planned with"
      return CheckpointError(.refused(what), file: new.name, advice: again)
    }
    if inputs.count != planned.count {
      return CheckpointError(
        .refused("was made for \(planned.count) files, and now there are \(inputs.count)"),
        advice: again)
    }
    return nil
  }

  /// As it stands in a plan.
  var json: JSONValue {
    let digest = JSONValue.string(identity.sha256)
    let head: [JSONValue.Member] = [
      .init("name", .string(name)), .init("bytes", .number(identity.size)),
    ]
    let rest: [JSONValue.Member] =
      identity.isWhole
      ? [.init("sha256", digest)]
      : [.init("mark", .string(identity.mark)), .init("ends_sha256", digest)]
    return .object(head + rest)
  }

  init(name: String, identity: InputIdentity) { (self.name, self.identity) = (name, identity) }

  init(_ value: JSONValue, at path: String) throws(CheckpointError) {
    let isWhole = value["sha256"] != nil
    let keys = isWhole ? ["sha256"] : ["mark", "ends_sha256"]
    let input = try StrictObject(value, at: path, keys: ["name", "bytes"] + keys)
    name = try input.string("name")
    identity = InputIdentity(
      size: try input.count("bytes"),
      sha256: try input.digest(isWhole ? "sha256" : "ends_sha256"), isWhole: isWhole,
      mark: isWhole ? "" : try input.string("mark"))
  }
}

/// Which pieces of work one of so many parts does: the largest first, each to the part that has least to do, so that no part has more than
/// its share and one piece.
///
/// - Parameters:
///   - sizes: the bytes of each.
///   - number: which part, from 1.
/// - Returns: the indices of the pieces, in order.
func dealt(_ sizes: [Int], toPart number: Int, of count: Int) -> [Int] {
  var loads = [Int](repeating: 0, count: min(count, max(1, sizes.count)))
  var mine: [Int] = []
  for index in sizes.indices.sorted(by: { (sizes[$1], $0) < (sizes[$0], $1) }) {
    let part = loads.indices.min { (loads[$0], $0) < (loads[$1], $1) } ?? 0
    loads[part] &+= sizes[index]
    if part == number - 1 { mine.append(index) }
  }
  return mine.sorted()
}
