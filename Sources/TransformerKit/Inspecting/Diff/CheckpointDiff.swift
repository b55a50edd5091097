import Codecs
public import Containers
public import Kernels
public import Models
public import TensorCore

/// What is different between two checkpoints.
public struct CheckpointDiff: Sendable {
  /// What tensors were compared under.
  public enum Basis: String, Sendable {
    /// The canonical paths of a known architecture, whatever dialects store.
    case meaning
    /// Their names in the files.
    case name
  }

  /// What tensors were compared under.
  public let basis: Basis
  /// A tensor that is in one of both at least.
  public struct Entry: Sendable {
    /// Its name in A, or in B if A does not have it.
    public let name: TensorName
    /// The place of its change in the list; `nil` if it is the same in both.
    public let change: Int?
    /// Makes the tensors of A and B anew; of a side that does not have it, `nil`.
    public let open: @Sendable () -> (a: Tensor?, b: Tensor?)
  }

  /// All tensors, in the order of A, then those that only B has.
  public let entries: [Entry]
  /// The tensors that are not the same in both, in the same order.
  public let changes: [TensorChange]
  /// How many tensors are the same in both, bit for bit.
  public let identical: Int
  /// How many differ by no more than the tolerance; they are no changes.
  public let tolerated: Int
  /// The files of A of which tensors were not read, since B has them at the same place of a file of the same digest, as a hub says.
  public let unread: [UnreadFile]
  /// What differs in the mathematics: `activation: gelu in A, gelu_new in B`.
  public let configDifferences: [String]
  /// Keys of the configs of which nothing was taken although they seem to say something, if tensors were
  /// compared by meaning.
  public internal(set) var doubtfulKeys: (a: [DoubtfulKey], b: [DoubtfulKey]) = ([], [])

  /// Whether nothing differs.
  public var isEmpty: Bool { changes.isEmpty && configDifferences.isEmpty }
}

/// A file of which tensors were not read, since somebody has said that they are the same in both checkpoints.
public struct UnreadFile: Sendable, Equatable {
  /// What it is called in A.
  public let name: String
  /// The SHA-256 that is said of it.
  public let sha256: String
  /// How many tensors were not read, and their bytes.
  public internal(set) var tensors = 0
  public internal(set) var byteCount = 0

  /// The files that stretches are in, in the order of the stretches.
  static func all(of stretches: some Sequence<StatedBytes>) -> [UnreadFile] {
    var files: [UnreadFile] = []
    var places: [String: Int] = [:]
    for stretch in stretches {
      let place = places[stretch.file] ?? files.count
      if place == files.count {
        places[stretch.file] = place
        files.append(UnreadFile(name: stretch.file, sha256: stretch.sha256))
      }
      files[place].tensors += 1
      files[place].byteCount += stretch.range.count
    }
    return files
  }
}

/// A tensor that is not the same in both checkpoints.
public struct TensorChange: Sendable {
  /// What happened to it, with the letter that git would give it, or nearly.
  public enum Kind: String, Sendable, CaseIterable {
    case removed = "-"
    case added = "+"
    case changed = "~"
    case cast = "C"
    case rearranged = "P"
    case renamed = "R"
  }

  /// A tensor's side.
  public struct Side: Equatable, Sendable {
    /// The name in the file, or the path.
    public let name: TensorName
    /// The name of the tensor in the file that holds this and nothing else.
    public let stored: TensorName?
    /// The element type.
    public let dtype: DType
    /// The shape.
    public let shape: [Int]

    /// The name in the file, if it is one of this alone.
    public var label: TensorName { stored ?? name }
  }

  /// What happened.
  public let kind: Kind
  /// The tensor in A; `nil` if only B has it.
  public let a: Side?
  /// The tensor in B; `nil` if only A has it.
  public let b: Side?
  /// How far apart the elements are, where they stand at the same places and differ.
  public internal(set) var difference: ElementDifference?
  /// How the elements stand otherwise.
  public internal(set) var rearrangement: Rearrangement?
  /// The tensor of A, or for one that only A has, of B, that this one is a copy of.
  public internal(set) var copyOf: TensorName?
  /// Opens both, where they stand at the same place in the same shape.
  var tensors: (@Sendable () -> (a: Tensor, b: Tensor))?
}

/// How to compare.
public struct DiffOptions: Sendable {
  /// Whether known models, too, are compared by the names in their files.
  public var byName: Bool
  /// Which tensors are compared: by their paths, or by their names in the files.
  public var selection: TensorSelection
  /// How far elements may be apart; none if only equal ones are the same.
  public var tolerance: Tolerance?

  /// Options.
  public init(
    byName: Bool = false, selection: TensorSelection = TensorSelection(),
    tolerance: Tolerance? = nil
  ) {
    self.byName = byName
    self.selection = selection
    self.tolerance = tolerance
  }
}

/// Compares two checkpoints: by meaning if both are models of the same known architecture, else by
/// name. A model without a config is understood by the other one's.
///
/// - Parameters:
///   - open: how to understand both.
///   - options: how to compare.
///   - progress: hears how many bytes of A are done.
/// - Throws: `CheckpointError` when bytes cannot be read.
public func diff(
  _ a: Checkpoint, _ b: Checkpoint, open: OpenOptions = OpenOptions(),
  options: DiffOptions = DiffOptions(), progress: @escaping (Int) -> Void = { _ in }
) throws(CheckpointError) -> CheckpointDiff {
  let counter = ByteCounter(progress)
  if !options.byName, let (x, y) = graphs(a, b, open) {
    let (left, right) = (participants(x, y), participants(y, x))
    var found = try diff(left, right, .meaning, options, configDifferences(x, y), counter)
    found.doubtfulKeys = (x.doubtfulKeys, y.doubtfulKeys)
    return found
  }
  let sides = [a, b].map { $0.tensors.tensors.map { Participant($0) } }
  let config = options.byName ? [] : differences(a.config?.value, b.config?.value)
  return try diff(sides[0], sides[1], .name, options, config, counter)
}

/// What two configs say otherwise, key by key, where they are not understood as those of one architecture. Keys that
/// say who wrote them and of what type the weights are are no difference.
private func differences(_ a: JSONValue?, _ b: JSONValue?) -> [String] {
  guard let a, let b else { return [] }
  return differences(a, b, at: [])
}

/// The same of what stands at a key, of which `nil` is not there. Of an object with many differences, such as the names
/// of labels, how many there are and the first.
private func differences(_ a: JSONValue?, _ b: JSONValue?, at path: [String]) -> [String] {
  let key = path.joined(separator: ".")
  let (x, y) = (a?.members ?? [], b?.members ?? [])
  let areObjects = [a, b].allSatisfy { $0.map { $0.members != nil } ?? !path.isEmpty }
  if !areObjects || x.isEmpty && y.isEmpty {
    return a == b ? [] : ["\(key): \(a?.text() ?? "none") in A, \(b?.text() ?? "none") in B"]
  }
  let told: Set = ["_name_or_path", "dtype", "torch_dtype", "transformers_version"]
  let keys = Set(x.map(\.key)).union(y.map(\.key)).subtracting(told).sorted()
  let found = keys.flatMap { differences(a?[$0], b?[$0], at: path + [$0]) }
  return path.isEmpty || found.count <= 8
    ? found : ["\(key): \(found.count) values differ, the first is \(found[0])"]
}

/// Both as graphs of the same architecture.
private func graphs(
  _ a: Checkpoint, _ b: Checkpoint, _ open: OpenOptions
) -> (WeightGraph, WeightGraph)? {
  func graph(_ checkpoint: Checkpoint, _ other: Checkpoint) -> WeightGraph? {
    let config = (checkpoint.config ?? other.config)?.value
    return try? Model(checkpoint, config: config, options: open).graph
  }
  guard let x = graph(a, b), let y = graph(b, a),
    type(of: x.architecture).name == type(of: y.architecture).name
  else { return nil }
  return (x, y)
}

/// The weights of a model; without those that it and the other one tie.
private func participants(_ graph: WeightGraph, _ other: WeightGraph) -> [Participant] {
  graph.slots.compactMap { slot in
    let isTied = graph.ties[slot.path] != nil && other.ties[slot.path] == graph.ties[slot.path]
    return isTied ? nil : Participant(slot, of: graph)
  }
}

private func diff(
  _ allOfA: [Participant], _ allOfB: [Participant], _ basis: CheckpointDiff.Basis,
  _ options: DiffOptions, _ config: [String], _ counter: ByteCounter
) throws(CheckpointError) -> CheckpointDiff {
  let (a, b) = try chosen(allOfA, allOfB, options.selection)
  let placesInB = Dictionary(b.enumerated().map { ($1.name, $0) }) { first, _ in first }
  let common = a.indices.compactMap { index in placesInB[a[index].name].map { (index, $0) } }
  let alike = common.filter { a[$0.0].shape == b[$0.1].shape }
  let compared = try comparisons(
    of: alike.map { (a[$0.0], b[$0.1]) }, tolerance: options.tolerance, progress: counter)
  let paired = Dictionary(uniqueKeysWithValues: zip(alike.map(\.0), compared))
  let tolerated = Set(paired.filter { $0.value.isWithin(options.tolerance) }.keys)
  let settled = tolerated.union(
    paired.filter { $0.value.isIdentical || $0.value.isCast }.keys)
  let settledInB = Set(alike.filter { settled.contains($0.0) }.map(\.1))
  let stated = alike.filter { paired[$0.0]?.stated != nil }
  let matching = Matching(
    a: a, b: b, openA: Set(a.indices).subtracting(settled),
    openB: Set(b.indices).subtracting(settledInB), unread: Set(stated.map(\.0)))
  var sorting = Sorting(
    a, b, compared: paired, tolerated: tolerated, matches: try matching.matches())
  sorting.copies = try Matching(
    a: b, b: a, openA: [], openB: sorting.missing, unread: Set(stated.map(\.1))
  ).matches()
  let (entries, changes) = sorting.sorted
  return CheckpointDiff(
    basis: basis, entries: entries, changes: changes,
    identical: paired.values.count(where: \.isIdentical), tolerated: tolerated.count,
    unread: UnreadFile.all(of: compared.lazy.compactMap(\.stated)),
    configDifferences: config)
}

/// The tensors that are meant.
///
/// - Throws: `CheckpointError` if a pattern matches none of either side.
private func chosen(
  _ a: [Participant], _ b: [Participant], _ selection: TensorSelection
) throws(CheckpointError) -> (a: [Participant], b: [Participant]) {
  func isMeant(_ glob: Glob, _ participant: Participant) -> Bool {
    participant.allNames.contains(where: glob.matches)
  }
  for glob in selection.include where !(a + b).contains(where: { isMeant(glob, $0) }) {
    throw CheckpointError(.malformed("neither has a tensor that --include '\(glob.text)' matches"))
  }
  // What one side is called by, the other one is.
  let excluded = Set(
    (a + b).filter { tensor in
      selection.exclude.contains { isMeant($0, tensor) }
    }.map(\.name))
  let included = Set(
    (a + b).filter { tensor in
      selection.include.isEmpty || selection.include.contains { isMeant($0, tensor) }
    }.map(\.name)
  ).subtracting(excluded)
  return (a.filter { included.contains($0.name) }, b.filter { included.contains($0.name) })
}
