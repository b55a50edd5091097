import Containers
import Models
public import SystemPackage
public import TensorCore

/// The comparison of two models' weights that runs in parts: what is read, how, and which weights are compared together.
public struct VerificationPlan: PartPlan {
  /// Weights that are compared together, in the order of the computation, by their canonical paths.
  public struct Block: Sendable, Equatable {
    public let weights: [String]
    /// How many bytes A's and B's take.
    public let byteCount: Int
  }

  /// The version of the commands.
  public let toolVersion: String
  /// The folder in which it was planned; paths in `arguments` are from there.
  public let folder: String
  /// A and B, and options before them.
  public let arguments: [String]
  /// The files that are read.
  public let inputs: [PlannedInput]
  /// What parts do.
  public let blocks: [Block]

  public static let schema = "tfverify.plan/1"
  public static let maker = "tfverify plan"
  public static let contradiction = "says of the weights what the models do not give"

  /// The most blocks that there may be.
  static let most = 65_536
  /// The bytes of a block if nobody says how many.
  public static let blockSize = 1 << 30

  /// Plans a comparison from headers.
  ///
  /// - Parameters:
  ///   - blockSize: how many bytes of both models a block has at most, unless one weight alone has more.
  ///   - further: files that options name.
  /// - Throws: `CheckpointError` if a file cannot be looked at, or there are too many blocks.
  public init(
    _ a: Model, _ b: Model, blockSize: Int, reading further: [FilePath], arguments: [String],
    in folder: String, toolVersion: String
  ) throws(CheckpointError) {
    self.toolVersion = toolVersion
    self.folder = folder
    self.arguments = arguments
    inputs = try PlannedInput.list(a.checkpoint.ownFiles + b.checkpoint.ownFiles + further)
    var blocks: [Block] = []
    var (weights, size): ([String], Int) = ([], 0)
    func close() {
      if !weights.isEmpty { blocks.append(Block(weights: weights, byteCount: size)) }
      (weights, size) = ([], 0)
    }
    for pair in weightPairs(a.graph, b.graph) {
      let bytes = (pair.a?.byteCount ?? 0) &+ (pair.b?.byteCount ?? 0)
      if size &+ bytes > blockSize { close() }
      weights.append(pair.path)
      size &+= bytes
    }
    close()
    self.blocks = blocks
    guard blocks.count <= Self.most else {
      throw CheckpointError(
        .limitExceeded("the number of blocks", limit: Self.most, found: blocks.count),
        advice: "say a larger --block-size")
    }
  }

  /// The bytes of all that is compared.
  public var byteCount: Int { blocks.reduce(0) { $0 &+ $1.byteCount } }

  /// The numbers of the blocks that one of so many parts compares, from 1: see `dealt`.
  public func blocks(ofPart number: Int, of count: Int) -> [Int] {
    dealt(blocks.map(\.byteCount), toPart: number, of: count).map { $0 + 1 }
  }

}

extension VerificationPlan {
  /// The text of the plan's file.
  public var json: JSONValue {
    let head = [
      JSONValue.Member("schema", .string(Self.schema)), JSONValue.Member("id", .string(id)),
      JSONValue.Member("folder", .string(folder)), JSONValue.Member("bytes", .number(byteCount)),
    ]
    return .object(head + content)
  }

  public var content: [JSONValue.Member] {
    let blocks: [JSONValue] = self.blocks.map {
      ["bytes": .number($0.byteCount), "weights": .array($0.weights.map { .string($0) })]
    }
    return [
      .init("version", .string(toolVersion)),
      .init("arguments", .array(arguments.map { .string($0) })),
      .init("inputs", .array(inputs.map(\.json))), .init("blocks", .array(blocks)),
    ]
  }

  public init(parsing bytes: [UInt8]) throws(CheckpointError) {
    let object = try Self.object(
      parsing: bytes, keys: ["folder", "bytes", "version", "arguments", "inputs", "blocks"])
    toolVersion = try object.string("version")
    folder = try object.string("folder")
    arguments = try object.strings("arguments")
    inputs = try object.array("inputs") { value, path throws(CheckpointError) in
      try PlannedInput(value, at: path)
    }
    blocks = try object.array("blocks") { value, path throws(CheckpointError) in
      let block = try StrictObject(value, at: path, keys: ["bytes", "weights"])
      return Block(weights: try block.strings("weights"), byteCount: try block.count("bytes"))
    }
    guard blocks.count <= Self.most else {
      throw object.fault("blocks", "must be at most \(Self.most)")
    }
    guard Array(folder.utf8).first == UInt8(ascii: "/"), !folder.utf8.contains(0) else {
      throw CheckpointError(.malformed("names no folder of this machine"))
    }
    try requireSame(id: object.digest("id"), object.count("bytes") == byteCount)
  }
}
