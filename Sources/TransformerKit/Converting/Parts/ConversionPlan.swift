public import Containers
public import SystemPackage
public import TensorCore

/// A conversion that runs in parts: what is read, how, and which files come of it. docs/cluster.md says what stands in its file.
public struct ConversionPlan: PartPlan {
  /// A file with weights that will be written.
  public struct Output: Sendable, Equatable {
    /// Its path in the target.
    public let name: String
    /// The bytes that it will have; if `sizeIsBound`, the most.
    public let byteCount: Int
    /// Whether it may turn out smaller, since it is compressed.
    public let sizeIsBound: Bool
    /// The names of its tensors.
    public let tensors: [String]
  }

  /// The version of the commands.
  public let toolVersion: String
  /// The folder in which it was planned; paths in `arguments` are from there.
  public let folder: String
  /// The target, as it was typed.
  public let target: String
  /// Source, target and options.
  public let arguments: [String]
  /// The files that are read.
  public let inputs: [PlannedInput]
  /// The files with weights that parts write.
  public let outputs: [Output]
  /// The names of the other files, which the commit writes.
  public let others: [String]

  public static let schema = "tfconvert.plan/1"
  public static let maker = "tfconvert plan"
  public static let contradiction = "says of the target what its options do not give"

  /// The most files that parts may have to write.
  static let most = 65_536

  /// Plans a conversion from headers.
  ///
  /// - Parameters:
  ///   - conversion: what is converted, into a folder.
  ///   - files: what would be written.
  ///   - file: the file of the plan.
  ///   - further: files that options name.
  /// - Throws: `CheckpointError` if it cannot be done in parts, or a file that is read cannot be looked at.
  public init(
    _ conversion: Conversion, _ files: WritePlan, at file: FilePath,
    reading further: [FilePath], target: String, arguments: [String], in folder: String,
    toolVersion: String
  ) throws(CheckpointError) {
    let destination = conversion.target.destination
    guard conversion.target.isFolder else {
      throw CheckpointError(
        .unsupported("is one file, which is written in one go: parts write the files of a folder"),
        file: displayed(destination),
        advice: try Self.advice(for: conversion.target.container))
    }
    if isInside(file, destination)
      || file.lexicallyNormalized() == destination.lexicallyNormalized()
    {
      throw CheckpointError(
        .refused("is where the target is to be"), file: displayed(file),
        advice: "give the plan another place")
    }
    for path in [file, destination] {
      guard let source = conversion.source.folder, isInside(path, source) else { continue }
      throw CheckpointError(
        .refused("is in the source's folder, of which all files travel"), file: displayed(path),
        advice: "target and plan are to be in another folder")
    }
    self.toolVersion = toolVersion
    self.folder = folder
    self.target = target
    self.arguments = arguments
    inputs = try conversion.inputs(and: further)
    outputs = files.files.filter(\.isWeights).map { file in
      Output(
        name: file.name(in: destination), byteCount: file.byteCount,
        sizeIsBound: file.sizeIsBound, tensors: file.tensors.map(\.name.text))
    }
    others = files.files.filter { !$0.isWeights }.map { $0.name(in: destination) }
    guard outputs.count <= Self.most else {
      throw CheckpointError(
        .limitExceeded("the number of files", limit: Self.most, found: outputs.count),
        file: displayed(destination))
    }
    if let name = outputs.first(where: { $0.name.contains("\u{FFFD}") })?.name {
      throw CheckpointError(
        .unsupported("a file's name is not UTF-8, and a plan is JSON"), file: name)
    }
  }

  /// What to do instead of planning one file.
  private static func advice(for format: ContainerFormat) -> String {
    format.isSplit
      ? "end the target with a slash, and say --max-shard-size"
      : "\(format) is not split into several files: tfconvert writes it"
  }

  /// The bytes of all files with weights.
  public var byteCount: Int { outputs.reduce(0) { $0 &+ $1.byteCount } }

  /// The folder in which files stand until they are committed.
  public var staged: StagedTarget {
    StagedTarget(FilePath(folder).pushing(FilePath(target)), id: id)
  }

  /// The files that one of so many parts writes: see `dealt`.
  ///
  /// - Parameter number: which part, from 1.
  public func outputs(ofPart number: Int, of count: Int) -> [Output] {
    dealt(outputs.map(\.byteCount), toPart: number, of: count).map { outputs[$0] }
  }
}

extension WritePlan.File {
  /// Its path in a folder.
  func name(in folder: FilePath) -> String {
    path.components.dropFirst(folder.components.count).map(\.string).joined(separator: "/")
  }
}

extension Conversion {
  /// The files that it reads, each once.
  fileprivate func inputs(
    and further: [FilePath]
  ) throws(CheckpointError) -> [PlannedInput] {
    let adapters = merge?.adapters.flatMap(\.checkpoint.ownFiles) ?? []
    return try PlannedInput.list(
      source.ownFiles + adapters + surroundings.companions.compactMap(\.path) + further)
  }

  /// A digest of all that decides about the target's bytes, where that is known of a source on another machine without reading it: by the
  /// ETags of its files. `nil` of sources on this machine, and where a server does not say strong ones.
  ///
  /// - Parameters:
  ///   - files: what would be written.
  ///   - arguments: source, target and options.
  ///   - further: files that options name.
  /// - Throws: `CheckpointError` if a file cannot be looked at.
  public func resumeKey(
    _ files: WritePlan, arguments: [String], reading further: [FilePath], toolVersion: String
  ) throws(CheckpointError) -> String? {
    guard source.files.allSatisfy(\.isRemote) else { return nil }
    let inputs = try inputs(and: further)
    guard inputs.allSatisfy({ $0.identity.isWhole || $0.identity.isStrong }) else { return nil }
    let outputs: [JSONValue] = files.files.map {
      ["bytes": .number($0.byteCount), "tensors": .array($0.tensors.map { .string($0.name.text) })]
    }
    let all: JSONValue = [
      "version": .string(toolVersion), "arguments": .array(arguments.map { .string($0) }),
      "inputs": .array(inputs.map(\.json)), "outputs": .array(outputs),
    ]
    return FileDigest(Array(all.text().utf8)).sha256
  }
}
