public import Containers
import Kernels
import Models
public import TensorCore

/// How much memory a conversion takes, and how a cap on it is kept.
///
/// Nothing that grows with a tensor is ever whole in memory. What is: the process itself, two
/// buffers on their way to the disk, what the tensors' bytes say they need while they are read
/// (`TensorBytes.workingMemory`; slabs, for the most part), what a container needs to compress them,
/// and for each tensor what the headers say of it.
public enum MemoryUse {
  /// The process with its libraries, before it does anything.
  private static let process = 25 << 20
  /// Two buffers for writing.
  private static let buffers = 8 << 20
  /// What is known of a tensor: entry, place, position in the table, header to be.
  private static let perTensor = 800
  /// What a thread has of a tensor that it reads, and what it finds in it.
  private static let perWorker = 2 << 20
  /// What is known of a tensor, and what is reported of it.
  private static let perReport = 1400

  /// Divides a cap before anything is opened: what is left beside the fixed parts goes to slabs, of
  /// which two may be in use at a time. With more memory, scattered elements are read in fewer passes.
  public static func setCap(_ bytes: Int) {
    let free = bytes - process - buffers - (8 << 20)
    Slab.size = min(max(free, 0) / 2, 1 << 30)
  }

  /// What a checkpoint has in memory that no buffer bounds: its `__metadata__`, as the file has it and as text,
  /// and what it took to read the headers.
  private static func metadata(of checkpoints: [Checkpoint]) -> Int {
    let entries = checkpoints.flatMap { $0.metadata?.entries ?? [] }
    return entries.reduce(checkpoints.reduce(0) { $0 + $1.openingMemory }) {
      $0 + 2 * ($1.key.utf8.count + $1.value.utf8.count)
    }
  }

  /// The most memory that writing `tensors` of a checkpoint to a container takes, in bytes; whole MiB.
  static func peak(
    of tensors: [Tensor], from source: Checkpoint, to format: ContainerFormat
  ) -> Int {
    let headers = tensors.reduce(0) { $0 + perTensor + 3 * $1.name.text.utf8.count }
    let reading = tensors.map(\.bytes.workingMemory).max() ?? 0
    let writing = format.workingMemory(for: tensors)
    let needed =
      process + buffers + headers + reading + writing + metadata(of: [source])
    return (needed + 0xFFFFF) & ~0xFFFFF
  }

  /// Checks a cap for whoever reads the tensors of checkpoints piece by piece, on several threads.
  ///
  /// - Throws: `CheckpointError` that names the smallest cap with which it would work.
  public static func check(cap: Int?, reading checkpoints: [Checkpoint]) throws(CheckpointError) {
    if cap == nil { return }
    let tensors = checkpoints.flatMap(\.tensors.tensors)
    try keep(cap) {
      readingPeak(of: checkpoints, 2 * (tensors.map(\.bytes.workingMemory).max() ?? 0))
    }
  }

  /// The same for whoever reads the weights of models, which the files may have in another order.
  ///
  /// - Parameters:
  ///   - checkpoints: if one of them is no model that is known, tensors are read as they are stored.
  ///   - options: how to understand them.
  /// - Throws: `CheckpointError` that names the smallest cap with which it would work.
  public static func check(
    cap: Int?, readingWeightsOf checkpoints: [Checkpoint], options: OpenOptions
  ) throws(CheckpointError) {
    if cap == nil { return }
    let graphs = checkpoints.compactMap { try? Model($0, options: options).graph }
    guard graphs.count == checkpoints.count else {
      return try check(cap: cap, reading: checkpoints)
    }
    try keep(cap) {
      readingPeak(of: checkpoints, graphs.reduce(0) { $0 + 2 * $1.readingMemory })
    }
  }

  /// Checks a cap, with the smallest slabs if need be.
  ///
  /// - Parameter peak: the most memory that will be needed, in bytes, with slabs as they are.
  /// - Returns: what it is then.
  /// - Throws: `CheckpointError` that names the smallest cap with which it would work.
  @discardableResult
  static func keep(_ cap: Int?, _ peak: () -> Int) throws(CheckpointError) -> Int {
    guard let cap else { return peak() }
    if peak() > cap { Slab.size = Slab.minimumSize }
    let peak = peak()
    if peak > cap { throw tooSmall(cap, peak) }
    return peak
  }

  private static func readingPeak(of checkpoints: [Checkpoint], _ reading: Int) -> Int {
    let headers = checkpoints.flatMap(\.tensors.tensors).reduce(0) {
      $0 + perReport + 3 * $1.name.text.utf8.count
    }
    let needed =
      process + Parallel.workers * perWorker + headers + reading + metadata(of: checkpoints)
    return (needed + 0xFFFFF) & ~0xFFFFF
  }

  /// What is said when a cap is too small: both in MiB, the cap rounded down to tenths.
  static func tooSmall(_ cap: Int, _ peak: Int) -> CheckpointError {
    let tenths = Int(Double(cap) * 10 / 0x1p20)
    let allowed = tenths == 0 ? "less than 0.1" : "\(tenths / 10).\(tenths % 10)"
    return CheckpointError(
      .malformed("needs \(peak >> 20)MiB of memory at least, and --memory allows \(allowed)MiB"))
  }
}
