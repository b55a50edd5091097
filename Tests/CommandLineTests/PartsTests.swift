import Foundation
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A conversion that is planned, written in parts, and committed.
@Suite(.serialized) struct PartsTests {
  /// A conversion into a folder: the source, and the options.
  struct Case: Sendable, CustomTestStringConvertible {
    let source: String
    let options: String
    var testDescription: String { "\(source) \(options)" }

    init(_ source: String, _ options: String) { (self.source, self.options) = (source, options) }
  }

  static let cases = [
    Case("bert/eleven_layers", "--max-shard-size 9KB"),
    Case("bert/eleven_layers", ""),
    Case("bert/eleven_layers", "--dtype bf16 --allow-lossy --max-shard-size 5KB"),
    Case("bert/eleven_layers", "--to torch --max-shard-size 9KB"),
    Case("bert/eleven_layers", "--to tfz --level 3 --digests"),
    Case("bert/eleven_layers", "--to npz"),
    Case("llama/lm", "--dialect gguf --to gguf --max-shard-size 9KB"),
    Case("llama/lm", "--dialect gguf --to gguf --endian big"),
    Case("gpt2/openai/huggingface", "--dialect openai-gpt2 --max-shard-size 9KB"),
    Case("bert/eleven_layers", "--include '*.1.*' --exclude '*.bias' --max-shard-size 1KB"),
    Case(
      "bert/eleven_layers",
      "--rename '*.query.weight=a.*' --drop '*.bias' --strip-prefix bert. --max-shard-size 9KB"),
    Case("codecs/fp8", "--dequantize --max-shard-size 3KB"),
    Case(
      "adapters/llama/base", "--merge $FIXTURES/adapters/llama/adapter --max-shard-size 9KB"),
  ]

  @Test(arguments: cases, [1, 3])
  func `parts and a commit give the bytes that one run gives`(
    _ conversion: Case, _ count: Int
  ) async throws {
    let outcome = try await Transcript.run(
      """
      set -e
      cp -r $FIXTURES/\(conversion.source) source
      rm -f source/golden.npz
      tfconvert source/ whole/ \(conversion.options) -q > id
      tfconvert plan source/ parts/ \(conversion.options) -o plan.json -q > id
      for i in $(seq \(count)); do
        test ! -e parts
        tfconvert part plan.json --part $i/\(count) -q
      done
      tfconvert commit plan.json -q
      diff -r whole parts
      ls -A
      """)
    #expect(outcome.exit == 0, "\(outcome.stderr)")
    #expect(outcome.stdout == "parts/\nid\nparts\nplan.json\nplan.json.committed\nsource\nwhole\n")
  }

  private static let planned = """
    set -e
    cp -r $FIXTURES/bert/eleven_layers source
    tfconvert source/ whole/ --max-shard-size 9KB -q > id
    tfconvert plan source/ parts/ --max-shard-size 9KB -o plan.json -q > id

    """

  private func run(_ script: String) async throws -> Transcript.Outcome {
    try await Transcript.run(Self.planned + script)
  }

  @Test func `what is done is not done again`() async throws {
    let outcome = try await run(
      """
      tfconvert part plan.json --part 1/2
      stat -c '%n %Y %i' parts.parts-*/weights/* > before
      tfconvert part plan.json --part 1/2
      tfconvert part plan.json --part 1/1
      stat -c '%n %Y %i' parts.parts-*/weights/* > after
      head -n "$(wc -l < before)" before | while read line; do grep -qxF "$line" after; done
      tfconvert commit plan.json
      stat -c '%n %Y %i' parts/* > before
      tfconvert commit plan.json
      tfconvert part plan.json --part 2/2
      rm -r source
      tfconvert commit plan.json
      stat -c '%n %Y %i' parts/* > after
      cmp before after
      diff -r whole parts
      rm parts/model-00002*
      tfconvert commit plan.json || echo "exit $?"
      """)
    #expect(outcome.exit == 0, "\(outcome.stderr)")
    let lines = outcome.stdout.split(separator: "\n").filter { !$0.contains("model-") }
    #expect(
      lines == [
        "part 1 of 2: 4 files written, 0 there already",
        "part 1 of 2: 0 files written, 4 there already",
        "part 1 of 1: 3 files written, 4 there already",
        "committed parts/: 7 files with weights, 2 other files",
        "committed already parts/: 7 files with weights, 2 other files",
        "part 2 of 2: the target is committed already",
        "committed already parts/: 7 files with weights, 2 other files",
        "exit 4",
      ])
    #expect(outcome.stderr.contains("is not any more what was committed (model-00002-of-00007"))
  }

  /// What is done after planning, and what is said to it then.
  static let refusals: [(String, String, Int32)] = [
    (
      "printf xy | dd of=source/model.safetensors bs=1 seek=9000 conv=notrunc 2> /dev/null",
      "model.safetensors: has changed since it was planned", 4
    ),
    ("echo ' ' >> source/config.json", "config.json: has changed since it was planned", 4),
    ("echo hello > source/new.txt", "was made for 2 files, and now there are 3", 4),
    ("sed -i s/9000/8000/ plan.json", "plan.json: was changed since it was made", 4),
    (
      "sed -i 's/\"folder\": \"/\"folder\": \"\\/x/' plan.json",
      "/x$SCRATCH: cannot enter: No such file", 2
    ),
    ("echo '{}' > plan.json", "plan.json: is no plan", 2),
    ("echo nothing > plan.json", "plan.json: ", 2),
    ("mkdir parts; touch parts/x", "parts: exists already", 4),
  ]

  @Test(arguments: refusals)
  func `a source or a plan that is another one is refused in a line`(
    _ change: String, _ message: String, _ exit: Int32
  ) async throws {
    for verb in ["part plan.json --part 1/2", "commit plan.json"] {
      let outcome = try await run("\(change)\ntfconvert \(verb)")
      #expect(outcome.exit == exit, "\(outcome.stderr)")
      #expect(outcome.stderr.contains(message), "\(outcome.stderr)")
      #expect(outcome.stderr.split(separator: "\n").count <= 2)
    }
  }

  @Test func `a commit names what is missing or not as planned, and does nothing`() async throws {
    let outcome = try await run(
      """
      tfconvert part plan.json --part 1/1 -q
      cd parts.parts-*
      rm receipts/model-00001*
      rm weights/model-00002*
      printf x | dd of=$(ls weights/model-00003*) bs=1 seek=5000 conv=notrunc 2>/dev/null
      sed -i 's/"plan": "...../"plan": "00000/' receipts/model-00004*
      echo '{' > $(ls receipts/model-00005*)
      cp receipts/model-00006* receipts/other.json
      find weights receipts -type f | sort | xargs sha256sum > ../before
      cd ..
      set +e
      tfconvert commit plan.json
      echo "exit $?"
      cd parts.parts-*
      find weights receipts -type f | sort | xargs sha256sum | cmp - ../before
      cd ..
      test -e parts || echo none
      tfconvert part plan.json --part 1/1 | tail -n 1
      rm parts.parts-*/receipts/other.json
      tfconvert commit plan.json -q
      diff -r whole parts
      """)
    #expect(
      outcome.stdout == """
        exit 4
        none
        part 1 of 1: 5 files written, 2 there already
        parts/

        """)
    for words in [
      "6 of 7 files are not as planned", "model-00001-of-00007.safetensors: no part has written it",
      "model-00002-of-00007.safetensors: is gone",
      "model-00003-of-00007.safetensors: is not what its receipt says",
      "model-00004-of-00007.safetensors: is of another plan, 00000",
      "model-00005-of-00007.safetensors: ", "other: has a receipt, and is not in the plan",
    ] {
      #expect(outcome.stderr.contains(words), "\(outcome.stderr)")
    }
  }

  @Test func `a cast that loses something is refused by the part that has it`() async throws {
    let outcome = try await Transcript.run(
      """
      tfconvert plan $FIXTURES/bert/eleven_layers half/ --dtype bf16 -o plan.json -q > id
      tfconvert part plan.json --part 1/1
      """)
    #expect(outcome.exit == 4)
    #expect(outcome.stderr.contains("casting to BF16 changes values of"))
    #expect(outcome.stderr.contains("--allow-lossy"))
  }

  @Test func `what cannot be done in parts is refused`() async throws {
    for (target, message) in [
      ("x.npz", "x.npz: is one file, which is written in one go"),
      ("x.safetensors", "parts write the files of a folder"),
      ("parts/ --verify", "Unknown option '--verify'"),
    ] {
      let outcome = try await Transcript.run(
        "tfconvert plan $FIXTURES/bert/base \(target) -o plan.json; e=$?; ls; exit $e")
      #expect(outcome.exit == (target.contains("verify") ? 2 : 3))
      #expect(outcome.stderr.contains(message), "\(outcome.stderr)")
      #expect(outcome.stdout.isEmpty)
    }
    let outcome = try await Transcript.run(
      "echo mine > plan.json; tfconvert plan $FIXTURES/bert/base x/ -o plan.json; cat plan.json")
    #expect(outcome.stdout == "mine\n")
  }

  /// What schedulers say, and which part that is; `nil` where it is refused.
  static let places: [(String, String?)] = [
    ("--part 2/3", "2 of 3"), ("--part 4/3", nil), ("--part 0/3", nil), ("--part 1/0", nil),
    ("", nil), ("--of 3", nil),
    ("SLURM_ARRAY_TASK_ID=2 --of 3", "2 of 3"), ("SLURM_ARRAY_TASK_ID=0 --of 3", nil),
    ("SLURM_ARRAY_TASK_ID=4 --of 3", nil), ("SLURM_ARRAY_TASK_ID=x --of 3", nil),
    ("SLURM_ARRAY_TASK_ID=2", nil),
    (
      "SLURM_ARRAY_TASK_ID=2 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_MAX=3 SLURM_ARRAY_TASK_COUNT=3",
      "2 of 3"
    ),
    (
      "SLURM_ARRAY_TASK_ID=2 SLURM_ARRAY_TASK_MIN=2 SLURM_ARRAY_TASK_MAX=2 SLURM_ARRAY_TASK_COUNT=1",
      nil
    ),
    (
      "SLURM_ARRAY_TASK_ID=1 SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_MAX=2 SLURM_ARRAY_TASK_COUNT=3",
      nil
    ),
    (
      "SLURM_ARRAY_TASK_ID=3 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_MAX=3 SLURM_ARRAY_TASK_COUNT=2",
      nil
    ),
    ("JOB_COMPLETION_INDEX=0 --of 3", "1 of 3"), ("JOB_COMPLETION_INDEX=2 --of 3", "3 of 3"),
    ("JOB_COMPLETION_INDEX=3 --of 3", nil), ("JOB_COMPLETION_INDEX=0", nil),
    ("JOB_COMPLETION_INDEX=0 SLURM_ARRAY_TASK_ID=1 --of 3", nil),
    ("JOB_COMPLETION_INDEX=0 --part 2/3", "2 of 3"), ("--part 1/3 --of 3", nil),
  ]

  @Test func `which part it is comes from the option, or from Slurm or Kubernetes`() async throws {
    let commands = Self.places.map { place, _ in
      let words = place.split(separator: " ")
      let variables = words.filter { $0.contains("=") }.joined(separator: " ")
      let options = words.filter { !$0.contains("=") }.joined(separator: " ")
      return "env \(variables) tfconvert part plan.json \(options) | tail -n 1 | sed 's/:.*//'"
        + "; echo ."
    }
    let outcome = try await run("set +e\n" + commands.joined(separator: "\n"))
    let found = outcome.stdout.split(separator: ".", omittingEmptySubsequences: false).map {
      $0.split(separator: "\n").last.map(String.init)
    }
    for (index, (place, part)) in Self.places.enumerated() {
      #expect(found[index] == part.map { "part \($0)" }, "\(place)")
    }
  }

  @Test func `the manifest for Kubernetes runs as many parts as there are`() async throws {
    let root = fixture().removingLastComponent()
    let path = root.appending("Tools").appending("kubernetes").appending("convert.yaml")
    let text = String(decoding: readFile(path), as: UTF8.self)
    let count = try #require(text.firstMatch(of: /completions: (\d+)/)?.1)
    let command = try #require(text.firstMatch(of: /command: \[(.*)\]/)?.1)
    let words = command.replacing(",", with: "").replacing("/models/", with: "")
    #expect(text.contains("completionMode: Indexed") && words.contains("\"--of\" \"\(count)\""))
    let outcome = try await run(
      """
      for i in $(seq 0 $((\(count) - 1))); do JOB_COMPLETION_INDEX=$i \(words) -q; done
      tfconvert commit plan.json -q
      diff -r whole parts
      """)
    #expect(outcome.exit == 0, "\(outcome.stderr)")
  }

  @Test func `every file is in one part, and parts have like shares`() async throws {
    for count in [1, 2, 5, 7, 9] {
      let outcome = try await run(
        """
        for i in $(seq \(count)); do
          rm -rf parts.parts-*
          tfconvert part plan.json --part $i/\(count)
        done | grep '^wrote' | sort
        """)
      #expect(outcome.stdout.split(separator: "\n").count == 7)
      #expect(Set(outcome.stdout.split(separator: "\n")).count == 7)
    }
  }

  // MARK: Moments

  /// A checkpoint of eight matrices of 2 MB, a plan of it in eight files, and the whole target.
  private func makeLarge(_ scratch: ScratchFolder) throws -> FilePath {
    let count = 2 << 20
    var entries: [String] = []
    var generator = SeededGenerator(seed: 9)
    for index in 0..<8 {
      entries.append(
        #""w\#(index)":{"dtype":"U8","shape":[\#(count)],"data_offsets":[\#(index * count),\#((index + 1) * count)]}"#
      )
    }
    let header = "{" + entries.joined(separator: ",") + "}"
    let data = (0..<(count)).flatMap { _ in littleEndian(UInt64(generator.next())) }
    let folder = scratch.makeFolder("source")
    writeFile(
      littleEndian(UInt64(header.utf8.count)) + Array(header.utf8) + data.prefix(8 * count),
      to: folder.appending("model.safetensors"))
    writeFile(Array("{}".utf8), to: folder.appending("config.json"))
    #expect(try start("source/ whole/ --max-shard-size 3MB -q", in: scratch).status == 0)
    let words = "plan source/ parts/ --max-shard-size 3MB -o plan.json"
    #expect(try start(words, in: scratch).status == 0)
    return folder
  }

  /// Starts `tfconvert`, and waits for it, or kills it after some microseconds.
  private func start(
    _ words: String, in scratch: ScratchFolder, killedAfter delay: UInt32? = nil
  ) throws -> (status: Int32, wasKilled: Bool) {
    let process = begin(words, in: scratch)
    try process.run()
    if let delay {
      usleep(delay)
      kill(process.processIdentifier, SIGKILL)
    }
    process.waitUntilExit()
    return (process.terminationStatus, process.terminationReason == .uncaughtSignal)
  }

  private func begin(_ words: String, in scratch: ScratchFolder) -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: commandFolder.appending("tfconvert").string)
    process.arguments = words.split(separator: " ").map(String.init)
    process.currentDirectoryURL = URL(fileURLWithPath: scratch.path.string)
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    return process
  }

  private func isSame(_ scratch: ScratchFolder) -> Bool {
    let (whole, parts) = (scratch.path.appending("whole"), scratch.path.appending("parts"))
    return fileNames(in: whole) == fileNames(in: parts)
      && fileNames(in: whole).allSatisfy {
        readFile(whole.appending($0)) == readFile(parts.appending($0))
      }
  }

  @Test(.timeLimit(.minutes(10)))
  func `killed at any moment and run again, it ends in the same bytes`() throws {
    let scratch = ScratchFolder()
    _ = try makeLarge(scratch)
    var kills = (part: 0, commit: 0)
    for round in 0..<12 {
      // Later and later, so that each moment has its turn.
      var delay = UInt32(1000 + 300 * round)
      while try start("part plan.json --part 1/2", in: scratch, killedAfter: delay).wasKilled {
        kills.part += 1
        delay += 4000
      }
      #expect(try start("part plan.json --part 2/2", in: scratch).status == 0)
      delay = UInt32(1000 + 170 * round)
      while try start("commit plan.json", in: scratch, killedAfter: delay).wasKilled {
        kills.commit += 1
        // Whole or not at all.
        #expect(!scratch.names.contains("parts") || isSame(scratch))
        delay += 700
      }
      #expect(try start("commit plan.json", in: scratch).status == 0)
      #expect(isSame(scratch))
      #expect(scratch.names == ["parts", "plan.json", "plan.json.committed", "source", "whole"])
      for name in ["parts", "plan.json.committed"] {
        try FileManager.default.removeItem(atPath: scratch.path.appending(name).string)
      }
    }
    #expect(kills.part > 30)
    #expect(kills.commit > 30)
  }

  @Test(.timeLimit(.minutes(10)))
  func `two that do the same at once are in nobody's way`() throws {
    let scratch = ScratchFolder()
    _ = try makeLarge(scratch)
    for _ in 0..<4 {
      let parts = ["1/2", "1/2", "2/2", "1/1"].map {
        begin("part plan.json --part \($0)", in: scratch)
      }
      for part in parts { try part.run() }
      for part in parts { part.waitUntilExit() }
      #expect(parts.map(\.terminationStatus) == [0, 0, 0, 0])
      // A part that was started again late runs beside the commits.
      let late = begin("part plan.json --part 1/1", in: scratch)
      let commits = (0..<3).map { _ in begin("commit plan.json", in: scratch) }
      for process in commits + [late] { try process.run() }
      for process in commits + [late] { process.waitUntilExit() }
      #expect((commits + [late]).map(\.terminationStatus) == [0, 0, 0, 0])
      #expect(isSame(scratch))
      #expect(scratch.names == ["parts", "plan.json", "plan.json.committed", "source", "whole"])
      for name in ["parts", "plan.json.committed"] {
        try FileManager.default.removeItem(atPath: scratch.path.appending(name).string)
      }
    }
  }

  /// A commit that was killed before it could say so, beside a part that has written its files again.
  @Test func `a target that has its name is known, whatever the receipts' times`() async throws {
    let outcome = try await run(
      """
      tfconvert part plan.json --part 1/1 -q
      staged=$(ls -d parts.parts-*)
      cp -a "$staged/receipts" kept
      tfconvert commit plan.json -q
      mkdir -p "$staged/work"; mv kept "$staged/receipts"
      sed -i 's/"modified": "[0-9]*/"modified": "12/' "$staged"/receipts/*
      rm plan.json.committed
      tfconvert commit plan.json 2> other || echo "exit $?"
      stat -c '%d %i' parts > "$staged/work/identity"
      tfconvert commit plan.json
      ls -d parts* plan*
      """)
    let lines = outcome.stdout.split(separator: "\n")
    #expect(
      lines == [
        "parts/", "exit 4", "committed already parts/: 7 files with weights, 2 other files",
        "parts", "plan.json", "plan.json.committed",
      ], "\(outcome.stderr)")
  }

  @Test func `with --force the old target gives way, and other files in it stay`() async throws {
    let outcome = try await run(
      """
      mkdir parts; echo mine > parts/mine.txt; echo '{}' > parts/config.json
      cp source/model.safetensors parts/
      tfconvert plan source/ parts/ --max-shard-size 9KB --force -o force.json -q > id
      tfconvert part force.json --part 1/1 -q
      cat parts/config.json
      tfconvert commit force.json -q
      cat parts/mine.txt
      rm parts/mine.txt
      diff -r whole parts
      ls -d parts* | head -n 1
      """)
    #expect(outcome.stdout == "{}\nparts/\nmine\nparts\n", "\(outcome.stderr)")
  }

  @Test func `with --resume and --force other files in the old target stay, too`() async throws {
    let outcome = try await run(
      """
      mkdir -p old/inner; echo mine > old/mine.txt; echo two > old/inner/two; echo '{}' > old/config.json
      tfconvert source/ old/ --max-shard-size 9KB --force --resume -q
      cat old/mine.txt old/inner/two
      rm -r old/mine.txt old/inner
      diff -r whole old
      """)
    #expect(outcome.stdout == "old\nmine\ntwo\n", "\(outcome.stderr)")
  }

  /// A sparse checkpoint of 1 TB in 200 files.
  @Test(.timeLimit(.minutes(5)))
  func `a terabyte is planned in seconds`() throws {
    let scratch = ScratchFolder()
    let folder = scratch.makeFolder("source")
    var map: [String] = []
    for shard in 1...200 {
      let digits = String(100_000 + shard).dropFirst()
      let name = "model-\(digits)-of-00200.safetensors"
      let size = 200 << 20
      let entries = (0..<25).map { number in
        map.append(#""layers.\#(shard).w\#(number)":"\#(name)""#)
        return
          #""layers.\#(shard).w\#(number)":{"dtype":"BF16","shape":[\#(size / 2)],"data_offsets":[\#(number * size),\#((number + 1) * size)]}"#
      }
      let header = "{" + entries.joined(separator: ",") + "}"
      let path = folder.appending(name)
      let head = littleEndian(UInt64(header.utf8.count)) + Array(header.utf8)
      writeFile(head, to: path)
      let file = try FileDescriptor.open(path, .writeOnly)
      try file.closeAfter { try file.resize(to: Int64(head.count + 25 * size)) }
    }
    let index = #"{"metadata":{},"weight_map":{"# + map.joined(separator: ",") + "}}"
    writeFile(Array(index.utf8), to: folder.appending("model.safetensors.index.json"))
    let words = "plan source/ parts/ --max-shard-size 5GB --dtype f16 -M 256MiB -o plan.json"
    let begin = ContinuousClock.now
    let status = try start(words, in: scratch).status
    let time = ContinuousClock.now - begin
    #expect(status == 0)
    #expect(time < .seconds(10))
    #expect(readFile(scratch.path.appending("plan.json")).count > 200 * 25 * 10)
    let last = folder.appending("model-00200-of-00200.safetensors")
    try FileManager.default.setAttributes(
      [.modificationDate: Date.distantPast], ofItemAtPath: last.string)
    #expect(try start("part plan.json --part 999/999", in: scratch).status == 4)
  }
}
