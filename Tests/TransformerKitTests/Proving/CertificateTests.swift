import Containers
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Two models in a scratch folder, and the certificate that a conversion wrote about them.
struct CertifiedPair {
  let scratch = ScratchFolder()
  let a: FilePath
  let b: FilePath
  var certificate: FilePath { scratch.path.appending("certificate.json") }

  /// Converts a fixture with a certificate.
  init(_ name: String, to target: String, _ edit: (inout Conversion.Target) -> Void = { _ in })
    throws
  {
    a = scratch.makeFolder("a")
    for file in fileNames(in: fixture(name)) where file != "golden.npz" {
      guard try fixture(name).appending(file).stat().type == .regular else { continue }
      writeFile(readFile(fixture(name).appending(file)), to: a.appending(file))
    }
    b = scratch.path.appending(target)
    var target = Conversion.Target(
      b, certificate: scratch.path.appending("certificate.json"), toolVersion: "1.2.3")
    edit(&target)
    try Conversion(Checkpoint.open(a), to: target).run()
  }

  /// The file.
  var bytes: [UInt8] { readFile(certificate) }

  /// Opens both models and checks the certificate.
  func check(_ bytes: [UInt8]? = nil, inputs: FilePath? = nil) throws -> CertificateReport {
    try Certificate.decode(bytes ?? self.bytes).check(Model(a), Model(b), inputs: inputs)
  }

  /// The claims that do not hold.
  func failures() throws -> [String] { try check().failures }

  /// Replaces the byte of a file that is so many from its end.
  func flip(_ path: FilePath, fromEnd: Int = 1) {
    var bytes = readFile(path)
    bytes[bytes.count - fromEnd] ^= 0x40
    writeFile(bytes, to: path)
  }
}

extension CertificateReport {
  /// What the claims that do not hold are about.
  var failures: [String] { claims.filter { !$0.holds }.map(\.subject) }
}

/// What is converted: a container, a dialect, shards, casts down and up, each family.
struct CertifiedCase: Sendable, CustomTestStringConvertible {
  let name: String
  let target: String
  var dialect: String?
  var dtype: DType?
  var shardSize: Int?

  var testDescription: String { "\(name) to \(target) \(dialect ?? "") \(dtype?.name ?? "")" }

  static let all = [
    CertifiedCase(name: "bert/base", target: "b.npz"),
    CertifiedCase(name: "bert/base", target: "b.tfz"),
    CertifiedCase(name: "bert/masked_lm", target: "b.safetensors", dialect: "google-bert"),
    CertifiedCase(name: "bert/base", target: "b.npz", dtype: .bf16),
    CertifiedCase(name: "bert/bf16", target: "b.safetensors", dtype: .f32),
    CertifiedCase(name: "bert/sharded", target: "b.npz"),
    CertifiedCase(name: "bert/base", target: "b", shardSize: 20_000),
    CertifiedCase(name: "gpt2/lm", target: "b", dialect: "nanogpt"),
    CertifiedCase(name: "gpt2/openai", target: "b.npz", dialect: "huggingface", dtype: .f16),
    CertifiedCase(name: "t5/v10", target: "b.npz", dialect: "t5x-scanned", dtype: .bf16),
    CertifiedCase(name: quantised, target: "b.gguf", dialect: "gguf", dtype: .q80),
    CertifiedCase(name: quantised, target: "b", dialect: "gguf", dtype: .q50, shardSize: 8_000),
  ]
  /// A model whose rows are whole blocks.
  static let quantised = "containers/gguf/quantised/source"

  /// What the target is to the source.
  var verdict: Certificate.Verdict {
    dtype.map { $0.isBlock ? .quantized([$0]) : .cast($0) } ?? .identical
  }

  func pair() throws -> CertifiedPair {
    try CertifiedPair(name, to: target) {
      $0.isFolder = !target.contains(".")
      if dtype?.isBlock == true { $0.format = .gguf }
      ($0.dialect, $0.dtype, $0.maxShardSize) = (dialect, dtype, shardSize)
      ($0.allowsLoss, $0.allowsMismatch) = (true, true)
    }
  }
}

@Suite struct CertificateTests {
  @Test(arguments: CertifiedCase.all) func `a certificate of a conversion holds`(
    _ test: CertifiedCase
  ) throws {
    let pair = try test.pair()
    let report = try pair.check()
    #expect(report.failures == [])
    #expect(report.verdict == test.verdict)
    let certificate = try Certificate.decode(pair.bytes).certificate
    let isInBlocks = test.dtype?.isBlock == true
    // Beside blocks, norms become single precision.
    #expect(certificate.casts.isEmpty == (test.dtype == nil))
    #expect(certificate.quantizations.isEmpty != isInBlocks)
    #expect(certificate.a.rules.count > 5 && certificate.b.rules.count > 5)
    #expect((certificate.a.rules == certificate.b.rules) == (test.dialect == nil))
    #expect(!certificate.outputs.isEmpty && certificate.machine.toolVersion == "1.2.3")
    let isSharded = certificate.b.files.contains { $0.role == .index }
    #expect(isSharded == (test.shardSize != nil && !isInBlocks))
    let weights = certificate.b.files.count { $0.role == .weights }
    #expect((weights > 1) == (test.shardSize != nil))
  }

  @Test(arguments: CertifiedCase.all)
  func `what is written is read again, and is the same every time`(_ test: CertifiedCase) throws {
    let pair = try test.pair()
    let decoded = try Certificate.decode(pair.bytes)
    #expect(decoded.isSealed)
    #expect(Array(decoded.certificate.text.utf8) == pair.bytes)
    // The comparison alone says the same as the conversion.
    let (a, b) = (try Model(pair.a), try Model(pair.b))
    let again = try Certificate(
      compare(a, b), a, b, probe: Certificate.Probe(inputs: nil), precision: .f32,
      toolVersion: "1.2.3")
    #expect(again == decoded.certificate)
    let text = String(decoding: pair.bytes, as: UTF8.self)
    #expect(!text.contains("/tmp") && !text.contains(pair.scratch.path.string))
    #expect(
      text.hasPrefix("{\n  \"_type\": \"https://in-toto.io/Statement/v1\",\n  \"subject\": ["))
  }

  @Test func `every file of both sides is there with its digest`() throws {
    let pair = try CertifiedPair("bert/sharded", to: "b.npz")
    let certificate = try Certificate.decode(pair.bytes).certificate
    let roles = certificate.a.files.map(\.role)
    #expect(roles == [.weights, .weights, .weights, .index, .config])
    #expect(certificate.b.files.map(\.name) == ["b.npz", "b.npz.config.json"])
    for file in certificate.a.files {
      let bytes = readFile(pair.a.appending(file.name))
      #expect(file.size == bytes.count && file.sha256 == FileDigest(bytes).sha256)
    }
    #expect(certificate.a.id == certificate.b.id)
  }

  @Test func `a rule is its own id`() throws {
    let rules = try openModel("gpt2/base").graph.rules
    let expected =
      "gpt2/huggingface: transformer.h.{i}.attn.c_attn.weight = transpose(join0("
      + ["query", "key", "value"].map { "decoder.blocks.{i}.attention.\($0).weight" }
      .joined(separator: ", ") + "))"
    #expect(rules.contains(expected))
    #expect(Set(rules).count == rules.count)
  }

  @Test func `one code that is another, or another error, is noticed`() throws {
    let pair = try CertifiedPair(CertifiedCase.quantised, to: "b.gguf") {
      ($0.dialect, $0.dtype, $0.allowsLoss) = ("gguf", .q80, true)
    }
    var certificate = try Certificate.decode(pair.bytes).certificate
    certificate.quantizations[3].error += 1e-9
    let path = certificate.quantizations[3].weight
    let report = try Certificate.decode(Array(certificate.text.utf8))
      .check(Model(pair.a), Model(pair.b))
    #expect(report.failures == ["quantised \(path)"])
    // Another type is no claim about these blocks, whatever else is said of them.
    certificate.quantizations[3].error -= 1e-9
    certificate.quantizations[3].to = .q40
    let other = try Certificate.decode(Array(certificate.text.utf8))
      .check(Model(pair.a), Model(pair.b))
    #expect(Set(other.failures).isSuperset(of: ["weight \(path)", "quantised \(path)"]))
    certificate.quantizations.remove(at: 3)
    let less = try Certificate.decode(Array(certificate.text.utf8))
      .check(Model(pair.a), Model(pair.b))
    #expect(less.failures == ["weight \(path)"])
    // The last bytes of the file are those of a norm or of blocks; either way a weight is not A's any more.
    pair.flip(pair.b, fromEnd: 2_000)
    let failures = try pair.failures()
    #expect(failures.contains { $0.hasPrefix("weight ") || $0.hasPrefix("quantised ") })
    #expect(failures.contains("verdict") && failures.contains("B id"))
  }

  @Test func `errors are those of the comparison`() throws {
    let pair = try CertifiedPair(CertifiedCase.quantised, to: "b.gguf") {
      ($0.dialect, $0.dtype, $0.allowsLoss) = ("gguf", .q40, true)
    }
    let report = try compare(Model(pair.a), Model(pair.b), precision: Float.self)
    var errors: [String: Double] = [:]
    for weight in report.weights { errors[weight.path] = weight.relation.quantizationError }
    let certificate = try Certificate.decode(pair.bytes).certificate
    #expect(certificate.quantizations.count >= 6)
    for weight in certificate.quantizations {
      #expect(weight.error > 0 && weight.error == errors[weight.weight], "\(weight.weight)")
    }
  }

  @Test func `models that differ are not certified`() throws {
    let (a, b) = (try openModel("bert/base"), try openModel("bert/relu"))
    let certificate = try Certificate(
      compare(a, b), a, b, probe: .seed(1), precision: .f32, toolVersion: "")
    #expect(certificate == nil)
  }

  @Test func `a file that is replaced meanwhile is not certified`() throws {
    let pair = try CertifiedPair("bert/base", to: "b.npz")
    let (a, b) = (try Model(pair.a), try Model(pair.b))
    let report = try compare(a, b)
    let bytes = readFile(pair.b)
    let other = pair.scratch.write(bytes, to: "other")
    rename(other, to: pair.b)
    let error = #expect(throws: CheckpointError.self) {
      try Certificate(report, a, b, probe: .seed(1), precision: .f32, toolVersion: "")
    }
    #expect(error?.problem == .changedWhileRead)
  }

  @Test func `configs that differ without a consequence are certified as that`() throws {
    let pair = try CertifiedPair("bert/relu", to: "b.npz")
    let config = pair.scratch.path.appending("b.npz.config.json")
    let text = String(decoding: readFile(config), as: UTF8.self)
    let other = text.replacing("\"layer_norm_eps\": 1e-12", with: "\"layer_norm_eps\": 1e-11")
    #expect(other != text)
    writeFile(Array(other.utf8), to: config)
    let (a, b) = (try Model(pair.a), try Model(pair.b))
    func certificate(_ precision: Certificate.Precision) throws -> Certificate? {
      let report =
        precision == .f32
        ? try compare(a, b, precision: Float.self) : try compare(a, b, precision: Double.self)
      return try Certificate(
        report, a, b, probe: Certificate.Probe(inputs: nil), precision: precision, toolVersion: "")
    }
    let found = try #require(try certificate(.f32))
    #expect(found.configDifferences == ["epsilon: 1e-12 in A, 1e-11 in B"])
    #expect(found.a.id != found.b.id)
    #expect(try pair.check(Array(found.text.utf8)).holds)
    // In double precision it has one.
    #expect(try certificate(.f64) == nil)
    var doubled = found
    doubled.precision = .f64
    #expect(try pair.check(Array(doubled.text.utf8)).failures == ["outputs", "verdict"])
  }

  // MARK: Inputs

  @Test func `the inputs that it was made on are needed again`() throws {
    let pair = try CertifiedPair("bert/base", to: "b.npz")
    let inputs = fixture("bert/base/golden.npz")
    let (a, b) = (try Model(pair.a), try Model(pair.b))
    let report = try compare(a, b, inputs: ArrayFile(inputs).inputs(), precision: Double.self)
    let certificate = try Certificate(
      report, a, b, probe: Certificate.Probe(inputs: inputs), precision: .f64, toolVersion: "")
    let bytes = try Array(#require(certificate).text.utf8)
    #expect(try pair.check(bytes, inputs: inputs).holds)
    let error = #expect(throws: CheckpointError.self) { try pair.check(bytes) }
    #expect(error?.description.contains("--inputs") == true)
    let other = try pair.check(bytes, inputs: fixture("bert/masked_lm/golden.npz"))
    #expect(other.failures.contains("probe"))
    // And the other way: made on the probe, checked on inputs.
    #expect(try pair.check(inputs: inputs).failures.contains("probe"))
  }
}

/// Gives a file another's name.
private func rename(_ path: FilePath, to target: FilePath) {
  unsafe path.withPlatformString { old in
    unsafe target.withPlatformString { _ = unsafe renameat(AT_FDCWD, old, AT_FDCWD, $0) }
  }
}
