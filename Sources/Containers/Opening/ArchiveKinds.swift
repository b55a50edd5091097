import TensorCore

/// What a zip archive is.
enum ZipKind {
  /// numpy's npz.
  case arrays
  /// What `torch.save` writes: a pickle, and the bytes of tensors.
  case torch
  /// The same without a tensor: arguments, the state of a scheduler.
  case torchWithoutTensors
  /// What `torch.jit.save` writes: code as well.
  case torchScript
  /// What `torch.export.save` writes: a program, and its weights one by one.
  case torchExport
  /// Keras 3's `.keras`.
  case keras
  /// Something else, or an archive whose directory cannot be read.
  case other

  /// What a file is that begins as zip archives do, or `nil` if it does not.
  init?(_ glimpse: Glimpse) {
    if glimpse.begins(with: ZipDirectory.endSignature) {
      // An archive of nothing, such as an npz of no array.
      self = .arrays
      return
    }
    guard glimpse.begins(with: [0x50, 0x4B, 3, 4]) else { return nil }
    // Whoever begins with an array has arrays, and they may be very many.
    let nameSize = Int(littleEndian(glimpse.bytes(at: 26, 2)[...]))
    if glimpse.bytes(at: 30, nameSize).suffix(4).elementsEqual(".npy".utf8) {
      self = .arrays
      return
    }
    guard let directory = try? ZipDirectory(of: glimpse.source) else {
      self = .other
      return
    }
    self.init(names: directory.members.map(\.name.text))
  }

  private init(names: [String]) {
    func has(_ suffix: String) -> Bool {
      names.contains { $0 == suffix || $0.hasSuffix("/" + suffix) }
    }
    if has("data.pkl") {
      if has("constants.pkl") || names.contains(where: { $0.contains("/code/") }) {
        self = .torchScript
      } else {
        self = names.contains { $0.contains("/data/") } ? .torch : .torchWithoutTensors
      }
    } else if has("archive_format"), names.contains(where: { $0.contains("/models/") }) {
      self = .torchExport
    } else if has("model.weights.h5") {
      self = .keras
    } else {
      self = names.contains { $0.hasSuffix(".npy") } ? .arrays : .other
    }
  }
}

/// What a tar archive is.
enum TarKind {
  /// A config and weights of NVIDIA NeMo.
  case nemo
  /// What `torch.save` wrote before 0.1.
  case torch
  /// It has files with weights in it.
  case weights
  /// Something else.
  case other

  /// How many of its files are looked at.
  private static let examined = 16

  /// What a file is that begins as tar archives do, or `nil` if it does not.
  init?(_ glimpse: Glimpse) {
    guard let archive = TarArchive(glimpse.source, head: glimpse.head) else { return nil }
    let names = Set(archive.members.map { String(decoding: $0.name, as: UTF8.self) })
    if names.contains("model_config.yaml") {
      self = .nemo
    } else if names.isSuperset(of: ["sys_info", "pickle", "storages"]) {
      self = .torch
    } else {
      let hasWeights = archive.fileNames().prefix(Self.examined).contains { name in
        guard let member = try? archive.open(name), let kind = try? recognizeWeights(member)
        else { return false }
        switch kind {
        case .container, .foreign: return true
        case .substitute, .other: return false
        }
      }
      self = hasWeights ? .weights : .other
    }
  }
}
