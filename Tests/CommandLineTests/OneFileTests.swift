import Foundation
import SystemPackage
import TestSupport
import Testing

/// The file that is all three commands, by its name or by its first word.
@Suite struct OneFileTests {
  private static let words = [
    "inspect ls \"$FIXTURES/bert/base\"", "inspect --version", "inspect --help",
    "convert list formats", "convert nowhere x.npz", "verify --help",
    "verify \"$FIXTURES/bert/base\" \"$FIXTURES/bert/base\"", "inspect", "verify run --help",
    "inspect info \"$FIXTURES/bert/base\" --json", "inspect nonsense",
    "inspect --generate-completion-script bash", "inspect ---complete bash 2 tfinspect l",
  ]

  @Test(arguments: words, ["first word", "hard link", "symbolic link"])
  func `it does what the command does`(_ words: String, _ way: String) async throws {
    let own = try await Transcript.run("tf" + words)
    let verb = words.prefix { $0 != " " }
    let rest = words.dropFirst(verb.count)
    let tfkit = commandFolder.appending("tfkit").string
    let command =
      switch way {
      case "first word": "tfkit \(verb)\(rest)"
      case "hard link":
        "ln \(tfkit) tf\(verb) 2>/dev/null || cp \(tfkit) tf\(verb); ./tf\(verb)\(rest)"
      default: "ln -s \(tfkit) tf\(verb); ./tf\(verb)\(rest)"
      }
    let other = try await Transcript.run(command)
    #expect(own == other)
  }

  @Test func `its own help names the three, and what is none is said to be so`() async throws {
    for words in ["", " --help", " -h", " help"] {
      let outcome = try await Transcript.run("tfkit" + words)
      #expect(outcome.exit == 0)
      for verb in ["convert", "inspect", "verify"] {
        #expect(outcome.stdout.contains("tfkit \(verb)"))
      }
      #expect(outcome.stdout.split(separator: "\n").allSatisfy { $0.count <= 80 })
    }
    let version = try await Transcript.run("tfkit --version")
    #expect(version == (try await Transcript.run("tfinspect --version")))
    let wrong = try await Transcript.run("tfkit inspekt x")
    #expect(wrong.exit == 2)
    #expect(wrong.stderr == "tfkit: \"inspekt\" is no command; did you mean inspect?\n")
  }
}
