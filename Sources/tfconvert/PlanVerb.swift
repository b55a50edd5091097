import ArgumentParser
import CommandSupport
import Containers
import SystemPackage
import TensorCore
import TransformerKit

struct PlanVerb: Verb {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Plan a conversion that runs in parts, on one machine or many.",
    usage: "tfconvert plan SRC DST/ -o PLAN [options]",
    discussion: """
      Examples:
        tfconvert plan bert-base/ planned/ --max-shard-size 1MB -o plan.json
        tfconvert plan bert-base/ small/ --dtype bf16 --allow-lossy -o small.json
        tfconvert plan gpt2/ plain/ --dialect openai-gpt2 -o gpt2.json

      Only headers are read; with --dialect also what has to be proven of weights that are left out. \
      Then tfconvert part writes the files, in any number of runs that never talk to each other, and \
      tfconvert commit gives them their folder, which is byte for byte what one tfconvert of these \
      options writes. Source, target and plan must be where all runs find them. A part is whole \
      files: --max-shard-size says how large. What is verified is verified after the commit. \
      docs/cluster.md has more, with job scripts for Slurm and Kubernetes.
      """)

  @OptionGroup var planned: PlannedOptions

  @Option(
    name: [.customShort("o"), .long],
    help: ArgumentHelp("The file of the plan; one that is there is replaced.", valueName: "file"))
  var output: FilePath

  @OptionGroup var memory: MemoryOptions
  @OptionGroup var common: CommonOptions

  func perform() throws -> ExitStatus {
    if let cap = memory.cap { MemoryUse.setCap(cap) }
    for path in try planned.conversion.paths + planned.sourceOptions.files
    where FilePath(path.string) != path {
      throw CheckpointError(
        .unsupported("its name is not UTF-8, and a plan is JSON"), file: displayed(path))
    }
    let conversion = try planned.conversion(memory: memory.cap)
    let file = SmallFile(
      output, replacing: .beginning(with: Array("{\n  \"schema\": \"tfconvert.plan/".utf8)),
      sources: conversion.source.ownFiles)
    try file.check()
    let (plan, files) = try planned.plan(conversion, at: output, in: currentFolder().string)
    try file.write(plan.json.text(pretty: true) + "\n")
    if common.json {
      standardOutput(plan.json.text(pretty: true))
    } else if common.quiet {
      standardOutput(plan.id)
    } else {
      report(plan, files)
      standardOutput(
        lines: ConversionReport(
          conversion, files, nil, target: FilePath(plan.target), isDryRun: true, all: false
        ).account)
    }
    return .success
  }

  private func report(_ plan: ConversionPlan, _ files: WritePlan) {
    let largest = plan.outputs.map(\.byteCount).max() ?? 0
    standardOutput(
      "planned \(escaped(plan.target)): \(describe(plan.outputs.count, "file")) with weights,"
        + " \(describe(bytes: plan.byteCount)), the largest \(describe(bytes: largest));"
        + " \(describe(plan.others.count, "other file"))")
    standardOutput("read \(describe(plan.inputs.count, "file"))")
    standardOutput("id \(plan.id)")
    if plan.outputs.count == 1 {
      standardOutput("note: one file is one part")
    }
  }
}

/// What a plan says in words of a command line.
struct PlannedOptions: ParsableArguments {
  @OptionGroup var conversion: ConversionOptions
  @OptionGroup var selection: SelectionOptions
  @OptionGroup var sourceOptions: SourceOptions

  func validate() throws {
    try sourceOptions.requireDialect(conversion.dialect, isCompared: false)
  }

  /// The conversion; what a cast does is not known yet.
  func conversion(memory: Int?) throws -> Conversion {
    try conversion.conversion(selection, sourceOptions) { target in
      target.defersLedgers = true
      target.memory = memory
    }
  }

  /// Its plan.
  ///
  /// - Parameters:
  ///   - file: its file.
  ///   - folder: where paths in the words are from.
  func plan(
    _ conversion: Conversion, at file: FilePath, in folder: String
  ) throws -> (ConversionPlan, WritePlan) {
    let files = try conversion.plan()
    let words = try self.conversion.words(and: selection.words + sourceOptions.words)
    let plan = try ConversionPlan(
      conversion, files, at: file,
      reading: (self.conversion.rules.map { [$0] } ?? []) + sourceOptions.files,
      target: words.last ?? "", arguments: words, in: folder, toolVersion: toolVersion)
    return (plan, files)
  }
}
