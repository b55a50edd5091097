import Containers
import Models
import SystemPackage
import TensorCore

/// What a part says of a block of weights that it has compared.
public struct WeightReceipt: Sendable, Equatable {
  /// The id of the plan.
  public let plan: String
  /// Which block of it, from 1.
  public let block: Int
  /// What it found.
  public let weights: [Compared]

  /// A weight that was compared.
  public struct Compared: Sendable, Equatable {
    /// Its canonical path.
    public let path: String
    /// What B's is to A's.
    public let relation: WeightRelation
    /// The SHA-256 of the elements of A's and of B's; `nil` where not both were read.
    public let digests: (a: String, b: String)?

    public static func == (x: Compared, y: Compared) -> Bool {
      x.path == y.path && x.relation == y.relation && x.digests?.a == y.digests?.a
        && x.digests?.b == y.digests?.b
    }
  }

  var json: JSONValue {
    [
      "schema": "tfverify.receipt/1", "plan": .string(plan), "block": .number(block),
      "weights": .array(weights.map(\.json)),
    ]
  }

  init(plan: String, block: Int, weights: [Compared]) {
    (self.plan, self.block, self.weights) = (plan, block, weights)
  }

  init(parsing bytes: [UInt8]) throws(CheckpointError) {
    let object = try StrictObject(
      parsed(bytes), at: "", keys: ["schema", "plan", "block", "weights"])
    guard try object.string("schema") == "tfverify.receipt/1" else {
      throw object.fault("schema", "is not tfverify.receipt/1")
    }
    plan = try object.digest("plan")
    block = try object.count("block")
    weights = try object.array("weights") { value, path throws(CheckpointError) in
      try Compared(value, at: path)
    }
  }
}

extension WeightReceipt.Compared {
  /// As it stands in a receipt.
  fileprivate var json: JSONValue {
    let name: String
    var facts: [JSONValue.Member] = []
    func shape(_ extents: [Int]) -> JSONValue { .array(extents.map { .number($0) }) }
    switch relation {
    case .identical: name = "identical"
    case .cast(let from, let to):
      name = "cast"
      facts = [.init("from", .string(from.name)), .init("to", .string(to.name))]
    case .misshapen(let a, let b):
      name = "misshapen"
      facts = [.init("a_shape", shape(a)), .init("b_shape", shape(b))]
    case .onlyInA: name = "only_in_a"
    case .onlyInB: name = "only_in_b"
    case .different(let count, let first):
      name = "different"
      facts = [.init("elements", .number(count)), .init("first", .number(first))]
    // Of codes and blocks, which no plan has.
    case .quantized, .misquantized, .coded, .miscoded, .unproven: name = "unknown"
    }
    let sums =
      digests.map {
        [
          JSONValue.Member("a_sha256", .string($0.a)), JSONValue.Member("b_sha256", .string($0.b)),
        ]
      } ?? []
    return .object(
      [.init("path", .string(path)), .init("relation", .string(name))] + facts + sums)
  }

  fileprivate init(_ value: JSONValue, at place: String) throws(CheckpointError) {
    let name = value["relation"]?.string ?? ""
    let facts: [String: [String]] = [
      "identical": [], "cast": ["from", "to"], "misshapen": ["a_shape", "b_shape"],
      "only_in_a": [], "only_in_b": [], "different": ["elements", "first"],
    ]
    guard let keys = facts[name] else {
      throw StrictObject.fault("\(place).relation", "is none that is known")
    }
    let isRead = ["identical", "cast", "different"].contains(name)
    let object = try StrictObject(
      value, at: place,
      keys: ["path", "relation"] + keys + (isRead ? ["a_sha256", "b_sha256"] : []))
    path = try object.string("path")
    func dtype(_ key: String) throws(CheckpointError) -> DType {
      guard let dtype = DType(rawValue: try object.string(key)) else {
        throw object.fault(key, "is no dtype")
      }
      return dtype
    }
    func shape(_ key: String) throws(CheckpointError) -> [Int] {
      try object.array(key) { value, path throws(CheckpointError) in
        guard let extent = value.int, extent >= 0 else {
          throw StrictObject.fault(path, "is no extent")
        }
        return extent
      }
    }
    relation =
      switch name {
      case "identical": .identical
      case "cast": .cast(from: try dtype("from"), to: try dtype("to"))
      case "misshapen": .misshapen(try shape("a_shape"), try shape("b_shape"))
      case "only_in_a": .onlyInA
      case "only_in_b": .onlyInB
      default: .different(count: try object.count("elements"), first: try object.count("first"))
      }
    guard isRead else {
      digests = nil
      return
    }
    let (a, b) = (try object.digest("a_sha256"), try object.digest("b_sha256"))
    digests = (a, b)
    // Of the same type and bytes, or not.
    guard relation == .identical ? a == b : a != b || relation.castType != nil else {
      throw object.fault("relation", "does not go with the digests")
    }
  }
}
