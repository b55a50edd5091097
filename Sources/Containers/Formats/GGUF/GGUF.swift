import SystemPackage
import TensorCore

extension ContainerFormat {
  /// GGUF, versions 2 and 3 (ggml, docs/gguf.md), as llama.cpp reads it.
  ///
  /// A magic number, a version, key-values of thirteen types, descriptions of the tensors, and their bytes, each
  /// from a multiple of the alignment on. Version 3 may be big-endian.
  public static let gguf = gguf(isBigEndian: false)

  /// The same, whose files are written in an order of bytes; read they are in either.
  public static func gguf(isBigEndian: Bool) -> ContainerFormat {
    ContainerFormat(
      name: "gguf", fileExtension: "gguf", canShard: false, numbersShards: true,
      holdsBlocks: true,
      overhead: Overhead(
        head: { GGUFLayout.overhead($0) }, tensor: { GGUFLayout.overhead($0) }),
      matches: { $0.begins(with: GGUF.magic) ? .exact : nil },
      read: { file throws(CheckpointError) in try GGUFHeader(of: file).contents(in: file) },
      layout: { contents throws(CheckpointError) in
        try GGUFLayout(contents, isBigEndian: isBigEndian)
      })
  }
}

/// What the format lays down.
enum GGUF {
  static let magic = Array("GGUF".utf8)
  /// What tensors' bytes are aligned to, unless `alignmentKey` says otherwise.
  static let alignment = 32
  static let alignmentKey = "general.alignment"
  static let architectureKey = "general.architecture"
  /// Extents of a tensor (`GGML_MAX_DIMS`).
  static let rank = 4
  /// Bytes of a tensor's name, and a zero behind it (`GGML_MAX_NAME`).
  static let name = 64

  /// `position`, or the next multiple of `alignment` behind it; `nil` if that does not fit.
  static func aligned(_ position: Int, to alignment: Int) -> Int? {
    position.addedIfFits(alignment - 1).map { $0 / alignment * alignment }
  }

  /// ggml's number of each type (`enum ggml_type`). Those that are missing were given up.
  static let types: [UInt32: DType] = [
    0: .f32, 1: .f16, 2: .q40, 3: .q41, 6: .q50, 7: .q51, 8: .q80, 9: .q81, 10: .q2k, 11: .q3k,
    12: .q4k, 13: .q5k, 14: .q6k, 15: .q8k, 16: .iq2xxs, 17: .iq2xs, 18: .iq3xxs, 19: .iq1s,
    20: .iq4nl, 21: .iq3s, 22: .iq2s, 23: .iq4xs, 24: .i8, 25: .i16, 26: .i32, 27: .i64, 28: .f64,
    29: .iq1m, 30: .bf16, 34: .tq10, 35: .tq20, 39: .mxfp4, 40: .nvfp4, 41: .q10, 42: .q20,
  ]

  /// The number of a type that ggml has.
  static func number(of dtype: DType) -> UInt32? { types.first { $0.value == dtype }?.key }
}
