import ArgumentParser
import CommandSupport
import Containers
import Kernels
import Models
import SystemPackage
import TensorCore
import TransformerKit

struct PlanVerb: Verb {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Plan a comparison of weights that runs in parts, on one machine or many.",
    usage: "tfverify plan A B -o PLAN [options]",
    discussion: """
      Examples:
        tfverify plan bert-base/ bert.npz -o compare.json
        tfverify plan bert-base/ bert-bf16/ --block-size 1MB -o bf16.json
        tfverify plan bert-base/ bert-bf16/ -o bf16.json --json

      Only headers are read. Then tfverify part compares weights, in any number of runs that never talk \
      to each other, and tfverify commit gives the verdict that one tfverify A B gives. A part is \
      whole blocks of weights: --block-size says how large, unless one weight alone is larger. A, B and the plan \
      must be where all runs find them. docs/cluster.md has more.
      """)

  @OptionGroup var planned: PlannedPair

  @Option(
    name: [.customShort("o"), .long],
    help: ArgumentHelp("The file of the plan; one that is there is replaced.", valueName: "file"))
  var output: FilePath

  @OptionGroup var memory: MemoryOptions
  @OptionGroup var common: CommonOptions

  func perform() throws -> ExitStatus {
    if let cap = memory.cap { MemoryUse.setCap(cap) }
    for path in [planned.a, planned.b] + planned.sourceOptions.files
    where FilePath(path.string) != path {
      throw CheckpointError(
        .unsupported("its name is not UTF-8, and a plan is JSON"), file: displayed(path))
    }
    let (a, b) = try planned.models()
    let file = SmallFile(
      output, replacing: .beginning(with: Array("{\n  \"schema\": \"tfverify.plan/".utf8)),
      sources: a.checkpoint.ownFiles + b.checkpoint.ownFiles)
    try file.check()
    let plan = try planned.plan(a, b, in: currentFolder().string)
    try file.write(plan.json.text(pretty: true) + "\n")
    if common.json {
      standardOutput(plan.json.text(pretty: true))
    } else if common.quiet {
      standardOutput(plan.id)
    } else {
      let largest = plan.blocks.map(\.byteCount).max() ?? 0
      let weights = plan.blocks.reduce(0) { $0 + $1.weights.count }
      standardOutput(
        "planned \(describe(weights, "weight")) in \(describe(plan.blocks.count, "block")),"
          + " \(describe(bytes: plan.byteCount)), the largest \(describe(bytes: largest))")
      standardOutput("read \(describe(plan.inputs.count, "file"))")
      standardOutput("id \(plan.id)")
    }
    return .success
  }
}

struct PartVerb: Verb {
  static let configuration = CommandConfiguration(
    commandName: "part",
    abstract: "Compare a part of the weights of a planned comparison.",
    usage: "tfverify part PLAN [--part I/N | --of N] [options]",
    discussion: """
      Examples:
        tfverify part compare.json --part 1/2
        tfverify part compare.json --part 2/2 -T 1 --no-progress
        tfverify part compare.json --part 1/1 --json

      What is found stands in PLAN.receipts, for each block what its weights are to each other and the SHA-256 of both. A block \
      that has its receipt is not compared again. In a job of Slurm or Kubernetes --of 4 is enough: they say \
      which part. A part that was killed is run again; two that do the same at once are in nobody's way. Models, \
      options or a plan that are not those that were planned are refused (4). That weights differ is no error here: the \
      commit says it.
      """)

  @Argument(help: "The plan.")
  var plan: FilePath

  @OptionGroup var share: PartOptions
  @OptionGroup var progressOptions: ProgressOptions
  @OptionGroup var memory: MemoryOptions
  @OptionGroup var common: CommonOptions

  func perform() throws -> ExitStatus {
    let (number, count) = try share.chosen()
    if let cap = memory.cap { MemoryUse.setCap(cap) }
    let run = try PlannedComparison(plan)
    let blocks = run.parted.plan.blocks(ofPart: number, of: count)
    let bytes = blocks.reduce(0) { $0 &+ run.parted.plan.blocks[$1 - 1].byteCount }
    let progress = progressOptions.progress(total: bytes, common)
    let done = try run.parted.compare(blocks, run.a, run.b, planned: run.again) {
      progress.update($0)
    }
    progress.finish()
    let weights = done.flatMap(\.receipt.weights)
    let differing = weights.count { !$0.relation.isExact }
    if common.json {
      standardOutput(json(done, number, count, run.parted.plan.id, differing).text(pretty: true))
    } else if !common.quiet {
      let new = done.count { !$0.wasThere }
      standardOutput(
        "part \(number) of \(count): \(describe(new, "block")) compared,"
          + " \(done.count - new) there already; of \(describe(weights.count, "weight"))"
          + " \(differing) differ")
    }
    return .success
  }

  private func json(
    _ done: [PartedComparison.Done], _ number: Int, _ count: Int, _ id: String, _ differing: Int
  ) -> JSONValue {
    let blocks: [JSONValue] = done.map {
      [
        "block": .number($0.receipt.block), "weights": .number($0.receipt.weights.count),
        "compared": .bool(!$0.wasThere),
      ]
    }
    return [
      "schema": "tfverify.part/1", "plan": .string(id), "part": .number(number),
      "of": .number(count), "blocks": .array(blocks), "differing": .number(differing),
    ]
  }
}

struct CommitVerb: Verb {
  static let configuration = CommandConfiguration(
    commandName: "commit",
    abstract: "Give the verdict of a planned comparison, when all parts are done.",
    usage: "tfverify commit PLAN [options]",
    discussion: """
      Examples:
        tfverify commit compare.json
        tfverify commit compare.json --weights-only -q
        tfverify commit compare.json --json

      Every block's receipt is held against the plan; what is missing or otherwise is listed (4). Then the verdict \
      is given, with the exit codes of tfverify A B and the same JSON. The forward pass is not divided: both models run \
      here, one stage after the other, as in tfverify A B. With --weights-only none is run, and the \
      verdict says that it is of the weights alone.
      """)

  @Argument(help: "The plan.")
  var plan: FilePath

  @Flag(help: "Run neither model: the verdict is of the weights alone.")
  var weightsOnly = false

  @Option(
    help: ArgumentHelp("Arrays to run on, instead of the built-in probe.", valueName: "npz"))
  var inputs: FilePath?

  @Option(help: "The precision of the forward pass: f32 or f64.")
  var precision = Precision.f32

  @OptionGroup var junit: JUnitOption
  @OptionGroup var progressOptions: ProgressOptions
  @OptionGroup var memory: MemoryOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    if weightsOnly, inputs != nil {
      throw ValidationError("--weights-only runs nothing; leave out --inputs, or it")
    }
  }

  func perform() throws -> ExitStatus {
    try junit.reporting("commit", [plan], about: plan) {
      let inputs = try inputs.map { try ArrayFile($0).inputs() }
      let run = try PlannedComparison(plan)
      let weights = try run.parted.weights(planned: run.again)
      common.explain(run.a, listsExtras: true)
      common.explain(run.b, listsExtras: true)
      let extras = PairExtras(run.a, run.b)
      if !common.quiet, !common.verbose { for line in extras.lines { standardError(line) } }
      let readsText = !weightsOnly && inputs == nil && memory.cap == nil
      let report: PairReport
      if weightsOnly {
        report = TransformerKit.report(on: weights, of: run.a, run.b)
      } else {
        try prepareArithmetic()
        report =
          switch precision {
          case .f32: try compare(run, weights, inputs, readsText, Float.self)
          case .f64: try compare(run, weights, inputs, readsText, Double.self)
          }
      }
      PairOutput(
        report, run.a, run.b, leftOut: extras.names,
        limit: weightsOnly ? ", of the weights alone: neither model was run" : "",
        tokenizerDifferences: readsText ? TokenizerDiff(run.a, run.b)?.differences ?? [] : []
      ).print(common)
      if case .different = report.verdict { return (.negative, report.testCases) }
      return (.success, report.testCases)
    }
  }

  private func compare<Scalar: ComputeScalar>(
    _ run: PlannedComparison, _ weights: [PairReport.Weight], _ inputs: ModelInputs?,
    _ readsText: Bool, _: Scalar.Type
  ) throws -> PairReport {
    let needed = VerificationMemory(
      comparing: run.a.graph, run.b.graph, inputs: inputs, Scalar.self)
    let hasRoom = try memory.keep(needed, for: run.a.checkpoint.path)
    let (bar, progress) = progressOptions.weightProgress(common)
    let report = try TransformerKit.compare(
      run.a, run.b, inputs: inputs, readsText: readsText, precision: Scalar.self, isBrief: true,
      explaining: hasRoom, weights: weights, progress: progress)
    bar.finish()
    if !hasRoom, case .different = report.verdict {
      standardError("--memory leaves no room to look for causes")
    }
    return report
  }
}

/// What a plan says in words of a command line.
struct PlannedPair: ParsableArguments {
  @Argument(help: "The first model.")
  var a: FilePath

  @Argument(help: "The second model.")
  var b: FilePath

  @Option(
    help: ArgumentHelp(
      "The bytes of both models that are compared together (1GiB).", valueName: "size"))
  var blockSize: ByteSize?

  @OptionGroup var sourceOptions: SourceOptions

  func models() throws -> (Model, Model) {
    (try Model(a, options: sourceOptions.options), try Model(b, options: sourceOptions.options))
  }

  /// The plan.
  ///
  /// - Parameter folder: where paths in the words are from.
  func plan(_ first: Model, _ second: Model, in folder: String) throws -> VerificationPlan {
    try VerificationPlan(
      first, second, blockSize: blockSize?.bytes ?? VerificationPlan.blockSize,
      reading: sourceOptions.files,
      arguments: optionWords("block-size", blockSize.map { String($0.bytes) })
        + sourceOptions.words + ["--", a.string, b.string],
      in: folder, toolVersion: toolVersion)
  }
}

/// What a part or a commit does: the plan, and its models opened again.
private struct PlannedComparison {
  let parted: PartedComparison
  let a: Model
  let b: Model
  /// The plan made again.
  let again: VerificationPlan

  init(_ plan: FilePath) throws {
    // What is beside the plan is found from every folder.
    parted = try PartedComparison(currentFolder().pushing(plan))
    try enterFolder(FilePath(parted.plan.folder))
    let planned = try PlannedPair.parse(parted.plan.arguments)
    (a, b) = try planned.models()
    again = try planned.plan(a, b, in: parted.plan.folder)
  }
}
