import ArgumentParser
import CommandSupport
import Containers
import Models
import SystemPackage
import TensorCore
import TransformerKit

struct Convert: Verb {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Convert SRC to DST (what tfconvert does without a verb).",
    discussion: """
      Examples:
        tfconvert bert-base/ copy/ --max-shard-size 500MB
        tfconvert bert-base/ bert.npz --certificate bert.intoto.json
        tfconvert model.safetensors query.npz --include '*.query.*'

      --include and --exclude choose among the source's tensors before anything else happens. What is \
      left out is as if it were not there: with --dialect, the rest must still be a whole model. \
      --strip-prefix comes before them, --drop and --rename behind them: with --dialect, the model has \
      the names that they give. A certificate is of none of these.
      """)

  @OptionGroup var conversion: ConversionOptions

  @Flag(help: "Compare source and target, weights and outputs, before the target gets its name.")
  var verify = false

  @Option(
    help: ArgumentHelp(
      "Verify, and write a certificate of it: what was converted into what, and what was proven.",
      valueName: "file"))
  var certificate: FilePath?

  @Flag(help: "Keep whole files of a folder when interrupted, and go on from there next time.")
  var resume = false

  @Flag(help: "Say what would be written, and write nothing.")
  var dryRun = false

  @Flag(help: "Show no progress.")
  var noProgress = false

  @OptionGroup var memory: MemoryOptions
  @OptionGroup var selection: SelectionOptions
  @OptionGroup var sourceOptions: SourceOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    try sourceOptions.requireDialect(
      conversion.dialect, isCompared: verify || certificate != nil)
    if certificate != nil, !conversion.merge.isEmpty {
      throw ValidationError(
        "a certificate is of a conversion that changes no weight; tfverify --merge proves a merged model"
      )
    }
    if certificate != nil, conversion.changesNames {
      throw ValidationError(
        "a certificate is about checkpoints as they are; convert first with --rename, --drop or --rules"
      )
    }
    if certificate != nil, !selection.include.isEmpty || !selection.exclude.isEmpty {
      throw ValidationError(
        "a certificate is about whole checkpoints; leave out --include and --exclude")
    }
  }

  /// What tells an earlier run of the same from others, if the source is on another machine.
  private func resumeKey(_ made: Conversion, _ plan: WritePlan) throws -> String? {
    try made.resumeKey(
      plan, arguments: conversion.words(and: selection.words + sourceOptions.words),
      reading: (conversion.rules.map { [$0] } ?? []) + sourceOptions.files,
      toolVersion: toolVersion)
  }

  func perform() throws -> ExitStatus {
    if verify || certificate != nil { try prepareArithmetic() }
    if let cap = memory.cap { MemoryUse.setCap(cap) }
    let path = try conversion.target
    guard conversion.isFolder(path) || !resume else {
      throw ValidationError("--resume is for folders: a single file is written in one go")
    }
    let conversion = try conversion.conversion(selection, sourceOptions) { target in
      target.isVerified = verify || certificate != nil
      target.certificate = certificate
      target.isResumable = resume
      target.memory = memory.cap
    }
    if let model = conversion.model {
      common.explain(model, listsAll: true)
    } else {
      common.explain(conversion.source)
    }
    let plan = try conversion.plan()
    var verdict: PairReport.Verdict?
    if !dryRun {
      let progress = Progress(
        total: plan.byteCount, isOn: !noProgress && !common.quiet && !common.json)
      let key = resume ? try resumeKey(conversion, plan) : nil
      let outcome = try conversion.run(plan, resumeKey: key) { progress.update($0) }
      progress.finish()
      verdict = outcome.verdict
      let kept = outcome.resumed
      if kept.files > 0, !common.quiet {
        standardError(
          key == nil
            ? "kept \(describe(kept.files, "file")) of an earlier run, compared byte for byte"
            : "kept \(describe(bytes: kept.byteCount)) of \(describe(kept.files, "file")) of an earlier run, whose source is the same by its ETags"
        )
      }
    }
    let report = ConversionReport(
      conversion, plan, verdict, target: path, isDryRun: dryRun, all: common.verbose)
    if common.json {
      standardOutput(report.json.text(pretty: true))
    } else if common.quiet {
      standardOutput(escaped(displayed(path)))
    } else {
      for line in report.lines { standardOutput(line) }
    }
    return .success
  }
}
