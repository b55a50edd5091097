import Containers
import Models
import TensorCore

/// A checkpoint's faults, and what was found out on the way.
struct Examination {
  let check: CheckReport
  /// The statistics of the chosen tensors, in their order.
  let statistics: [TensorStatistics]
  /// The model, if it is known and whole.
  let graph: WeightGraph?

  /// Reads every byte of some tensors of a checkpoint. One with checksums of everything is compared with
  /// them before.
  ///
  /// - Parameters:
  ///   - tensors: those whose values are looked at. The model is checked whole.
  ///   - progress: hears how many of their bytes are done.
  /// - Throws: `CheckpointError` when bytes cannot be read.
  init(
    _ checkpoint: Checkpoint, _ tensors: [Tensor], _ options: OpenOptions,
    _ statisticsOptions: StatisticsOptions = StatisticsOptions(),
    progress: @escaping (Int) -> Void
  ) throws(CheckpointError) {
    var check = CheckReport()
    let isSound = try check.checkIntegrity(checkpoint)
    check.checkIndex(checkpoint)
    graph = isSound ? check.checkModel(checkpoint, options) : nil
    check.tensorCount = tensors.count
    statistics = try TransformerKit.statistics(
      of: tensors, options: statisticsOptions, progress: progress)
    try check.checkElements(tensors, statistics, graph, of: checkpoint.tensors)
    self.check = check
  }
}
