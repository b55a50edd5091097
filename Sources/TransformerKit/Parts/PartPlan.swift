import Containers
public import SystemPackage
public import TensorCore

/// Work that is planned from headers, done in parts that never talk to each other, and put together.
///
/// Its id is a digest of all that decides about the result, so that a part, which makes the plan again from the same headers, sees
/// whether it is the same.
public protocol PartPlan: Sendable, Equatable {
  /// What the file of a plan says that it is.
  static var schema: String { get }
  /// The command that makes one.
  static var maker: String { get }
  /// What is to be said of a plan whose id is another one though its inputs are the same.
  static var contradiction: String { get }

  /// The version of the commands.
  var toolVersion: String { get }
  /// The files that are read.
  var inputs: [PlannedInput] { get }
  /// All that decides about the result: what is read, how, and what comes of it; not where.
  var content: [JSONValue.Member] { get }

  /// Reads the bytes of a plan's file.
  init(parsing bytes: [UInt8]) throws(CheckpointError)
}

extension PartPlan {
  /// The most bytes that the file of a plan may have.
  static var sizeLimit: Int { 256 << 20 }

  /// The digest of all that decides about the result.
  public var id: String { FileDigest(Array(JSONValue.object(content).text().utf8)).sha256 }

  /// What to do if a plan is not what it was.
  private static var again: String { "make a new plan: \(maker)" }

  /// Reads the file of a plan.
  ///
  /// - Throws: `CheckpointError` if it is none, or its id is not that of what it says.
  public init(_ path: FilePath) throws(CheckpointError) {
    do throws(CheckpointError) {
      try self.init(parsing: SmallFile.read(path, limit: Self.sizeLimit))
    } catch {
      throw error.inFile(displayed(path))
    }
  }

  /// The object of a plan's file, with these keys beside the schema and the id.
  static func object(
    parsing bytes: [UInt8], keys: [String]
  ) throws(CheckpointError) -> StrictObject {
    let value = try parsed(bytes)
    guard value["schema"] == .string(schema) else {
      throw CheckpointError(.malformed("is no plan, whose \"schema\" is \"\(schema)\""))
    }
    return try StrictObject(value, at: "", keys: ["schema", "id"] + keys)
  }

  /// Fails if what a plan's file says does not go together.
  func requireSame(id: String, _ isConsistent: Bool) throws(CheckpointError) {
    guard id == self.id, isConsistent else {
      throw CheckpointError(
        .refused("was changed since it was made: what it says does not go together"),
        advice: Self.again)
    }
  }

  /// What has changed since another plan was made, or `nil` if it is the same.
  func change(since planned: Self) -> CheckpointError? {
    guard toolVersion == planned.toolVersion else {
      return CheckpointError(
        .refused("was planned by version \(planned.toolVersion), and this is \(toolVersion)"),
        advice: Self.again)
    }
    if let change = PlannedInput.change(of: inputs, since: planned.inputs, again: Self.again) {
      return change
    }
    return id == planned.id
      ? nil : CheckpointError(.refused(Self.contradiction), advice: Self.again)
  }
}

/// An object of a file of ours.
func parsed(_ bytes: [UInt8]) throws(CheckpointError) -> JSONValue {
  do {
    return try JSONValue(parsing: bytes, grammar: .strict)
  } catch {
    throw CheckpointError(.malformed(error.reason), offset: error.offset)
  }
}
