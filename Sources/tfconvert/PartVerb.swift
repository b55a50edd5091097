import ArgumentParser
import CommandSupport
import Containers
import SystemPackage
import TensorCore
import TransformerKit

struct PartVerb: Verb {
  static let configuration = CommandConfiguration(
    commandName: "part",
    abstract: "Write a part of a planned conversion.",
    usage: "tfconvert part PLAN [--part I/N | --of N] [options]",
    discussion: """
      Examples:
        tfconvert part plan.json --part 1/4
        tfconvert part plan.json --part 2/4 -T 1 --no-progress
        tfconvert part plan.json --part 4/4 --json

      A part is whole files, dealt out by their bytes; how many parts there are need not be known \
      before, and any division gives the same. A file that is there with its receipt is not written \
      again. In a job of Slurm or Kubernetes --of 4 is enough: they say which part. A part that was \
      killed is run again; two that do the same at once are in nobody's way. A source, \
      options or a plan that are not those that were planned are refused.
      """)

  @Argument(help: "The plan.")
  var plan: FilePath

  @OptionGroup var share: PartOptions
  @Flag(help: "Show no progress.")
  var noProgress = false

  @OptionGroup var memory: MemoryOptions
  @OptionGroup var common: CommonOptions

  func perform() throws -> ExitStatus {
    let (number, count) = try share.chosen()
    if let cap = memory.cap { MemoryUse.setCap(cap) }
    let run = try PlannedRun(plan, memory: memory.cap)
    let outputs = run.parted.plan.outputs(ofPart: number, of: count)
    let bytes = outputs.reduce(0) { $0 + $1.byteCount }
    let progress = Progress(total: bytes, isOn: !noProgress && !common.quiet && !common.json)
    let written = try run.unlessCommitted { conversion, again, files in
      try run.parted.write(outputs, conversion, planned: again, files) { progress.update($0) }
    }
    progress.finish()
    if common.json {
      standardOutput(json(written, number, count, run.parted.plan).text(pretty: true))
    } else if !common.quiet {
      report(written, number, count)
    }
    return .success
  }

  private func report(_ written: [PartedConversion.Written]?, _ number: Int, _ count: Int) {
    guard let written else {
      return standardOutput("part \(number) of \(count): the target is committed already")
    }
    for file in written {
      let receipt = file.receipt
      standardOutput(
        "\(file.wasThere ? "there already" : "wrote") \(escaped(receipt.name)):"
          + " \(describe(bytes: receipt.byteCount))")
    }
    let new = written.count { !$0.wasThere }
    standardOutput(
      "part \(number) of \(count): \(describe(new, "file")) written,"
        + " \(written.count - new) there already")
  }

  private func json(
    _ written: [PartedConversion.Written]?, _ number: Int, _ count: Int, _ plan: ConversionPlan
  ) -> JSONValue {
    let files: [JSONValue] = (written ?? []).map {
      [
        "name": .string($0.receipt.name), "bytes": .number($0.receipt.byteCount),
        "sha256": .string($0.receipt.sha256), "written": .bool(!$0.wasThere),
      ]
    }
    return [
      "schema": "tfconvert.part/1", "plan": .string(plan.id), "part": .number(number),
      "of": .number(count), "committed": .bool(written == nil), "files": .array(files),
    ]
  }
}

struct CommitVerb: Verb {
  static let configuration = CommandConfiguration(
    commandName: "commit",
    abstract: "Give a planned conversion its folder, when all parts are written.",
    usage: "tfconvert commit PLAN [options]",
    discussion: """
      Examples:
        tfconvert commit plan.json
        tfconvert commit plan.json --json
        tfconvert commit plan.json && tfverify bert-base/ planned/

      Every receipt is held against the plan, and every file against its receipt: by size and time, \
      and where the time is another, by digest. What is missing or otherwise is listed (4), and \
      nothing happens. Else the shard index, config.json and the other files are written, and the \
      folder appears whole. PLAN.committed says with which digests. Another commit changes nothing.
      """)

  @Argument(help: "The plan.")
  var plan: FilePath

  @OptionGroup var memory: MemoryOptions
  @OptionGroup var common: CommonOptions

  func perform() throws -> ExitStatus {
    if let cap = memory.cap { MemoryUse.setCap(cap) }
    let run = try PlannedRun(plan, memory: memory.cap)
    let done = try run.unlessCommitted { conversion, again, files in
      try run.parted.commit(conversion, planned: again, files)
    }
    guard let done = try done ?? run.parted.committed() else {
      throw CheckpointError(.changedWhileRead, file: displayed(plan))
    }
    if common.json {
      standardOutput(run.parted.json(of: done).text(pretty: true))
    } else if common.quiet {
      standardOutput(escaped(run.parted.plan.target))
    } else {
      report(done, run.parted.plan)
    }
    return .success
  }

  private func report(_ done: PartedConversion.Committed, _ plan: ConversionPlan) {
    let casts = done.casts
    if casts.tensors > 0 {
      standardOutput(
        "cast \(describe(casts.tensors, "tensor")): \(casts.rounded) of \(casts.elements) elements"
          + " rounded, \(casts.overflowed) overflowed, \(casts.becameZero) became zero")
    }
    let what =
      "\(escaped(plan.target)): \(describe(plan.outputs.count, "file")) with weights,"
      + " \(describe(plan.others.count, "other file"))"
    standardOutput(done.wasThere ? "committed already \(what)" : "committed \(what)")
  }
}

/// What a part or a commit does: the plan, and its conversion made again.
struct PlannedRun {
  let parted: PartedConversion
  private let memory: Int?

  init(_ plan: FilePath, memory: Int?) throws {
    // What is beside the plan is found from every folder.
    parted = try PartedConversion(currentFolder().pushing(plan))
    self.memory = memory
  }

  /// Does something, unless the target has its name already; that may also happen meanwhile.
  func unlessCommitted<Result>(
    _ body: (Conversion, ConversionPlan, WritePlan) throws -> Result
  ) throws -> Result? {
    if try parted.committed() != nil { return nil }
    do {
      try enterFolder(FilePath(parted.plan.folder))
      let planned = try PlannedOptions.parse(parted.plan.arguments)
      let conversion = try planned.conversion(memory: memory)
      let (again, files) = try planned.plan(
        conversion, at: parted.path, in: parted.plan.folder)
      return try body(conversion, again, files)
    } catch {
      if (try? parted.committed()) != nil { return nil }
      throw error
    }
  }
}
