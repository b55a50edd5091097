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

  /// Whether two texts have the same words, but for numbers with fractions, of which a part of 10⁻⁵ may differ, and the spaces
  /// between them.
  private static func agree(_ x: String, _ y: String) -> Bool {
    let (own, others) = (words(x), words(y))
    return own.count == others.count
      && zip(own, others).allSatisfy { a, b in
        if a == b { return true }
        guard a.contains("."), b.contains("."), let first = number(a), let second = number(b) else {
          return false
        }
        return abs(first - second) <= 1e-5 * max(abs(first), abs(second))
      }
  }

  private static func words(_ text: String) -> [Substring] {
    text.split { $0 == " " || $0 == "\n" }
  }

  private static func number(_ word: Substring) -> Double? {
    Double(word.hasSuffix(",") ? word.dropLast() : word)
  }

  @Test func `numbers of forward passes agree to five digits, and nothing else is let through`() {
    #expect(Self.agree("a  0.10278037,\n", "a 0.102780364,\n"))
    #expect(!Self.agree("a 0.10278", "a 0.10279"))
    #expect(!Self.agree("a 0.5", "b 0.5"))
    #expect(!Self.agree("a 3", "a 4"))
    #expect(!Self.agree("a 0.5", "a 0.5 c"))
    #expect(!Self.agree("a nan", "a 0.5"))
  }

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
    if transcript.isComputed, Self.agree(outcome.stdout, recorded.stdout) {
      // The last digits of a forward pass depend on the processor.
    } else {
      #expect(outcome.stdout == recorded.stdout)
    }
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
