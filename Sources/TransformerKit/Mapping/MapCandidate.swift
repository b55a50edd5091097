import Containers
import Models
import TensorCore

/// A model that tensors may be: what there are places for, under which names.
struct Candidate: Sendable {
  let targets: [MapTarget]
  /// What a config says; `nil` where a base says it.
  var expected: ExpectedTensors?
  var architecture: String?
  var dialect: String?

  /// Everything that a config can mean.
  static func all(
    _ config: JSONValue, _ table: TensorTable, _ options: OpenOptions
  ) throws(CheckpointError) -> [Candidate] {
    let all = try ExpectedTensors.all(config, table, options: options.recognition)
    let usual = all.map { expected in
      let others = all.filter { $0.head == expected.head }
      return Candidate(
        targets: [MapTarget](expected, others: others).splitKernels(for: table.tensors),
        expected: expected)
    }
    // Where numbers of layers are counted, layers that may be missing would be counted with the others.
    let bare = usual.filter { $0.targets.contains { !$0.isRequired } }.map { candidate in
      Candidate(targets: candidate.targets.filter(\.isRequired), expected: candidate.expected)
    }
    // A file that has matrices transposed; where shapes do not tell, it has not.
    let turned = (usual + bare).compactMap(\.transposed)
    return usual + bare + turned
  }

  /// Whether it is for files that have all matrices transposed.
  var isTransposed: Bool { targets.contains(where: \.isTransposed) }

  /// The same for files that have all matrices transposed; `nil` if there are none.
  private var transposed: Candidate? {
    targets.transposed.map {
      Candidate(
        targets: $0, expected: expected, architecture: architecture, dialect: dialect)
    }
  }

  /// A base: as it is, and, if its model is known, in the other dialects that can hold it.
  static func all(of base: Checkpoint, _ options: OpenOptions) throws(CheckpointError)
    -> [Candidate]
  {
    var own = options
    own.config = nil
    own.recognition.dropsTrainingState = true
    guard let model = try? Model(base, options: own) else {
      return [Candidate(targets: [MapTarget](base.tensors))]
    }
    let graph = model.graph
    let architecture = type(of: graph.architecture).name
    var found = [
      Candidate(
        targets: [MapTarget](model), architecture: architecture, dialect: graph.dialect.fullName)
    ]
    for dialect in graph.families.dialects(of: architecture)
    where dialect.fullName != graph.dialect.fullName {
      guard let tensors = try? graph.translated(to: dialect.fullName) else { continue }
      found.append(
        Candidate(
          targets: [MapTarget](tensors, matrices: graph.matrices), architecture: architecture,
          dialect: dialect.fullName))
    }
    return found + found.compactMap(\.transposed)
  }

  /// How many tensors have no place of their shape, and how many places that need one no tensor.
  func misfits(of tensors: [Tensor]) -> Int {
    var (counts, needed, places): ([[Int]: Int], [[Int]: Int], [[Int]: Int]) = ([:], [:], [:])
    for tensor in tensors { counts[tensor.shape, default: 0] += 1 }
    for target in targets {
      let shape = target.shapes.first { counts[$0] != nil } ?? target.shapes[0]
      places[shape, default: 0] += 1
      if target.isRequired { needed[shape, default: 0] += 1 }
    }
    let homeless = counts.reduce(0) { $0 + max(0, $1.value - (places[$1.key] ?? 0)) }
    let unfilled = needed.reduce(0) { $0 + max(0, $1.value - (counts[$1.key] ?? 0)) }
    return homeless + unfilled
  }

  /// What fits as well, and would mean something else by the same shapes.
  static func assumptions(_ fitting: [Candidate], chosen: String?) -> [String] {
    let all = fitting.compactMap(\.expected)
    guard let own = all.first(where: { $0.dialect.fullName == chosen }) else { return [] }
    let mine = Dictionary(own.tensors.map { ($0.paths, $0) }) { first, _ in first }
    var (differing, dialects): (Set<String>, [String]) = ([], [])
    for other in all where other.dialect.fullName != chosen {
      let names = other.tensors.compactMap { tensor in
        mine[tensor.paths].flatMap { same in
          same.pieces != tensor.pieces && same.shapes[0] == tensor.shapes[0] ? same.name : nil
        }
      }
      if names.isEmpty { continue }
      differing.formUnion(names)
      dialects.append(other.dialect.fullName)
    }
    guard let first = own.tensors.first(where: { differing.contains($0.name) }) else { return [] }
    let rest = differing.count > 1 ? " and \(differing.count - 1) more" : ""
    return [
      "\(first.name)\(rest) lie as in \(own.dialect.fullName); elements of the same shape stand in another order in"
        + " \(dialects.distinct.listed): --from-dialect chooses, a golden tells"
    ]
  }
}
