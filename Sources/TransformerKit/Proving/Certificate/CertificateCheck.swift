import Kernels
import Models
public import SystemPackage
public import TensorCore

extension Certificate.Decoded {
  /// Proves everything again that the certificate says of A and B: digests of their files, what they
  /// are, ids, casts and the equality of all other weights in one pass over both, and what they
  /// compute on the certificate's probe.
  ///
  /// - Parameters:
  ///   - inputs: the file of inputs, if the certificate was made on one.
  ///   - memory: the most memory that the process may take, in bytes.
  ///   - progress: hears how far the runs are.
  /// - Throws: `CheckpointError` when something cannot be read, or inputs are needed.
  public func check(
    _ a: Model, _ b: Model, inputs: FilePath? = nil, memory: Int? = nil,
    progress: WeightProgress? = nil
  ) throws(CheckpointError) -> CertificateReport {
    let modelInputs = try self.modelInputs(inputs)
    switch certificate.precision {
    case .f32:
      try VerificationMemory(comparing: a.graph, b.graph, inputs: modelInputs, Float.self)
        .keep(memory)
    case .f64:
      try VerificationMemory(comparing: a.graph, b.graph, inputs: modelInputs, Double.self)
        .keep(memory)
    }
    let survey = try WeightSurvey(a.graph, b)
    var claims = [
      Claim("certificate", expected: checksum, found: certificate.checksum, note: "not edited")
    ]
    let sides = (
      a: try Certificate.Side(a, id: survey.idA), b: try Certificate.Side(b, id: survey.idB)
    )
    claims += sideClaims("A", certificate.a, sides.a)
    claims += sideClaims("B", certificate.b, sides.b)
    claims += weightClaims(survey, ties: a.graph.ties)
    claims.append(
      Claim(
        "config differences", expected: certificate.configDifferences,
        found: TransformerKit.configDifferences(a.graph, b.graph)))
    claims.append(
      Claim(
        "probe", expected: certificate.probe.text,
        found: try Certificate.Probe(inputs: inputs).text))
    switch certificate.precision {
    case .f32: claims += try behaviourClaims(a, b, modelInputs, survey, Float.self, progress)
    case .f64: claims += try behaviourClaims(a, b, modelInputs, survey, Double.self, progress)
    }
    return CertificateReport(
      claims: claims, verdict: certificate.verdict, machine: certificate.machine,
      isExchanged: isExchanged(sides.a, sides.b))
  }

  /// Whether A is what the certificate calls B, and B what it calls A, by their files.
  private func isExchanged(_ a: Certificate.Side, _ b: Certificate.Side) -> Bool {
    func holds(_ expected: Certificate.Side, _ found: Certificate.Side) -> Bool {
      fileClaims("", expected.files, found.files).allSatisfy(\.holds)
    }
    return holds(certificate.a, b) && holds(certificate.b, a)
      && !(holds(certificate.a, a) && holds(certificate.b, b))
  }

  /// The inputs in the file, which must be given if the certificate was made on one.
  private func modelInputs(_ file: FilePath?) throws(CheckpointError) -> ModelInputs? {
    if let file { return try ArrayFile(file).inputs() }
    if case .inputs = certificate.probe {
      throw CheckpointError(
        .malformed(
          "the certificate was made on \(certificate.probe.text): pass them with --inputs"))
    }
    return nil
  }

  private func behaviourClaims<Scalar: ComputeScalar>(
    _ a: Model, _ b: Model, _ inputs: ModelInputs?, _ survey: WeightSurvey, _: Scalar.Type,
    _ progress: WeightProgress?
  ) throws(CheckpointError) -> [Claim] {
    let change = RoundedWeights(survey.weights)
    let (deviations, divergence) = try compareBehaviour(
      a.graph, b.graph, inputs ?? a.graph.probe, isProbe: inputs == nil,
      weights: survey.weights, Scalar.self, progress)
    let found = TransformerKit.verdict(survey.weights, divergence, change)
    let text: String
    switch found {
    case .identical, .cast, .quantized: text = Certificate.Verdict(found)?.text ?? ""
    case .coded(let codecs): text = "B is A quantised by \(codecs.joined(separator: ", "))"
    case .different(let place): text = "different: \(place)"
    }
    return [
      outputClaim(deviations.map(Certificate.Output.init)),
      Claim("verdict", expected: certificate.verdict.text, found: text),
    ]
  }

  // MARK: Outputs

  private func outputClaim(_ found: [Certificate.Output]) -> Claim {
    let expected = certificate.outputs
    let names = Claim("outputs", expected: expected.map(\.label), found: found.map(\.label))
    guard names.holds else { return names }
    // Another processor's kernels round differently, and nothing else may make a difference.
    let slack = certificate.precision == .f32 ? 1e-4 : 1e-10
    for (x, y) in zip(expected, found) {
      let isExact = certificate.verdict == .identical
      if x.change == y.change || !isExact && abs(x.change - y.change) <= slack { continue }
      return .fails(
        "outputs", expected: "\(x.name) changed by \(x.change)", found: "\(y.change)")
    }
    return .holds("outputs", "\(found.count) compared")
  }

  // MARK: Weights

  /// That each weight is A's, or its cast, or in blocks, where the certificate says so; and each line of both lists.
  private func weightClaims(_ survey: WeightSurvey, ties: [String: String]) -> [Claim] {
    var changes: [TensorName: WeightRelation] = [:]
    for cast in certificate.casts { changes[cast.name] = .cast(from: cast.from, to: cast.to) }
    for weight in certificate.quantizations {
      changes[TensorName(weight.weight)] =
        .quantized(from: weight.from, to: weight.to, error: weight.error)
    }
    let wrong = survey.weights.compactMap { weight -> Claim? in
      let relation = changes[TensorName(ties[weight.path] ?? weight.path)] ?? .identical
      if weight.relation.isSame(as: relation) { return nil }
      return .fails(
        "weight \(weight.path)", expected: relation.text, found: weight.relation.text)
    }
    return (wrong.isEmpty ? [.holds("weights", "\(survey.weights.count) compared")] : wrong)
      + castClaims(survey.casts) + quantizationClaims(survey.quantizations)
  }

  private func castClaims(_ casts: [CastLedger]) -> [Claim] {
    var found: [TensorName: CastLedger] = [:]
    for cast in casts { found[cast.name] = cast }
    let miscounted = certificate.casts.compactMap { cast -> Claim? in
      if found[cast.name] == cast { return nil }
      return .fails(
        "cast \(cast.name)", expected: cast.summary,
        found: found[cast.name]?.summary ?? "no such cast")
    }
    let count = certificate.casts.count
    return miscounted.isEmpty
      ? [.holds("casts", count == 0 ? "none" : "\(count) counted")] : miscounted
  }

  /// Where no weights are in blocks, none are claimed.
  private func quantizationClaims(_ weights: [Certificate.Quantization]) -> [Claim] {
    if certificate.quantizations.isEmpty { return [] }
    var found: [TensorName: Certificate.Quantization] = [:]
    for weight in weights { found[TensorName(weight.weight)] = weight }
    let wrong = certificate.quantizations.compactMap { weight -> Claim? in
      let other = found[TensorName(weight.weight)]
      if other == weight { return nil }
      return .fails(
        "quantised \(weight.weight)", expected: weight.summary,
        found: other?.summary ?? "no such blocks")
    }
    return wrong.isEmpty
      ? [.holds("quantised", "\(certificate.quantizations.count) proven")] : wrong
  }
}

extension WeightRelation {
  /// Whether both say the same; how large errors are, their own claims say.
  fileprivate func isSame(as other: WeightRelation) -> Bool {
    if case .quantized(let from, let to, _) = self,
      case .quantized(let otherFrom, let otherTo, _) = other
    {
      return from == otherFrom && to == otherTo
    }
    return self == other
  }
}

extension Certificate.Quantization {
  fileprivate var summary: String { "\(from) to \(to), relative error \(error)" }
}

// MARK: Models and their files

private func sideClaims(
  _ name: String, _ expected: Certificate.Side, _ found: Certificate.Side
) -> [Claim] {
  fileClaims(name, expected.files, found.files) + codecClaims(name, expected, found) + [
    Claim("\(name) container", expected: expected.container, found: found.container),
    Claim("\(name) dialect", expected: expected.dialect, found: found.dialect),
    Claim("\(name) rules", expected: expected.rules, found: found.rules),
    Claim("\(name) architecture", expected: expected.architecture, found: found.architecture),
    Claim("\(name) head", expected: expected.head, found: found.head),
    Claim("\(name) id", expected: expected.id, found: found.id),
  ]
}

/// Where there are no codecs, none are claimed.
private func codecClaims(
  _ name: String, _ expected: Certificate.Side, _ found: Certificate.Side
) -> [Claim] {
  if expected.codecs.isEmpty && found.codecs.isEmpty { return [] }
  return [Claim("\(name) codecs", expected: expected.codecs, found: found.codecs)]
}

/// Files are the same when their bytes are, whatever they are called now.
private func fileClaims(
  _ side: String, _ expected: [CertifiedFile], _ found: [CertifiedFile]
) -> [Claim] {
  var rest = found
  func take(where isMatch: (CertifiedFile) -> Bool) -> CertifiedFile? {
    rest.firstIndex(where: isMatch).map { rest.remove(at: $0) }
  }
  // Exact matches first, so that a file that was renamed does not take another one's place.
  var matches = expected.map { file in take { $0.isSame(as: file) && $0.hasName(of: file) } }
  for (index, file) in expected.enumerated() where matches[index] == nil {
    matches[index] = take { $0.isSame(as: file) }
  }
  var claims: [Claim] = []
  for (file, match) in zip(expected, matches) {
    let subject = "\(side) file \(file.name)"
    if let match {
      claims.append(.holds(subject, match.hasName(of: file) ? nil : "now named \(match.name)"))
    } else {
      let other =
        take { $0.role == file.role && $0.hasName(of: file) }
        ?? take { $0.role == file.role }
      claims.append(
        .fails(subject, expected: file.summary, found: other?.summary ?? "no such file"))
    }
  }
  return claims
    + rest.map { .fails("\(side) file \($0.name)", expected: "no such file", found: $0.summary) }
}

extension CertifiedFile {
  fileprivate func isSame(as other: CertifiedFile) -> Bool {
    role == other.role && size == other.size && sha256 == other.sha256
  }

  fileprivate func hasName(of other: CertifiedFile) -> Bool {
    name.utf8.elementsEqual(other.name.utf8)
  }

  fileprivate var summary: String { "\(role.rawValue) of \(size) bytes, sha256 \(sha256)" }
}

extension Certificate.Probe {
  /// What it is, in words.
  fileprivate var text: String {
    switch self {
    case .seed(let seed): "the built-in probe of seed \(seed)"
    case .inputs(let sha256, let size): "inputs of \(size) bytes, sha256 \(sha256)"
    }
  }
}

extension Certificate.Output {
  fileprivate var label: String { "\(name) \(describe(shape: shape))" }
}

extension CastLedger {
  /// All counts in a line.
  fileprivate var summary: String {
    "\(from) to \(to), \(count) elements, \(rounded) rounded, \(overflowed) overflowed,"
      + " \(becameSubnormal) became subnormal, \(becameZero) became zero, \(nan) NaN,"
      + " largest relative error \(largestRelativeError)"
  }
}
