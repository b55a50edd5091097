import TensorCore

extension ContainerFormat {
  /// What `torch.save` and `torch.jit.save` write: a pickle and the bytes of tensors, in a zip archive, or
  /// one after the other as before torch 1.6.
  ///
  /// Nothing of it is run: see `Pickle`. Of a program, only the tensors are read.
  public static let torch = ContainerFormat(
    name: "torch", fileExtension: "pt", otherExtensions: ["pth", "bin", "ckpt"], canShard: true,
    folderName: "pytorch_model.bin",
    // In the pickle, before and behind the storage, and in the directory.
    overhead: Overhead(
      head: { $0.metadataBound + 1024 },
      tensor: { 700 + $0.name.text.utf8.count + 20 * $0.shape.count }),
    matches: { glimpse in
      switch glimpse.zip {
      case .torch, .torchScript: return .exact
      // Arguments of a trainer, the state of a scheduler.
      case .torchWithoutTensors: return .wrapper
      default: break
      }
      guard glimpse.isLegacyTorch else { return nil }
      return glimpse.namesStorages ? .exact : .wrapper
    },
    read: { file throws(CheckpointError) in
      guard let first = try file.head(4).first, first == UInt8(ascii: "P") else {
        return try readLegacyTorch(file)
      }
      return try TorchArchive(file).contents()
    },
    layout: { contents throws(CheckpointError) in try TorchLayout(contents) })
}

extension TorchTree {
  /// The contents of the file that a tree is of.
  ///
  /// - Parameters:
  ///   - storages: the bytes of each storage.
  ///   - isBigEndian: whether their numbers have the most significant byte first.
  ///   - fileSize: the bytes of the file.
  func contents(
    _ storages: [any TensorBytes], isBigEndian: Bool, fileSize: Int
  ) throws(CheckpointError) -> Contents {
    var tensors: [Tensor] = []
    tensors.reserveCapacity(entries.count)
    for entry in entries {
      let tensor: Tensor
      switch entry.content {
      case .number(let dtype, let bytes):
        tensor = Tensor(name: entry.name, dtype: dtype, shape: [], bytes: ByteArray(bytes))
      case .stored(let stored):
        tensor = stored.tensor(
          entry.name, in: storages[stored.view.number], isBigEndian: isBigEndian)
      }
      tensors.append(tensor)
    }
    try checkViews(tensors, fileSize: fileSize)
    var contents = Contents(tensors: tensors, metadata: ["format": "pt"], keepsOrder: false)
    contents.others = others.map { Checkpoint.Other(name: $0.name, what: $0.what) }
    contents.otherCount = otherCount
    contents.openingMemory = heap.used
    if let wrapper { contents.strippedPrefix = ("\(wrapper.name).", wrapper.count) }
    if let (_, arguments) = modelArguments {
      let text = Array((arguments.text(pretty: true) + "\n").utf8)
      contents.belongings.files = [
        CompanionFile(name: Array("config.json".utf8), bytes: text)
      ]
      contents.hasDerivedConfig = true
    }
    return contents
  }
}
