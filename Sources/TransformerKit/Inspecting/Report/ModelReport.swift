public import Containers
import Models
public import TensorCore

/// What a page about a checkpoint shows.
public struct ModelReport: Sendable {
  /// The files.
  public let checkpoint: Checkpoint
  /// The model, if it is known.
  public let model: Model?
  /// Why it is not.
  public let obstacle: CheckpointError?
  /// What is wrong.
  public let check: CheckReport
  /// The chosen tensors, in the order of the files; after them the weights of modules.
  public let tensors: [Tensor]
  /// Their statistics.
  public let statistics: [TensorStatistics]
  /// What each tensor is for.
  public let kinds: [TensorKind]
  /// Which of them do the same in different layers.
  public let roles: [TensorRole]
  /// The parts of the model, or of the tensors' names.
  public let outline: ModelOutline
  /// Singular values of some of them.
  public let spectra: Spectra
  /// Pictures of what is best looked at.
  public let patterns: Patterns

  /// How finely a histogram is drawn.
  public static let bars = 48

  /// Finds everything out, in one pass over all bytes and another one over the matrices that are chosen
  /// for their spectra. A container with checksums of everything is compared with them before.
  ///
  /// - Parameters:
  ///   - checkpoint: all of it.
  ///   - options: how to understand it.
  ///   - selection: the tensors that are shown.
  ///   - progress: hears how many bytes of the first pass are done.
  /// - Throws: `CheckpointError` when bytes cannot be read.
  public init(
    _ checkpoint: Checkpoint, options: OpenOptions = OpenOptions(),
    selection: TensorSelection = TensorSelection(),
    progress: @escaping (Int) -> Void = { _ in }
  ) throws(CheckpointError) {
    let chosen = try checkpoint.choosing(selection, options: options)
    (model, obstacle) = Self.understood(checkpoint, options)
    tensors = chosen.tensors.tensors + Self.moduleWeights(of: model, selection)
    let examination = try Examination(
      checkpoint, tensors, options, StatisticsOptions(bars: Self.bars), progress: progress)
    (check, statistics) = (examination.check, examination.statistics)
    let graph = examination.graph
    self.checkpoint = chosen
    let known = graph.map { TensorKind.kinds(of: $0) } ?? [:]
    kinds = tensors.map { tensor in
      known[tensor.name] ?? (graph == nil ? TensorKind(guessing: tensor.name) : .other)
    }
    roles = TensorRole.all(of: tensors.map(\.name))
    outline =
      graph.map { ModelOutline($0) }
      ?? ModelOutline(NameTree(tensors), name: "")
    spectra = try Spectra(tensors, statistics, roles: roles)
    patterns = try Patterns(model, tensors)
  }

  /// The weights of modules, which lie in files of their own: nobody selects them by name.
  static func moduleWeights(of model: Model?, _ selection: TensorSelection) -> [Tensor] {
    selection.isEverything ? model?.graph.moduleWeights ?? [] : []
  }

  /// The model that a checkpoint holds, or why it is not known.
  public static func understood(
    _ checkpoint: Checkpoint, _ options: OpenOptions
  ) -> (Model?, CheckpointError?) {
    do throws(CheckpointError) {
      return (try Model(checkpoint, options: options), nil)
    } catch {
      return (nil, error)
    }
  }
}
