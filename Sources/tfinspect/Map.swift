import ArgumentParser
import CommandSupport
import Containers
import Models
import SystemPackage
import TensorCore
import TransformerKit

struct Map: Verb {
  static let configuration = CommandConfiguration(
    commandName: "map",
    abstract: "Find out what tensors are whose names are nobody's, and write rules for them.",
    discussion: """
      The model is the one of the config (--config FILE), or that of a checkpoint with the same \
      content under known names (--like BASE). What names mean is found by the base's elements, as \
      they are, cast, transposed, or trained on; by words in names, of all layers at once; and by \
      shapes and what they leave. Each line says how sure it is: proven by content, certain as far \
      as shapes go, likely by names. What could be in two places stays open, and is listed: queries, \
      keys and values of one shape, for example, if names do not tell them apart.

      Rules that leave nothing open are proven to give every tensor a place in the model and every \
      weight a tensor; with --golden, the model is run, too. tfconvert --rules applies them.

      Exit code 0 if nothing is open and the proofs hold, 1 if not.

      Examples:
        tfinspect map mine.safetensors --config config.json
        tfinspect map scrambled/ --like bert-base/ -o rules.json
        tfconvert scrambled/ bert/ --rules rules.json
      """)

  @Argument(help: "The checkpoint: a file, a shard index, or a folder.")
  var source: FilePath

  @Option(
    help: ArgumentHelp(
      "A checkpoint with the same content, or nearly the same, under known names.",
      valueName: "base"))
  var like: FilePath?

  @Option(
    name: [.short, .long],
    help: ArgumentHelp("Write the rules, for tfconvert --rules.", valueName: "file"))
  var output: FilePath?

  @Option(
    help: ArgumentHelp(
      "Run the model with the names that it gets, and compare with these outputs.",
      valueName: "file"))
  var golden: FilePath?

  @Flag(name: [.short, .long], help: "Replace existing rules.")
  var force = false

  @OptionGroup var sourceOptions: SourceOptions
  @OptionGroup var common: CommonOptions

  func perform() throws -> ExitStatus {
    if golden != nil { try prepareArithmetic() }
    let options = sourceOptions.options
    let checkpoint = try Checkpoint.open(source, options: options.withoutNames)
    var baseOptions = OpenOptions()
    baseOptions.recognition.dropsTrainingState = true
    let base = try like.map { path throws(CheckpointError) in
      try Checkpoint.open(path, options: baseOptions)
    }
    let file = output.map {
      SmallFile($0, replacing: force ? .anything : .nothing, sources: checkpoint.allFiles)
    }
    try file?.check()
    common.explain(checkpoint)
    let map = try NameMap(checkpoint, base: base, options: options)
    let proof = try MapProof(map, checkpoint, base: base, golden: golden, options: options)
    let report = MapReport(map: map, proof: proof, source: source)
    try file?.write(report.rules.text(pretty: true) + "\n")
    if common.json {
      standardOutput(report.json.text(pretty: true))
    } else if common.quiet {
      standardOutput("\(map.mappedCount) of \(map.tensorCount)")
    } else {
      standardOutput(lines: report.lines)
      if let output { standardOutput("wrote \(escaped(displayed(output)))") }
    }
    return proof.holds ? .success : .negative
  }
}

/// What is said of a map.
private struct MapReport {
  let map: NameMap
  let proof: MapProof
  let source: FilePath

  var lines: [String] {
    var table = Table([
      ("FROM", .left), ("TO", .left), ("COUNT", .right), ("SHAPE", .left), ("SURE", .left),
      ("WHY", .left),
    ])
    for line in map.lines {
      table.add([
        escaped(line.from), escaped(line.to), "\(line.count)",
        line.shape.map { describe(shape: $0) } ?? "several", line.sureness,
        (line.isTransposed ? "transposed, " : "") + line.evidence,
      ])
    }
    let open = map.open.flatMap { open in
      let names = abridged(open.tensors)
      return open.places.isEmpty
        ? ["no place: \(names)"]
        : ["open: \(names): could be \(abridged(open.places))"]
    }
    let missing = map.missing.isEmpty ? [] : ["nothing is \(abridged(map.missing))"]
    let assumed = map.assumptions.map { "taken to be so: \(escaped($0))" }
    return (map.lines.isEmpty ? [] : table.lines()) + open + missing + assumed
      + proof.lines.map { escaped($0) } + [summary]
  }

  private var summary: String {
    let model = map.architecture.map { " of \($0), \(map.dialect ?? "")" } ?? " of the base"
    return "\(map.mappedCount) of \(describe(map.tensorCount, "tensor")) have a place\(model)"
  }

  /// The first names of several, those of all layers once.
  private func abridged(_ all: [TensorName]) -> String {
    let names = foldedByLayer(all.map(\.text))
    let shown = names.prefix(4).map { escaped($0) }.joined(separator: ", ")
    return names.count > 4 ? "\(shown) and \(names.count - 4) more" : shown
  }

  private func list(_ names: [TensorName]) -> JSONValue {
    .array(names.map { .string($0.text) })
  }

  /// The rules as `tfconvert --rules` reads them, with remarks.
  var rules: JSONValue {
    .object([JSONValue.Member("schema", .string(NameRules.schema))] + members)
  }

  var json: JSONValue {
    .object(
      [
        JSONValue.Member("schema", "tfinspect.map/1"),
        JSONValue.Member("source", .string(displayed(source))),
        JSONValue.Member("tensors", .number(map.tensorCount)),
        JSONValue.Member("mapped", .number(map.mappedCount)),
        JSONValue.Member("complete", .bool(map.isComplete)),
        JSONValue.Member("proofs", .array(proof.lines.map { .string($0) })),
        JSONValue.Member("proven", .bool(proof.holds)),
      ] + members)
  }

  private var members: [JSONValue.Member] {
    let rules: [JSONValue] = map.lines.map { line in
      .object(
        [
          JSONValue.Member("from", .string(line.from)), JSONValue.Member("to", .string(line.to)),
        ] + (line.isTransposed ? [JSONValue.Member("transposed", true)] : []) + [
          JSONValue.Member("tensors", .number(line.count)),
          JSONValue.Member("sure", .string(line.sureness)),
          JSONValue.Member("why", .string(line.evidence)),
        ])
    }
    let open: [JSONValue] = map.open.map {
      ["tensors": list($0.tensors), "could_be": list($0.places)]
    }
    return [
      JSONValue.Member("architecture", map.architecture.map { .string($0) } ?? .null),
      JSONValue.Member("dialect", map.dialect.map { .string($0) } ?? .null),
      JSONValue.Member("rules", .array(rules)), JSONValue.Member("open", .array(open)),
      JSONValue.Member("missing", list(map.missing)),
      JSONValue.Member("assumed", .array(map.assumptions.map { .string($0) })),
    ]
  }
}
