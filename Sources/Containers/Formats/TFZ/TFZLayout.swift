import TensorCore

/// A TFZ file to be. docs/tfz.md says what it looks like, and in section 10 what is chosen here.
struct TFZLayout: FileLayout {
  /// The size of the file if nothing can be compressed.
  private(set) var byteCount = 0
  let sizeIsBound = true

  /// Bytes that will be a stream.
  struct Source: Sendable {
    let tensor: Tensor
    let unit: TFZUnit
    let effort: TFZEncoder.Effort
  }

  let contents: Contents
  let options: TFZ.Options
  /// The streams to be: those of tensors, then those of files, of the heads of the original
  /// safetensors files, and of their shard index.
  let sources: [Source]
  /// For each tensor the number of its stream.
  let placement: [Int]

  /// Lays a file out.
  ///
  /// - Throws: `CheckpointError` if a tensor cannot be read, or a limit of the format is exceeded.
  init(_ contents: Contents, _ options: TFZ.Options) throws(CheckpointError) {
    var contents = contents
    contents.belongings.origin = try contents.originToKeep
    var sources: [Source] = []
    var placement: [Int] = []
    var duplicates = TFZDuplicates()
    for tensor in contents.tensors {
      try Limits.check(name: tensor.name, rank: tensor.shape.count, offset: 0)
      try tensor.requireElements(for: "TFZ")
      if let stream = try duplicates.stream(of: tensor, otherwise: sources.count) {
        placement.append(stream)
      } else {
        placement.append(sources.count)
        sources.append(Source(tensor, level: options.level))
      }
    }
    sources += contents.filesInside.map { Source($0, level: options.level) }
    self.contents = contents
    self.sources = sources
    self.placement = placement
    self.options = options.withChunks(for: sources)
    try check()
    byteCount = try bound
  }

  /// The size of the file if nothing can be compressed.
  private var bound: Int {
    get throws(CheckpointError) {
      let none = sources.map { _ in [UInt8]() }
      let index = try index(records: none, digests: options.keepsDigests ? none : nil).count
      var total = TFZ.headerSize + TFZ.footerSize + index
      for source in sources {
        let size = source.tensor.byteCount.addedIfFits(source.recordsSize(options))
        guard let sum = size.flatMap({ total.addedIfFits($0) }) else {
          throw CheckpointError(.overflow("the size of the file"), tensor: source.tensor.name)
        }
        total = sum
      }
      return total
    }
  }

  /// Checks what a reader would refuse.
  private func check() throws(CheckpointError) {
    let origin = contents.belongings.origin
    let counts: [(String, Int, Int)] = [
      ("the number of tensors", contents.tensors.count, TFZ.Limits.tensors),
      ("the number of files inside", contents.belongings.files.count, TFZ.Limits.files),
      ("the number of shards", origin?.shards.count ?? 0, TFZ.Limits.origins),
      (
        "the number of pairs of metadata", contents.metadata?.entries.count ?? 0,
        TFZ.Limits.metadata
      ),
    ]
    for (what, count, limit) in counts where count > limit {
      throw CheckpointError(.limitExceeded(what, limit: limit, found: count))
    }
    if let file = contents.belongings.files.first(where: { TFZ.isReserved($0.name) }) {
      let name = String(decoding: file.name, as: UTF8.self)
      throw CheckpointError(
        .refused(
          "the name \"\(name)\" is reserved in TFZ, which would not open as a folder with it"))
    }
    var names = FileNames()
    for file in contents.filesInside {
      let name = String(decoding: file.name, as: UTF8.self)
      guard TFZ.isPath(file.name) else {
        throw CheckpointError(.refused("TFZ cannot hold a file of the name \"\(name)\""))
      }
      if let obstacle = names.obstacle(to: file.name) {
        throw CheckpointError(.refused("\"\(name)\" would be inside, but \(obstacle)"))
      }
    }
  }
}

extension TFZLayout.Source {
  init(_ tensor: Tensor, level: Int) {
    let unit = tensor.dtype.tfzUnit
    let isFloat = tensor.dtype.isFloatingPoint || unit.exponentBits > 0
    let effort: TFZEncoder.Effort =
      isFloat ? level == 1 ? .entropy : .level(level) : .level(max(3, level))
    self.init(tensor: tensor, unit: unit, effort: effort)
  }

  init(_ file: CompanionFile, level: Int) {
    self.init(tensor: file.tensor, unit: .byte, effort: .level(max(9, level)))
  }

  /// Bytes of the index that the stream's records, and its digest if digests are kept, take.
  func recordsSize(_ options: TFZ.Options) -> Int {
    let chunks = TFZIndex.chunkCount(tensor.byteCount, unit, chunkUnits: options.chunkUnits)
    return chunks * TFZRecord.size(width: unit.width) + (options.keepsDigests ? 32 : 0)
  }
}

extension TFZ.Options {
  /// The same, with chunks so large that the index has room for their records.
  fileprivate func withChunks(for sources: [TFZLayout.Source]) -> TFZ.Options {
    var options = self
    while options.chunkUnits < TFZ.Limits.chunkUnits.upperBound,
      sources.reduce(0, { $0 + $1.recordsSize(options) }) > TFZ.Limits.index / 2
    {
      options.chunkUnits *= 2
    }
    return options
  }
}

extension Contents {
  /// All files that stand inside a TFZ file, in the order of their streams.
  var filesInside: [CompanionFile] {
    belongings.files + (belongings.origin?.shards.map(\.head) ?? [])
      + [belongings.origin?.index].compactMap(\.self)
  }

  /// What there is of the original safetensors files, if they held exactly these contents.
  ///
  /// What describes other tensors, after a change of dialect say, is not worth keeping.
  fileprivate var originToKeep: SafetensorsOrigin? {
    get throws(CheckpointError) {
      guard var origin = belongings.origin, try origin.parts(of: self) != nil else { return nil }
      // Of the only file, the name is not needed for giving it back.
      if origin.index == nil, let only = origin.shards.first, !isPlainFileName(only.head.name) {
        let head = CompanionFile(name: Array("model.safetensors".utf8), bytes: only.head.bytes)
        origin.shards = [SafetensorsOrigin.Shard(head, only.tensorCount)]
      }
      return origin
    }
  }
}
