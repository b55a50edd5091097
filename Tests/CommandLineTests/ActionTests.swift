import Foundation
import SystemPackage
import TestSupport
import Testing

/// action.yml's steps, run here as GitHub runs them, and the hook for pre-commit.
@Suite struct ActionTests {
  private static let root = fixture().removingLastComponent()

  /// A step of action.yml: what it runs, with which variables.
  private struct Step {
    var variables: [String: String] = [:]
    var command = ""
  }

  /// The steps, and the inputs with what they are if nothing is given, read line by line.
  private static func action() -> (steps: [Step], inputs: [String: String]) {
    let text = String(decoding: readFile(root.appending("action.yml")), as: UTF8.self)
    var (steps, inputs, section, name): ([Step], [String: String], String, String) = (
      [], [:], "", ""
    )
    for line in text.split(separator: "\n").map(String.init) {
      let indent = line.prefix { $0 == " " }.count
      let words = line.drop { $0 == " " }
      if indent == 0 { section = String(words.prefix { $0 != ":" }) }
      if section == "inputs", indent == 2 {
        name = String(words.dropLast())
        inputs[name] = ""
      }
      if section == "inputs", words.hasPrefix("default: ") {
        inputs[name] = String(words.dropFirst("default: ".count).replacing("\"", with: ""))
      }
      guard section == "runs" else { continue }
      if words.hasPrefix("- name: ") { steps.append(Step()) }
      if indent == 8, let match = words.wholeMatch(of: /(TFKIT_\w+): \$\{\{ inputs\.(\w+) \}\}/) {
        steps[steps.count - 1].variables[String(match.1)] = String(match.2)
      }
      if words.hasPrefix("run: ") {
        steps[steps.count - 1].command = String(
          words.dropFirst("run: ".count).replacing("'", with: ""))
      }
    }
    return (steps, inputs)
  }

  private struct Outcome {
    var exit: Int32 = 0
    var text = ""
    var summary = ""
    var output = ""
  }

  /// Runs the steps one after the other until one fails.
  private func run(_ given: [String: String], in scratch: ScratchFolder) throws -> Outcome {
    let (steps, inputs) = Self.action()
    #expect(steps.count == 2)
    #expect(Set(given.keys).isSubset(of: inputs.keys))
    for name in ["path", "summary", "output", "log"] where !scratch.names.contains(name) {
      scratch.write([], to: name)
    }
    var outcome = Outcome()
    for step in steps where outcome.exit == 0 {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/bin/bash")
      process.arguments = ["--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step.command]
      process.currentDirectoryURL = URL(fileURLWithPath: scratch.path.string)
      func file(_ name: String) -> String { scratch.path.appending(name).string }
      let added = String(decoding: readFile(scratch.path.appending("path")), as: UTF8.self)
        .split(separator: "\n").joined(separator: ":")
      let commands = given["release"] == nil ? commandFolder.string : added
      process.environment = [
        "PATH": commands + ":/usr/bin:/bin", "GITHUB_ACTION_PATH": Self.root.string,
        "GITHUB_STEP_SUMMARY": file("summary"), "GITHUB_OUTPUT": file("output"),
        "GITHUB_PATH": file("path"), "RUNNER_TEMP": scratch.path.string, "LC_ALL": "C.UTF-8",
      ].merging(step.variables.mapValues { given[$0] ?? inputs[$0] ?? "" }) { $1 }
      process.standardInput = FileHandle.nullDevice
      let log = FileHandle(forWritingAtPath: file("log"))
      try log?.seekToEnd()
      (process.standardOutput, process.standardError) = (log, log)
      try process.run()
      process.waitUntilExit()
      outcome.exit = process.terminationStatus
    }
    func text(_ name: String) -> String {
      String(decoding: readFile(scratch.path.appending(name)), as: UTF8.self)
    }
    (outcome.text, outcome.summary, outcome.output) = (text("log"), text("summary"), text("output"))
    return outcome
  }

  private static let bert = fixture("bert/base").string
  private static let golden = fixture("bert/base/golden.npz").string

  @Test func `a model is compared with its golden, and with what it was converted to`() throws {
    let scratch = ScratchFolder()
    let outcome = try run(
      ["source": Self.bert, "target": Self.bert, "golden": Self.golden, "reports": "r"], in: scratch
    )
    #expect(outcome.exit == 0, "\(outcome.text)")
    #expect(
      fileNames(in: scratch.path.appending("r")) == ["golden.xml", "model.intoto.json", "pair.xml"])
    #expect(outcome.summary.contains("identical"))
    #expect(outcome.summary.contains("verified: BertModel agrees"))
    #expect(outcome.output.hasPrefix("verdict=verified: "))
    let checked = Process()
    checked.executableURL = URL(fileURLWithPath: commandFolder.appending("tfverify").string)
    checked.arguments = [
      "check", scratch.path.string + "/r/model.intoto.json", Self.bert, Self.bert, "-q",
    ]
    checked.standardOutput = FileHandle.nullDevice
    try checked.run()
    checked.waitUntilExit()
    #expect(checked.terminationStatus == 0)
  }

  @Test func `an answer that is no fails the step, and so does what cannot be asked`() throws {
    let other = fixture("bert/masked_lm").string
    let no = try run(["source": Self.bert, "golden": other + "/golden.npz"], in: ScratchFolder())
    #expect(no.exit == 1, "\(no.text)")
    #expect(no.summary.contains("❌"))
    let strict = try run(
      ["source": Self.bert, "golden": Self.golden, "tolerance": "1e-300"], in: ScratchFolder())
    #expect(strict.exit == 1, "\(strict.text)")
    let missing = try run(["source": "missing", "golden": Self.golden], in: ScratchFolder())
    #expect(missing.exit == 2)
    let nothing = try run(["source": ""], in: ScratchFolder())
    #expect(nothing.exit == 2)
    #expect(nothing.text.contains("::error::no source"))
    // Neither target nor golden: what can be said of the source alone.
    let alone = try run(["source": Self.bert], in: ScratchFolder())
    #expect(alone.exit == 0, "\(alone.text)")
    // What stands in an input is a name, and no command.
    let injected = try run(["source": "x; touch injected", "golden": "-h"], in: ScratchFolder())
    #expect(injected.exit == 2)
    #expect(!injected.text.contains("OVERVIEW"))
  }

  @Test func `a release is unpacked if its digest is the one that was said`() throws {
    let scratch = ScratchFolder()
    _ = scratch.makeFolder("t")
    _ = scratch.makeFolder("t/bin")
    for name in ["tfverify", "tfinspect"] {
      try FileManager.default.createSymbolicLink(
        atPath: scratch.path.string + "/t/bin/" + name,
        withDestinationPath: commandFolder.appending(name).string)
    }
    let tar = Process()
    tar.executableURL = URL(fileURLWithPath: "/bin/tar")
    tar.arguments = ["-czf", scratch.path.string + "/x.tar.gz", "-C", scratch.path.string, "t"]
    try tar.run()
    tar.waitUntilExit()
    let wrong = try run(
      [
        "source": Self.bert, "release": "x.tar.gz", "sha256": String(repeating: "0", count: 64),
      ], in: scratch)
    #expect(wrong.exit == 2)
    #expect(wrong.text.contains("another digest"))
    let right = try run(["source": Self.bert, "release": "x.tar.gz"], in: scratch)
    #expect(right.exit == 0, "\(right.text)")
  }

  @Test func `the hook says what is wrong with a checkpoint, and leaves pointers alone`()
    async throws
  {
    let hook = Self.root.appending("Tools/pre-commit").string
    let good = try await Transcript.run("\(hook) $FIXTURES/bert/base/model.safetensors")
    #expect(good == Transcript.Outcome(stdout: "", stderr: "", exit: 0))
    let broken = try await Transcript.run(
      "head -c 100 $FIXTURES/bert/base/model.safetensors > x.safetensors; \(hook) x.safetensors")
    #expect(broken.exit == 2)
    #expect(broken.stdout.hasPrefix("x.safetensors: "))
    let pointer = try await Transcript.run(
      "printf 'version https://git-lfs.github.com/spec/v1\\noid sha256:0\\n' > y.safetensors;"
        + " echo 1 > z.bin; \(hook) y.safetensors z.bin")
    #expect(pointer.exit == 0, "\(pointer.stdout)")
    let text = String(
      decoding: readFile(Self.root.appending(".pre-commit-hooks.yaml")), as: UTF8.self)
    #expect(text.contains("entry: Tools/pre-commit\n"))
  }
}
