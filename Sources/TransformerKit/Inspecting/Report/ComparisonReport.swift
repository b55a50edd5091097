public import Containers
import Kernels
import Models
public import TensorCore

/// What a page about two checkpoints says of the second one, and of the difference.
public struct ComparisonReport: Sendable {
  /// The second checkpoint's files.
  public let checkpoint: Checkpoint
  /// The model, if it is known.
  public let model: Model?
  /// Why it is not.
  public let obstacle: CheckpointError?
  /// What is wrong with it.
  public let check: CheckReport
  /// How it differs from the first one.
  public let diff: CheckpointDiff
  /// Where it differs.
  public let map: ChangeMap
  /// The changes that can be measured, by their places in the list: the largest ‖b − a‖ / ‖a‖ first.
  public let largest: [Int]
  /// The ranks of B − A.
  public let ranks: DifferenceRanks
  /// Singular values of B − A of some matrices; their indices are places in the list of changes.
  public let spectra: Spectra

  /// Reads every byte of B, compares it with A, and reads the matrices that changed once more.
  ///
  /// - Parameters:
  ///   - a: the first checkpoint, with all its tensors.
  ///   - b: the second one.
  ///   - progress: hears how many bytes are done, of B and then of A.
  /// - Throws: `CheckpointError` when bytes cannot be read.
  public init(
    of a: Checkpoint, and b: Checkpoint, options: OpenOptions = OpenOptions(),
    selection: TensorSelection = TensorSelection(),
    progress: @escaping (Int) -> Void = { _ in }
  ) throws(CheckpointError) {
    checkpoint = b
    (model, obstacle) = ModelReport.understood(b, options)
    let chosen =
      b.tensors.tensors.filter { selection.contains($0.name) }
      + ModelReport.moduleWeights(of: model, selection)
    check = try Examination(b, chosen, options, progress: progress).check
    let done = chosen.reduce(0) { $0 + $1.byteCount }
    diff = try TransformerKit.diff(
      a, b, open: options, options: DiffOptions(selection: selection)
    ) { progress(done + $0) }
    map = ChangeMap(diff)
    let sizes = diff.changes.map { $0.kind == .removed ? nil : $0.difference?.relativeNorm }
    largest = sizes.indices.filter { sizes[$0] != nil }.sorted { x, y in
      let (first, second) = (sizes[x] ?? 0, sizes[y] ?? 0)
      return first == second ? x < y : first > second
    }
    ranks = try DifferenceRanks(diff.changes, layers: map.layerOfChange)
    spectra = try Spectra(diff.changes)
  }

  /// Elements that are finite in one of the two only, or another infinity or NaN.
  public var incomparable: Int {
    diff.changes.reduce(0) { $0 + ($1.difference?.incomparable ?? 0) }
  }
}

extension Spectra {
  /// Those of B − A of the matrices that changed at their places.
  fileprivate init(_ changes: [TensorChange]) throws(CheckpointError) {
    try self.init(
      changes.map { $0.kind == .changed ? $0.movement : nil },
      magnitudes: changes.map { change in
        change.difference.flatMap { $0.incomparable > 0 ? nil : $0.largestFinite }
      },
      roles: TensorRole.all(of: changes.map { ($0.a ?? $0.b)?.name ?? "" }))
  }
}
