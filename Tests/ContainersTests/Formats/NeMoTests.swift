import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// Archives of NeMo's: what is read, and that hostile ones end in a line.
@Suite struct NeMoTests {
  private static let plain = readFile(fixture("parakeet/nemo/model.nemo"))
  private static let compressed = readFile(fixture("parakeet/nemo_gzip/model.nemo"))

  /// A file of an archive that is made here.
  struct Entry: Sendable {
    var name: String
    var bytes: [UInt8] = []
    var kind = UInt8(ascii: "0")
    /// What stands as its size, if not how many bytes there are.
    var size: String?
    var hasWrongSum = false

    var blocks: [UInt8] {
      var header = [UInt8](repeating: 0, count: 512)
      header.replaceSubrange(0..<name.utf8.count, with: Array(name.utf8))
      let octal = String(bytes.count, radix: 8)
      let text = size ?? String(repeating: "0", count: 11 - octal.count) + octal
      header.replaceSubrange(124..<124 + text.utf8.count, with: Array(text.utf8))
      header[156] = kind
      header.replaceSubrange(257..<262, with: Array("ustar".utf8))
      let sum = header.reduce(8 * 0x20) { $0 + Int($1) } + (hasWrongSum ? 1 : 0)
      let digits = String(sum, radix: 8)
      let padded = String(repeating: "0", count: 6 - digits.count) + digits
      header.replaceSubrange(148..<154, with: Array(padded.utf8))
      header[155] = 0x20
      return header + bytes + [UInt8](repeating: 0, count: (512 - bytes.count % 512) % 512)
    }
  }

  private static func archive(_ entries: [Entry], hasEnd: Bool = true) -> [UInt8] {
    entries.flatMap(\.blocks) + (hasEnd ? [UInt8](repeating: 0, count: 1024) : [])
  }

  /// The fixture's files.
  private static let config = Entry(
    name: "./model_config.yaml", bytes: Array("encoder:\n  d_model: 4\n".utf8))
  private static let weights: Entry = {
    // Of the fixture the weights follow the config.
    let name = Array("./model_weights.ckpt".utf8)
    let start = plain.indices.first { plain[$0...].starts(with: name) } ?? 0
    let digits = plain[start + 124..<start + 135]
    let size = Int(String(decoding: digits, as: UTF8.self), radix: 8) ?? 0
    return Entry(
      name: "./model_weights.ckpt", bytes: Array(plain[start + 512..<start + 512 + size]))
  }()

  private func error(_ bytes: [UInt8], name: String = "m.nemo") -> CheckpointError? {
    let scratch = ScratchFolder()
    let path = scratch.write(bytes, to: FilePath.Component(name)?.string ?? name)
    return withExtendedLifetime(scratch) { ContainersTests.error(reading: path, as: .nemo) }
  }

  @Test(arguments: ["nemo", "nemo_gzip"])
  func `weights, config, tokenizer and what the rest is are found`(_ name: String) throws {
    let source = try Checkpoint.open(fixture("parakeet/\(name)"))
    #expect(source.format == .nemo)
    #expect(source.tensors.tensors.contains { $0.name == "encoder.pre_encode.out.weight" })
    #expect(source.config?.value["encoder"]?["n_layers"]?.int == 1)
    #expect(source.config?.value["train_ds"] == nil)
    let files = source.belongings.files.map { String(decoding: $0.name, as: UTF8.self) }
    #expect(files == ["preprocessor_config.json", "tokenizer.model"])
    #expect(
      source.others.map(\.name).contains("0123456789abcdef_vocab.txt"), "\(source.others)")
    let settings = try JSONValue(
      parsing: try source.belongings.files[0].bytes.read(
        0..<source.belongings.files[0].bytes.count), grammar: .strict)
    #expect(settings["win_length"]?.int == 400 && settings["hop_length"]?.int == 160)
    #expect(settings["sampling_rate"]?.int == 16_000 && settings["feature_size"]?.int == 8)
  }

  @Test func `an archive that is put together so is read`() throws {
    #expect(error(Self.archive([Self.config, Self.weights])) == nil)
    // A folder, and a name behind a long one of GNU's or of pax.
    let long = String(repeating: "long/", count: 30) + "name"
    let record = " path=\(long)\n"
    let length = record.utf8.count + 3
    let entries = [
      Entry(name: "./", kind: UInt8(ascii: "5")), Self.config,
      Entry(name: "././@LongLink", bytes: Array(long.utf8) + [0], kind: UInt8(ascii: "L")),
      Entry(name: "short"), Self.weights,
      Entry(name: "pax", bytes: Array("\(length)\(record)".utf8), kind: UInt8(ascii: "x")),
      Entry(name: "other"),
    ]
    let twice = error(Self.archive(entries))
    #expect(twice?.description.contains("has \(long) twice") == true, "\(twice as Any)")
    #expect(error(Self.archive(Array(entries.dropLast(2)))) == nil)
  }

  @Test(arguments: [
    ([Entry(name: "../model_config.yaml")], "leads out of the archive"),
    ([Entry(name: "/etc/passwd")], "leads out of the archive"),
    ([Entry(name: "a/../../b")], "leads out of the archive"),
    ([Entry(name: "")], "leads out of the archive"),
    ([Entry(name: "model_config.yaml", kind: UInt8(ascii: "2"))], "is a link"),
    ([Entry(name: "model_weights.ckpt", kind: UInt8(ascii: "1"))], "is a link"),
    ([Entry(name: "null", kind: UInt8(ascii: "3"))], "is a device"),
    ([Entry(name: "what", kind: UInt8(ascii: "Z"))], "is no file"),
    ([Entry(name: "a"), Entry(name: "./a")], "has a twice"),
    ([Entry(name: "a", size: "77777777777")], "truncated"),
    ([Entry(name: "a", size: "99999999999")], "is no number"),
    ([Entry(name: "a", size: "-0000000001")], "is no number"),
    ([Entry(name: "a", hasWrongSum: true)], "header of the tar archive"),
    ([Entry(name: "x", bytes: Array("5 path\n".utf8), kind: UInt8(ascii: "x"))], "is no record"),
    (
      [Entry(name: "x", bytes: Array("12 size=-1\n\n".utf8), kind: UInt8(ascii: "x"))],
      "is no number"
    ),
    (
      [Entry(name: "x", bytes: [UInt8](repeating: 65, count: 70_000), kind: UInt8(ascii: "L"))],
      "size of a name"
    ),
  ])
  func `what no archive has is refused`(_ entries: [Entry], _ reason: String) {
    let found = error(Self.archive(entries + [Self.config, Self.weights]))
    #expect(found?.description.contains(reason) == true, "\(found as Any)")
    #expect(found?.description.contains("\n") == false)
  }

  @Test func `one config and one file of weights are asked for`() {
    func reason(_ entries: [Entry]) -> String { error(Self.archive(entries))?.description ?? "" }
    var other = Self.weights
    other.name = "other.ckpt"
    #expect(reason([Self.config, Self.weights, other]).contains("has 2 files of weights in it"))
    #expect(reason([Self.config]).contains("has no model_weights.ckpt in it"))
    #expect(reason([Self.config, other]).contains("has no model_weights.ckpt in it"))
    #expect(reason([Self.weights]).contains("has no model_config.yaml in it"))
    var broken = Self.config
    broken.bytes = Array("encoder:\n  a: b: c\n   d\n".utf8)
    #expect(reason([broken, Self.weights]).contains("model_config.yaml"))
    var pickle = Self.weights
    pickle.bytes = [1, 2, 3]
    #expect(reason([Self.config, pickle]).contains("model_weights.ckpt: is no file of torch's"))
  }

  @Test func `an archive that is cut off anywhere is refused`() {
    let whole = Self.archive([Self.config, Self.weights], hasEnd: false)
    for end in stride(from: 0, through: whole.count, by: 509) {
      #expect(error(Array(whole[..<end])) != nil, "\(end)")
    }
    for end in stride(from: 0, to: Self.compressed.count, by: 331) {
      #expect(error(Array(Self.compressed[..<end])) != nil, "\(end)")
    }
    #expect(
      error(Self.compressed + [0])?.description.contains("1 bytes follow gzip's trailer") == true)
    var damaged = Self.compressed
    damaged[damaged.count / 2] ^= 0xFF
    #expect(error(damaged) != nil)
  }

  @Test func `it is told by its bytes, and gzip by its name`() throws {
    let scratch = ScratchFolder()
    #expect(try Checkpoint.open(scratch.write(Self.plain, to: "a.bin")).format == .nemo)
    #expect(try Checkpoint.open(scratch.write(Self.compressed, to: "a.nemo")).format == .nemo)
    let error = ContainersTests.error(reading: scratch.write(Self.compressed, to: "a.gz"))
    #expect(error?.description.contains("compressed with gzip") == true)
  }
}
