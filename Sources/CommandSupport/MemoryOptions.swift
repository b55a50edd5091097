public import ArgumentParser

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
