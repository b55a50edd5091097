public import Containers
import Models
public import TensorCore

/// Where the tensors of a checkpoint belong whose names are nobody's: in a dialect of a family, or where a base has
/// them.
public struct NameMap: Sendable {
  /// What tensors could be that have no place.
  public struct Open: Sendable {
    /// The tensors.
    public let tensors: [TensorName]
    /// Where they could stand.
    public let places: [TensorName]
  }

  /// The architecture and the dialect of the names that they get; `nil` if they are only a base's.
  public private(set) var architecture: String?
  public private(set) var dialect: String?
  /// The config under Hugging Face's keys, if the model is known.
  let config: JSONValue?
  /// The rules.
  public private(set) var lines: [RuleLine] = []
  /// What stays open.
  public private(set) var open: [Open] = []
  /// The names that must be there, and that no tensor has.
  public private(set) var missing: [TensorName] = []
  /// What shapes do not tell, and is taken to be so.
  public private(set) var assumptions: [String] = []
  /// The weights of each name that there is a place for; none of a model that nobody knows.
  public let places: [(name: TensorName, paths: [String])]
  /// How many tensors there are, and how many have a place.
  public let tensorCount: Int
  public let mappedCount: Int

  /// Whether every tensor has a place, and every place that needs one a tensor.
  public var isComplete: Bool { open.isEmpty && missing.isEmpty && mappedCount == tensorCount }

  /// The rules, to be applied.
  public var rules: NameRules { NameRules(lines.compactMap(\.rule)) }

  /// Finds out where tensors belong.
  ///
  /// - Parameters:
  ///   - checkpoint: the tensors, and a config, unless a base or `options` have one.
  ///   - base: a checkpoint that has the same content under known names, or nearly the same.
  /// - Throws: `CheckpointError` if there is neither a base nor a config, or the architecture is not known.
  public init(
    _ checkpoint: Checkpoint, base: Checkpoint?, options: OpenOptions = OpenOptions()
  ) throws(CheckpointError) {
    if let base {
      self = try Self.best(
        Candidate.all(of: base, options), for: checkpoint.tensors.tensors)
    } else {
      guard let config = checkpoint.config?.value else {
        throw CheckpointError(
          .missing("without a config.json nothing says of which model these tensors are"),
          file: displayed(checkpoint.path),
          advice: "pass --config FILE, or --like MODEL, the checkpoint that they are a copy of")
      }
      let candidates: [Candidate]
      do {
        candidates = try Candidate.all(config, checkpoint.tensors, options)
      } catch {
        throw error.inFile(displayed(checkpoint.path))
      }
      self = try Self.best(candidates, for: checkpoint.tensors.tensors)
    }
  }

  /// The candidate whose shapes fit best, the first of several.
  private static func best(
    _ candidates: [Candidate], for tensors: [Tensor]
  ) throws(CheckpointError) -> NameMap {
    var best: (map: NameMap, faults: Int, isTransposed: Bool)?
    let faults = candidates.map { $0.misfits(of: tensors) }
    let least = faults.min() ?? 0
    for (candidate, count) in zip(candidates, faults) where count == least {
      let map = try NameMap(candidate, tensors)
      let open = map.tensorCount - map.mappedCount + map.missing.count
      if open < best?.faults ?? .max { best = (map, open, candidate.isTransposed) }
      // Where most fits nowhere, no other candidate is worth the time.
      if open == 0 || 2 * least > tensors.count { break }
    }
    guard let best else {
      throw CheckpointError(.unsupported("there is no model to map names to"))
    }
    var map = best.map
    let fitting = zip(candidates, faults).filter {
      $0.1 == least && $0.0.isTransposed == best.isTransposed
    }
    map.assumptions = Candidate.assumptions(fitting.map(\.0), chosen: map.dialect)
    return map
  }

  private init(_ candidate: Candidate, _ tensors: [Tensor]) throws(CheckpointError) {
    var mapper = NameMapper(tensors, candidate.targets)
    try mapper.map()
    (architecture, dialect, config) = (
      candidate.expected?.architecture ?? candidate.architecture,
      candidate.expected?.dialect.fullName ?? candidate.dialect, candidate.expected?.config
    )
    places = candidate.targets.map { ($0.name, $0.paths) }
    tensorCount = tensors.count
    mappedCount = mapper.found.count
    missing = mapper.missing.map { candidate.targets[$0].name }
    lines = Self.lines(mapper)
    open = mapper.candidates().map { sources, targets in
      Open(
        tensors: sources.map { tensors[$0].name },
        places: targets.map { candidate.targets[$0].name })
    }
  }

  // MARK: Rules

  /// The rules of what was found, in the order of the computation; one for all layers where that can be said.
  private static func lines(_ mapper: NameMapper) -> [RuleLine] {
    struct Key: Hashable {
      let names: [String]
      let isTransposed: Bool
      let sureness: String
    }
    var (order, groups): ([Key], [Key: [Int]]) = ([], [:])
    let found = mapper.found.sorted { ($0.value.target, $0.key) < ($1.value.target, $1.key) }
    for (source, assignment) in found {
      let names = [mapper.sources[source].name.text, mapper.targets[assignment.target].name.text]
      let key = Key(
        names: names.map { withoutNumbers($0) }, isTransposed: assignment.isTransposed,
        sureness: assignment.reason.sureness)
      if groups[key] == nil { order.append(key) }
      groups[key, default: []].append(source)
    }
    func line(_ sources: [Int], _ rule: (from: String, to: String)) -> RuleLine? {
      let assignments = sources.compactMap { mapper.found[$0] }
      let shapes = Set(sources.map { mapper.sources[$0].shape })
      guard let first = assignments.first else { return nil }
      return RuleLine(
        from: rule.from, to: rule.to, isTransposed: first.isTransposed,
        count: sources.count, shape: shapes.count == 1 ? shapes.first : nil,
        sureness: first.reason.sureness,
        evidence: assignments.map(\.evidence).distinct.prefix(2).joined(separator: "; "))
    }
    func pair(_ source: Int) -> RuleWriter.Pair {
      RuleWriter.Pair(
        from: mapper.sources[source].name.text,
        to: mapper.found[source].map { mapper.targets[$0.target].name.text } ?? "")
    }
    let single = { (source: Int) in line([source], RuleWriter.rule(for: pair(source))) }
    let lines = order.flatMap { key -> [RuleLine] in
      let sources = groups[key] ?? []
      if let rule = RuleWriter.rule(for: sources.map(pair)), let all = line(sources, rule) {
        return [all]
      }
      return sources.compactMap(single)
    }
    // A pattern may stand for more names than it was made of: then each has its own.
    let rules = NameRules(lines.compactMap(\.rule))
    guard let given = try? rules.applied(to: mapper.sources) else {
      return found.compactMap { single($0.key) }
    }
    let wanted = Set(found.map { pair($0.key) }.filter { $0.from != $0.to })
    let changed = given.changes.filter { $0.from != $0.to }.compactMap { change in
      change.to.map { RuleWriter.Pair(from: change.from.text, to: $0.text) }
    }
    return wanted == Set(changed) ? lines : found.compactMap { single($0.key) }
  }
}
