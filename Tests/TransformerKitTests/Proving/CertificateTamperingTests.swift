import Containers
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// Nothing of a certificate, and nothing of the models, can be changed without being noticed.
@Suite struct CertificateTamperingTests {
  /// A place in a JSON value.
  private typealias Place = [Step]

  private enum Step {
    case member(Int)
    case element(Int)
  }

  /// All places that hold no other ones, with the way to them in words.
  private func leaves(_ value: JSONValue, _ place: Place, _ path: String) -> [(Place, String)] {
    switch value {
    case .object(let members):
      members.indices.flatMap {
        leaves(members[$0].value, place + [.member($0)], "\(path).\(members[$0].key)")
      }
    case .array(let elements):
      elements.indices.flatMap {
        leaves(elements[$0], place + [.element($0)], "\(path)[\($0)]")
      }
    default: [(place, path)]
    }
  }

  /// The value with another one at a place.
  private func changing(
    _ value: JSONValue, _ place: ArraySlice<Step>, _ change: (JSONValue) -> JSONValue
  ) -> JSONValue {
    guard let step = place.first else { return change(value) }
    switch (step, value) {
    case (.member(let index), .object(var members)):
      let inner = changing(members[index].value, place.dropFirst(), change)
      members[index] = JSONValue.Member(members[index].key, inner)
      return .object(members)
    case (.element(let index), .array(var elements)):
      elements[index] = changing(elements[index], place.dropFirst(), change)
      return .array(elements)
    default: return value
    }
  }

  /// Another value of the same type.
  private func other(_ value: JSONValue) -> JSONValue {
    switch value {
    case .null: "BF16"
    case .bool(let value): .bool(!value)
    case .int(let value): .int(value + 1)
    case .uint(let value): .uint(value - 1)
    case .double(let value): .double(value + 0.25)
    case .string(let text): .string(changed(text))
    default: .null
    }
  }

  /// A text of the same length; a digit stays one, so that digests stay digests and types types.
  private func changed(_ text: String) -> String {
    guard let last = text.last else { return "x" }
    return text.dropLast() + (last == "1" ? "0" : last.isNumber ? "1" : last == "a" ? "b" : "a")
  }

  /// What nothing depends on, so that only the checksum protects it: files may be renamed.
  private func isInformation(_ path: String) -> Bool {
    path.hasPrefix(".predicate.machine") || path == ".predicate.tool.version"
      || path.hasPrefix(".predicate.a.files") && path.hasSuffix("].name")
  }

  /// Every leaf, of the long ledger of casts those of three weights.
  private func allLeaves(_ value: JSONValue) -> [(place: Place, path: String)] {
    let casts = value["predicate"]?["casts"]?.elements?.count ?? 0
    let kept = [0, casts / 2, casts - 1].map { ".predicate.casts[\($0)]." }
    return leaves(value, [], "").filter { leaf in
      !leaf.1.hasPrefix(".predicate.casts") || kept.contains { leaf.1.hasPrefix($0) }
    }
  }

  @Test(arguments: [0, 1, 2, 3]) func `every value counts`(_ index: Int) throws {
    let cases: [CertifiedCase] = [
      CertifiedCase(name: "bert/base", target: "b.npz", dtype: .bf16),
      CertifiedCase(name: "bert/sharded", target: "b", dialect: "google-bert", shardSize: 20_000),
      CertifiedCase(name: "gpt2/base", target: "b.safetensors", dialect: "openai-gpt2"),
      CertifiedCase(name: CertifiedCase.quantised, target: "b.gguf", dialect: "gguf", dtype: .q40),
    ]
    let pair = try cases[index].pair()
    let (a, b) = (try Model(pair.a), try Model(pair.b))
    let original = try JSONValue(parsing: pair.bytes, grammar: .strict)
    let places = allLeaves(original)
    #expect(places.count > 80)
    for (place, path) in places {
      let tampered = changing(original, place[...], other)
      #expect(tampered != original, "\(path)")
      do throws(CheckpointError) {
        let decoded = try Certificate.decode(Array(tampered.text().utf8))
        #expect(!decoded.isSealed, "\(path): the checksum does not notice")
        if path.hasPrefix(".predicate.checksum") { continue }
        // And when the forger knows how to make the checksum: the claim itself is false.
        let resealed = try Certificate.decode(Array(decoded.certificate.text.utf8))
        #expect(resealed.isSealed)
        let failures = try resealed.check(a, b).failures
        #expect(failures.isEmpty == isInformation(path), "\(path)")
      } catch {
        // Malformed is noticed too; a later version is not malformed.
        #expect(
          error.category == (path == ".predicateType" || path == "._type" ? .unsupported : .failed),
          "\(path): \(error)")
      }
    }
  }

  @Test func `every member must be there, and no other`() throws {
    let pair = try CertifiedPair("bert/base", to: "b.npz")
    let original = try JSONValue(parsing: pair.bytes, grammar: .strict)
    func objects(_ value: JSONValue, _ place: Place) -> [Place] {
      switch value {
      case .object(let members):
        [place] + members.indices.flatMap { objects(members[$0].value, place + [.member($0)]) }
      case .array(let elements):
        elements.prefix(2).indices.flatMap { objects(elements[$0], place + [.element($0)]) }
      default: []
      }
    }
    for place in objects(original, []) {
      let count = value(at: place, in: original).members?.count ?? 0
      for index in 0..<count {
        let without = changing(original, place[...]) { object in
          var members = object.members ?? []
          members.remove(at: index)
          return .object(members)
        }
        #expect(throws: CheckpointError.self) { try Certificate.decode(Array(without.text().utf8)) }
      }
      let with = changing(original, place[...]) { object in
        .object((object.members ?? []) + [JSONValue.Member("x", 1)])
      }
      #expect(throws: CheckpointError.self) { try Certificate.decode(Array(with.text().utf8)) }
    }
  }

  private func value(at place: Place, in value: JSONValue) -> JSONValue {
    var found = JSONValue.null
    _ = changing(value, place[...]) {
      found = $0
      return $0
    }
    return found
  }

  @Test func `any byte of the file may be anything`() throws {
    let pair = try CertifiedPair("bert/base", to: "b.npz")
    let bytes = pair.bytes
    let original = try Certificate.decode(bytes)
    var generator = SeededGenerator(seed: 5)
    for _ in 0..<3000 {
      var tampered = bytes
      tampered[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(
        in: 0...255, using: &generator)
      guard let decoded = try? Certificate.decode(tampered) else { continue }
      // Between values there may be any white space.
      #expect(!decoded.isSealed || decoded.certificate == original.certificate)
    }
    for end in stride(from: 0, to: bytes.count - 1, by: 37) {
      #expect(throws: CheckpointError.self) { try Certificate.decode(Array(bytes[..<end])) }
    }
  }

  @Test func `later versions and other statements are told apart`() throws {
    let pair = try CertifiedPair("bert/base", to: "b.npz")
    let text = String(decoding: pair.bytes, as: UTF8.self)
    func category(_ old: String, _ new: String) -> CheckpointError.Category? {
      let error = #expect(throws: CheckpointError.self) {
        try Certificate.decode(Array(text.replacing(old, with: new).utf8))
      }
      return error?.category
    }
    #expect(category("urn:tfkit:certificate:v1", "urn:tfkit:certificate:v2") == .unsupported)
    #expect(category("in-toto.io/Statement/v1", "in-toto.io/Statement/v2") == .unsupported)
    #expect(category("urn:tfkit:certificate:v1", "https://slsa.dev/provenance/v1") == .failed)
    #expect(category("urn:tfkit:certificate:v1", "urn:tfkit:certificate:vx") == .failed)
    #expect(category("\"_type\"", "\"type\"") == .failed)
    for bytes: [UInt8] in [[], Array("{}".utf8), Array("[1]".utf8), Array("null".utf8)] {
      #expect(throws: CheckpointError.self) { try Certificate.decode(bytes) }
    }
  }

  // MARK: The models

  @Test(arguments: ["bert/base", "bert/sharded"])
  func `one bit of any file of either model`(_ name: String) throws {
    let clean = try CertifiedPair(name, to: "b.npz")
    let files = fileNames(in: clean.a).filter { $0.hasSuffix(".safetensors") }
    for file in files {
      let pair = try CertifiedPair(name, to: "b.npz")
      pair.flip(pair.a.appending(file))
      let failures = try pair.failures()
      #expect(failures.contains("A file \(file)") && failures.contains("A id"))
      #expect(failures.contains { $0.hasPrefix("weight ") } && failures.contains("verdict"))
      #expect(!failures.contains("B id"))
    }
    let pair = try CertifiedPair(name, to: "b.npz")
    // What stands in the middle of the file belongs to a weight; a stored member has a checksum.
    pair.flip(pair.b, fromEnd: readFile(pair.b).count / 2)
    #expect((try? pair.failures()) != [])
  }

  @Test func `a config that computes something else, and one that does not`() throws {
    let pair = try CertifiedPair("bert/base", to: "b.npz")
    let config = pair.scratch.path.appending("b.npz.config.json")
    let text = String(decoding: readFile(config), as: UTF8.self)
    writeFile(Array((text + "\n").utf8), to: config)
    #expect(try pair.failures() == ["B file b.npz.config.json"])
    let other = text.replacing("\"layer_norm_eps\": 0.001", with: "\"layer_norm_eps\": 0.002")
    #expect(other != text)
    writeFile(Array(other.utf8), to: config)
    let failures = try pair.failures()
    for claim in ["B file b.npz.config.json", "B id", "config differences", "verdict"] {
      #expect(failures.contains(claim), "\(claim)")
    }
  }

  @Test func `a ledger that does not tell what was done`() throws {
    let pair = try CertifiedPair("bert/base", to: "b.npz") {
      ($0.dtype, $0.allowsLoss) = (.bf16, true)
    }
    var certificate = try Certificate.decode(pair.bytes).certificate
    let left = certificate.casts.remove(at: 3)
    let report = try pair.check(Array(certificate.text.utf8))
    #expect(report.failures == ["weight \(left.name)"])
  }

  @Test func `a certificate of other casts, or of none`() throws {
    let bf16 = try CertifiedPair("bert/base", to: "b.npz") {
      ($0.dtype, $0.allowsLoss) = (.bf16, true)
    }
    let f16 = try CertifiedPair("bert/base", to: "b.npz") {
      ($0.dtype, $0.allowsLoss) = (.f16, true)
    }
    let none = try CertifiedPair("bert/base", to: "b.npz")
    for (pair, other) in [(bf16, f16), (f16, none), (none, bf16)] {
      let failures = try pair.check(other.bytes).failures
      #expect(failures.contains("verdict") && failures.contains("B id"))
      #expect(failures.contains { $0.hasPrefix("weight ") })
      #expect(!failures.contains("A id"))
    }
  }

  @Test func `renamed files are the same, another container is not`() throws {
    let pair = try CertifiedPair("bert/base", to: "b.npz")
    let moved = pair.scratch.makeFolder("moved")
    let weights = moved.appending("other.npz")
    writeFile(readFile(pair.b), to: weights)
    writeFile(
      readFile(pair.scratch.path.appending("b.npz.config.json")), to: moved.appending("config.json")
    )
    let decoded = try Certificate.decode(pair.bytes)
    let report = try decoded.check(Model(pair.a), Model(weights))
    #expect(report.holds)
    let notes = report.claims.filter { $0.text.contains("now named") }.map(\.subject)
    #expect(notes == ["B file b.npz", "B file b.npz.config.json"])
    let failures = try decoded.check(Model(pair.a), Model(pair.a)).failures
    #expect(failures == ["B file b.npz", "B container"])
  }
}
