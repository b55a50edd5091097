import Containers
public import SystemPackage
public import TensorCore

extension ConversionPlan {
  /// The digest of all that decides about the target's bytes: what is read, how, and what is written; not where.
  public var id: String { FileDigest(Array(JSONValue.object(content).text().utf8)).sha256 }

  /// The text of the plan's file.
  public var json: JSONValue {
    let head = [
      JSONValue.Member("schema", "tfconvert.plan/1"), JSONValue.Member("id", .string(id)),
      JSONValue.Member("folder", .string(folder)), JSONValue.Member("target", .string(target)),
      JSONValue.Member("bytes", .number(byteCount)),
    ]
    return .object(head + content)
  }

  private var content: [JSONValue.Member] {
    let outputs: [JSONValue] = self.outputs.map {
      [
        "name": .string($0.name), "bytes": .number($0.byteCount),
        "at_most": .bool($0.sizeIsBound), "tensors": .array($0.tensors.map { .string($0) }),
      ]
    }
    return [
      .init("version", .string(toolVersion)),
      .init("arguments", .array(arguments.map { .string($0) })),
      .init("inputs", .array(inputs.map(\.json))),
      .init("outputs", .array(outputs)), .init("others", .array(others.map { .string($0) })),
    ]
  }

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

  init(parsing bytes: [UInt8]) throws(CheckpointError) {
    let value = try parsed(bytes)
    guard value["schema"] == "tfconvert.plan/1" else {
      throw CheckpointError(
        .malformed("is no plan, whose \"schema\" is \"tfconvert.plan/1\""))
    }
    let object = try StrictObject(
      value, at: "",
      keys: [
        "schema", "id", "folder", "target", "bytes", "version", "arguments", "inputs", "outputs",
        "others",
      ])
    toolVersion = try object.string("version")
    folder = try object.string("folder")
    target = try object.string("target")
    arguments = try object.strings("arguments")
    inputs = try object.array("inputs") { value, path throws(CheckpointError) in
      try PlannedInput(value, at: path)
    }
    outputs = try object.array("outputs") { value, path throws(CheckpointError) in
      let output = try StrictObject(value, at: path, keys: ["name", "bytes", "at_most", "tensors"])
      guard let isBound = output["at_most"].bool else {
        throw output.fault("at_most", "must be true or false")
      }
      return Output(
        name: try output.string("name"), byteCount: try output.count("bytes"),
        sizeIsBound: isBound, tensors: try output.strings("tensors"))
    }
    others = try object.strings("others")
    guard !outputs.isEmpty, outputs.count <= Self.most else {
      throw object.fault("outputs", "must be 1 to \(Self.most) files")
    }
    guard Array(folder.utf8).first == UInt8(ascii: "/"), !target.isEmpty, !target.utf8.contains(0)
    else {
      throw CheckpointError(.malformed("names no target in a folder of this machine"))
    }
    guard try object.digest("id") == id, target == arguments.last,
      try object.count("bytes") == byteCount
    else {
      throw CheckpointError(
        .refused("was changed since it was made: what it says does not go together"),
        advice: "make a new plan: tfconvert plan")
    }
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
