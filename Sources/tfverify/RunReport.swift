import CommandSupport
import Kernels
import TensorCore
import Tokenizers
import TransformerKit

/// What `tfverify run` says about the outputs.
struct RunReport {
  /// The file that was written, if any.
  let file: String?
  let common: CommonOptions
  /// What makes texts of sequences, where the input was a text.
  var tokenizer: Tokenizer?
  /// Whether what is looked at are sounds, and not pictures.
  var isOfSounds = false

  /// The range of each output.
  ///
  /// - Parameters:
  ///   - likeliest: the likeliest words or labels, printed instead.
  ///   - scores: outputs with a row for each of several pairs of texts, of which the numbers are printed.
  func print<Scalar: ComputeScalar>(
    _ outputs: [NamedArray<Scalar>], precision: Precision, likeliest: [Likeliest] = [],
    transcripts: [Transcript] = [], scores: [NamedArray<Scalar>] = []
  ) {
    if common.json {
      let report = json(outputs, precision, likeliest, transcripts, scores)
      return standardOutput(report.text(pretty: true))
    }
    if !transcripts.isEmpty { return print(transcripts) }
    if !likeliest.isEmpty { return print(likeliest) }
    if common.quiet {
      let shapes = outputs.map { "\($0.name) \(describe(shape: $0.array.shape))" }
      return standardOutput(lines: file.map { [escaped($0)] } ?? shapes)
    }
    var table = Table([
      ("OUTPUT", .left), ("SHAPE", .left), ("MIN", .right), ("MAX", .right), ("MEAN", .right),
    ])
    for output in outputs {
      let summary = Summary(output.array)
      table.add([
        output.name, describe(shape: output.array.shape), "\(Float(summary.smallest))",
        "\(Float(summary.largest))", "\(Float(summary.mean))",
      ])
    }
    for line in table.lines() { standardOutput(line) }
    for vector in vectors(outputs) { standardOutput("\(Self.vectorName): \(shown(vector))") }
    for output in scores {
      for pair in 0..<output.array.rows {
        standardOutput("pair \(pair + 1) \(output.name): \(shown(output.array.row(pair)))")
      }
    }
    sayWhere()
  }

  /// The first numbers of a row.
  private func shown<Scalar: ComputeScalar>(_ row: some Collection<Scalar>) -> String {
    row.prefix(6).map { "\(Float($0))" }.joined(separator: " ") + (row.count > 6 ? " …" : "")
  }

  /// A text for each sound, or ids.
  private func print(_ transcripts: [Transcript]) {
    if common.quiet, let file { return standardOutput(escaped(file)) }
    for transcript in transcripts {
      let ids = transcript.ids.map { "\($0)" }.joined(separator: " ")
      standardOutput(transcript.text.map { escaped($0) } ?? ids)
    }
    if !common.quiet { sayWhere() }
  }

  /// A line for each word or label; with `-q` only these.
  private func print(_ likeliest: [Likeliest]) {
    if common.quiet {
      return standardOutput(lines: likeliest.flatMap { $0.choices.map { escaped($0.text) } })
    }
    var table = Table([
      ("OUTPUT", .left), subject(likeliest),
      ("LIKELIEST", .left), ("PROBABILITY", .right),
    ])
    for found in likeliest {
      for choice in found.choices {
        table.add([
          found.output,
          found.picture.map { escaped($0) } ?? (found.pair ?? found.place).map { "\($0)" } ?? "",
          escaped(choice.text),
          "\(Float(choice.probability))",
        ])
      }
    }
    for line in table.lines() { standardOutput(line) }
    sayWhere()
  }

  /// The column that says what words or labels are about.
  private func subject(_ likeliest: [Likeliest]) -> (String, Table.Alignment) {
    if likeliest.contains(where: { $0.picture != nil }) {
      return (isOfSounds ? "AUDIO" : "IMAGE", .left)
    }
    return (likeliest.contains { $0.pair != nil } ? "PAIR" : "TOKEN", .right)
  }

  /// The output that is printed number by number.
  private static let vectorName = "sentence_embedding"

  /// The vector of each text, where the input was one.
  private func vectors<Scalar: ComputeScalar>(_ outputs: [NamedArray<Scalar>]) -> [[Double]] {
    guard tokenizer != nil, let output = outputs.first(where: { $0.name == Self.vectorName })
    else { return [] }
    return (0..<output.array.rows).map { output.array.row($0).map { Double($0) } }
  }

  /// What a draft was good for.
  struct Drafting {
    let passes: Int
    let proposed: Int
    let accepted: Int

    fileprivate var text: String {
      "\(accepted) of \(proposed) proposed tokens accepted, in \(passes) passes of the model"
    }

    fileprivate var json: JSONValue {
      [
        "passes": .number(passes), "proposed": .number(proposed), "accepted": .number(accepted),
      ]
    }
  }

  /// The ids of each text, a line each, or the text itself where the input was one.
  ///
  /// - Parameter scores: of each, if it was searched for.
  func print(
    sequences: NDArray<Int>, drafting: Drafting? = nil, scores: [Double] = []
  ) throws(CheckpointError) {
    let rows = (0..<sequences.rows).map { Array(sequences.row($0)) }
    var texts: [String] = []
    for row in rows {
      if let tokenizer { texts.append(try tokenizer.decode(row)) }
    }
    if common.json {
      let report: [JSONValue.Member] =
        [
          .init("schema", "tfverify.generate/1"),
          .init("output", file.map { .string($0) } ?? .null),
          .init("sequences", .array(rows.map { .array($0.map { .number($0) }) })),
        ] + (texts.isEmpty ? [] : [.init("texts", .array(texts.map { .string($0) }))])
        + (drafting.map { [.init("draft", $0.json)] } ?? [])
        + (scores.isEmpty
          ? [] : [.init("sequences_scores", .array(scores.map { .number($0) }))])
      return standardOutput(JSONValue.object(report).text(pretty: true))
    }
    if common.quiet, let file { return standardOutput(escaped(file)) }
    if texts.isEmpty {
      for row in rows { standardOutput(row.map { "\($0)" }.joined(separator: " ")) }
    }
    // A text has its own lines and tabs; no other control character of it reaches the terminal as it is.
    for text in texts {
      standardOutput(
        lines: text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
          line.split(separator: "\t", omittingEmptySubsequences: false)
            .map { escaped(String($0)) }.joined(separator: "\t")
        })
    }
    guard !common.quiet else { return }
    if let drafting { standardOutput(drafting.text) }
    sayWhere()
  }

  private func sayWhere() {
    if let file { standardOutput("wrote \(escaped(file))") }
  }

  private func json<Scalar: ComputeScalar>(
    _ outputs: [NamedArray<Scalar>], _ precision: Precision, _ likeliest: [Likeliest],
    _ transcripts: [Transcript], _ scores: [NamedArray<Scalar>]
  ) -> JSONValue {
    let found: [JSONValue] = likeliest.map { found in
      let choices: [JSONValue] = found.choices.map {
        ["id": .number($0.id), "text": .string($0.text), "probability": .number($0.probability)]
      }
      let place: JSONValue.Member =
        found.picture.map { .init(isOfSounds ? "audio" : "image", .string($0)) }
        ?? found.pair.map { .init("pair", .number($0)) }
        ?? .init("token", found.place.map { .number($0) } ?? .null)
      return .object([
        .init("output", .string(found.output)), place, .init("choices", .array(choices)),
      ])
    }
    let rows: [JSONValue] = outputs.map {
      let summary = Summary($0.array)
      return [
        "name": .string($0.name), "shape": .array($0.array.shape.map { .number($0) }),
        "min": .number(summary.smallest), "max": .number(summary.largest),
        "mean": .number(summary.mean),
      ]
    }
    let pairs: [JSONValue] = scores.map { output in
      let rows: [JSONValue] = (0..<output.array.rows).map { row in
        .array(output.array.row(row).map { .number(Double($0)) })
      }
      return ["name": .string(output.name), "rows": .array(rows)]
    }
    let vectors: [JSONValue] = vectors(outputs).map { .array($0.map { .number($0) }) }
    return .object(
      [
        .init("schema", "tfverify.run/1"), .init("precision", .string(precision.rawValue)),
        .init("output", file.map { .string($0) } ?? .null), .init("outputs", .array(rows)),
      ] + (vectors.isEmpty ? [] : [.init(Self.vectorName, .array(vectors))])
        + (pairs.isEmpty ? [] : [.init("pairs", .array(pairs))])
        + (found.isEmpty ? [] : [.init("likeliest", .array(found))])
        + (transcripts.isEmpty ? [] : [.init("transcripts", .array(transcripts.map(\.json)))]))
  }
}

extension Transcript {
  fileprivate var json: JSONValue {
    .object(
      [.init("ids", .array(ids.map { .number($0) }))]
        + (text.map { [.init("text", .string($0))] } ?? []))
  }
}

/// The range and the mean of some numbers.
private struct Summary {
  let smallest: Double
  let largest: Double
  let mean: Double

  init<Scalar: ComputeScalar>(_ array: NDArray<Scalar>) {
    let values = array.elements.map { Double($0) }
    smallest = values.min() ?? .nan
    largest = values.max() ?? .nan
    mean = values.reduce(0, +) / Double(values.count)
  }
}
