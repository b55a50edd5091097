import Codecs
public import TensorCore

extension Certificate {
  /// The most bytes that a certificate may have; no real one comes near.
  public static let largestSize = 16 << 20

  /// A certificate that was read, and whether its checksum is right.
  public struct Decoded: Sendable {
    /// What the file says.
    public let certificate: Certificate
    /// The checksum in the file.
    public let checksum: String

    /// Whether the file is as it was written.
    public var isSealed: Bool { checksum == certificate.checksum }
  }

  /// Reads the bytes of a certificate. Everything must be as docs/certificate.md says: a member that
  /// is missing, unknown or of another type is a fault.
  ///
  /// The checksum is read and not compared: whoever proves the claims says so.
  ///
  /// - Throws: `CheckpointError`: unsupported for another version, else malformed.
  public static func decode(_ bytes: [UInt8]) throws(CheckpointError) -> Decoded {
    let value: JSONValue
    do {
      value = try JSONValue(parsing: bytes, grammar: .strict)
    } catch {
      throw CheckpointError(.malformed(error.reason), offset: error.offset)
    }
    try checkVersion(value)
    let statement = try StrictObject(
      value, at: "", keys: ["_type", "subject", "predicateType", "predicate"])
    let predicate = try StrictObject(
      statement["predicate"], at: "predicate",
      keys: [
        "verdict", "dtype", "a", "b", "casts", "config_differences", "probe", "precision",
        "outputs", "tool", "machine", "checksum",
      ], optional: ["quantised"])
    let quantizations = try readQuantizations(predicate)
    let certificate = Certificate(
      verdict: try readVerdict(predicate, quantizations), a: try readSide(predicate, "a"),
      b: try readSide(predicate, "b"),
      casts: try predicate.array("casts", readLedger), quantizations: quantizations,
      configDifferences: try predicate.strings("config_differences"),
      probe: try readProbe(predicate), precision: try predicate.choice("precision", Precision.self),
      outputs: try predicate.array("outputs", readOutput), machine: try readMachine(predicate))
    try checkSubject(statement, certificate.b.files)
    try checkPaths(certificate)
    let checksum = try StrictObject(
      predicate["checksum"], at: predicate.place("checksum"), keys: ["sha256"])
    return Decoded(certificate: certificate, checksum: try checksum.digest("sha256"))
  }
}

/// The types of statement and predicate come first: a later version may have any other members.
private func checkVersion(_ value: JSONValue) throws(CheckpointError) {
  guard let type = value["_type"]?.string, let predicate = value["predicateType"]?.string else {
    throw CheckpointError(
      .malformed("is no certificate: it has no texts \"_type\" and \"predicateType\""))
  }
  let statements = "https://in-toto.io/Statement/v"
  for (found, known, stem) in [
    (type, Certificate.statementType, statements),
    (predicate, Certificate.predicateType, Certificate.predicateTypeStem),
  ] where !found.utf8.elementsEqual(known.utf8) {
    let version = found.dropFirst(stem.count)
    guard found.hasPrefix(stem), !version.isEmpty,
      version.allSatisfy({ $0.isASCII && $0.isNumber || $0 == "." })
    else { throw CheckpointError(.malformed("is no certificate of a model, but \(found)")) }
    throw CheckpointError(
      .unsupported("is of the type \(found), this version of tfverify knows \(known)"),
      advice: "check it with the version of tfverify that made it, or a later one")
  }
}

/// The verdict. What blocks are of which types is said of each weight alone.
private func readVerdict(
  _ predicate: StrictObject, _ quantizations: [Certificate.Quantization]
) throws(CheckpointError) -> Certificate.Verdict {
  let name = try predicate.string("verdict")
  if !quantizations.isEmpty {
    guard name == "quantised", predicate["dtype"] == .null else {
      throw predicate.fault(
        "verdict", "is \"\(name)\", with weights in blocks it must be quantised")
    }
    return .quantized(quantizations.types)
  }
  if predicate["dtype"] == .null {
    guard name == "identical" else {
      throw predicate.fault("verdict", "is \"\(name)\", without a dtype it must be identical")
    }
    return .identical
  }
  guard name == "cast" else {
    throw predicate.fault("verdict", "is \"\(name)\", with a dtype it must be cast")
  }
  return .cast(try readDType(predicate, "dtype"))
}

/// A type that models compute in.
private func readDType(_ object: StrictObject, _ key: String) throws(CheckpointError) -> DType {
  let type = try object.choice(key, DType.self)
  guard type.isComputable else { throw object.fault(key, "must be F16, BF16, F32 or F64") }
  return type
}

private func readSide(
  _ predicate: StrictObject, _ key: String
) throws(CheckpointError) -> Certificate.Side {
  let side = try StrictObject(
    predicate[key], at: predicate.place(key),
    keys: ["id", "architecture", "head", "container", "dialect", "rules", "files"],
    optional: ["codecs"])
  let files = try side.array("files") { value, path throws(CheckpointError) in
    let file = try StrictObject(value, at: path, keys: ["name", "role", "size", "sha256"])
    return CertifiedFile(
      name: try file.string("name"), role: try file.choice("role", CertifiedFile.Role.self),
      size: try file.count("size"), sha256: try file.digest("sha256"))
  }
  return Certificate.Side(
    id: try side.digest("id"), architecture: try side.string("architecture"),
    head: try side.string("head"), container: try side.string("container"),
    dialect: try side.string("dialect"), codecs: try readCodecs(side),
    rules: try side.strings("rules"), files: files)
}

/// The codecs, which are not named at all where there are none.
private func readCodecs(_ side: StrictObject) throws(CheckpointError) -> [String] {
  guard side["codecs"] != .null else { return [] }
  let codecs = try side.strings("codecs")
  guard !codecs.isEmpty else { throw side.fault("codecs", "must not be empty") }
  return codecs
}

private func readLedger(_ value: JSONValue, at path: String) throws(CheckpointError) -> CastLedger {
  let cast = try StrictObject(
    value, at: path,
    keys: [
      "weight", "from", "to", "count", "rounded", "overflowed", "became_subnormal", "became_zero",
      "nan", "largest_relative_error",
    ])
  let loss = RoundingLoss(
    count: try cast.count("count"), rounded: try cast.count("rounded"),
    overflowed: try cast.count("overflowed"),
    becameSubnormal: try cast.count("became_subnormal"),
    becameZero: try cast.count("became_zero"), nan: try cast.count("nan"),
    largestRelativeError: try cast.magnitude("largest_relative_error"))
  return CastLedger(
    name: TensorName(try cast.string("weight")), from: try readDType(cast, "from"),
    to: try readDType(cast, "to"), loss: loss)
}

/// The weights in blocks, which are not named at all where there are none.
private func readQuantizations(
  _ predicate: StrictObject
) throws(CheckpointError) -> [Certificate.Quantization] {
  guard predicate["quantised"] != .null else { return [] }
  let list = try predicate.array("quantised") { value, path throws(CheckpointError) in
    let weight = try StrictObject(value, at: path, keys: ["weight", "from", "to", "error"])
    let type = try weight.choice("to", DType.self)
    guard type.quantizationProof != nil else {
      throw weight.fault("to", "must be a type of blocks that can be proven")
    }
    return Certificate.Quantization(
      weight: try weight.string("weight"), from: try readDType(weight, "from"), to: type,
      error: try weight.magnitude("error"))
  }
  guard !list.isEmpty else { throw predicate.fault("quantised", "must not be empty") }
  return list
}

extension [Certificate.Quantization] {
  /// The types of the blocks, each once.
  fileprivate var types: [DType] {
    reduce(into: []) { types, weight in
      if !types.contains(weight.to) { types.append(weight.to) }
    }
  }
}

private func readProbe(_ predicate: StrictObject) throws(CheckpointError) -> Certificate.Probe {
  let place = predicate.place("probe")
  if predicate["probe"]["seed"] != nil {
    let probe = try StrictObject(predicate["probe"], at: place, keys: ["seed"])
    switch probe["seed"] {
    case .uint(let seed): return .seed(seed)
    default: return .seed(UInt64(try probe.count("seed")))
    }
  }
  let probe = try StrictObject(predicate["probe"], at: place, keys: ["inputs"])
  let inputs = try StrictObject(probe["inputs"], at: place + ".inputs", keys: ["sha256", "size"])
  return .inputs(sha256: try inputs.digest("sha256"), size: try inputs.count("size"))
}

private func readOutput(
  _ value: JSONValue, at path: String
) throws(CheckpointError) -> Certificate.Output {
  let output = try StrictObject(value, at: path, keys: ["name", "shape", "change"])
  let shape = try output.array("shape") { value, path throws(CheckpointError) in
    guard let extent = value.int, extent >= 0 else {
      throw StrictObject.fault(path, "must be an integer that is not negative")
    }
    return extent
  }
  return Certificate.Output(
    name: try output.string("name"), shape: shape, change: try output.magnitude("change"))
}

private func readMachine(_ predicate: StrictObject) throws(CheckpointError) -> Certificate.Machine {
  let tool = try StrictObject(
    predicate["tool"], at: predicate.place("tool"), keys: ["name", "version"])
  guard try tool.string("name").utf8.elementsEqual("tfkit".utf8) else {
    throw tool.fault("name", "must be tfkit")
  }
  let machine = try StrictObject(
    predicate["machine"], at: predicate.place("machine"), keys: ["blas", "cpu"])
  let blas = try StrictObject(
    machine["blas"], at: machine.place("blas"), keys: ["name", "version", "kernel"])
  return Certificate.Machine(
    toolVersion: try tool.string("version"), blas: try blas.string("name"),
    blasVersion: try blas.string("version"), blasKernel: try blas.string("kernel"),
    cpu: try machine.string("cpu"))
}

/// The subject repeats the names and digests of B's files.
private func checkSubject(
  _ statement: StrictObject, _ files: [CertifiedFile]
) throws(CheckpointError) {
  let subject = try statement.array("subject") { value, path throws(CheckpointError) in
    let artifact = try StrictObject(value, at: path, keys: ["name", "digest"])
    let digest = try StrictObject(artifact["digest"], at: path + ".digest", keys: ["sha256"])
    return [try artifact.string("name"), try digest.digest("sha256")].map { TensorName($0) }
  }
  guard subject == files.map({ [TensorName($0.name), TensorName($0.sha256)] }) else {
    throw statement.fault("subject", "must be the files of predicate.b, in the same order")
  }
}

private func checkPaths(_ certificate: Certificate) throws(CheckpointError) {
  var seen: Set<TensorName> = []
  for cast in certificate.casts where !seen.insert(cast.name).inserted {
    throw StrictObject.fault("predicate.casts", "has the weight \"\(cast.name)\" twice")
  }
  for weight in certificate.quantizations.map(\.weight)
  where !seen.insert(TensorName(weight)).inserted {
    throw StrictObject.fault("predicate.quantised", "has the weight \"\(weight)\" once more")
  }
}
