import Foundation
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A command that is interrupted leaves nothing behind, and one that is killed, nothing for long.
@Suite(.serialized) struct InterruptionTests {
  private let scratch = ScratchFolder()

  /// A safetensors file of a GB of zeros, of which the disk holds nothing.
  private func makeCheckpoint() throws -> FilePath {
    let count = 1 << 30
    let header = #"{"w":{"dtype":"U8","shape":[\#(count)],"data_offsets":[0,\#(count)]}}"#
    let bytes = littleEndian(UInt64(header.utf8.count)) + Array(header.utf8)
    let path = scratch.write(bytes, to: "source.safetensors")
    let file = try FileDescriptor.open(path, .writeOnly)
    try file.closeAfter { try file.resize(to: Int64(bytes.count + count)) }
    return path
  }

  /// Starts a conversion, and sends a signal when its temporary is there.
  private func interrupt(_ target: String, with number: Int32) throws -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: commandFolder.appending("tfconvert").string)
    process.arguments = [try makeCheckpoint().string, scratch.path.string + "/" + target, "-q"]
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    while process.isRunning, !scratch.names.contains(where: { $0.hasSuffix(".tfpart") }) {
      usleep(1000)
    }
    kill(process.processIdentifier, number)
    process.waitUntilExit()
    return process
  }

  @Test(.timeLimit(.minutes(10)), arguments: [SIGINT, SIGTERM], ["x.npz", "x.tfz", "x/"])
  func `a signal ends the command and leaves nothing behind`(
    _ number: Int32, _ target: String
  ) throws {
    let process = try interrupt(target, with: number)
    #expect(process.terminationReason == .exit)
    #expect(process.terminationStatus == 128 + number)
    #expect(scratch.names == ["source.safetensors"])
  }

  /// The config beside the target is compared with what will be written, while the other runs put theirs in its place.
  @Test(.timeLimit(.minutes(10)))
  func `runs that replace one target at once all end well`() throws {
    for round in 0..<12 {
      let runs = try (0..<3).map { _ in
        let process = Process()
        process.executableURL = URL(fileURLWithPath: commandFolder.appending("tfconvert").string)
        process.arguments = [
          fixture("bert/base").string, scratch.path.appending("x.npz").string, "--force", "-q",
        ]
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        return process
      }
      for run in runs { run.waitUntilExit() }
      #expect(runs.map(\.terminationStatus) == [0, 0, 0], "round \(round)")
      #expect(scratch.names == ["x.npz", "x.npz.config.json"])
    }
  }

  @Test(.timeLimit(.minutes(10)), arguments: ["x.npz", "x/"])
  func `the run after kill -9 removes what was left`(_ target: String) throws {
    _ = try interrupt(target, with: SIGKILL)
    #expect(scratch.names.count == 2 && scratch.names[0].hasSuffix(".tfpart"))
    let process = Process()
    process.executableURL = URL(fileURLWithPath: commandFolder.appending("tfconvert").string)
    process.arguments = [
      fixture("containers/safetensors/good/empty_metadata.safetensors").string,
      scratch.path.string + "/" + target, "-q",
    ]
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    #expect(scratch.names == ["source.safetensors", target == "x/" ? "x" : target])
  }
}
