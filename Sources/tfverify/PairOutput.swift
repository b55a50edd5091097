import Codecs
import CommandSupport
import Containers
import SystemPackage
import TensorCore
import TransformerKit

/// What is printed of a comparison, as text or as JSON.
struct PairOutput {
  private let report: PairReport
  private let models: (a: Model, b: Model)
  /// The tensors that are in no part of the models that is compared.
  private let leftOut: [String]
  private let proof: MergeProof?
  private let codecs: [CodecUse]
  /// What the verdict does not speak of.
  private let limit: String
  private let tokenizerDifferences: [String]

  init(
    _ report: PairReport, _ a: Model, _ b: Model, leftOut: [String], proof: MergeProof? = nil,
    limit: String = "", tokenizerDifferences: [String] = []
  ) {
    (self.report, models, self.leftOut, self.proof) = (report, (a, b), leftOut, proof)
    codecs = [CodecUse]("A", a) + [CodecUse]("B", b)
    self.limit = limit + (tokenizerDifferences.isEmpty ? "" : "; the tokenizers differ")
    self.tokenizerDifferences = tokenizerDifferences
  }

  /// The verdict in words.
  private var verdict: String { (proof?.verdict ?? report.text) + limit }

  func print(_ common: CommonOptions, certificate: FilePath? = nil) {
    if common.json {
      let members =
        (json.members ?? []) + codecs.members + report.architectureMembers
        + report.tokenMembers + report.textMembers + (proof?.members ?? [])
        + (tokenizerDifferences.isEmpty
          ? []
          : [.init("tokenizer_differences", .array(tokenizerDifferences.map { .string($0) }))])
      return standardOutput(JSONValue.object(members).text(pretty: true))
    }
    if !common.quiet {
      let text = PairText(
        report, models.a, models.b, all: common.verbose, isExplained: proof?.factor != nil)
      standardOutput(
        prose: codecs.map(\.text) + (proof?.lines ?? []) + text.lines
          + tokenizerDifferences.map { "tokenizers: \($0)" })
      if let certificate { standardOutput("wrote \(escaped(displayed(certificate))): certificate") }
    }
    let rest = leftOut.isEmpty ? "" : ", without the \(describe(leftOut.count, "tensor")) left out"
    standardOutput(prose: [verdict + rest])
  }

  private var json: JSONValue {
    let weights: [JSONValue] = report.weights.map { weight in
      let error = weight.relation.quantizationError
      return .object(
        [
          .init("path", .string(weight.path)), .init("relation", .string(weight.relation.text)),
        ] + (error.map { [.init("relative_error", .number($0))] } ?? []))
    }
    let explanations: [JSONValue] = report.explanations.map {
      [
        "place": .string($0.place), "paths": .array($0.paths.map { .string($0) }),
        "cause": $0.cause.map { .string($0.text) } ?? .null,
        "sufficient": .bool($0.isSufficient),
      ]
    }
    return [
      "schema": "tfverify.pair/1",
      "verdict": .string(proof?.verdict == nil ? report.verdict.name : "merged"),
      "explanation": .string(verdict), "weights": .array(weights),
      "outputs": .array(report.outputs.map(\.json)),
      "first_divergence": report.firstDivergence.map { .string($0) } ?? .null,
      "config_differences": .array(report.configDifferences.map { .string($0) }),
      "explanations": .array(explanations),
      "left_out": .array(leftOut.map { .string($0) }),
    ]
  }
}

extension PairReport {
  /// What is said only where architectures differ.
  fileprivate var architectureMembers: [JSONValue.Member] {
    architectures.map {
      [JSONValue.Member("architectures", .array([.string($0.a), .string($0.b)]))]
    } ?? []
  }
}

extension PairReport {
  /// What is said only where B has blocks.
  fileprivate var tokenMembers: [JSONValue.Member] {
    tokens.map { [.init("next_tokens", $0.json)] } ?? []
  }

  /// What is said only where both were run on a text.
  fileprivate var textMembers: [JSONValue.Member] {
    onText.map { text in
      let members: [JSONValue.Member] = [
        .init("tokens", .number(text.tokenCount)),
        .init("outputs", .array(text.outputs.map(\.json))),
      ]
      let tokens: [JSONValue.Member] = text.tokens.map { [.init("next_tokens", $0.json)] } ?? []
      return [.init("text", .object(members + tokens))]
    } ?? []
  }
}

extension TokenAgreement {
  fileprivate var json: JSONValue {
    [
      "places": .number(places), "divergence_mean": .number(meanDivergence),
      "divergence_max": .number(largestDivergence), "same_likeliest": .number(sameTokens),
    ]
  }
}

/// A codec that made plain numbers of the weights of a model.
private struct CodecUse {
  let side: String
  let name: String
  let count: Int

  var text: String { "\(side) codec \(name): \(describe(count, "weight")) decoded" }
}

extension [CodecUse] {
  fileprivate init(_ side: String, _ model: Model) {
    self = model.plain.codecs.map { CodecUse(side: side, name: $0.name, count: $0.count) }
  }

  /// What is said only where there are some.
  fileprivate var members: [JSONValue.Member] {
    if isEmpty { return [] }
    let list: [JSONValue] = map {
      ["model": .string($0.side), "name": .string($0.name), "weights": .number($0.count)]
    }
    return [JSONValue.Member("codecs", .array(list))]
  }
}

extension PairReport {
  /// The verdict in words, with how many weights were cast if some were not.
  fileprivate var text: String {
    if verdict == .identical, !configDifferences.isEmpty {
      return "identical on what was run; the configs differ, which may show for other inputs"
    }
    guard case .cast(let type) = verdict, weights.contains(where: { $0.relation == .identical })
    else { return verdict.text }
    let count = weights.count { $0.relation.castType == type }
    return "B is A with \(count) of \(describe(weights.count, "weight")) cast to \(type)"
  }
}

extension PairReport.Verdict {
  fileprivate var name: String {
    switch self {
    case .identical: "identical"
    case .cast: "cast"
    case .quantized, .coded: "quantised"
    case .different: "different"
    }
  }

  var text: String {
    switch self {
    case .identical: "identical"
    case .cast(let type): "B is A cast to \(type)"
    case .quantized(let types):
      "B is A quantised to \(types.map(\.name).formatted(with: "and"))"
    case .coded(let codecs): "B is A quantised by \(codecs.formatted(with: "and"))"
    case .different(let place): "different: \(place)"
    }
  }
}

extension [String] {
  /// The texts as a list in words: "a, b and c".
  fileprivate func formatted(with word: String) -> String {
    guard count > 1, let last else { return first ?? "" }
    return dropLast().joined(separator: ", ") + " \(word) \(last)"
  }
}

extension Deviation {
  /// The facts for a JSON report.
  var json: JSONValue {
    [
      "name": .string(name), "shape": .array(shape.map { .number($0) }),
      "max_error": .number(error), "relative": .number(relative), "scale": .number(scale),
      "worst_row": .array(worstRow.map { .number($0) }), "identical": .bool(isIdentical),
    ]
  }
}
