import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// Formats that are known and not read are called by their names, by their bytes alone, as files and in
/// folders.
@Suite struct ForeignFormatTests {
  private let scratch = ScratchFolder()

  /// A file of a format, and what it is called.
  struct Sample: Sendable, CustomTestStringConvertible {
    let words: String
    let bytes: [UInt8]

    var testDescription: String { words }
  }

  private static func text(_ text: String) -> [UInt8] { Array(text.utf8) }

  /// A field of a message of Protocol Buffers that has bytes; short ones only.
  private static func field(_ number: Int, _ bytes: [UInt8]) -> [UInt8] {
    let tag = number << 3 | 2
    let head = tag < 128 ? [UInt8(tag)] : [UInt8(tag & 127 | 128), UInt8(tag >> 7)]
    return head + [UInt8(bytes.count)] + bytes
  }

  static let samples: [Sample] = [
    Sample(words: "a GGML file", bytes: text("lmgg") + [1, 0, 0, 0]),
    Sample(words: "a TensorFlow Lite model", bytes: [28, 0, 0, 0] + text("TFL3") + [0, 0]),
    Sample(words: "a TensorFlow SavedModel", bytes: [8, 1] + field(2, field(1, [0x12, 0]))),
    Sample(
      words: "a TensorFlow graph",
      bytes: field(1, field(1, text("x")) + field(2, text("Const"))) + field(4, [8, 27])),
    Sample(
      words: "a Core ML model",
      bytes: [8, 4] + field(2, field(1, text("in"))) + field(500, [1, 2])),
    Sample(
      words: "weights of a Core ML model",
      bytes: [1, 0, 0, 0, 2, 0, 0, 0] + [UInt8](repeating: 0, count: 56) + [0xEF, 0xBE, 0xAD, 0xDE]),
    Sample(words: "an Orbax checkpoint's manifest", bytes: [0x0C, 0xDB, 0x3A, 0x2A, 1, 2]),
    Sample(
      words: "a dump of joblib",
      bytes: [0x80, 3, 0x63] + text("joblib.numpy_pickle\nNumpyArrayWrapper\n")),
  ]

  @Test(arguments: samples) func `called by its name`(_ sample: Sample) throws {
    let path = scratch.write(sample.bytes, to: "model.safetensors")
    let found = try #require(error(reading: path))
    #expect(found.category == .unsupported)
    #expect(found.description.contains("is \(sample.words), which"), "\(found)")
    // In a folder the same, whatever the file is called.
    for name in ["pytorch_model.bin", "model.data"] {
      let inner = ScratchFolder()
      inner.write(sample.bytes, to: name)
      let found = try #require(error(reading: inner.path))
      #expect(found.description.contains("\(name): is \(sample.words), which"), "\(found)")
    }
  }

  @Test(arguments: samples) func `lies beside other weights, and is named`(_ sample: Sample) throws
  {
    scratch.write(sample.bytes, to: "x.model")
    try CheckpointWriter(destination: scratch.path.appending("w.bin"), format: .safetensors)
      .write(tensors: [Tensor("a", .u8, [1], [1])])
    let around = try Checkpoint.open(scratch.path).surroundings(isDeep: true)
    #expect(around.weights.map(\.what) == [sample.words])
    #expect(around.companions.isEmpty)
  }

  /// What only looks like weights: it travels.
  @Test(arguments: [
    // SentencePiece's model: pieces with a score and a type.
    field(1, field(1, text("<unk>")) + [0x15, 0, 0, 0, 0, 0x18, 2]) + field(2, field(1, [1])),
    text("\n\nA text that begins with empty lines.\n"), text("{\"a\": 1}"), [0x80, 4, 0x7D, 0x2E],
    [0x82, 0xA1, 0x61, 1, 0xA1, 0x62, 2], [0x1F, 0x8B, 8, 0, 0], [8, 1, 0, 0, 0], [],
    text("version https://git-lfs.github.com/spec/v1\n"),
  ]) func `is not taken for weights`(_ bytes: [UInt8]) throws {
    scratch.write(bytes, to: "tokenizer.model")
    try CheckpointWriter(destination: scratch.path.appending("w.bin"), format: .safetensors)
      .write(tensors: [Tensor("a", .u8, [1], [1])])
    let around = try Checkpoint.open(scratch.path).surroundings(isDeep: true)
    #expect(around.weights.isEmpty, "\(around.weights)")
    #expect(around.companions.count == 1)
  }

  @Test(arguments: [
    (["manifest.ocdbt", "d/x"], "an Orbax checkpoint"),
    (["_METADATA", "d/x"], "an Orbax checkpoint"),
    (["Manifest.json", "Data/com.apple.CoreML/model.mlmodel"], "a Core ML package"),
    (["coremldata.bin"], "a compiled Core ML model"),
    ([".zarray", "0.0"], "a Zarr array"),
    (["checkpoint", "target.w/.zarray"], "a checkpoint of Zarr arrays"),
  ]) func `a folder that is one thing is called by its name`(
    _ names: [String], _ words: String
  ) throws {
    func fill(_ root: String) {
      for name in names {
        var folder = root
        for part in name.split(separator: "/").dropLast() {
          folder += "/" + part
          _ = scratch.makeFolder(folder)
        }
        scratch.write([1], to: root + "/" + name)
      }
    }
    let path = scratch.makeFolder("x")
    fill("x")
    #expect(error(reading: path)?.problem == .unsupported("is \(words), which is not read"))
    // Within another folder it is left out as a whole.
    let model = scratch.makeFolder("m")
    _ = scratch.makeFolder("m/inner")
    fill("m/inner")
    try CheckpointWriter(destination: model.appending("w.bin"), format: .safetensors)
      .write(tensors: [Tensor("a", .u8, [1], [1])])
    let around = try Checkpoint.open(model).surroundings(isDeep: true)
    #expect(around.leftOut.map { "\($0.name): \($0.what)" } == ["inner: \(words)"])
    #expect(around.companions.isEmpty)
  }

  @Test func `what is in a tar archive says what it is`() throws {
    func archive(_ files: [(String, [UInt8])]) -> [UInt8] {
      files.flatMap { name, bytes -> [UInt8] in
        var header = [UInt8](repeating: 0, count: 512)
        header.replaceSubrange(0..<name.utf8.count, with: Self.text(name))
        header.replaceSubrange(124..<135, with: Self.text(octal(bytes.count)))
        header[156] = UInt8(ascii: "0")
        header.replaceSubrange(257..<262, with: Self.text("ustar"))
        let padding = [UInt8](repeating: 0, count: (512 - bytes.count % 512) % 512)
        return header + bytes + padding
      } + [UInt8](repeating: 0, count: 1024)
    }
    func octal(_ number: Int) -> String {
      let digits = String(number, radix: 8)
      return String(repeating: "0", count: 11 - digits.count) + digits
    }
    let cases: [([(String, [UInt8])], String)] = [
      ([("sys_info", []), ("pickle", []), ("storages", [])], "a PyTorch file (tar of pickles)"),
      ([("notes", [1]), ("x/a", Self.text("lmgg"))], "a tar archive with weights"),
      ([("notes", [1])], "a tar archive"),
    ]
    for (files, words) in cases {
      let path = scratch.write(archive(files), to: "m.nemo")
      let found = try #require(error(reading: path))
      #expect(found.description.contains("is \(words), which"), "\(found)")
    }
    // Sizes that lie.
    var bad = archive([("a", Self.text("lmgg")), ("b", [1])])
    bad.replaceSubrange(124..<135, with: Self.text("77777777777"))
    #expect(error(reading: scratch.write(bad, to: "m.tar"))?.category == .unsupported)
  }
}
