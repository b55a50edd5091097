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
