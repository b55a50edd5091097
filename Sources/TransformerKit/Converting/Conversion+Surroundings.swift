public import Containers
import Models
import SystemPackage
import TensorCore

extension Conversion {
  /// What the source's container holds, or lies in its folder, and is not in the target.
  public func leftOut(by plan: WritePlan) -> [Surroundings.Item] {
    surroundings.leftOut + plan.leftOut
  }

  /// What is worth knowing about source and target, a line each.
  public var notes: [String] {
    var notes: [String] = []
    if let part = source.part { notes.append("the source is \(part.words)") }
    if let dialect, let note = model?.graph.foreignFiles(of: dialect, in: format.name) {
      notes.append(note)
    }
    if let note = foreignNamesNote { notes.append(note) }
    notes += roundings.map { "rounded \($0)" } + omissions.map { "left out of \($0)" }
    if let note = tokenizerNote { notes.append(note) }
    let name = target.destination.lastComponent?.string ?? ""
    if !target.isFolder, let other = ContainerFormat.otherName(of: target.destination, than: format)
    {
      notes.append("\(name) is written as \(format), though it is called like \(other)")
    }
    if format == .gguf, source.metadata?.entries.contains(where: { $0.key.isEmpty }) == true {
      notes.append("left out of __metadata__ what has no key: GGUF has no place for it")
    }
    notes += merge?.notes ?? []
    return notes + bareArrayNotes + shardNotes
  }

  /// Whose program reads the container, under other names, where names stay as they are.
  private var foreignNamesNote: String? {
    guard dialect == nil, source.format != format else { return nil }
    return options.recognition.families.readers(
      of: format.name, holding: source.tensors, config: source.config?.value)
  }

  /// What shards and their index say, and the target does not.
  private var shardNotes: [String] {
    var notes: [String] = []
    if source.lacksIndex {
      notes.append("no index joins the \(source.files.count) shards: all were read, by their names")
    }
    // TFZ has the heads of all shards, and their index as it is.
    if format == .tfz, dialect == nil { return notes }
    if !source.differingMetadata.isEmpty {
      notes.append("__metadata__: \(source.differingShardsText)")
    }
    let facts = CheckpointWriter.IndexFacts(of: source).names
    if !facts.isEmpty, !keepsIndexFacts {
      notes.append("left out of the shard index: \(abridgedList(facts))")
    }
    return notes
  }

  /// Whether what the source's index says is still true of the new one's tensors, and there is one.
  private var keepsIndexFacts: Bool {
    dialect == nil && coded.isEmpty && target.isFolder && target.maxShardSize != nil
  }

  /// What is lost in a container that has neither names nor metadata.
  private var bareArrayNotes: [String] {
    guard format.isBareArray else { return [] }
    let stem = target.destination.stem ?? ""
    var notes: [String] = []
    if let name = tensors.first?.name.text, name != stem {
      notes.append("\(name) is called \(stem) there: \(format) has no name but the file's")
    }
    if source.metadata?.entries.isEmpty == false {
      notes.append("left out __metadata__: \(format) has no place for it")
    }
    return notes
  }
}

extension Conversion {
  /// What becomes of the tokenizer, where a GGUF file holds one and the other side has files.
  private var tokenizerNote: String? {
    let isSource = source.belongings.keyValues?.hasTokenizer ?? false
    if isSource, format != .gguf, !isTokenizerWritten {
      let reason = tokenizerObstacle ?? "--dialect huggingface makes files of it, in a folder"
      return "the tokenizer inside the GGUF file is left out: \(reason)"
    }
    guard format == .gguf, let values = belongings.keyValues, dialect != nil else { return nil }
    let files = surroundings.companions.map { String(decoding: $0.name, as: UTF8.self) }
    let isTranslated = files.contains("tokenizer.json")
    if values.hasTokenizer {
      return !isSource && isTranslated
        ? "what GGUF has a place for of tokenizer.json is inside the file" : nil
    }
    let others = ["tokenizer.model", "vocab.txt", "vocab.json", "spiece.model", "vocab.spm"]
    let reason =
      isTranslated
      ? "tokenizer.json is of a kind that is not translated"
      : files.first(where: others.contains).map { "\($0) is not translated, tokenizer.json is" }
        ?? "there is no tokenizer beside the source"
    return "\(reason): the GGUF file has none, and llama.cpp takes ids"
  }
}

extension Checkpoint {
  /// What becomes of metadata that shards have with other values; the first one's counts.
  var differingShardsText: String {
    "shards differ in \(abridgedList(differingMetadata)); the first shard's counts"
  }

  /// What lies in the checkpoint's folder.
  ///
  /// Where nothing of it travels, a folder with too much in it to be looked at whole is no obstacle.
  func surroundings(
    to target: Conversion.Target, _ format: ContainerFormat
  ) throws(CheckpointError) -> Surroundings {
    do throws(CheckpointError) {
      return try surroundings(isDeep: true)
    } catch {
      if target.isFolder || format.holdsFiles { throw error }
      return try surroundings(isDeep: false)
    }
  }
}

/// A list of names, ten at most.
private func abridgedList(_ names: [String]) -> String {
  let rest = names.count - 10
  return names.prefix(10).map { escaped(abridged($0, to: 60)) }.joined(separator: ", ")
    + (rest > 0 ? " and \(rest) more" : "")
}
