import Foundation
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A comparison that is planned, done in parts, and given its verdict.
@Suite(.serialized) struct ComparisonPartsTests {
  /// How B is made of A, and the verdict's exit code.
  struct Case: Sendable, CustomTestStringConvertible {
    let a: String
    let script: String
    let exit: Int
    var testDescription: String { "\(a): \(script)" }

    init(_ a: String, _ script: String, _ exit: Int) {
      (self.a, self.script, self.exit) = (a, script, exit)
    }
  }

  /// Changes a few bytes of B's last weight.
  private static let overwrite =
    "printf xyz | dd of=B/model.safetensors bs=1 seek=$(($(stat -c %s B/model.safetensors) - 30)) conv=notrunc 2> /dev/null"
  private static let alter = "cp -r $A B; " + overwrite
  static let cases =
    [
      Case("bert/eleven_layers", "tfconvert $A B.npz -q", 0),
      Case("bert/eleven_layers", "tfconvert $A B/ --dtype bf16 --allow-lossy -q", 0),
      Case("bert/eleven_layers", alter, 1),
      Case("bert/eleven_layers", "cp -r $FIXTURES/bert/base B", 1),
      Case("llama/lm", "tfconvert $A B.gguf --dialect gguf -q", 0),
      Case("gpt2/openai/huggingface", "tfconvert $A B/ --dialect openai-gpt2 -q", 0),
      Case("bert/eleven_layers", "cp -r $A B; sed -i 's/\"gelu\"/\"relu\"/' B/config.json", 1),
      Case("codecs/fp8", "cp -r $A/dequantized B", 0),
    ] + coded.map(\.pair)

  /// Models of which B has weights in blocks or codes, and what receipts say of these. Where a script makes A, that is A.
  private static let coded: [(pair: Case, relations: [String])] = [
    (Case(blocks, "cp $A/../Q4_K.gguf B.gguf", 0), ["cast", "quantised"]),
    (Case(blocks, "cp $A/../mixed.gguf B.gguf", 0), ["cast", "quantised"]),
    (Case(blocks, "cp $A/../IQ3_S.gguf B.gguf", 1), ["cast", "unproven"]),
    (
      Case(
        blocks,
        "cp $A/../Q4_0.gguf B.gguf; printf xyz | dd of=B.gguf bs=1 seek=17736 conv=notrunc 2> /dev/null",
        1), ["cast", "misquantised", "quantised"]
    ),
    (Case("codecs/awq/gemm", plain + "cp -r $A B", 1), ["coded", "different"]),
    (Case("codecs/mlx/three_bits", plain + "cp -r $A B", 1), ["coded", "different"]),
    (
      Case(
        "codecs/gptq/symmetric",
        plain
          + "cp -r $A B; sed -i 's/\"checkpoint_format\": \"gptq\"/\"checkpoint_format\": \"gptq_v2\"/' B/config.json",
        1), ["different", "miscoded"]
    ),
  ]
  private static let blocks = "containers/gguf/quantised/source"
  private static let plain =
    "tfconvert $A A/ --dequantize --dtype bf16 --allow-lossy -q; rm -f A/golden.npz; "

  @Test(arguments: cases, [1, 3])
  func `parts and a commit give the verdict that one run gives`(
    _ pair: Case, _ count: Int
  ) async throws {
    let outcome = try await Transcript.run(
      """
      A=$FIXTURES/\(pair.a)
      (\(pair.script)) > made 2>&1 || exit 9
      [ ! -e A ] || A=A
      B=$(ls -d B* | head -n 1)
      tfverify $A $B --json > whole 2> whole.err; echo $?
      tfverify plan $A $B --block-size 4KB -o p -q > id || exit 9
      for i in $(seq \(count)); do tfverify part p --part $i/\(count) > said || exit 9; done
      tfverify commit p --json > parts 2> parts.err; echo $?
      cmp whole parts && cmp whole.err parts.err && echo same
      tfverify $A $B > whole; tfverify commit p > parts
      cmp whole parts && echo same
      ls p.receipts | wc -l
      """)
    let lines = outcome.stdout.split(separator: "\n")
    #expect(
      lines.prefix(4) == ["\(pair.exit)", "\(pair.exit)", "same", "same"],
      "\(outcome.stdout) \(outcome.stderr)")
    #expect(Int(lines.last?.trimmingCharacters(in: .whitespaces) ?? "") ?? 0 > 3)
  }

  private static let planned = """
    set -e
    cp -r $FIXTURES/bert/eleven_layers A
    tfconvert A B/ --dtype bf16 --allow-lossy -q > id
    tfverify plan A B --block-size 4KB -o p -q > id

    """

  private func run(_ script: String) async throws -> Transcript.Outcome {
    try await Transcript.run(Self.planned + script)
  }

  @Test func `what is done is not done again, and weights alone are called that`() async throws {
    let outcome = try await run(
      """
      tfverify part p --part 1/2 | sed 's/[0-9]* block/N block/; s/, [0-9]* there/, N there/; s/of [0-9]* w/of N w/'
      stat -c '%n %Y %i' p.receipts/* > before
      tfverify part p --part 1/2 | sed 's/, [0-9]* there/, N there/; s/of [0-9]* w/of N w/'
      stat -c '%n %Y %i' p.receipts/* | cmp - before
      tfverify part p --part 2/2 -q
      tfverify part p --part 1/1 | sed 's/, [0-9]* there/, N there/; s/of [0-9]* w/of N w/'
      tfverify commit p --weights-only -q
      cd /; tfverify commit $OLDPWD/p -q
      """)
    #expect(outcome.exit == 0, "\(outcome.stderr)")
    #expect(
      outcome.stdout == """
        part 1 of 2: N blocks compared, N there already; of N weights 0 differ
        part 1 of 2: 0 blocks compared, N there already; of N weights 0 differ
        part 1 of 1: 0 blocks compared, N there already; of N weights 0 differ
        B is A cast to BF16, of the weights alone: neither model was run
        B is A cast to BF16

        """)
  }

  /// What is done after planning, and what is said to it then.
  static let refusals: [(String, String, Int32)] = [
    (
      overwrite, "model.safetensors: has changed since it was planned", 4
    ),
    ("sed -i 's/gelu/relu/' A/config.json", "config.json: has changed since it was planned", 4),
    ("sed -i s/4000/5000/ p", "p: was changed since it was made", 4),
    ("sed -i 's/\"folder\": \"/\"folder\": \"\\/x/' p", "cannot enter: No such file", 2),
    ("echo '{}' > p", "p: is no plan", 2),
    ("echo nothing > p", "p: ", 2),
    ("rm -r B", "B: ", 2),
    ("tfconvert plan A x/ -o q -q > id; mv q p", "p: is no plan", 2),
  ]

  @Test(arguments: refusals)
  func `models or a plan that are others are refused in a line`(
    _ change: String, _ message: String, _ exit: Int32
  ) async throws {
    for verb in ["part p --part 1/2", "commit p"] {
      let outcome = try await run(
        "tfverify part p --part 1/1 -q\n\(change)\ntfverify \(verb)")
      #expect(outcome.exit == exit, "\(outcome.stderr)")
      #expect(outcome.stderr.contains(message), "\(outcome.stderr)")
      #expect(outcome.stderr.split(separator: "\n").count <= 2)
    }
  }

  @Test func `a commit names what is missing or not as planned`() async throws {
    let outcome = try await run(
      """
      tfverify part p --part 1/1 -q
      tfverify commit p --json > good
      cd p.receipts
      rm 00001.json
      sed -i 's/"plan": "...../"plan": "00000/' 00002.json
      echo '{' > 00003.json
      cp 00005.json 00004.json
      sed -i 's/"cast"/"identical"/; s/"from".*//; s/"to".*//' 00006.json
      cp 00007.json 99999.json
      sed -i 's/"path": "/"path": "x/' 00008.json
      sed -i 's/"relation": "cast"/"relation": "proven"/' 00009.json
      cd ..
      tfverify commit p || echo "exit $?"
      tfverify part p --part 1/1 | grep -o '^part 1 of 1: [0-9]* blocks compared'
      tfverify commit p -q || echo "exit $?"
      rm p.receipts/99999.json
      tfverify commit p --json | cmp - good
      """)
    #expect(outcome.exit == 0, "\(outcome.stderr)")
    #expect(
      outcome.stdout == "exit 4\npart 1 of 1: 7 blocks compared\nexit 4\n", "\(outcome.stderr)")
    for words in [
      "block 1: no part has compared it", "block 2: is of another plan, 00000", "block 3: ",
      "block 4: has the receipt of block 5", "block 6: ", "block 8: is about other weights",
      "block 9: ", "99999.json: is a receipt, and its block is not in the plan",
    ] {
      #expect(outcome.stderr.contains(words), "\(words): \(outcome.stderr)")
    }
  }

  @Test func `a receipt whose digests do not go with what it says is refused`() async throws {
    let outcome = try await Transcript.run(
      """
      A=$FIXTURES/bert/eleven_layers
      \(Self.alter)
      tfverify plan $A B -o p -q > id
      tfverify part p --part 1/1 -q
      tfverify commit p -q; echo "exit $?"
      sed -i 's/"different"/"identical"/; /"elements"/d; /"first"/d' p.receipts/00001.json
      tfverify commit p; echo "exit $?"
      """)
    #expect(outcome.stdout.hasPrefix("different: "))
    #expect(outcome.stdout.hasSuffix("\nexit 1\nexit 4\n"), "\(outcome.stdout)")
    #expect(outcome.stderr.contains("relation does not go with the digests"), "\(outcome.stderr)")
  }

  @Test func `digests are those that hash says`() async throws {
    let outcome = try await Transcript.run(
      """
      tfverify plan $FIXTURES/bert/base $FIXTURES/bert/base -o p -q > id
      tfverify part p --part 1/1 -q
      grep -ho '_sha256": "[0-9a-f]*' p.receipts/* | cut -c 12- | sort -u > found
      tfinspect hash $FIXTURES/bert/base --json | grep -o '"sha256": "[0-9a-f]*' | cut -c 12- | sort -u > known
      comm -13 known found | wc -l
      wc -l < found
      """)
    let lines = outcome.stdout.split(separator: "\n").compactMap {
      Int($0.trimmingCharacters(in: .whitespaces))
    }
    #expect(lines.count == 2 && lines.first == 0 && lines.last ?? 0 > 10, "\(outcome.stdout)")
  }

  @Test(arguments: coded)
  func `receipts say of weights in codes or blocks what they are`(
    _ pair: Case, _ relations: [String]
  ) async throws {
    let outcome = try await Transcript.run(
      """
      A=$FIXTURES/\(pair.a)
      (\(pair.script)) > made 2>&1 || exit 9
      [ ! -e A ] || A=A
      tfverify plan $A $(ls -d B* | head -n 1) -o p --block-size 4KB -q > id
      tfverify part p --part 1/1 -q
      cat p.receipts/* | sed -n 's/.*"relation": "\\(.*\\)".*/\\1/p' | sort -u
      """)
    #expect(
      outcome.stdout.split(separator: "\n").map(String.init) == relations, "\(outcome.stderr)")
  }

  /// What is changed in a receipt of codes, and the fault.
  static let falsehoods: [(String, String)] = [
    (#"s/"cause": "zero_points"/"cause": "weather"/"#, "cause is none that is known"),
    (#"s/"by": -1/"by": -2/"#, "cause is none that is known"),
    (#"s/"by": -1/"other": -1/"#, "has a member \"other\" that does not belong there"),
    (#"s/"error": 0/"error": -0/"#, "error must be a number that is not negative"),
    (#"s/"first": [0-9]*/"first": -1/"#, "first must be an integer that is not negative"),
    (#"s/"codec": "gptq"/"codec": 4/"#, "codec must be a string"),
    (
      #"s/"relation": "miscoded"/"relation": "misquantised"/"#,
      "has a member \"codec\" that does not belong there"
    ),
  ]

  @Test func `receipts of codes are held against what can be`() async throws {
    let changes = Self.falsehoods.map { change, fault in
      """
      sed -i '\(change)' p.receipts/*.json
      tfverify commit p 2> refusal; echo $?
      grep -c -F '\(fault)' refusal
      cp kept/* p.receipts
      """
    }
    let outcome = try await Transcript.run(
      """
      F=$FIXTURES/codecs/gptq/symmetric
      tfconvert $F A/ --dequantize --dtype bf16 --allow-lossy -q > id
      cp -r $F B
      sed -i 's/"checkpoint_format": "gptq"/"checkpoint_format": "gptq_v2"/' B/config.json
      tfverify plan A B -o p -q > id
      tfverify part p --part 1/1 -q
      cp -r p.receipts kept
      \(changes.joined(separator: "\n"))
      """)
    let lines = outcome.stdout.split(separator: "\n")
    #expect(lines.count == 2 * changes.count, "\(outcome.stdout) \(outcome.stderr)")
    for (number, (change, _)) in Self.falsehoods.enumerated() where lines.count > 2 * number + 1 {
      #expect(lines[2 * number] == "4", "\(change)")
      #expect(lines[2 * number + 1] != "0", "\(change)")
    }
  }

  // MARK: Moments

  private func begin(_ words: String, in scratch: ScratchFolder) -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: commandFolder.appending("tfverify").string)
    process.arguments = words.split(separator: " ").map(String.init)
    process.currentDirectoryURL = URL(fileURLWithPath: scratch.path.string)
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    return process
  }

  @Test(.timeLimit(.minutes(5)))
  func `killed at any moment and run again, it ends in the same receipts`() throws {
    let scratch = ScratchFolder()
    let model = fixture("bert/eleven_layers").string
    let plan = begin("plan \(model) \(model) --block-size 1KB -o p", in: scratch)
    try plan.run()
    plan.waitUntilExit()
    let folder = scratch.path.appending("p.receipts")
    func receipts() -> [String: [UInt8]] {
      Dictionary(
        uniqueKeysWithValues: fileNames(in: folder).map { ($0, readFile(folder.appending($0))) })
    }
    let whole = begin("part p --part 1/1", in: scratch)
    try whole.run()
    whole.waitUntilExit()
    let expected = receipts()
    #expect(expected.count > 50)
    var kills = 0
    for round in 0..<6 {
      try FileManager.default.removeItem(atPath: folder.string)
      var delay = UInt32(2000 + 1100 * round)
      while true {
        // Two at once, of which one is killed.
        let (a, b) = (
          begin("part p --part 1/2", in: scratch), begin("part p --part 1/1", in: scratch)
        )
        try a.run()
        try b.run()
        usleep(delay)
        kill(a.processIdentifier, SIGKILL)
        kill(b.processIdentifier, SIGKILL)
        a.waitUntilExit()
        b.waitUntilExit()
        if b.terminationReason != .uncaughtSignal { break }
        kills += 1
        delay += 9000
      }
      let last = begin("part p --part 1/1", in: scratch)
      try last.run()
      last.waitUntilExit()
      #expect(last.terminationStatus == 0)
      let found = receipts()
      #expect(found.filter { !$0.key.hasPrefix(".") } == expected)
    }
    #expect(kills > 20)
  }
}
