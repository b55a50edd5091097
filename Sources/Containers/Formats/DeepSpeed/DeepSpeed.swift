import SystemPackage
import TensorCore

extension ContainerFormat {
  /// A checkpoint of DeepSpeed's ZeRO: what each process holds of the weights in single precision, in its file of the
  /// optimiser, and how these are cut, in the files of the model. The file that is read is that of the first process' model.
  ///
  /// Nothing of it is run: see `Pickle`.
  public static let deepspeed = ContainerFormat(
    name: "deepspeed", fileExtension: "pt", canShard: false,
    // One of its files by itself is a file of torch.
    matches: { _ in nil },
    read: { file throws(CheckpointError) in
      var checkpoint = try ZeroCheckpoint(file)
      return try checkpoint.contents()
    },
    layout: nil)
}

/// What the files of a ZeRO checkpoint are called (deepspeed/runtime/engine.py, `_get_zero_ckpt_name`).
enum ZeroNames {
  /// The file of the first process' model in a folder, or in the folder in it that the file `latest` names; `nil` if there is none, or
  /// none of an optimiser beside it.
  static func model(inFolder folder: FilePath) -> FilePath? {
    if let found = model(in: folder) { return found }
    guard let bytes = try? SmallFile.read(folder.appending("latest"), limit: 4096),
      let text = String(validating: bytes, as: UTF8.self)
    else { return nil }
    let tag = text.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
    guard ShardIndex.staysInFolder(tag) else { return nil }
    return model(in: folder.descendant(Array(tag.utf8)))
  }

  private static func model(in folder: FilePath) -> FilePath? {
    guard optimizers.contains(where: { folder.appending($0(0)).status?.type == .regular }) else {
      return nil
    }
    return ["mp_rank_00_model_states.pt", model(0)].map { folder.appending($0) }
      .first { $0.status?.type == .regular }
  }

  /// The file of a process' model, in stage 3.
  static func model(_ rank: Int) -> String { "zero_pp_rank_\(rank)_mp_rank_00_model_states.pt" }

  /// The files of a process' optimiser, with and without bfloat16.
  static let optimizers: [@Sendable (Int) -> String] = ["bf16_", ""].map { prefix in
    { "\(prefix)zero_pp_rank_\($0)_mp_rank_00_optim_states.pt" }
  }
}

/// One of the files: its tensors, by their paths, and what else its pickle says.
struct ZeroFile {
  let source: any ByteSource
  let heap: PickleHeap
  private let root: PickleValue
  private let tensors: [TensorName: Tensor]
  let others: [Checkpoint.Other]
  /// The memory that reading it took.
  let memory: Int

  init(_ source: any ByteSource) throws(CheckpointError) {
    self.source = source
    do throws(CheckpointError) {
      let archive = try TorchArchive(source)
      let contents = try archive.contents()
      let pickle = try archive.pickle()
      (heap, root) = (pickle.heap, pickle.root)
      var tensors: [TensorName: Tensor] = [:]
      let prefix = contents.strippedPrefix?.text ?? ""
      for tensor in contents.tensors {
        // What is left out of names stands before those of the dictionary that was there.
        tensors[TensorName(prefix + tensor.name.text)] = tensor
      }
      self.tensors = tensors
      others = contents.others
      memory = contents.openingMemory
    } catch {
      throw error.inFile(source.name)
    }
  }

  /// What stands under keys, one in the other.
  subscript(_ keys: String...) -> PickleValue? {
    var value = root
    for key in keys {
      guard let pairs = heap.dictionary(value),
        let index = stride(from: 0, to: pairs.count - 1, by: 2).first(where: {
          heap.string(pairs[$0]) == key
        })
      else { return nil }
      value = pairs[index + 1]
    }
    return value
  }

  /// A tensor, by the keys that lead to it, with dots between them.
  func tensor(_ path: String) -> Tensor? { tensors[TensorName(path)] }

  /// The tensors of a dictionary, by their own names.
  func tensors(in key: String) -> [Tensor] {
    tensors.compactMap { path, tensor in
      guard path.text.utf8.starts(with: "\(key).".utf8),
        let name = String(path.text.utf8.dropFirst(key.utf8.count + 1))
      else { return nil }
      return tensor.renamed(TensorName(name))
    }
  }

  /// The tensors of a list, in its order.
  func list(_ path: String) -> [Tensor] {
    var found: [Tensor] = []
    while let next = tensor("\(path).\(found.count)") { found.append(next) }
    return found
  }

  /// The names and shapes that a dictionary has.
  func shapes(_ value: PickleValue) -> [(name: String, shape: [Int])]? {
    guard let pairs = heap.dictionary(value) else { return nil }
    var shapes: [(name: String, shape: [Int])] = []
    for index in stride(from: 0, to: pairs.count - 1, by: 2) {
      guard let name = heap.string(pairs[index]), let shape = heap.extents(pairs[index + 1]) else {
        return nil
      }
      shapes.append((name, shape))
    }
    return shapes
  }

  /// A number, as itself or as one of an enumeration.
  func number(_ value: PickleValue?) -> Int? {
    if case .int(let number)? = value { return number }
    guard let value, let call = heap.call(value), let first = heap.elements(call.arguments)?.first,
      case .int(let number) = first
    else { return nil }
    return number
  }

  func fault(_ text: String) -> CheckpointError {
    CheckpointError(.malformed(text), file: source.name)
  }
}
