import Codecs
import CommandSupport
import Containers
import Models
import TensorCore
import TransformerKit

/// What is said about two models, each weight once.
struct PairText {
  private let report: PairReport
  private let first: WeightGraph
  private let second: WeightGraph
  /// How many weights are listed that no known mistake explains; all if `nil`.
  private let limit: Int?
  /// How many tensors A and B store.
  private let stored: (Int, Int)
  /// Whether weights that no known mistake explains are explained elsewhere.
  private let isExplained: Bool

  init(
    _ report: PairReport, _ first: Model, _ second: Model, all: Bool, isExplained: Bool = false
  ) {
    self.isExplained = isExplained
    self.report = report
    self.first = first.graph
    self.second = second.graph
    limit = all ? nil : 10
    stored = (first.checkpoint.tensors.count, second.checkpoint.tensors.count)
  }

  /// The weights that differ, the outputs, and why.
  var lines: [String] {
    architectureLine + countLine + blockLines + weightLines + outputLines + tokenLines
      + textLines + report.causes
  }

  private var architectureLine: [String] {
    report.architectures.map { names in
      let heads = [first, second].map(\.architecture.head)
      return [
        "architectures differ: \(names.a) (\(heads[0])) in A, \(names.b) (\(heads[1])) in B"
      ]
    } ?? []
  }

  private var countLine: [String] {
    var counts = (identical: 0, cast: 0, quantized: 0, other: 0)
    for weight in report.weights {
      switch weight.relation {
      case .identical: counts.identical += 1
      case .cast: counts.cast += 1
      case .quantized, .coded: counts.quantized += 1
      default: counts.other += 1
      }
    }
    let count = report.weights.count
    let tensors =
      stored == (count, count) ? "" : " (\(describe(stored.0, "tensor")) in A, \(stored.1) in B)"
    return [
      "weights \(count): \(counts.identical) identical, \(counts.cast) cast\(castTypes),"
        + (counts.quantized == 0 ? "" : " \(counts.quantized) quantised,")
        + " \(counts.other) different\(tensors)"
    ]
  }

  /// How many weights were cast to which type, if that is more than one.
  private var castTypes: String {
    var counts: [DType: Int] = [:]
    for case .cast(_, let type) in report.weights.map(\.relation) { counts[type, default: 0] += 1 }
    guard counts.count > 1 else { return "" }
    let parts = counts.sorted { $0.key.name < $1.key.name }.map { "\($0.value) to \($0.key)" }
    return " (\(parts.joined(separator: ", ")))"
  }

  /// How far the weights in blocks are from A's, a line for each type; all of them if all are wanted.
  private var blockLines: [String] {
    let weights = report.weights.filter { $0.relation.quantizationError != nil }
    if limit == nil { return weights.filter(\.relation.isExact).map { blockLine($0) } }
    var types: [String] = []
    var worst: [String: (count: Int, weight: PairReport.Weight)] = [:]
    for weight in weights {
      let (type, error): (String, Double)
      switch weight.relation {
      case .quantized(_, let dtype, let own): (type, error) = (dtype.name, own)
      case .coded(_, let codec, let own, let again): (type, error) = (again?.maker ?? codec, own)
      default: continue
      }
      guard let (count, other) = worst[type] else {
        types.append(type)
        worst[type] = (1, weight)
        continue
      }
      let isWorse = error > other.relation.quantizationError ?? 0
      worst[type] = (count + 1, isWorse ? weight : other)
    }
    return types.compactMap { type in
      worst[type].map { count, weight in
        "\(type) \(describe(count, "weight")), largest relative error \(error(of: weight)) in"
          + " \(label(weight.path))"
      }
    } + repetitionLines
  }

  /// Whether quantising A's numbers again gives what B has, a line for each formula.
  private var repetitionLines: [String] {
    var sums: [String: CodeRepetition] = [:]
    for case .coded(_, _, _, let again?) in report.weights.map(\.relation) {
      sums[again.maker] = sums[again.maker].map { $0 + again } ?? again
    }
    return sums.values.sorted { $0.maker < $1.maker }.map { sum in
      "\(sum.maker): quantising A's numbers again gives "
        + (sum.isEqual
          ? "the same \(describe(sum.elements, "code")), scales and biases"
          : "others for \(sum.text); all codes are the nearest ones under their scales")
    }
  }

  private func blockLine(_ weight: PairReport.Weight) -> String {
    "weight  \(label(weight.path)): \(weight.relation.text), relative error \(error(of: weight))"
  }

  private func error(of weight: PairReport.Weight) -> String {
    describe(error: weight.relation.quantizationError ?? 0)
  }

  /// How the distributions of next tokens differ.
  private var tokenLines: [String] {
    report.tokens.map { ["next tokens at \(Self.agreement($0))"] } ?? []
  }

  private static func agreement(_ tokens: TokenAgreement) -> String {
    "\(describe(tokens.places, "place")): divergence"
      + " \(describe(error: tokens.meanDivergence)) nats on average, at most"
      + " \(describe(error: tokens.largestDivergence)); the likeliest is the same at"
      + " \(tokens.sameTokens)"
  }

  /// What both do on a text: the output that is furthest from A's, and the next tokens.
  private var textLines: [String] {
    guard let text = report.onText, !text.outputs.isEmpty else { return [] }
    let place = "on a text of \(describe(text.tokenCount, "token"))"
    let furthest = text.outputs.filter { !$0.isIdentical }.max { $0.relative < $1.relative }
    let outputs =
      furthest.map {
        "largest relative error \(describe(error: $0.relative)), of \($0.name)"
      } ?? "all outputs identical"
    return ["\(place): \(outputs)"]
      + (text.tokens.map { ["\(place): next tokens at \(Self.agreement($0))"] } ?? [])
  }

  /// The weights that differ and are in no cause, the largest difference first.
  private var weightLines: [String] {
    let explained = Set(report.explanations.filter { $0.cause != nil }.flatMap(\.paths))
    var differences: [String: Difference] = [:]
    for explanation in report.explanations {
      if let difference = explanation.difference, let path = explanation.paths.first {
        differences[path] = difference
      }
    }
    let weights = report.weights.enumerated().filter {
      !$0.element.relation.isExact && !explained.contains($0.element.path)
        && !isTold($0.element.path)
    }
    func size(_ path: String) -> Double { differences[path]?.size ?? .infinity }
    let sorted = weights.sorted { x, y in
      let (a, b) = (size(x.element.path), size(y.element.path))
      return a == b ? x.offset < y.offset : a > b
    }.map(\.element)
    let lines = sorted.prefix(limit ?? .max).map { weight in
      "weight  \(label(weight.path)): "
        + (differences[weight.path]?.text ?? weight.relation.text)
        + (weight.relation.quantizationError == nil ? "" : ", relative error \(error(of: weight))")
    }
    let rest = sorted.count - lines.count
    let open = report.explanations.filter { $0.cause == nil }.reduce(0) { $0 + $1.paths.count }
    return lines + (rest > 0 ? ["        \(rest) more (-v)"] : [])
      + (open == 0 || isExplained ? [] : ["no known mistake explains \(describe(open, "weight"))"])
  }

  /// Whether a weight has the numbers of another one in both models, of which they are told.
  private func isTold(_ path: String) -> Bool {
    guard let tie = first.ties[path] else { return false }
    return second.ties[path] == tie
  }

  /// The name in the files that have the weight, if it is the same and of this weight alone.
  private func label(_ path: String) -> String {
    let names = [first, second].filter { $0.tensor(at: path) != nil }.map {
      $0.storedName(at: path)
    }
    guard let name = names.first ?? nil, names.allSatisfy({ $0 == name }) else { return path }
    return escaped(name.text)
  }

  private var outputLines: [String] {
    if report.outputs.isEmpty { return [] }
    var table = Table([
      ("OUTPUT", .left), ("SHAPE", .left), ("MAX ERROR", .right), ("RELATIVE", .right),
    ])
    for output in report.outputs {
      let error = output.isIdentical ? "identical" : describe(error: output.error)
      let relative = output.isIdentical ? "" : describe(error: output.relative)
      table.add([output.name, describe(shape: output.shape), error, relative])
    }
    return table.lines()
  }
}

extension Difference {
  /// |b − a| where it is largest; infinite if one of them is not finite.
  fileprivate var size: Double {
    let size = abs(b - a)
    return size.isNaN ? .infinity : size
  }
}

extension PairReport {
  /// Why the models differ, a line each.
  var reasons: [String] {
    reasons(explanations)
  }

  /// The same without what no known mistake explains.
  var causes: [String] { reasons(explanations.filter { $0.cause != nil }) }

  private func reasons(_ shown: [Explanation]) -> [String] {
    let isTogether = explanations.count > 1 && !explanations.contains(where: \.isSufficient)
    let isExplained = explanations.allSatisfy { $0.cause != nil }
    let end: String? =
      switch rest {
      case .nothing: "undoing all of these makes all outputs agree"
      case .cast(let type): "undoing all of these leaves a cast to \(type)"
      case .more: nil
      }
    return configDifferences.map { "config \($0)" } + shown.map(\.text)
      + (isTogether && isExplained ? [end].compactMap(\.self) : [])
  }
}
