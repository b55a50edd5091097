import Codecs
import TensorCore

extension WeightReceipt.Compared {
  /// As it stands in a receipt.
  var json: JSONValue {
    let (name, facts) = relation.receipt
    let sums =
      digests.map {
        [
          JSONValue.Member("a_sha256", .string($0.a)), JSONValue.Member("b_sha256", .string($0.b)),
        ]
      } ?? []
    return .object(
      [.init("path", .string(path)), .init("relation", .string(name))] + facts + sums)
  }

  init(_ value: JSONValue, at place: String) throws(CheckpointError) {
    let name = value["relation"]?.string ?? ""
    guard let keys = WeightRelation.receiptKeys[name] else {
      throw StrictObject.fault("\(place).relation", "is none that is known")
    }
    let isRead = !["misshapen", "only_in_a", "only_in_b"].contains(name)
    let object = try StrictObject(
      value, at: place,
      keys: ["path", "relation"] + keys + (isRead ? ["a_sha256", "b_sha256"] : []),
      optional: name == "miscoded" ? ["cause", "by", "again"] : name == "coded" ? ["again"] : [])
    path = try object.string("path")
    relation = try WeightRelation(receipt: object, named: name)
    guard isRead else {
      digests = nil
      return
    }
    let (a, b) = (try object.digest("a_sha256"), try object.digest("b_sha256"))
    digests = (a, b)
    // Of the same type and bytes, or not. A part of a tensor in blocks may be the same where another part is not.
    let isRight =
      switch relation {
      case .identical: a == b
      case .different: a != b
      default: true
      }
    guard isRight else { throw object.fault("relation", "does not go with the digests") }
  }
}

extension WeightRelation {
  /// What a receipt says of each, by its name there.
  fileprivate static let receiptKeys = [
    "identical": [], "cast": ["from", "to"], "different": ["elements", "first"],
    "misshapen": ["a_shape", "b_shape"], "only_in_a": [], "only_in_b": [],
    "quantised": ["from", "to", "error"], "unproven": ["to", "error"],
    "misquantised": ["to", "tensor", "elements", "first", "error"],
    "coded": ["from", "codec", "error"],
    "miscoded": ["codec", "tensor", "elements", "first", "error"],
  ]

  /// Its name in a receipt, and what is said of it.
  fileprivate var receipt: (name: String, facts: [JSONValue.Member]) {
    func type(_ key: String, _ dtype: DType) -> JSONValue.Member {
      .init(key, .string(dtype.name))
    }
    func shape(_ key: String, _ extents: [Int]) -> JSONValue.Member {
      .init(key, .array(extents.map { .number($0) }))
    }
    func size(_ error: Double) -> JSONValue.Member { .init("error", .number(error)) }
    func codes(_ tensor: TensorName, _ count: Int, _ first: Int) -> [JSONValue.Member] {
      [
        .init("tensor", .string(tensor.text)), .init("elements", .number(count)),
        .init("first", .number(first)),
      ]
    }
    return switch self {
    case .identical: ("identical", [])
    case .cast(let from, let to): ("cast", [type("from", from), type("to", to)])
    case .different(let count, let first):
      ("different", [.init("elements", .number(count)), .init("first", .number(first))])
    case .misshapen(let a, let b): ("misshapen", [shape("a_shape", a), shape("b_shape", b)])
    case .onlyInA: ("only_in_a", [])
    case .onlyInB: ("only_in_b", [])
    case .quantized(let from, let to, let error):
      ("quantised", [type("from", from), type("to", to), size(error)])
    case .unproven(let to, let error): ("unproven", [type("to", to), size(error)])
    case .misquantized(let fault):
      (
        "misquantised",
        [type("to", fault.dtype)] + codes(fault.tensor, fault.count, fault.first)
          + [size(fault.error)]
      )
    case .coded(let from, let codec, let error, let again):
      (
        "coded",
        [type("from", from), .init("codec", .string(codec)), size(error)] + (again?.receipt ?? [])
      )
    case .miscoded(let fault):
      (
        "miscoded",
        [.init("codec", .string(fault.codec))] + codes(fault.tensor, fault.count, fault.first)
          + [size(fault.error)] + (fault.cause?.receipt ?? []) + (fault.again?.receipt ?? [])
      )
    }
  }

  fileprivate init(receipt object: StrictObject, named name: String) throws(CheckpointError) {
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
    switch name {
    case "identical": self = .identical
    case "cast": self = .cast(from: try dtype("from"), to: try dtype("to"))
    case "misshapen": self = .misshapen(try shape("a_shape"), try shape("b_shape"))
    case "only_in_a": self = .onlyInA
    case "only_in_b": self = .onlyInB
    case "quantised":
      self = .quantized(
        from: try dtype("from"), to: try dtype("to"), error: try object.error())
    case "unproven": self = .unproven(try dtype("to"), error: try object.error())
    case "misquantised": self = .misquantized(try Misquantized(object, try dtype("to")))
    case "coded":
      self = .coded(
        from: try dtype("from"), by: try object.string("codec"),
        error: try object.error(), again: try CodeRepetition(object))
    case "miscoded": self = .miscoded(try Miscoded(object))
    default:
      self = .different(count: try object.count("elements"), first: try object.count("first"))
    }
  }
}

extension StrictObject {
  /// How far codes are from A's numbers, of which some may be no numbers.
  fileprivate func error() throws(CheckpointError) -> Double {
    self["error"].string?.utf8.elementsEqual("NaN".utf8) == true ? .nan : try magnitude("error")
  }
}

extension Misquantized {
  fileprivate init(_ object: StrictObject, _ dtype: DType) throws(CheckpointError) {
    guard let proof = dtype.quantizationProof else {
      throw object.fault("to", "is a type of which nothing can be shown")
    }
    self.init(
      dtype: dtype, proof: proof, tensor: TensorName(try object.string("tensor")),
      count: try object.count("elements"), first: try object.count("first"),
      error: try object.error())
  }
}

extension Miscoded {
  fileprivate init(_ object: StrictObject) throws(CheckpointError) {
    self.init(
      codec: try object.string("codec"), tensor: TensorName(try object.string("tensor")),
      count: try object.count("elements"), first: try object.count("first"),
      error: try object.error(), cause: try CodeCause(object), again: try CodeRepetition(object))
  }
}

extension CodeCause {
  fileprivate var receipt: [JSONValue.Member] {
    switch self {
    case .zeroPoints(let number):
      [.init("cause", "zero_points"), .init("by", .number(number))]
    case .order: [.init("cause", "order")]
    case .inverseScales: [.init("cause", "inverse_scales")]
    case .factor(let factor): [.init("cause", "factor"), .init("by", .number(factor))]
    case .codes(let number): [.init("cause", "codes"), .init("by", .number(number))]
    case .biasSigns: [.init("cause", "bias_signs")]
    case .otherGroups: [.init("cause", "other_groups")]
    case .headOrder(let size, let isInterleaved):
      [.init("cause", isInterleaved ? "interleaved" : "half_split"), .init("by", .number(size))]
    }
  }

  /// `nil` if none is said.
  fileprivate init?(_ object: StrictObject) throws(CheckpointError) {
    guard object["cause"] != .null else { return nil }
    let by = object["by"]
    switch (try object.string("cause"), by.int, by.double) {
    case ("zero_points", 1, _): self = .zeroPoints(1)
    case ("zero_points", -1, _): self = .zeroPoints(-1)
    case ("order", nil, nil): self = .order
    case ("inverse_scales", nil, nil): self = .inverseScales
    case ("factor", _, .some(let factor)): self = .factor(factor)
    case ("codes", 1, _): self = .codes(1)
    case ("codes", -1, _): self = .codes(-1)
    case ("bias_signs", nil, nil): self = .biasSigns
    case ("other_groups", nil, nil): self = .otherGroups
    case ("interleaved", .some(let size), _) where size > 0:
      self = .headOrder(size: size, isInterleaved: true)
    case ("half_split", .some(let size), _) where size > 0:
      self = .headOrder(size: size, isInterleaved: false)
    default: throw object.fault("cause", "is none that is known")
    }
  }
}

extension CodeRepetition {
  private static let receiptKeys = ["maker", "elements", "groups", "codes", "scales", "biases"]

  fileprivate var receipt: [JSONValue.Member] {
    [
      .init(
        "again",
        [
          "maker": .string(maker), "elements": .number(elements), "groups": .number(groups),
          "codes": .number(codes), "scales": .number(scales), "biases": .number(biases),
        ])
    ]
  }

  /// `nil` if none is said.
  fileprivate init?(_ object: StrictObject) throws(CheckpointError) {
    guard object["again"] != .null else { return nil }
    let own = try StrictObject(
      object["again"], at: object.place("again"), keys: Self.receiptKeys)
    self.init(
      maker: try own.string("maker"), elements: try own.count("elements"),
      groups: try own.count("groups"), codes: try own.count("codes"),
      scales: try own.count("scales"), biases: try own.count("biases"))
  }
}
