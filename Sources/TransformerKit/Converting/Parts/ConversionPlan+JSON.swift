import Containers
public import TensorCore

extension ConversionPlan {
  /// The text of the plan's file.
  public var json: JSONValue {
    let head = [
      JSONValue.Member("schema", .string(Self.schema)), JSONValue.Member("id", .string(id)),
      JSONValue.Member("folder", .string(folder)), JSONValue.Member("target", .string(target)),
      JSONValue.Member("bytes", .number(byteCount)),
    ]
    return .object(head + content)
  }

  public var content: [JSONValue.Member] {
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

  public init(parsing bytes: [UInt8]) throws(CheckpointError) {
    let object = try Self.object(
      parsing: bytes,
      keys: ["folder", "target", "bytes", "version", "arguments", "inputs", "outputs", "others"])
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
    try requireSame(
      id: object.digest("id"),
      object.count("bytes") == byteCount && target == arguments.last)
  }
}
