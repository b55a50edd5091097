import Foundation
import TestSupport
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

/// What the commands print, byte for byte, and how they exit.
///
/// After a change that is meant, `RECORD=1 Tools/test --filter CommandLineTests` rewrites the files; look
/// at the difference before committing it.
@Suite struct TranscriptTests {
  private static let isRecording = ProcessInfo.processInfo.environment["RECORD"] != nil

  @Test func `the commands and the transcripts are there`() {
    let commands = ["tfconvert", "tfinspect", "tfverify"]
    #expect(Set(fileNames(in: commandFolder)).isSuperset(of: commands))
    #expect(Transcript.all.count > 50)
  }

  @Test(.timeLimit(.minutes(10)), arguments: Transcript.all)
  func `prints and exits as recorded`(_ transcript: Transcript) async throws {
    let outcome = try await transcript.run()
    if Self.isRecording { return transcript.record(outcome) }
    let recorded = transcript.recorded
    #expect(outcome.stdout == recorded.stdout)
    #expect(outcome.stderr == recorded.stderr)
    #expect(outcome.exit == recorded.exit)
  }
}

/// What holds for every transcript, whatever was recorded.
@Suite struct ConventionTests {
  @Test(arguments: Transcript.all)
  func `errors are short, and there is no trace of a crash`(_ transcript: Transcript) {
    let recorded = transcript.recorded
    #expect((0...4).contains(recorded.exit))
    for text in [recorded.stdout, recorded.stderr] {
      for word in ["Fatal error", "Illegal instruction", "Error:", "Stack dump", "Thread 0"] {
        #expect(!text.contains(word))
      }
    }
    // One line, and one of advice; the faults of a config or of inputs are indented under it.
    let lines = recorded.stderr.split(separator: "\n").filter { !$0.hasPrefix("  ") }
    if recorded.exit == 2 { #expect(lines.count <= 2) }
  }

  @Test(arguments: Transcript.all)
  func `nothing that is printed acts on a terminal`(_ transcript: Transcript) {
    let text = transcript.recorded.stdout + transcript.recorded.stderr
    let hidden = text.unicodeScalars.filter { scalar in
      let category = scalar.properties.generalCategory
      // Shells take a completion's description behind a tab.
      if scalar == "\t" && transcript.name == "complete" { return false }
      return scalar != "\n" && [.control, .format, .lineSeparator].contains(category)
    }
    #expect(hidden.isEmpty)
  }

  @Test func `reports that are printed are XML`() throws {
    var count = 0
    for transcript in Transcript.all {
      let text = transcript.recorded.stdout
      guard let start = text.range(of: "<?xml")?.lowerBound,
        let end = text.range(of: "</testsuites>", range: start..<text.endIndex)?.upperBound
      else { continue }
      let isWellFormed = XMLParser(data: Data(text[start..<end].utf8)).parse()
      #expect(isWellFormed, "\(transcript.name)")
      count += 1
    }
    #expect(count >= 4)
  }
}
