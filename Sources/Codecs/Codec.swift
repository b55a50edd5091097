public import TensorCore

/// A way in which several stored tensors are one weight: codes and their scales.
///
/// A codec stands between container and dialect. It finds its groups in a checkpoint's table by their names,
/// types and shapes, and puts a tensor of plain numbers in the place of each, whose bytes are decoded when
/// they are read. It has one direction: what is written is the stored group as it is, or plain numbers.
public struct Codec: Sendable {
  /// What reports and certificates call it.
  public let name: String
  /// The keys of config.json that say how tensors are coded.
  let configKeys: [String]
  /// Finds all groups in a table of tensors, with the model's config.json if there is one.
  ///
  /// - Throws: `CheckpointError` if something is called as in a group, and cannot be decoded.
  let groups: @Sendable (TensorTable, JSONValue?) throws(CheckpointError) -> [CodedTensor]

  /// Where a config.json says how weights are coded.
  public static let settingsKey = "quantization_config"
  /// Where mlx-lm's config.json does; it has the same under `settingsKey`.
  public static let settingsKeyOfMLX = "quantization"
  /// All such keys.
  public static let settingsKeys = [settingsKey, settingsKeyOfMLX]

  /// What a config's `quant_method` may be: what transformers 5 knows, ModelOpt's and MLX's.
  public static let methods = [
    "aqlm", "auto-round", "awq", "bitnet", "bitsandbytes", "bitsandbytes_4bit", "bitsandbytes_8bit",
    "compressed-tensors", "eetq", "fbgemm_fp8", "fouroversix", "fp8", "fp_quant", "gemma", "gguf",
    "gptq", "higgs", "hqq", "metal", "mlx", "modelopt", "mxfp4", "mxfp8", "nvfp4", "quanto",
    "quark",
    "sinq", "spqr", "torchao", "vptq",
  ]

  /// All that there are.
  public static let all: [Codec] = [
    .fp8Blocks, .fp8Scales, .mxfp4, .gptq, .awq, .compressedTensors, .bitsAndBytes, .nvfp4,
    .torchAO, .ggmlBlocks, .mlxQuantized, .sparseBitmask, .weightNorm, .ctranslate2,
  ]
}

extension JSONValue? {
  /// A whole number of a config's `quantization_config`; `nil` if it is not there, or null.
  ///
  /// - Parameter other: the key under which it is where it is not under the first one.
  /// - Throws: `CheckpointError` if it is something else.
  func wholeNumber(_ key: String, or other: String? = nil) throws(CheckpointError) -> Int? {
    guard let value = self?[key], value != .null else {
      return if let other { try wholeNumber(other) } else { nil }
    }
    guard let number = value.int else {
      throw CheckpointError(
        .malformed(
          "config: \(Codec.settingsKey).\(key) must be a whole number, is \(value.text())"))
    }
    return number
  }
}

/// A tensor of plain numbers that a codec makes of stored ones.
public struct CodedTensor: Sendable {
  /// The name of the codec.
  public let codec: String
  /// The stored tensors; the first one's place in the table is the plain tensor's.
  public let stored: [Tensor]
  /// The plain tensor.
  public let tensor: Tensor
  /// The codes and what they stand for, where it can be shown that they are the nearest ones.
  let codes: CodeMatrix?
  /// Whether what is stored are numbers themselves, of which the weight is computed: they can be cast, and frameworks
  /// load nothing else.
  public let isComputed: Bool

  init(
    codec: String, stored: [Tensor], tensor: Tensor, codes: CodeMatrix? = nil,
    isComputed: Bool = false
  ) {
    (self.codec, self.stored, self.tensor, self.codes) = (codec, stored, tensor, codes)
    self.isComputed = isComputed
  }

  /// Whether `other` is this tensor as it is: under its name, and no part or copy of it.
  public func isWhole(in other: Tensor) -> Bool {
    guard let own = identity(tensor.bytes), own == identity(other.bytes) else { return false }
    return tensor.name == other.name && tensor.shape == other.shape
  }
}

/// Which decoded numbers bytes are, in the order of their codes or transposed.
private func identity(_ bytes: any TensorBytes) -> ObjectIdentifier? {
  if let decoded = bytes as? DecodedBytes { return ObjectIdentifier(decoded) }
  return (bytes as? GatheredBytes).map { ObjectIdentifier($0) }
}

/// A checkpoint's tensors as plain numbers: those that codecs decode, and all others as they are stored.
public struct PlainTable: Sendable {
  /// The tensors.
  public let tensors: TensorTable
  /// Those of them that are decoded.
  public let coded: [CodedTensor]
  /// How many of them are put together from parts, number by number as they are stored.
  public let joinedCount: Int

  /// Puts plain tensors in the place of all groups that a codec finds.
  ///
  /// - Parameters:
  ///   - stored: the tensors as they are stored.
  ///   - config: the model's config.json, which may say how they are coded.
  ///   - division: how a tensor lies divided among parts, by its name and its shape there.
  /// - Throws: `CheckpointError` if something is called as in a group, and cannot be decoded.
  public init(
    _ stored: TensorTable, config: JSONValue?,
    division: (String, [Int]) -> Division? = { _, _ in nil }
  ) throws(CheckpointError) {
    let parts = TensorParts(stored)
    let joined = try parts?.joined(division)
    let table = joined?.table ?? stored
    joinedCount = joined?.count ?? 0
    var coded: [CodedTensor] = []
    for codec in Codec.all { coded += try codec.groups(table, config) }
    self.coded = coded
    guard !coded.isEmpty else {
      tensors = table
      return
    }
    var plain: [TensorName: Tensor] = [:]
    var hidden: Set<TensorName> = []
    for group in coded {
      plain[group.stored[0].name] = group.tensor
      hidden.formUnion(group.stored.dropFirst().map(\.name))
    }
    tensors = try TensorTable(
      table.tensors.filter { !hidden.contains($0.name) }.map { plain[$0.name] ?? $0 })
  }

  /// The keys of config.json that codecs which decode something have read.
  public var configKeys: Set<String> {
    Set(
      Codec.all.filter { codec in coded.contains { $0.codec == codec.name } }
        .flatMap(\.configKeys))
  }

  /// The codecs that decode or join something, and how many tensors each.
  public var codecs: [(name: String, count: Int)] {
    let joined = joinedCount == 0 ? [] : [(name: TensorParts.codecName, count: joinedCount)]
    return joined
      + Codec.all.compactMap { codec in
        let count = coded.count { $0.codec == codec.name }
        return count == 0 ? nil : (codec.name, count)
      }
  }
}
