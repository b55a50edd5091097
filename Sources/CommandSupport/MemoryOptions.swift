public import ArgumentParser
public import Containers
public import SystemPackage
public import TensorCore
public import TransformerKit

/// How much memory a command may take.
public struct MemoryOptions: ParsableArguments {
  @Option(
    name: [.customShort("M"), .long],
    help: ArgumentHelp(
      "Take at most this much memory (512M, 4GiB), or refuse before any work.", valueName: "size"))
  var memory: ByteSize?

  public init() {}

  /// The cap in bytes, if there is one.
  public var cap: Int? { memory?.bytes }
}

extension MemoryOptions {
  /// Keeps the cap while models run, or refuses.
  ///
  /// - Returns: whether there is also room to look for the cause of a difference.
  /// - Throws: `CheckpointError` about `path` that names the smallest cap with which it would work.
  @discardableResult
  public func keep(
    _ needed: VerificationMemory, for path: FilePath
  ) throws(CheckpointError) -> Bool {
    do {
      return try needed.keep(cap)
    } catch {
      throw error.inFile(displayed(path))
    }
  }

  /// Keeps the cap while tensors are read piece by piece, or refuses.
  ///
  /// - Throws: `CheckpointError` about the checkpoint that names the smallest cap.
  public func keep(reading checkpoints: Checkpoint...) throws(CheckpointError) {
    do {
      try MemoryUse.check(cap: cap, reading: checkpoints)
    } catch {
      throw error.inFile(displayed(checkpoints[0].path))
    }
  }

  /// Keeps the cap while the weights of models are read, or refuses.
  ///
  /// - Throws: `CheckpointError` about the first checkpoint that names the smallest cap.
  public func keep(
    readingWeightsOf checkpoints: Checkpoint..., options: OpenOptions
  ) throws(CheckpointError) {
    do {
      try MemoryUse.check(cap: cap, readingWeightsOf: checkpoints, options: options)
    } catch {
      throw error.inFile(displayed(checkpoints[0].path))
    }
  }
}
