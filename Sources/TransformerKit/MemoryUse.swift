import Containers
import TensorCore

/// How much memory a conversion takes, and how a cap on it is kept.
///
/// Nothing that grows with a tensor is ever whole in memory. What is: the process itself, two
/// buffers on their way to the disk, what the tensors' bytes say they need while they are read
/// (`TensorBytes.workingMemory`; slabs, for the most part), what a container needs to compress them,
/// and for each tensor what the headers say of it.
public enum MemoryUse {
  /// The process with its libraries, before it does anything.
  private static let process = 32 << 20
  /// Two buffers for writing.
  private static let buffers = 8 << 20
  /// What is known of a tensor: entry, place, position in the table, header to be.
  private static let perTensor = 800

  /// Divides a cap before anything is opened: what is left beside the fixed parts goes to slabs, of
  /// which two may be in use at a time. With more memory, scattered elements are read in fewer passes.
  public static func setCap(_ bytes: Int) {
    let free = bytes - process - buffers - (8 << 20)
    Slab.size = min(max(free, 0) / 2, 1 << 30)
  }

  /// The most memory that writing `tensors` to a container takes, in bytes; whole MiB.
  static func peak(of tensors: [Tensor], to format: ContainerFormat) -> Int {
    let headers = tensors.reduce(0) { $0 + perTensor + 3 * $1.name.text.utf8.count }
    let reading = tensors.map(\.bytes.workingMemory).max() ?? 0
    let writing = format.workingMemory(for: tensors)
    let needed = process + buffers + headers + reading + writing
    return (needed + 0xFFFFF) & ~0xFFFFF
  }

  /// The same, checked against a cap.
  ///
  /// - Throws: `CheckpointError` that names the smallest cap with which it would work.
  static func checked(
    cap: Int?, of tensors: [Tensor], to format: ContainerFormat
  ) throws(CheckpointError) -> Int {
    let peak = peak(of: tensors, to: format)
    guard let cap, peak > cap else { return peak }
    Slab.size = Slab.minimumSize
    let smallest = Self.peak(of: tensors, to: format) >> 20
    throw CheckpointError(
      .malformed("needs \(smallest)MiB of memory at least, and --memory allows \(cap) bytes"))
  }
}
