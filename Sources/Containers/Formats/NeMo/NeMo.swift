import TensorCore

extension ContainerFormat {
  /// An archive of NVIDIA NeMo's: a tar, gzip or plain, of model_config.yaml, model_weights.ckpt, which `torch.save` has
  /// written, and the tokenizer's files (NVIDIA/NeMo: nemo/core/connectors/save_restore_connector.py).
  ///
  /// Nothing is unpacked to a disk, and nothing of the weights' pickle is run: see `torch`.
  public static let nemo = ContainerFormat(
    name: "nemo", fileExtension: "nemo", canShard: false,
    matches: { $0.tar == .nemo || NeMo.isCompressed($0) ? .exact : nil },
    read: { file throws(CheckpointError) in try NeMo(file).contents() },
    layout: nil)
}

/// An archive that is open.
private struct NeMo {
  private static let config = "model_config.yaml"
  private static let weights = "model_weights.ckpt"

  private let archive: TarDirectory
  /// What its bytes take in memory.
  private let memory: Int

  init(_ file: any ByteSource) throws(CheckpointError) {
    if try file.head(2) == Gzip.magic {
      let bytes = try Gzip.inflated(file)
      archive = try TarDirectory(MemorySource(name: file.name, bytes: bytes))
      memory = bytes.count
    } else {
      archive = try TarDirectory(file)
      memory = 0
    }
  }

  /// Whether a file that is called as one is compressed, and a tar archive when it no longer is.
  static func isCompressed(_ glimpse: Glimpse) -> Bool {
    guard glimpse.begins(with: Gzip.magic), glimpse.source.fileExtension == "nemo" else {
      return false
    }
    return Gzip.beginning(glimpse.bytes(at: 0, 1 << 14), count: 262).dropFirst(257)
      .starts(with: "ustar".utf8)
  }

  func contents() throws(CheckpointError) -> Contents {
    let checkpoints = archive.members.filter { $0.name.hasSuffix(".ckpt") }
    if checkpoints.count > 1 {
      throw CheckpointError(
        .malformed("has \(checkpoints.count) files of weights in it, and one is read"))
    }
    guard let weights = checkpoints.first, weights.name == Self.weights else {
      throw CheckpointError(.malformed("has no \(Self.weights) in it"))
    }
    let source = archive.source(of: weights)
    guard case .container(.torch) = try recognize(source) else {
      throw CheckpointError(.malformed("is no file of torch's"), file: source.name)
    }
    let settings = try settings()
    var contents: Contents
    do throws(CheckpointError) {
      contents = try ContainerFormat.torch.read(source)
    } catch {
      throw error.inFile(source.name)
    }
    contents.openingMemory += memory
    contents.hasDerivedConfig = true
    contents.belongings.files = [file("config.json", settings.text)]
    if let extractor = settings.extractor {
      contents.belongings.files.append(file("preprocessor_config.json", extractor))
    }
    for member in archive.members where member.name != Self.weights && member.name != Self.config {
      if member.name.hasSuffix("tokenizer.model"),
        !contents.belongings.files.contains(where: { $0.name == Self.tokenizer })
      {
        contents.belongings.files.append(
          CompanionFile(name: Self.tokenizer, bytes: archive.bytes(of: member)))
      } else {
        contents.addOther(member.name, "a file of the archive")
      }
    }
    return contents
  }

  private static let tokenizer = Array("tokenizer.model".utf8)

  private func file(_ name: String, _ value: JSONValue) -> CompanionFile {
    CompanionFile(
      name: Array(name.utf8), bytes: Array((value.text(pretty: true) + "\n").utf8))
  }

  /// What the config says of the encoder and of how sounds are read, and what a feature extractor of Hugging Face's would
  /// be told for the latter.
  private func settings() throws(CheckpointError) -> (text: JSONValue, extractor: JSONValue?) {
    guard let member = archive.members.first(where: { $0.name == Self.config }) else {
      throw CheckpointError(.malformed("has no \(Self.config) in it"))
    }
    let name = archive.source(of: member).name
    guard member.size <= Limits.text else {
      throw CheckpointError(
        .limitExceeded("the size", limit: Limits.text, found: member.size), file: name)
    }
    let bytes = archive.bytes(of: member)
    let text = try bytes.read(0..<bytes.count)
    do {
      let value = try JSONValue(yaml: Self.sections(of: text))
      return (value, value["preprocessor"].flatMap(Self.extractor))
    } catch {
      throw CheckpointError(.malformed("the section that is read: \(error.reason)"), file: name)
    }
  }

  /// The lines of the two sections that are read, and of the class: others have texts of all kinds.
  private static func sections(of text: [UInt8]) -> [UInt8] {
    let wanted = ["encoder:", "preprocessor:", "target:"].map { Array($0.utf8) }
    var isWanted = false
    var kept: [UInt8] = []
    for line in text.split(separator: 10) {
      if let first = line.first, first != 0x20, first != UInt8(ascii: "-") {
        isWanted = wanted.contains { line.starts(with: $0) }
      }
      if isWanted { kept += line + [10] }
    }
    return kept
  }

  /// The section under Hugging Face's keys, without the name of a class; `nil` if it says what these cannot.
  private static func extractor(_ section: JSONValue) -> JSONValue? {
    func isUsual(_ key: String, _ value: JSONValue) -> Bool {
      section[key].map { $0 == value } ?? true
    }
    guard isUsual("normalize", "per_feature"), isUsual("window", "hann"), isUsual("log", true)
    else {
      return nil
    }
    let rate = section["sample_rate"]?.int ?? 16_000
    var members: [JSONValue.Member] = [
      .init("sampling_rate", .number(rate))
    ]
    for (own, other) in [("window_size", "win_length"), ("window_stride", "hop_length")] {
      guard let seconds = section[own]?.double, (0..<60).contains(seconds) else { continue }
      members.append(.init(other, .number(Int(seconds * Double(rate)))))
    }
    for (own, other) in [
      ("features", "feature_size"), ("n_fft", "n_fft"), ("preemph", "preemphasis"),
      ("preemphasis", "preemphasis"), ("pad_value", "padding_value"),
    ] {
      if let value = section[own] { members.append(.init(other, value)) }
    }
    return .object(members)
  }
}
