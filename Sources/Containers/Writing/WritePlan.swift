public import SystemPackage
public import TensorCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The files that a checkpoint will be.
public struct WritePlan: Sendable {
  /// One file.
  public struct File: Sendable {
    /// Where it will be.
    public let path: FilePath
    /// The bytes it will have; if `sizeIsBound`, the most it can have.
    public let byteCount: Int
    /// The tensors that it holds; none if it is no file of weights.
    public let tensors: [Tensor]
    /// How many tensors it holds.
    public var tensorCount: Int { tensors.count }

    let source: Source
  }

  enum Source: Sendable {
    case layout(any FileLayout)
    case bytes([UInt8])
    case copy(CompanionFile)
  }

  /// The files, the first of them with weights, the shard index after its shards.
  public private(set) var files: [File] = []
  /// Files of the source that have no place in the target.
  public private(set) var leftOut: [Surroundings.Item] = []
  /// Files in the folder that is replaced that are not written anew, and go: weights, indices,
  /// configs and lists of modules, which would be taken for those of the new checkpoint.
  public private(set) var removed: [Surroundings.Item] = []
  /// What lies in the folder that is replaced, and stays as it was.
  public private(set) var kept: [Surroundings.Item] = []
  /// The config beside a single file that has the right bytes already, or must not be there.
  private var untouchedConfig: (path: FilePath, bytes: [UInt8]?)?

  /// Whether the target is one file, which holds nothing but tensors.
  public let isSingleFile: Bool

  /// The bytes of all files together, before compression.
  public var byteCount: Int { files.reduce(0) { $0 + $1.byteCount } }

  init(
    _ writer: CheckpointWriter, _ contents: Contents, config: [UInt8]?,
    companions: [CompanionFile]
  ) throws(CheckpointError) {
    isSingleFile = !writer.isFolder && !writer.format.holdsFiles
    let others = travellers(writer, companions)
    var contents = contents
    contents.belongings.origin = writer.belongings.origin
    contents.belongings.keyValues = writer.belongings.keyValues
    contents.belongings.ggml = writer.belongings.ggml
    contents.belongings.modelArguments = writer.belongings.modelArguments
    if writer.format.holdsFiles {
      contents.belongings.files = Self.inside(writer, config: config, others)
    }
    do {
      _ = try TensorTable(contents.tensors)
      try addWeights(writer, contents)
    } catch {
      throw error.inFile(displayed(writer.destination))
    }
    if writer.format.holdsFiles {
      if config == nil, !writer.isFolder {
        try addConfig(nil, at: Self.configPath(of: writer.destination))
      }
    } else if writer.isFolder {
      let folder = writer.destination
      if let config { add(folder.appending("config.json"), .bytes(config), config.count) }
      for file in writer.extraFiles {
        add(folder.appending(file.name), .bytes(file.bytes), file.bytes.count)
      }
      for file in others { add(folder.descendant(file.name), file) }
    } else {
      try addConfig(config, at: Self.configPath(of: writer.destination))
    }
    try writer.checkFiles(files.map(\.path), besides: others.compactMap(\.path))
    removed = try writer.removals(writing: files.map(\.path))
    kept = try writer.remainder(writing: files.map(\.path), removing: removed)
  }

  /// Where the config beside a single file is.
  static func configPath(of file: FilePath) -> FilePath { file.appendingToName(".config.json") }

  /// Checks that the config beside a single file is still as it was when it was left alone.
  func checkConfig() throws(CheckpointError) {
    guard let (path, bytes) = untouchedConfig else { return }
    // Another program that replaces the same files by the same takes them away for a moment.
    for attempt in 1...50 {
      let isSame = try bytes.map { bytes throws(CheckpointError) in
        try CheckpointWriter.holds(path, bytes)
      }
      if isSame ?? (path.linkStatus == nil) { return }
      if attempt < 50 { usleep(10_000) }
    }
    throw CheckpointError(.changedWhileRead, file: displayed(path))
  }

  /// The files beside config.json and those that the writer adds, each name once; notes those that have
  /// no place in the target.
  private mutating func travellers(
    _ writer: CheckpointWriter, _ companions: [CompanionFile]
  ) -> [CompanionFile] {
    guard writer.isFolder || writer.format.holdsFiles else {
      let own = writer.belongings.files
      leftOut = (companions + own).map { Surroundings.Item($0.name, "a single file has no place") }
      return []
    }
    var files: [CompanionFile] = []
    let ours = writer.extraFiles.map { Array($0.name.utf8) } + [Array("config.json".utf8)]
    var names = FileNames(ours)
    for file in companions + writer.belongings.files where !ours.contains(file.name) {
      if let obstacle = writer.obstacle(to: file) ?? names.obstacle(to: file.name) {
        leftOut.append(Surroundings.Item(file.name, obstacle))
      } else {
        files.append(file)
      }
    }
    return files
  }

  /// All small files, for a container that holds them.
  private static func inside(
    _ writer: CheckpointWriter, config: [UInt8]?, _ others: [CompanionFile]
  ) -> [CompanionFile] {
    let config = config.map { [CompanionFile(name: Array("config.json".utf8), bytes: $0)] } ?? []
    let extra = writer.extraFiles.map { CompanionFile(name: Array($0.name.utf8), bytes: $0.bytes) }
    return config + extra + others
  }

  /// The config beside a single file.
  private mutating func addConfig(_ config: [UInt8]?, at path: FilePath) throws(CheckpointError) {
    if let config {
      if try !CheckpointWriter.holds(path, config) {
        add(path, .bytes(config), config.count)
      } else {
        untouchedConfig = (path, config)
      }
    } else if path.linkStatus != nil {
      throw CheckpointError(
        .refused("exists, and would be taken for the config of the new file"),
        file: displayed(path), advice: "remove it first")
    } else {
      untouchedConfig = (path, nil)
    }
  }

  private mutating func add(
    _ path: FilePath, _ source: Source, _ byteCount: Int, _ tensors: [Tensor] = []
  ) {
    files.append(File(path: path, byteCount: byteCount, tensors: tensors, source: source))
  }

  private mutating func add(_ path: FilePath, _ file: CompanionFile) {
    add(path, .copy(file), file.bytes.count)
  }

  /// The shards that a sharded checkpoint had before it became one file.
  private mutating func addOriginalShards(
    _ writer: CheckpointWriter, _ contents: Contents
  ) throws(CheckpointError) -> Bool {
    guard writer.isFolder, writer.format == .safetensors, writer.maxShardSize == nil,
      let origin = contents.belongings.origin, origin.kept != nil, let index = origin.index,
      let parts = try origin.parts(of: contents)
    else { return false }
    for (shard, part) in zip(origin.shards, parts) {
      let layout = try writer.format.lay(out: part)
      add(
        writer.destination.child(shard.head.name), .layout(layout), layout.byteCount,
        part.tensors)
    }
    add(writer.destination.child(index.name), index)
    return true
  }

  private mutating func addWeights(
    _ writer: CheckpointWriter, _ contents: Contents
  ) throws(CheckpointError) {
    if try addOriginalShards(writer, contents) { return }
    let path =
      writer.isFolder
      ? writer.destination.appending(writer.weightsName ?? writer.format.nameInFolder)
      : writer.destination
    let layout = try writer.format.lay(out: contents)
    guard let limit = writer.maxShardSize, writer.isFolder, layout.byteCount > limit else {
      add(path, .layout(layout), layout.byteCount, contents.tensors)
      return
    }
    guard writer.format.isSplit else {
      throw CheckpointError(.unsupported("\(writer.format) cannot be split into shards"))
    }
    let shards = try shards(of: contents, writer.format, limit: limit)
    if shards.count == 1 {
      add(path, .layout(layout), layout.byteCount, contents.tensors)
      return
    }
    var index = ShardIndexText(facts: writer.indexFacts)
    for (number, shard) in shards.enumerated() {
      let name = writer.format.shardName(number + 1, of: shards.count)
      let layout = try writer.format.lay(out: shard)
      index.add(shard.tensors, in: name)
      add(
        writer.destination.appending(name), .layout(layout), layout.byteCount,
        shard.tensors)
    }
    if writer.format.numbersShards { return }
    let text = Array(index.text.utf8)
    add(
      writer.destination.appending(writer.format.nameInFolder + ".index.json"), .bytes(text),
      text.count)
  }
}

/// Puts tensors into shards in their order, each as full as it can be.
///
/// A shard's size is bounded from above: an entry of the header is taken as long as it could be. The first of numbered
/// shards has what is true of all, and no tensor if it has no room for one.
private func shards(
  of contents: Contents, _ format: ContainerFormat, limit: Int
) throws(CheckpointError) -> [Contents] {
  var empty = Contents(
    tensors: [], metadata: contents.metadata, keepsOrder: contents.keepsOrder)
  empty.belongings.keyValues = contents.belongings.keyValues
  empty.belongings.ggml = contents.belongings.ggml
  let heads = (0...1).map { number in
    if format.numbersShards { empty.place = GGUFPlace(number: number, count: 2, tensorCount: 0) }
    return format.overhead.head(empty)
  }
  var shards: [Contents] = []
  var size = 0
  func begin() {
    size = heads[min(1, shards.count)]
    shards.append(empty)
  }
  if format.numbersShards { begin() }
  for tensor in contents.tensors {
    let cost = tensor.byteCount.addedIfFits(format.overhead.tensor(tensor)) ?? .max
    if shards.isEmpty || cost > limit - size { begin() }
    shards[shards.count - 1].tensors.append(tensor)
    size = size.addedIfFits(cost) ?? .max
  }
  guard format.numbersShards else { return shards }
  guard shards.count <= GGUFPlace.most else {
    throw CheckpointError(
      .limitExceeded("the number of files", limit: GGUFPlace.most, found: shards.count))
  }
  return shards.enumerated().map { number, shard in
    var shard = shard
    shard.place = GGUFPlace(
      number: number, count: shards.count, tensorCount: contents.tensors.count)
    return shard
  }
}

extension ContainerFormat {
  /// What the file with the weights in a folder is called.
  fileprivate var nameInFolder: String { folderName ?? "model.\(fileExtension)" }

  /// `model-00001-of-00002.safetensors`.
  fileprivate func shardName(_ number: Int, of count: Int) -> String {
    let dot = nameInFolder.firstIndex(of: ".") ?? nameInFolder.endIndex
    return
      "\(nameInFolder[..<dot])-\(padded(number))-of-\(padded(count))\(nameInFolder[dot...])"
  }
}

/// A number of five digits, or more.
func padded(_ number: Int) -> String {
  let digits = String(number)
  return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
}

/// The text of `model.safetensors.index.json`, as Hugging Face writes it.
///
/// Python's `json.dumps(index, indent=2, sort_keys=True)` and a newline; `total_size` counts the
/// tensors' bytes, without headers.
struct ShardIndexText {
  let facts: CheckpointWriter.IndexFacts
  private var totalSize = 0
  private var map: [TensorName: String] = [:]

  init(facts: CheckpointWriter.IndexFacts) { self.facts = facts }

  /// Adds the tensors of a shard.
  mutating func add(_ tensors: [Tensor], in shard: String) {
    for tensor in tensors {
      totalSize += tensor.byteCount
      map[tensor.name] = shard
    }
  }

  /// The file.
  var text: String {
    let lines = map.sorted { $0.key < $1.key }.map {
      "    \(jsonString($0.key.text, ascii: true)): \(jsonString($0.value, ascii: true))"
    }
    let metadata = facts.metadata + [JSONValue.Member("total_size", .number(totalSize))]
    let map = """
      {
      \(lines.joined(separator: ",\n"))
        }
      """
    let members =
      facts.others.map { ($0.key, $0.value.text()) }
      + [
        ("metadata", "{\n\(Self.text(metadata.map { ($0.key, $0.value.text()) }, indent: 4))\n  }"),
        ("weight_map", map),
      ]
    return "{\n\(Self.text(members, indent: 2))\n}\n"
  }

  /// Members, sorted by their names, a line each.
  private static func text(_ members: [(key: String, value: String)], indent: Int) -> String {
    members.sorted { TensorName($0.key) < TensorName($1.key) }.map {
      String(repeating: " ", count: indent) + "\(jsonString($0.key, ascii: true)): \($0.value)"
    }.joined(separator: ",\n")
  }
}

extension WritePlan.File {
  /// Whether the file may turn out smaller than planned, because it is compressed.
  public var sizeIsBound: Bool {
    if case .layout(let layout) = source { layout.sizeIsBound } else { false }
  }

  /// Whether it holds weights: what parts of a conversion write.
  public var isWeights: Bool {
    if case .layout = source { true } else { false }
  }

  /// Whether the file is written from front to back, so that it can be compared while it is made.
  var isComparable: Bool {
    if case .layout(let layout) = source { layout is SafetensorsLayout } else { true }
  }

  /// Writes the file's bytes.
  func write(to file: OutputFile, progress: (Int) -> Void) throws(CheckpointError) {
    switch source {
    case .layout(let layout): try layout.write(to: file, progress: progress)
    case .bytes(let bytes):
      try file.write(bytes)
      progress(bytes.count)
    case .copy(let companion): try file.copy(companion.tensor, progress: progress)
    }
    precondition(
      file.position == byteCount || sizeIsBound && file.position < byteCount,
      "a file has the size that was planned")
  }
}
