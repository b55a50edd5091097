import Foundation
import SystemPackage
import TestSupport
import Testing

#if os(Linux)
  /// `tfinspect browse`, on a terminal, with somebody who types.
  @Suite(.timeLimit(.minutes(5))) struct BrowseTests {
    private static let down = "\u{1B}[B"
    private static let right = "\u{1B}[C"

    private func browse(
      _ arguments: [String], in folder: ScratchFolder, columns: Int = 80, rows: Int = 24
    ) throws -> Terminal {
      let words = ["-c", "echo $$ > pid; exec tfinspect browse \"$@\"", "sh"] + arguments
      return try Terminal(
        "/bin/sh", words, in: folder.path, columns: columns, rows: rows)
    }

    @Test func `names are a tree that is opened row by row, down to numbers`() throws {
      let folder = ScratchFolder()
      let terminal = try browse([fixture("gpt2/base").string], in: folder)
      #expect(terminal.shows { $0.contains("q quit") })
      #expect(terminal.shows { $0.contains("> + h") || $0.contains("> + transformer") })
      // Everything is opened: the first row of each.
      for _ in 0..<12 { try terminal.type(Self.right) }
      #expect(terminal.shows { $0.contains("q back") && $0.contains("0 to ") })
      try terminal.type("s")
      #expect(terminal.shows { $0.contains("mean") && $0.contains("norm") })
      try terminal.type("q")
      #expect(terminal.shows { $0.contains("q quit") })
      try terminal.type("q")
      #expect(terminal.ends() == 0)
      // The screen that was there before comes back.
      #expect(terminal.text.hasSuffix("\u{1B}[?25h\u{1B}[?1049l"))
    }

    @Test(arguments: [40, 57, 80, 200])
    func `no line is longer than the terminal is wide, and all names can be reached`(
      columns: Int
    ) throws {
      let folder = ScratchFolder()
      let terminal = try browse(
        [fixture("bert/base").string], in: folder, columns: columns, rows: 12)
      #expect(terminal.shows { $0.contains("q quit") })
      try terminal.type("/weight")
      #expect(terminal.shows { $0.contains("/weight_") })
      try terminal.type("\r")
      for _ in 0..<30 { try terminal.type(Self.down) }
      #expect(terminal.shows { $0.contains("esc \"weight\"") })
      try terminal.type("\r")
      #expect(terminal.shows { $0.contains("q back") })
      #expect(terminal.lines.allSatisfy { $0.count <= columns }, "\(terminal.lines)")
      #expect(terminal.lines.count <= 12)
      try terminal.type("\u{3}")
      #expect(terminal.ends() == 0)
    }

    @Test
    func `of two checkpoints it goes from change to change, and shows both and what is between`()
      async throws
    {
      let folder = ScratchFolder()
      let base = fixture("gpt2/base").string
      let other = folder.path.appending("other").string
      let made = try await Transcript.run(
        "tfconvert $FIXTURES/gpt2/base \(other)/ --dtype bf16 --allow-lossy -q")
      #expect(made.exit == 0)
      let terminal = try browse([base, other], in: folder)
      #expect(terminal.shows { $0.contains("differ") && $0.contains("n next change") })
      try terminal.type("n")
      #expect(terminal.shows { $0.contains("cast") })
      try terminal.type("\r")
      #expect(terminal.shows { $0.contains("A  F32") })
      try terminal.type("\t")
      #expect(terminal.shows { $0.contains("B  BF16") })
      try terminal.type("\t")
      #expect(terminal.shows { $0.contains("B − A") })
      try terminal.type("\u{4}")
      #expect(terminal.ends() == 0)
    }

    @Test func `what is the same in both is passed over, and B − A is that`() async throws {
      let folder = ScratchFolder()
      let base = fixture("gpt2/base").string
      let other = folder.path.appending("other").string
      let (one, two) = ("h.1.ln_1.weight", "h.1.ln_2.weight")
      let made = try await Transcript.run(
        "tfconvert $FIXTURES/gpt2/base \(other)/ --rename '*\(one)=*\(two)' --rename '*\(two)=*\(one)' -q"
      )
      #expect(made.exit == 0)
      let terminal = try browse([base, other], in: folder)
      #expect(terminal.shows { $0.contains("n next change") })
      try terminal.type("n\r")
      #expect(terminal.shows { $0.contains("decoder.blocks.1.") && $0.contains("A  F32") })
      func first() -> Double? {
        let line = terminal.lines.first { $0.hasPrefix(" 0 ") }
        return line?.split(separator: " ").dropFirst().first.flatMap { Double($0) }
      }
      let a = try #require(first())
      try terminal.type("\t")
      #expect(terminal.shows { $0.contains("B  F32") })
      let b = try #require(first())
      try terminal.type("\t")
      #expect(terminal.shows { $0.contains("B − A") })
      let difference = try #require(first())
      #expect(abs(difference - (b - a)) < 1e-3 * (abs(a) + abs(b)))
      #expect(abs(b - a) > 1e-2 * (abs(a) + abs(b)))
      try terminal.type("\u{3}")
      #expect(terminal.ends() == 0)
    }

    @Test func `a signal gives the terminal back`() throws {
      let folder = ScratchFolder()
      let terminal = try browse([fixture("gpt2/base").string], in: folder)
      #expect(terminal.shows { $0.contains("q quit") })
      let pid = try #require(
        Int32(
          String(decoding: readFile(folder.path.appending("pid")), as: UTF8.self).filter(\.isNumber)
        ))
      kill(pid, SIGTERM)
      let status = terminal.ends()
      #expect(status == 143, "\(String(describing: status))")
      #expect(terminal.text.hasSuffix("\u{1B}[?25h\u{1B}[?1049l"))
    }
  }
#endif
