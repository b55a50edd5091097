import TensorCore

/// A format of weights that is known and not read.
///
/// A new one is one line in `all`. When a reader for it is written, it becomes a `ContainerFormat`.
struct ForeignFormat: Sendable {
  /// What it is, with an article: "a GGML file".
  let words: String
  /// What to do with such a file, as far as there is an answer.
  private let advice: Advice
  /// What a file's bytes say about it.
  let matches: @Sendable (Glimpse) -> Certainty?

  private enum Advice {
    case none
    case useSafetensors
    case saveArrays
    case unpack
  }

  /// What is wrong with a file of it.
  var problem: CheckpointError.Problem {
    switch advice {
    case .none: .unsupported("is \(words), which is not read")
    case .useSafetensors:
      .unsupported("is \(words), which can run code and is not read; use safetensors")
    case .saveArrays:
      .unsupported(
        "is \(words), which is not run, and no state dict of torch is in it;"
          + " save what arrays it has with numpy.savez")
    case .unpack: .unsupported("is \(words), which is not read: unpack it first")
    }
  }

  private init(
    _ words: String, _ advice: Advice = .none, _ certainty: Certainty = .exact,
    if matches: @escaping @Sendable (Glimpse) -> Bool
  ) {
    self.words = words
    self.advice = advice
    self.matches = { matches($0) ? certainty : nil }
  }

  /// A format whose files begin with one of these.
  private init(_ words: String, beginning texts: String...) {
    self.init(words) { glimpse in texts.contains { glimpse.begins(with: $0) } }
  }

  /// A way to pack files, which says nothing about what is in them.
  private init(packed words: String, beginning bytes: [UInt8]) {
    self.init(words, .unpack, .wrapper) { $0.begins(with: bytes) }
  }

  /// All that are known.
  static let all: [ForeignFormat] = [
    // ggml, ggmf, ggjt and ggla, as little-endian numbers.
    ForeignFormat("a GGML file") { glimpse in
      ["lmgg", "fmgg", "tjgg", "algg"].contains { glimpse.begins(with: Array($0.utf8)) }
        && !GGML.isOne(glimpse)
    },
    ForeignFormat("a TensorFlow Lite model") { $0.head.dropFirst(4).starts(with: "TFL3".utf8) },
    ForeignFormat("a TensorFlow SavedModel") { $0.message == .savedModel },
    ForeignFormat("a TensorFlow graph") { $0.message == .graph },
    ForeignFormat("a Core ML model") { $0.message == .coreML },
    // MILBlob/Blob/StorageFormat.hpp of coremltools: version 2, and the mark of the first blob.
    ForeignFormat("weights of a Core ML model") {
      $0.bytes(at: 4, 4) == [2, 0, 0, 0] && $0.bytes(at: 64, 4) == [0xEF, 0xBE, 0xAD, 0xDE]
    },
    ForeignFormat("an Orbax checkpoint's manifest") {
      $0.begins(with: [0x0C, 0xDB, 0x3A, 0x2A])
    },
    ForeignFormat("a dump of joblib", .saveArrays) { $0.isJoblib },
    ForeignFormat("a pickle", .saveArrays, .wrapper) { $0.isPickle },
    ForeignFormat("a program of torch.export (.pt2)") { $0.zip == .torchExport },
    ForeignFormat("a PyTorch file (tar of pickles)", .useSafetensors) { $0.tar == .torch },
    ForeignFormat("a tar archive with weights", .unpack) { $0.tar == .weights },
    ForeignFormat("a tar archive", .unpack, .wrapper) { $0.tar != nil },
    ForeignFormat(packed: "compressed with gzip", beginning: [0x1F, 0x8B, 8]),
    ForeignFormat(packed: "compressed with bzip2", beginning: Array("BZh".utf8)),
    ForeignFormat(packed: "compressed with xz", beginning: [0xFD] + Array("7zXZ\0".utf8)),
    // The second byte makes the first two, as a number, a multiple of 31 (RFC 1950, section 2.2).
    ForeignFormat(packed: "compressed with zlib", beginning: [0x78, 0x01]),
    ForeignFormat(packed: "compressed with zlib", beginning: [0x78, 0x5E]),
    ForeignFormat(packed: "compressed with zlib", beginning: [0x78, 0x9C]),
    ForeignFormat(packed: "compressed with zlib", beginning: [0x78, 0xDA]),
    ForeignFormat(packed: "compressed with zstd", beginning: [0x28, 0xB5, 0x2F, 0xFD]),
  ]
}
