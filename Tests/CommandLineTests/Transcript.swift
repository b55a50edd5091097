import Foundation
import SystemPackage
import TestSupport
import Testing

/// A recorded run of the commands: what was typed, and what came of it.
///
/// A folder `Fixtures/cli/NAME` with the files `cmd`, a script for sh; `stdout` and `stderr`, empty if
/// missing; and `exit`, 0 if missing.
struct Transcript: Sendable, CustomTestStringConvertible {
  let name: String

  var testDescription: String { name }

  /// All that there are.
  static let all = fileNames(in: fixture("cli")).map { Transcript(name: $0) }

  private static let slots = Slots(ProcessInfo.processInfo.activeProcessorCount)

  /// What a run gives.
  struct Outcome: Equatable, Sendable {
    var stdout: String
    var stderr: String
    var exit: Int32
  }

  private var folder: FilePath { fixture("cli").appending(name) }

  /// What the files say.
  var recorded: Outcome {
    let exit = text("exit").trimmingCharacters(in: .whitespacesAndNewlines)
    return Outcome(stdout: text("stdout"), stderr: text("stderr"), exit: Int32(exit) ?? 0)
  }

  private func text(_ file: String) -> String {
    let path = folder.appending(file)
    return (try? path.stat()) == nil ? "" : String(decoding: readFile(path), as: UTF8.self)
  }

  /// Rewrites the files.
  func record(_ outcome: Outcome) {
    let exit = outcome.exit == 0 ? "" : "\(outcome.exit)\n"
    for (file, text) in [("stdout", outcome.stdout), ("stderr", outcome.stderr), ("exit", exit)] {
      let path = folder.appending(file)
      if text.isEmpty {
        try? FileManager.default.removeItem(atPath: path.string)
      } else {
        writeFile(Array(text.utf8), to: path)
      }
    }
  }

  /// Runs the script in an empty folder.
  ///
  /// It finds the commands on its PATH, the fixtures in `$FIXTURES` and its folder in `$SCRATCH`; the
  /// latter two stand for themselves in what it prints.
  ///
  /// Only as many scripts run at a time as there are cores, so that none starves however many tests
  /// there are. One that spins ends after a minute of the processor's time.
  func run() async throws -> Outcome { try await Self.run(text("cmd")) }

  /// Whether it shows numbers of a forward pass.
  var isComputed: Bool { text("cmd").contains("tfverify run ") }

  /// Runs a script likewise.
  static func run(_ script: String) async throws -> Outcome {
    await slots.take()
    defer { slots.give() }
    let scratch = ScratchFolder()
    let work = scratch.makeFolder("work")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", "ulimit -t 60\n" + script]
    process.currentDirectoryURL = URL(fileURLWithPath: work.string)
    process.environment = [
      "PATH": commandFolder.string + ":/usr/bin:/bin", "FIXTURES": fixture().string,
      "SCRATCH": work.string, "LC_ALL": "C.UTF-8", "SWIFT_BACKTRACE": "enable=no",
    ]
    // Under Tools/coverage the commands count too.
    let profile = "LLVM_PROFILE_FILE"
    process.environment?[profile] = ProcessInfo.processInfo.environment[profile]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle(forWritingAtPath: scratch.write([], to: "stdout").string)
    process.standardError = FileHandle(forWritingAtPath: scratch.write([], to: "stderr").string)
    let status = try await withCheckedThrowingContinuation { continuation in
      process.terminationHandler = { process in
        // 128 and the signal, as a shell says it.
        let signal: Int32 = process.terminationReason == .uncaughtSignal ? 128 : 0
        continuation.resume(returning: signal + process.terminationStatus)
      }
      do { try process.run() } catch { continuation.resume(throwing: error) }
    }
    func output(_ file: String) -> String {
      String(decoding: readFile(scratch.path.appending(file)), as: UTF8.self)
        .replacing(work.string, with: "$SCRATCH").replacing(fixture().string, with: "$FIXTURES")
    }
    // How often progress is shown depends on the machine.
    let stderr = output("stderr").replacing(/(?m)^ *\d+ %  .* left\n/, with: "")
    return Outcome(stdout: output("stdout"), stderr: stderr, exit: status)
  }
}

/// Where the built commands are: beside the tests' own executable.
let commandFolder: FilePath = {
  let path = FilePath(CommandLine.arguments[0])
  let here = FilePath(FileManager.default.currentDirectoryPath)
  let folder = here.pushing(path).lexicallyNormalized().removingLastComponent()
  // On macOS it is inside of a bundle.
  let text = folder.string
  guard let bundle = text.range(of: ".xctest/") else { return folder }
  return FilePath(String(text[..<bundle.lowerBound])).removingLastComponent()
}()
