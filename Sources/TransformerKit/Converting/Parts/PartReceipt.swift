import Containers
import SystemPackage
public import TensorCore

/// What a part says of a file that it has written.
public struct PartReceipt: Sendable, Equatable {
  /// The id of the plan.
  public let plan: String
  /// The file's path in the target.
  public let name: String
  /// What its bytes are.
  public let byteCount: Int
  public let sha256: String
  /// When it was written: of a file that says the same, the digest is not asked for again.
  public let modified: String
  /// What casting did to its tensors.
  public let casts: CastSum

  /// What casting did to elements of several tensors.
  public struct CastSum: Sendable, Equatable {
    /// The tensors that were cast, and their elements.
    public var tensors = 0
    public var elements = 0
    /// Elements that are others now, of which so many became infinite, subnormal or zero.
    public var rounded = 0
    public var overflowed = 0
    public var becameSubnormal = 0
    public var becameZero = 0

    static let keys = [
      "tensors", "elements", "rounded", "overflowed", "became_subnormal", "became_zero",
    ]
    var numbers: [Int] {
      [tensors, elements, rounded, overflowed, becameSubnormal, becameZero]
    }

    init() {}

    init(_ ledgers: [CastLedger]) {
      tensors = ledgers.count
      for ledger in ledgers {
        elements &+= ledger.count
        rounded &+= ledger.rounded
        overflowed &+= ledger.overflowed
        becameSubnormal &+= ledger.becameSubnormal
        becameZero &+= ledger.becameZero
      }
    }

    init(_ object: StrictObject) throws(CheckpointError) {
      tensors = try object.count("tensors")
      elements = try object.count("elements")
      rounded = try object.count("rounded")
      overflowed = try object.count("overflowed")
      becameSubnormal = try object.count("became_subnormal")
      becameZero = try object.count("became_zero")
    }

    static func += (sum: inout CastSum, other: CastSum) {
      sum.tensors &+= other.tensors
      sum.elements &+= other.elements
      sum.rounded &+= other.rounded
      sum.overflowed &+= other.overflowed
      sum.becameSubnormal &+= other.becameSubnormal
      sum.becameZero &+= other.becameZero
    }

    /// As it stands in receipts and in what is printed.
    public var json: JSONValue {
      .object(zip(Self.keys, numbers).map { JSONValue.Member($0, .number($1)) })
    }
  }

  var json: JSONValue {
    [
      "schema": "tfconvert.receipt/1", "plan": .string(plan), "name": .string(name),
      "bytes": .number(byteCount), "sha256": .string(sha256), "modified": .string(modified),
      "casts": casts.json,
    ]
  }

  init(
    plan: String, name: String, byteCount: Int, sha256: String, modified: String, casts: CastSum
  ) {
    self.plan = plan
    self.name = name
    self.byteCount = byteCount
    self.sha256 = sha256
    self.modified = modified
    self.casts = casts
  }

  init(parsing bytes: [UInt8]) throws(CheckpointError) {
    let object = try StrictObject(
      parsed(bytes), at: "",
      keys: ["schema", "plan", "name", "bytes", "sha256", "modified", "casts"])
    guard try object.string("schema") == "tfconvert.receipt/1" else {
      throw object.fault("schema", "is not tfconvert.receipt/1")
    }
    plan = try object.digest("plan")
    name = try object.string("name")
    byteCount = try object.count("bytes")
    sha256 = try object.digest("sha256")
    modified = try object.string("modified")
    casts = try CastSum(StrictObject(object["casts"], at: "casts", keys: CastSum.keys))
  }
}

extension StagedTarget {
  /// The most bytes that a receipt may have.
  private static let receiptLimit = 1 << 20

  /// The receipt of a file, if there is one that can be read.
  func readReceipt(of name: String) throws(CheckpointError) -> PartReceipt? {
    let path = receipt(of: name)
    guard try path.present() != nil else { return nil }
    do throws(CheckpointError) {
      return try PartReceipt(parsing: SmallFile.read(path, limit: Self.receiptLimit))
    } catch {
      throw error.inFile(displayed(path))
    }
  }

  func write(_ receipt: PartReceipt) throws(CheckpointError) {
    try SmallFile(self.receipt(of: receipt.name), replacing: .anything)
      .write(receipt.json.text(pretty: true) + "\n")
  }
}
