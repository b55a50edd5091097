import Foundation
import SystemPackage
import TestSupport
import Testing

#if os(Linux)
  /// Completions in the shells themselves, on a terminal.
  @Suite(.serialized) struct ShellCompletionTests {
    enum Shell: String, CaseIterable {
      case bash
      case zsh
      case fish

      var path: String? {
        ["/bin/", "/usr/bin/"].map { $0 + rawValue }.first {
          FileManager.default.isExecutableFile(atPath: $0)
        }
      }

      var arguments: [String] {
        switch self {
        case .bash: ["--norc", "--noprofile", "-i"]
        case .zsh: ["-f", "-i"]
        case .fish: ["--no-config", "-i"]
        }
      }

      /// What makes the shell complete for the commands.
      var setUp: String {
        let commands = ["tfconvert", "tfinspect", "tfverify"]
        let scripts = commands.map { "\($0) --generate-completion-script \(rawValue)" }
        switch self {
        case .bash: return scripts.map { "eval \"$(\($0))\"" }.joined(separator: "; ")
        case .zsh:
          return "autoload -U compinit; compinit -u -D; "
            + scripts.map { "eval \"$(\($0))\"" }.joined(separator: "; ")
        case .fish: return scripts.map { "\($0) | source" }.joined(separator: "; ")
        }
      }
    }

    /// What is typed before the tab, and what the tab adds.
    static let cases = [
      ("tfconvert ft-", "finetuned"), ("tfconvert ft-finetuned/ ou", "tfile.npz"),
      ("tfverify ft-finetuned/ ot", "her.npz"), ("tfverify gol", "den"),
      ("tfconvert a b --dialect google-b", "ert"), ("tfconvert a b --to safet", "ensors"),
      ("tfconvert a b --dtype bf", "16"), ("tfinspect ls a --from-format tf", "z"),
      ("tfinspect ls a --from-dialect nanog", "pt"), ("tfinspect stats a --sort subn", "ormals"),
      ("tfinspect show ft-finetuned/ embeddings.tok", "en_type_embeddings.weight"),
      ("tfinspect show ft-finetuned/ encoder.blocks.1.attention.que", "ry."),
      ("tfinspect ls ft-finetuned/ --include pooler.dense.b", "ias"),
      ("tfinspect ft-", "finetuned"), ("tfinspect ls a --drop", "-training-state"),
    ]

    @Test(.timeLimit(.minutes(10)), arguments: Shell.allCases)
    func `a tab adds what is meant`(_ shell: Shell) throws {
      guard let path = shell.path else {
        print("no \(shell.rawValue) here: its completions are not tried")
        return
      }
      let scratch = ScratchFolder()
      let folder = scratch.makeFolder("work")
      try FileManager.default.copyItem(
        atPath: fixture("bert/base").string, toPath: folder.appending("ft-finetuned").string)
      for name in ["outfile.npz", "other.npz"] { scratch.write([], to: "work/" + name) }
      let terminal = try Terminal(path, shell.arguments, in: folder)
      try terminal.type(shell.setUp + "; echo rea''dy\n")
      try #require(terminal.waits(for: "ready"), "\(terminal.text)")
      for (typed, added) in Self.cases {
        let mark = terminal.mark
        try terminal.type(typed + "\t")
        let isShown = terminal.waits(for: added, since: mark)
        #expect(isShown, "\(shell): \(typed)\n\(String(terminal.text.dropFirst(mark)))")
        // Throws the line away.
        try terminal.type("\u{15}")
        usleep(50_000)
      }
    }
  }
#endif
