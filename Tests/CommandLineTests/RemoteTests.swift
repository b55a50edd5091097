import Foundation
import Synchronization
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Reading from other machines: a server on this one stands for them, a hub among them.
@Suite struct RemoteTests {
  /// A command's run against a server.
  struct Outcome {
    let stdout: String
    let stderr: String
    let exit: Int32
    let seconds: Double

    /// The lines of standard error.
    var lines: [Substring] { stderr.split(separator: "\n") }
  }

  private let scratch = ScratchFolder()
  private static let token = "hf_aVerySecretTokenOfNobody"

  /// Runs a command whose environment has nothing else in it.
  private func run(
    _ command: String, _ arguments: [String], _ environment: [String: String] = [:]
  ) async throws -> Outcome {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: commandFolder.appending(command).string)
    process.arguments = arguments
    process.currentDirectoryURL = URL(fileURLWithPath: scratch.path.string)
    process.environment = [
      "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "SWIFT_BACKTRACE": "enable=no",
      "HOME": scratch.path.string, "TFKIT_REMOTE_PATIENCE": "4",
    ].merging(environment) { $1 }
    let id = UUID().uuidString
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle(
      forWritingAtPath: scratch.write([], to: "out-" + id).string)
    process.standardError = FileHandle(
      forWritingAtPath: scratch.write([], to: "err-" + id).string)
    let start = Date()
    // The time that the process took, and not how long the test waited for a thread to go on.
    let (status, end): (Int32, Date) = try await withCheckedThrowingContinuation { continuation in
      process.terminationHandler = { process in
        let signal: Int32 = process.terminationReason == .uncaughtSignal ? 128 : 0
        continuation.resume(returning: (signal + process.terminationStatus, Date()))
      }
      do { try process.run() } catch { continuation.resume(throwing: error) }
    }
    func text(_ name: String) -> String {
      String(decoding: readFile(scratch.path.appending(name)), as: UTF8.self)
    }
    return Outcome(
      stdout: text("out-" + id), stderr: text("err-" + id), exit: status,
      seconds: end.timeIntervalSince(start))
  }

  /// A safetensors file of some tensors of random bytes, each of 300,000.
  private static func checkpoint(_ names: [String], seed: UInt64 = 1) -> [UInt8] {
    var generator = SeededGenerator(seed: seed)
    let size = 300_000
    let entries = names.enumerated().map { index, name in
      #""\#(name)":{"dtype":"U8","shape":[\#(size)],"data_offsets":[\#(index * size),\#((index + 1) * size)]}"#
    }
    let header = Array("{\(entries.joined(separator: ","))}".utf8)
    return littleEndian(UInt64(header.count)) + header + generator.bytes(size * names.count)
  }

  // MARK: What is right

  @Test func `a file of a server is read as one of this machine`() async throws {
    let bytes = Self.checkpoint(["a", "b", "c"])
    let local = scratch.write(bytes, to: "x.safetensors")
    let server = TestServer { request, _ in
      request.target == "/x.safetensors" ? .file(bytes, request) : .init(404)
    }
    for verb in [["ls"], ["hash"], ["stats"], ["show"]] {
      let tail = verb == ["show"] ? ["b", "--slice", "299990:300000"] : []
      let here = try await run("tfinspect", verb + [local.string] + tail + ["--json"])
      let there = try await run(
        "tfinspect", verb + [server.address + "/x.safetensors"] + tail + ["--json"])
      #expect(there.exit == 0, "\(there.stderr)")
      #expect(
        there.stdout.replacing(server.address + "/", with: "")
          == here.stdout.replacing(scratch.path.string + "/", with: ""))
    }
  }

  /// A server may not look at queries, so that a name behind one is that of the weights again.
  @Test func `what lies beside a file is named before the query of its address`() async throws {
    let bytes = Self.checkpoint(["a"])
    let server = TestServer { request, _ in
      request.target.hasPrefix("/x.safetensors?") || request.target == "/x.safetensors"
        ? .file(bytes, request) : .init(404)
    }
    let found = try await run(
      "tfinspect", ["ls", server.address + "/x.safetensors?download=true", "-q"])
    #expect(found.exit == 0 && found.stdout == "a\n", "\(found.stderr)")
  }

  @Test func `the header is one request, and a tensor no more than its bytes`() async throws {
    let bytes = Self.checkpoint((0..<20).map { "t\($0)" })
    let server = TestServer { request, _ in
      request.target == "/x.safetensors" ? .file(bytes, request) : .init(404)
    }
    let url = server.address + "/x.safetensors"
    _ = try await run("tfinspect", ["ls", url])
    let ranges = server.requests.filter { $0.target == "/x.safetensors" }.map(\.range)
    #expect(ranges == [0...65535])
    let before = server.requests.count
    _ = try await run("tfinspect", ["show", url, "t10", "--slice", "0:4"])
    let asked = server.requests.dropFirst(before).filter { $0.target == "/x.safetensors" }
    #expect(asked.count == 2)
    #expect(asked.compactMap(\.range).map(\.count).reduce(0, +) <= 3 * 65536)
  }

  @Test func `a long header takes a second request`() async throws {
    let bytes = Self.checkpoint((0..<2).map { String(repeating: "n", count: 50_000) + "\($0)" })
    let server = TestServer { request, _ in
      request.target == "/x.safetensors" ? .file(bytes, request) : .init(404)
    }
    let outcome = try await run("tfinspect", ["ls", server.address + "/x.safetensors", "--json"])
    #expect(outcome.exit == 0, "\(outcome.stderr)")
    #expect(server.requests.filter { $0.target == "/x.safetensors" }.count == 2)
  }

  @Test func `a model of a hub is converted as the folder is`() async throws {
    let files = TestServer.files(of: "llama/base")
    let server = TestServer { request, _ in TestServer.hub(files, request) }
    let hub = ["HF_ENDPOINT": server.address + "/"]
    let here = try await run("tfconvert", [fixture("llama/base").string, "here/", "-q"])
    let there = try await run("tfconvert", ["hf://a/b", "there/", "-q"], hub)
    #expect(here.exit == 0)
    #expect(there.exit == 0, "\(there.stderr)")
    let names = fileNames(in: scratch.path.appending("here"))
    #expect(names == fileNames(in: scratch.path.appending("there")))
    #expect(names == ["config.json", "model.safetensors"])
    for name in names {
      #expect(
        readFile(scratch.path.appending("here").appending(name))
          == readFile(scratch.path.appending("there").appending(name)))
    }
    let pair = try await run("tfverify", ["hf://a/b", fixture("llama/base").string, "-q"], hub)
    #expect(pair.stdout == "identical\n", "\(pair.stderr)")
    let golden = try await run(
      "tfverify", ["golden", "hf://a/b", fixture("llama/base/golden.npz").string], hub)
    #expect(golden.exit == 0, "\(golden.stderr)")
  }

  // MARK: What a hub says of files

  /// Two models of two shards, of which one is the same in both, and what the hub says of their digests.
  private static func pair(
    digests: [String: String]
  ) -> (server: TestServer, bytes: Int) {
    func model(_ seed: UInt64) -> [String: [UInt8]] {
      let map = #""a":"m-00001-of-00002.safetensors","b":"m-00001-of-00002.safetensors""#
      let index = #"{"weight_map":{\#(map),"c":"m-00002-of-00002.safetensors"}}"#
      return [
        "model.safetensors.index.json": Array(index.utf8),
        "m-00001-of-00002.safetensors": checkpoint(["a", "b"]),
        "m-00002-of-00002.safetensors": checkpoint(["c"], seed: seed),
      ]
    }
    let (first, second) = (model(5), model(6))
    let server = TestServer { request, _ in
      let isFirst = request.target.contains("/a/one")
      return TestServer.hub(isFirst ? first : second, request, digests: digests)
    }
    return (server, first.values.reduce(0) { $0 + $1.count })
  }

  private static let same = String(repeating: "5a", count: 32)

  @Test func `files of which the hub says the same digest are not read, and that is said`()
    async throws
  {
    let (server, _) = Self.pair(digests: ["m-00001-of-00002.safetensors": Self.same])
    let hub = ["HF_ENDPOINT": server.address]
    let outcome = try await run("tfinspect", ["diff", "hf://a/one", "hf://a/two"], hub)
    #expect(outcome.exit == 1, "\(outcome.stderr)")
    #expect(
      outcome.stdout.contains(
        "not read: hf://a/one/m-00001-of-00002.safetensors (2 tensors, 600 kB), the same in B by the hub's SHA-256"
      ), "\(outcome.stdout)")
    #expect(outcome.stdout.contains("2 tensors identical, 1 changed"), "\(outcome.stdout)")
    // Of the first shard no more than what its header comes with.
    let asked = server.requests.filter { $0.target.contains("m-00001") }.compactMap(\.range)
    #expect(asked.map(\.count).reduce(0, +) <= 2 * 65536, "\(asked)")
    #expect(
      server.requests.filter { $0.target.contains("m-00002") }.compactMap(\.range).map(\.count)
        .reduce(0, +) >= 600_000)
    let json = try await run("tfinspect", ["diff", "hf://a/one", "hf://a/two", "--json"], hub)
    for words in [
      #""not_read": ["#, #""file": "hf://a/one/m-00001-of-00002.safetensors""#,
      #""sha256": "\#(Self.same)""#, #""tensors": 2"#, #""bytes": 600000"#,
    ] {
      #expect(json.stdout.contains(words), "\(json.stdout)")
    }
  }

  @Test(arguments: [
    [:], ["m-00001-of-00002.safetensors": "5a"],
    ["m-00001-of-00002.safetensors": String(repeating: "5A", count: 32)],
    ["m-00001-of-00002.safetensors": String(repeating: "zz", count: 32)],
  ]) func `without a digest that is one, everything is read`(_ digests: [String: String])
    async throws
  {
    let (server, bytes) = Self.pair(digests: digests)
    let outcome = try await run(
      "tfinspect", ["diff", "hf://a/one", "hf://a/two"], ["HF_ENDPOINT": server.address])
    #expect(outcome.exit == 1, "\(outcome.stderr)")
    #expect(!outcome.stdout.contains("not read"))
    #expect(outcome.stdout.contains("2 tensors identical, 1 changed"))
    let ranges = server.requests.filter { !$0.target.contains("api") }.compactMap(\.range)
    #expect(ranges.map(\.count).reduce(0, +) >= 2 * (bytes - 4096))
  }

  @Test func `a verdict is not left to what a hub says`() async throws {
    let files = TestServer.files(of: "llama/base")
    var others = files
    // The last number of the last tensor.
    others["model.safetensors"]?[(files["model.safetensors"]?.count ?? 1) - 1] ^= 1
    let digests = ["model.safetensors": Self.same]
    let server = TestServer { [others] request, _ in
      TestServer.hub(
        request.target.contains("/a/one") ? files : others, request, digests: digests)
    }
    let hub = ["HF_ENDPOINT": server.address]
    let diff = try await run("tfinspect", ["diff", "hf://a/one", "hf://a/two"], hub)
    #expect(diff.exit == 0 && diff.stdout.contains("by the hub's SHA-256"), "\(diff.stdout)")
    let pair = try await run("tfverify", ["hf://a/one", "hf://a/two", "-q"], hub)
    #expect(pair.exit == 1, "\(pair.stdout)")
    // What is held against a base is read itself; of the base nothing is.
    let check = try await run(
      "tfinspect", ["check", "hf://a/two", "--against", "hf://a/one", "-v"], hub)
    #expect(check.exit == 0, "\(check.stdout) \(check.stderr)")
    #expect(
      check.stdout.contains("not read of the base: hf://a/one/model.safetensors ("),
      "\(check.stdout)")
  }

  // MARK: Going on

  /// A hub whose model has a file of 24 MB. After so many bytes it fails, until it is told otherwise.
  private final class FailingHub: Sendable {
    let bytes: Mutex<[UInt8]>
    let etag = Mutex("\"1\"")
    /// How many bytes are given yet.
    let left = Mutex(Int.max)
    private let server = Mutex<TestServer?>(nil)

    init() {
      bytes = Mutex(RemoteTests.checkpoint((0..<80).map { "t\($0)" }, seed: 3))
      let made = TestServer { [self] request, _ in
        let files = ["model.safetensors": bytes.withLock { $0 }, "config.json": Array("{}".utf8)]
        let isRange = request.target.contains("/resolve/")
        let answer = TestServer.hub(files, request, etag: etag.withLock { $0 })
        guard isRange else { return answer }
        let isGiven = left.withLock { left in
          if left != .max { left = max(0, left - answer.body.count) }
          return left > 0
        }
        return isGiven ? answer : .init(404)
      }
      server.withLock { $0 = made }
    }

    var address: String { server.withLock { $0?.address ?? "" } }
    var ranges: [ClosedRange<Int>] {
      server.withLock {
        $0?.requests.filter { $0.target.hasSuffix("model.safetensors") }.compactMap(\.range) ?? []
      }
    }
  }

  private func resume(_ hub: FailingHub, _ options: [String] = []) async throws -> Outcome {
    try await run(
      "tfconvert", ["hf://a/b", "out/", "--resume"] + options,
      ["HF_ENDPOINT": hub.address, "TFKIT_REMOTE_PATIENCE": "2"])
  }

  /// What was asked for beyond the file's beginning.
  private func asked(_ hub: FailingHub, after count: Int) -> (least: Int, bytes: Int) {
    let ranges = hub.ranges.dropFirst(count).filter { $0.lowerBound > 0 }
    return (ranges.map(\.lowerBound).min() ?? 0, ranges.map(\.count).reduce(0, +))
  }

  private var written: [UInt8] { readFile(scratch.path.appending("out/model.safetensors")) }

  /// The file that is being written.
  private func part() throws -> FilePath {
    let name = try #require(scratch.names.first { $0.hasPrefix(".out.") })
    return scratch.path.appending(name).appending("model.safetensors")
  }

  @Test func `a conversion that broke off goes on where it was`() async throws {
    let hub = FailingHub()
    hub.left.withLock { $0 = 14_000_000 }
    let broken = try await resume(hub)
    #expect(broken.exit == 2, "\(broken.stderr)")
    #expect(broken.lines.count == 1 && !scratch.names.contains("out"))
    hub.left.withLock { $0 = .max }
    let before = hub.ranges.count
    let outcome = try await resume(hub)
    #expect(outcome.exit == 0, "\(outcome.stderr)")
    #expect(
      outcome.stderr.contains("of 1 file of an earlier run, whose source is the same by its ETags"))
    #expect(written == hub.bytes.withLock { $0 })
    #expect(fileNames(in: scratch.path.appending("out")) == ["config.json", "model.safetensors"])
    let (least, bytes) = asked(hub, after: before)
    #expect(least >= 6 << 20 && bytes < 18_000_000, "\(least) \(bytes)")
    #expect(!scratch.names.contains { $0.hasPrefix(".out.") })
  }

  @Test func `what is there is held against its checksums`() async throws {
    let hub = FailingHub()
    hub.left.withLock { $0 = 18_000_000 }
    _ = try await resume(hub)
    let path = try part()
    var bytes = readFile(path)
    #expect(bytes.count >= 9 << 20)
    bytes[(3 << 20) + 5] ^= 1
    writeFile(bytes, to: path)
    hub.left.withLock { $0 = .max }
    let before = hub.ranges.count
    let outcome = try await resume(hub)
    #expect(outcome.exit == 0, "\(outcome.stderr)")
    #expect(written == hub.bytes.withLock { $0 })
    #expect(asked(hub, after: before).least <= 4 << 20)
  }

  @Test(arguments: ["etag", "options", "journal", "weak"])
  func `with another source or other options it begins anew`(_ change: String) async throws {
    let hub = FailingHub()
    if change == "weak" { hub.etag.withLock { $0 = "W/\"1\"" } }
    hub.left.withLock { $0 = 14_000_000 }
    _ = try await resume(hub)
    if change == "etag" {
      hub.etag.withLock { $0 = "\"2\"" }
      hub.bytes.withLock { $0[20_000] ^= 1 }
    } else if change == "journal" {
      let path = try part().removingLastComponent().appending(".model.safetensors.blocks")
      writeFile(Array(readFile(path).dropLast(3)) + [0x30], to: path)
    }
    hub.left.withLock { $0 = .max }
    let outcome = try await resume(hub, change == "options" ? ["--exclude", "t79"] : [])
    #expect(outcome.exit == 0, "\(outcome.stderr)")
    if change != "journal" { #expect(!outcome.stderr.contains("by its ETags")) }
    if change != "options" { #expect(written == hub.bytes.withLock { $0 }) }
    let id = try await run("tfinspect", ["hash", "out", "-q"])
    #expect(id.exit == 0)
  }

  @Test func `killed at any moment it goes on, and ends in the same bytes`() async throws {
    let hub = FailingHub()
    // The first is too short for anything to end in, however fast the machine is.
    var (kills, delay) = (0, UInt32(4_000))
    while true {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: commandFolder.appending("tfconvert").string)
      process.arguments = ["hf://a/b", "out/", "--resume", "-q"]
      process.currentDirectoryURL = URL(fileURLWithPath: scratch.path.string)
      process.environment = ["HF_ENDPOINT": hub.address, "HOME": scratch.path.string]
      process.standardOutput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
      try process.run()
      usleep(delay)
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
      if process.terminationReason != .uncaughtSignal {
        // Refused if the one before was killed after its folder had its name, which is then whole.
        #expect(process.terminationStatus == 0 || process.terminationStatus == 4 && kills > 0)
        break
      }
      kills += 1
      delay += max(2_000, delay / 5)
    }
    #expect(kills > 1)
    #expect(written == hub.bytes.withLock { $0 })
  }

  @Test func `a revision, a file and a folder of a hub are named`() async throws {
    var files = TestServer.files(of: "llama/base")
    for (name, bytes) in files { files["sub dir/" + name] = bytes }
    let all = Dictionary(
      uniqueKeysWithValues: files.map {
        ($0.key.replacing(" ", with: "%20"), $0.value)
      })
    let server = TestServer { [files] request, _ in
      request.target.hasPrefix("/api")
        ? TestServer.hub(files, request) : TestServer.hub(all, request)
    }
    let hub = ["HF_ENDPOINT": server.address]
    for (name, revision) in [
      ("hf://a/b@v1.0/model.safetensors", "v1.0"), ("hf://a/b@refs/pr/3", "refs%2Fpr%2F3"),
      ("hf://a/b@x%2Fy/sub dir", "x%2Fy"), ("hf://a/b", "main"),
    ] {
      let before = server.requests.count
      let outcome = try await run("tfinspect", ["id", name, "-q"], hub)
      #expect(outcome.exit == 0, "\(outcome.stderr)")
      let first = server.requests.dropFirst(before).first?.target
      #expect(first == "/api/models/a/b/revision/\(revision)?blobs=true")
    }
  }

  @Test func `shards are read, and one that is not there is named`() async throws {
    let first = Self.checkpoint(["a", "b"])
    let second = Self.checkpoint(["c"], seed: 2)
    let map = #""a":"m-00001-of-00002.safetensors","b":"m-00001-of-00002.safetensors""#
    let index = #"{"weight_map":{\#(map),"c":"m-00002-of-00002.safetensors"}}"#
    var files = [
      "model.safetensors.index.json": Array(index.utf8), "m-00001-of-00002.safetensors": first,
      "m-00002-of-00002.safetensors": second,
    ]
    let whole = TestServer { [files] request, _ in TestServer.hub(files, request) }
    let outcome = try await run(
      "tfinspect", ["hash", "hf://a/b", "--json"], ["HF_ENDPOINT": whole.address])
    #expect(outcome.exit == 0, "\(outcome.stderr)")
    #expect(outcome.stdout.matches(of: /"sha256"/).count == 3)
    files["m-00002-of-00002.safetensors"] = nil
    let part = TestServer { [files] request, _ in TestServer.hub(files, request) }
    let broken = try await run(
      "tfinspect", ["hash", "hf://a/b"], ["HF_ENDPOINT": part.address])
    #expect(broken.exit == 2)
    #expect(broken.stderr.contains("shard \"m-00002-of-00002.safetensors\" does not exist"))
    // By an address, where nothing lists the files.
    let web = TestServer { [files] request, _ in
      let bytes = files[String(request.target.dropFirst(5))]
      return bytes.map { .file($0, request) } ?? .init(404)
    }
    let named = try await run(
      "tfinspect", ["ls", web.address + "/dir/model.safetensors.index.json"])
    #expect(named.exit == 2)
    #expect(named.stderr.contains("shard \"m-00002-of-00002.safetensors\" does not exist"))
  }

  @Test func `two models of a hub are compared`() async throws {
    let files = TestServer.files(of: "llama/base")
    let server = TestServer { request, _ in TestServer.hub(files, request) }
    let hub = ["HF_ENDPOINT": server.address]
    let outcome = try await run("tfinspect", ["diff", "hf://a/b", "hf://a/b@v2", "-q"], hub)
    #expect(outcome.exit == 0, "\(outcome.stderr)")
  }

  // MARK: The cache

  @Test func `what is in the cache is not asked for again, unless it is damaged or another file`()
    async throws
  {
    let bytes = Self.checkpoint((0..<12).map { "t\($0)" })
    let other = Self.checkpoint((0..<12).map { "t\($0)" }, seed: 2)
    let isNew = Counter()
    let server = TestServer { request, _ in
      guard request.target == "/x.safetensors" else { return .init(404) }
      return isNew.value == 0 ? .file(bytes, request) : .file(other, request, etag: "\"2\"")
    }
    let cache = ["TFKIT_REMOTE_CACHE": scratch.path.string + "/cache"]
    let url = server.address + "/x.safetensors"
    func hash() async throws -> (Outcome, [Int]) {
      let before = server.requests.count
      let outcome = try await run("tfinspect", ["hash", url], cache)
      #expect(outcome.exit == 0, "\(outcome.stderr)")
      let asked = server.requests.dropFirst(before).filter { $0.target == "/x.safetensors" }
      return (outcome, asked.compactMap { $0.range?.lowerBound })
    }
    // Several at a time write the same blocks.
    async let (first, second, third) = (hash(), hash(), hash())
    let outcomes = try await [first.0.stdout, second.0.stdout, third.0.stdout]
    let local = scratch.write(bytes, to: "x.safetensors")
    let here = try await run("tfinspect", ["hash", local.string])
    #expect(outcomes.allSatisfy { $0 == here.stdout })
    let (again, asked) = try await hash()
    #expect(again.stdout == here.stdout)
    #expect(asked == [0])
    // A bit that fell over in a block of which nobody else has a copy.
    let place = scratch.path.appending("cache")
    let files = (FileManager.default.enumerator(atPath: place.string)?.allObjects ?? [])
      .compactMap { $0 as? String }
    #expect(!files.contains { $0.contains("/.") })
    let block = try #require(files.first { $0.hasSuffix("/5") })
    var damaged = readFile(place.pushing(FilePath(block)))
    damaged[1000] ^= 1
    writeFile(damaged, to: place.pushing(FilePath(block)))
    let (mended, fetched) = try await hash()
    #expect(mended.stdout == here.stdout)
    // Two tensors have a part of it, and may ask at once.
    #expect(fetched.first == 0 && Set(fetched) == [0, 5 << 18])
    // Another file at the same place.
    _ = isNew.next()
    let (changed, all) = try await hash()
    let there = try await run(
      "tfinspect", ["hash", scratch.write(other, to: "y.safetensors").string])
    #expect(changed.stdout == there.stdout)
    #expect(all.count > 1)
  }

  // MARK: Tokens

  @Test func `the token goes to the hub alone, and into no output`() async throws {
    let files = TestServer.files(of: "llama/base")
    let store = TestServer { request, _ in
      files[String(request.target.split(separator: "/").last ?? "")].map { .file($0, request) }
        ?? .init(404)
    }
    let place = store.address
    let server = TestServer { request, _ in
      guard request.field("authorization") == "Bearer \(Self.token)" else { return .init(401) }
      if request.target.contains("/resolve/") {
        return .init(302, ["Location: \(place)/\(request.target.split(separator: "/").last ?? "")"])
      }
      return TestServer.hub(files, request)
    }
    scratch.write(Array((Self.token + "\n").utf8), to: "token")
    _ = scratch.makeFolder(".cache")
    _ = scratch.makeFolder(".cache/huggingface")
    scratch.write(Array(Self.token.utf8), to: ".cache/huggingface/token")
    for source in [
      ["HF_TOKEN": Self.token], ["HF_TOKEN_PATH": scratch.path.string + "/token"], [:],
    ] {
      let hub = ["HF_ENDPOINT": server.address].merging(source) { $1 }
      let outcome = try await run("tfinspect", ["info", "hf://a/b", "-v"], hub)
      #expect(outcome.exit == 0, "\(outcome.stderr)")
      #expect(!(outcome.stdout + outcome.stderr).contains(Self.token))
    }
    #expect(!store.requests.isEmpty)
    #expect(store.requests.allSatisfy { $0.field("authorization") == nil })
    // No token: the hub says so, in a line.
    try FileManager.default.removeItem(atPath: scratch.path.string + "/.cache")
    let outcome = try await run(
      "tfinspect", ["info", "hf://a/b"], ["HF_ENDPOINT": server.address])
    #expect(outcome.exit == 2)
    #expect(outcome.stderr.contains("(401)") && outcome.stderr.contains("HF_TOKEN"))
    #expect(outcome.lines.count == 1)
  }

  @Test func `what is no token is said without saying it`() async throws {
    for bad in ["line\nX-Header: y", "with space", "\u{e9}"] {
      let outcome = try await run(
        "tfinspect", ["ls", "hf://a/b"],
        ["HF_ENDPOINT": "http://127.0.0.1:1", "HF_TOKEN": bad])
      #expect(outcome.exit == 2)
      #expect(outcome.lines.count == 1)
      #expect(!outcome.stderr.contains(bad))
      #expect(outcome.stderr.contains("HF_TOKEN"))
    }
  }

  @Test func `names, passwords and keys of an address are not printed`() async throws {
    let server = TestServer { _, _ in .init(404) }
    let outcome = try await run(
      "tfinspect", ["ls", "http://me:pass@127.0.0.1:\(server.port)/x?key=\(Self.token)"])
    #expect(outcome.exit == 2)
    let place = "http://127.0.0.1:\(server.port)/x?…"
    #expect(outcome.stderr == "tfinspect: \(place): the server has no such file (404)\n")
    #expect(server.requests.first?.target == "/x?key=\(Self.token)")
  }

  // MARK: Certificates

  private static let openssl = "/usr/bin/openssl"

  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: openssl)))
  func `certificates are checked, and no redirect leads from https to http`() async throws {
    func start(_ arguments: [String]) throws -> Process {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: Self.openssl)
      process.arguments = arguments
      process.currentDirectoryURL = URL(fileURLWithPath: scratch.path.string)
      process.standardInput = FileHandle.nullDevice
      process.standardOutput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
      try process.run()
      return process
    }
    let words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    let making = try start(
      words.split(separator: " ").map(String.init) + [
        "-keyout", "key.pem", "-out", "certificate.pem", "-subj", "/CN=localhost", "-addext",
        "subjectAltName=DNS:localhost",
      ])
    making.waitUntilExit()
    try #require(making.terminationStatus == 0)
    // What openssl's server sends of a file is the whole answer.
    let answer = "HTTP/1.1 302 x\r\nLocation: http://example.com/\r\nContent-Length: 0\r\n\r\n"
    scratch.write(Array(answer.utf8), to: "x")
    let port = UInt16.random(in: 20_000..<30_000)
    let server = try start([
      "s_server", "-accept", "\(port)", "-cert", "certificate.pem", "-key", "key.pem", "-HTTP",
      "-quiet",
    ])
    defer {
      kill(server.processIdentifier, SIGKILL)
      server.waitUntilExit()
    }
    let url = "https://localhost:\(port)/x"
    let trusting = ["CURL_CA_BUNDLE": scratch.path.string + "/certificate.pem"]
    let led = try await run("tfinspect", ["ls", url], trusting)
    #expect(led.exit == 2)
    #expect(
      led.stderr
        == "tfinspect: \(url): the server sends from https to example.com without encryption\n")
    let unknown = try await run("tfinspect", ["ls", url])
    #expect(unknown.exit == 2)
    #expect(unknown.lines.count == 1)
    #expect(unknown.stderr.contains("certificate"), "\(unknown.stderr)")
  }

  // MARK: Servers that do what they must not

  /// A way to be wrong: what is answered, and what is said then.
  struct Fault: Sendable, CustomTestStringConvertible {
    let name: String
    let text: String
    var exit: Int32 = 2
    /// The answer to the request for a file of which so many came before.
    let answer: @Sendable ([UInt8], TestServer.Request, Int) -> TestServer.Answer
    var testDescription: String { name }
  }

  /// A good first answer, and then that.
  private static func later(
    _ change: @escaping @Sendable (inout TestServer.Answer) -> Void
  ) -> @Sendable ([UInt8], TestServer.Request, Int) -> TestServer.Answer {
    { bytes, request, before in
      var answer = TestServer.Answer.file(bytes, request)
      if before > 0 { change(&answer) }
      return answer
    }
  }

  /// That from the first answer on.
  private static func always(
    _ change: @escaping @Sendable (inout TestServer.Answer) -> Void
  ) -> @Sendable ([UInt8], TestServer.Request, Int) -> TestServer.Answer {
    { bytes, request, _ in
      var answer = TestServer.Answer.file(bytes, request)
      change(&answer)
      return answer
    }
  }

  static let faults: [Fault] = [
    Fault(name: "200 for a range", text: "answers 200 when it is asked for a range") {
      bytes, request, before in
      before == 0 ? .file(bytes, request) : .init(200, ["ETag: \"1\""], bytes)
    },
    Fault(name: "200 of another file", text: "the file changed while it was read") {
      bytes, request, before in
      before == 0 ? .file(bytes, request) : .init(200, ["ETag: \"2\""], bytes)
    },
    Fault(
      name: "another ETag", text: "the file changed while it was read",
      answer: { bytes, request, before in
        var answer = TestServer.Answer.file(bytes, request)
        if before > 0 { answer.fields[0] = "ETag: \"2\"" }
        return answer
      }),
    Fault(
      name: "no ETag any more", text: "the file changed while it was read",
      answer: later { $0.fields.removeAll { $0.hasPrefix("ETag") } }),
    Fault(
      name: "another size", text: "the file changed while it was read",
      answer: later {
        $0.fields = $0.fields.map { $0.hasPrefix("Content-Range") ? $0 + "0" : $0 }
      }),
    Fault(
      name: "another range", text: "another range than it was asked for",
      answer: { bytes, request, before in
        var answer = TestServer.Answer.file(bytes, request)
        if before > 0, let range = request.range {
          answer.fields[2] = "Content-Range: bytes 0-\(range.count - 1)/\(bytes.count)"
        }
        return answer
      }),
    Fault(
      name: "a range that is not said", text: "does not say which",
      answer: later { $0.fields.removeAll { $0.hasPrefix("Content-Range") } }),
    Fault(
      name: "no range at first", text: "does not say which",
      answer: always { $0.fields.removeAll { $0.hasPrefix("Content-Range") } }),
    Fault(
      name: "more bytes", text: "more than the",
      answer: later {
        $0.fields.append("Connection: close")
        $0.body += [1, 2, 3]
      }),
    Fault(
      name: "fewer bytes than the range", text: "does not say which",
      answer: later { $0.body.removeLast(10) }),
    Fault(
      name: "fewer bytes, and the end of the connection", text: "needs",
      answer: later {
        $0.fields.append("Connection: close")
        $0.body.removeLast(10)
      }),
    Fault(
      name: "a body cut short each time", text: "asked",
      answer: later { $0.cut = 1000 }),
    Fault(
      name: "nothing but the end of the connection", text: "asked",
      answer: later { $0.cut = 0 }),
    Fault(
      name: "gzip in between", text: "compressed (gzip)",
      answer: later { $0.fields.append("Content-Encoding: gzip") }),
    Fault(
      name: "gzip at first", text: "compressed (gzip)",
      answer: always { $0.fields.append("Content-Encoding: gzip") }),
    Fault(
      name: "several ranges", text: "several ranges at once",
      answer: later { $0.fields.append("Content-Type: multipart/byteranges; boundary=x") }),
    Fault(name: "drops", text: "asked", answer: later { $0.drip = 50 }),
    Fault(name: "a header without end", text: "the header of the server's answer") { _, _, _ in
      .init(200, (0..<3000).map { "X-\($0): \(String(repeating: "y", count: 100))" })
    },
    Fault(name: "redirects in a circle", text: "sends on more than 10 times") { _, request, _ in
      .init(302, ["Location: \(request.target)"])
    },
    Fault(name: "a redirect to a file", text: "is no address of a server") { _, _, _ in
      .init(302, ["Location: file:///etc/passwd"])
    },
    Fault(name: "a redirect to nowhere", text: "the server answers 302") { _, _, _ in .init(302) },
    Fault(name: "300", text: "the server answers 300") { _, _, _ in .init(300) },
    Fault(name: "401", text: "(401)") { _, _, _ in .init(401) },
    Fault(name: "403", text: "(403)") { _, _, _ in .init(403) },
    Fault(name: "404", text: "(404)") { _, _, _ in .init(404) },
    Fault(name: "429", text: "the server answers 429, asked") { _, _, _ in .init(429) },
    Fault(name: "429 for an hour", text: "the server answers 429, asked once") { _, _, _ in
      .init(429, ["Retry-After: 3600"])
    },
    Fault(name: "500", text: "the server answers 500, asked") { _, _, _ in .init(500) },
    Fault(name: "503", text: "the server answers 503, asked") { _, _, _ in .init(503) },
    Fault(
      name: "503 later", text: "the server answers 503, asked", answer: later { $0.status = 503 }),
    Fault(name: "416 later", text: "the file changed", answer: later { $0.status = 416 }),
    Fault(name: "204", text: "the server answers 204") { _, _, _ in
      .init(204, ["Connection: keep-alive"])
    },
    Fault(name: "a whole file that is large", text: "sends no ranges", exit: 3) { _, _, _ in
      .init(200, ["Content-Length: 999999999999"], [0])
    },
    Fault(name: "a whole file of unknown length", text: "does not say how many bytes") {
      bytes, _, _ in .init(200, ["Connection: close"], bytes)
    },
    Fault(name: "a size that no file has", text: "does not say which") { _, request, _ in
      .init(
        206, ["Content-Range: bytes 0-65535/99999999999999999999"],
        [UInt8](repeating: 0, count: 65536))
    },
    Fault(name: "an empty file", text: "the file is empty") { _, request, _ in
      .file([], request)
    },
    Fault(name: "a web page", text: "is a web page") { _, request, _ in
      .file(Array("<!DOCTYPE html><html></html>".utf8), request)
    },
  ]

  @Test(.timeLimit(.minutes(5)), arguments: faults)
  func `a server that is wrong gets one line, soon`(_ fault: Fault) async throws {
    let bytes = Self.checkpoint(["a", "b", "c"])
    let count = Counter()
    let server = TestServer { request, _ in
      request.target == "/x.safetensors" ? fault.answer(bytes, request, count.next()) : .init(404)
    }
    let outcome = try await run(
      "tfinspect", ["hash", server.address + "/x.safetensors"], ["HF_TOKEN": Self.token])
    #expect(outcome.exit == fault.exit, "\(outcome.stderr)")
    #expect(outcome.stdout.isEmpty || !outcome.stdout.contains("\n\n"))
    #expect(outcome.lines.count == (fault.exit == 2 ? 1 : 2), "\(outcome.stderr)")
    #expect(outcome.stderr.contains(fault.text), "\(outcome.stderr)")
    #expect(outcome.stderr.contains("x.safetensors"))
    #expect(outcome.seconds < 30)
    #expect(!(outcome.stdout + outcome.stderr).contains(Self.token))
    #expect(server.requests.allSatisfy { $0.field("authorization") == nil })
  }

  @Test(arguments: ["cut", "503", "429", "none"])
  func `what goes wrong once is asked for again`(_ kind: String) async throws {
    let bytes = Self.checkpoint(["a", "b", "c"])
    let local = scratch.write(bytes, to: "x.safetensors")
    let count = Counter()
    let server = TestServer { request, _ in
      guard request.target == "/x.safetensors" else { return .init(404) }
      var answer = TestServer.Answer.file(bytes, request)
      guard count.next() % 2 == 1 else { return answer }
      switch kind {
      case "cut": answer.cut = 100
      case "503": answer = .init(503)
      case "429": answer = .init(429, ["Retry-After: 0"])
      default: answer.cut = 0
      }
      return answer
    }
    let here = try await run("tfinspect", ["hash", local.string])
    let there = try await run("tfinspect", ["hash", server.address + "/x.safetensors"])
    #expect(there.exit == 0, "\(there.stderr)")
    #expect(here.stdout == there.stdout)
  }

  @Test func `an address that a redirect led to is asked for anew when it is no longer good`()
    async throws
  {
    let bytes = Self.checkpoint((0..<40).map { "t\($0)" })
    let local = scratch.write(bytes, to: "x.safetensors")
    let count = Counter()
    let server = TestServer { request, _ in
      if request.target == "/x.safetensors" {
        return .init(302, ["Location: /signed?\(count.next())"])
      }
      guard request.target.hasPrefix("/signed") else { return .init(404) }
      // Good for the first two redirects only once.
      let number = Int(request.target.dropFirst(8)) ?? 0
      let isOld = number < 2 && request.range?.lowerBound ?? 0 >= (number + 1) * 2_000_000
      return isOld ? .init(403) : .file(bytes, request)
    }
    let here = try await run("tfinspect", ["hash", local.string])
    let there = try await run("tfinspect", ["hash", server.address + "/x.safetensors"])
    #expect(there.exit == 0, "\(there.stderr)")
    #expect(here.stdout == there.stdout)
    #expect(server.requests.filter { $0.target == "/x.safetensors" }.count == 3)
  }

  @Test func `small files may come as a whole`() async throws {
    let files = TestServer.files(of: "llama/base")
    let server = TestServer { request, _ in
      let answer = TestServer.hub(files, request)
      guard request.target.hasSuffix(".json"), answer.status == 206 else { return answer }
      return .init(200, ["ETag: \"1\""], answer.body)
    }
    let outcome = try await run(
      "tfinspect", ["info", "hf://a/b"], ["HF_ENDPOINT": server.address])
    #expect(outcome.exit == 0, "\(outcome.stderr)")
  }

  @Test(arguments: [(0, 0, true), (135, 0, true), (1, 0, false), (0, 1, false)])
  func `a size that the hub lists is held to, that of large files first`(
    _ own: Int, _ more: Int, _ holds: Bool
  ) async throws {
    let files = TestServer.files(of: "llama/base")
    let server = TestServer { request, _ in
      guard request.target.hasPrefix("/api"), let bytes = files["model.safetensors"] else {
        return TestServer.hub(files, request)
      }
      // A pointer of Git LFS has 135 bytes.
      let isPointer = own == 135
      let lfs = isPointer ? #","lfs":{"size":\#(bytes.count)}"# : ""
      let size = isPointer ? own : bytes.count + own - more
      let list = #"{"rfilename":"model.safetensors","size":\#(size)\#(lfs)}"#
      return .init(200, [], Array(#"{"siblings":[\#(list)]}"#.utf8))
    }
    let outcome = try await run(
      "tfinspect", ["ls", "hf://a/b@\(TestServer.commit)"], ["HF_ENDPOINT": server.address])
    #expect((outcome.exit == 0) == holds, "\(outcome.stderr)")
    #expect(holds || outcome.stderr.contains("the hub lists it with"))
  }

  // MARK: Hubs that list what cannot be

  @Test(arguments: [
    (#"{"sha":"x"}"#, "does not list its files"), ("[]", "does not list its files"),
    ("<html>", "the hub's list of its files"), ("", "the hub's list of its files"),
    (#"{"siblings":[{}]}"#, "a file without a name"),
    (#"{"siblings":[{"rfilename":"../x"}]}"#, "leaves the folder"),
    (#"{"siblings":[{"rfilename":"/etc/x"}]}"#, "leaves the folder"),
    (#"{"siblings":[{"rfilename":"a\nb"}]}"#, "leaves the folder"),
    (#"{"siblings":[{"rfilename":"a"},{"rfilename":"a"}]}"#, "twice"),
    (#"{"siblings":[{"rfilename":"a","size":-1}]}"#, "impossible size"),
    (#"{"siblings":[{"rfilename":"a"},{"rfilename":"a/b"}]}"#, "as a file and as a folder"),
    (#"{"sha":"../../x","siblings":[]}"#, "the commit what is none"),
    (#"{"sha":"\#(TestServer.commit)","siblings":[]}"#, "has no"),
  ])
  func `a hub that lists what cannot be gets one line`(_ list: String, _ text: String) async throws
  {
    let server = TestServer { _, _ in .init(200, [], Array(list.utf8)) }
    let outcome = try await run(
      "tfconvert", ["hf://a/b", "out/"], ["HF_ENDPOINT": server.address])
    #expect(outcome.exit == 2)
    #expect(outcome.lines.count == 1)
    #expect(outcome.stderr.contains(text), "\(outcome.stderr)")
    #expect(!scratch.names.contains("out"))
  }

  @Test(arguments: [
    ("hf://", "OWNER/NAME"), ("hf://a", "OWNER/NAME"), ("hf://datasets/a/b", "only models"),
    ("hf://a/b@", "OWNER/NAME"), ("hf://a/b@refs/pr", "refs/pr/1"), ("hf://../b", "OWNER/NAME"),
    ("http://example.com/x", "without encryption"), ("ftp://example.com/x", "https://"),
  ])
  func `an address that is none is said to be so`(_ address: String, _ text: String) async throws {
    let outcome = try await run(
      "tfinspect", ["ls", address], ["HF_ENDPOINT": "http://127.0.0.1:1"])
    #expect(outcome.exit != 0)
    #expect(outcome.stderr.contains(text), "\(outcome.stderr)")
  }

  @Test func `caps hold, and nobody is asked where that is not wanted`() async throws {
    let bytes = Self.checkpoint(["a", "b", "c"])
    let server = TestServer { request, _ in
      request.target == "/x.safetensors" ? .file(bytes, request) : .init(404)
    }
    let url = server.address + "/x.safetensors"
    let capped = try await run("tfinspect", ["hash", url], ["TFKIT_REMOTE_BYTES": "200000"])
    #expect(capped.exit == 2)
    #expect(capped.stderr.contains("the limit is 200000"), "\(capped.stderr)")
    let before = server.requests.count
    let offline = try await run("tfinspect", ["ls", url], ["HF_HUB_OFFLINE": "1"])
    #expect(offline.exit == 2)
    #expect(offline.stderr.contains("HF_HUB_OFFLINE"))
    #expect(server.requests.count == before)
    let target = try await run("tfconvert", [url, server.address + "/y.safetensors"])
    #expect(target.exit == 3)
    #expect(target.stderr.contains("only files are written"))
  }
}

/// Counts.
private final class Counter: Sendable {
  private let lock = NSLock()
  nonisolated(unsafe) private var count = 0

  var value: Int { lock.withLock { unsafe count } }

  func next() -> Int {
    lock.withLock {
      unsafe count += 1
      return unsafe count - 1
    }
  }
}
