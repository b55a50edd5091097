public import SystemPackage
public import TensorCore

extension Checkpoint {
  /// What a checkpoint is a part of, if it is no model for itself.
  public enum Part: Sendable, Equatable {
    /// One of several files of a model.
    ///
    /// `whole` is what to open instead: the folder, or the index. It is `nil` if only the file's name
    /// says that it is a shard.
    case shard(number: Int, count: Int, whole: FilePath?)
    /// Changes to the weights of another model, as PEFT writes them; `base` is what its config calls
    /// that.
    case adapter(base: String?)

    /// What it is, as a predicate.
    public var words: String {
      switch self {
      case .shard(let number, let count, let whole?):
        "shard \(number) of \(count); the model is \(displayed(whole))\(Self.slash(whole))"
      case .shard(let number, let count, nil):
        "shard \(number) of \(count) by its name; no index beside it lists it"
      case .adapter(let base):
        "an adapter (LoRA or the like)" + (base.map { " of \"\($0)\"" } ?? "")
          + ", not a model: it changes the weights of one"
      }
    }

    private static func slash(_ path: FilePath) -> String {
      path.status?.type == .directory && !displayed(path).hasSuffix("/") ? "/" : ""
    }
  }
}

extension Checkpoint.Part {
  /// Why it cannot be taken for a model.
  public var problem: CheckpointError.Problem {
    switch self {
    case .shard: .refused("is \(words)")
    case .adapter: .unsupported("is \(words)")
    }
  }

  /// What the only file of a checkpoint is a part of.
  ///
  /// - Parameters:
  ///   - file: the file.
  ///   - names: the names of its tensors.
  init?(_ file: FilePath, tensors names: some Collection<TensorName>) {
    if let shard = Self.shard(file) {
      self = shard
      return
    }
    // The names that PEFT gives to all that it saves.
    let parts = [".lora_", ".lora_A", ".ia3_l", ".hada_w", ".oft_", ".vera_", ".boft_"]
    let isPart = { (name: String) in parts.contains { name.contains($0) } }
    // Beside them stand modules that were trained whole, under the base's names with a prefix.
    let isOfAdapter = { (name: String) in
      isPart(name) || name.contains("modules_to_save") || name.hasPrefix("base_model.model.")
    }
    guard names.allSatisfy({ isOfAdapter($0.text) }), names.contains(where: { isPart($0.text) })
    else { return nil }
    let config = file.parent.appending("adapter_config.json")
    let value = (try? ConfigFile(config))?.value
    self = .adapter(base: value?["base_model_name_or_path"]?.string)
  }

  /// Whether a file has the name of one of several shards.
  static func isShardName(_ name: FilePath.Component) -> Bool {
    numbers(in: name.string).map { $0.count > 1 } ?? false
  }

  private static func shard(_ file: FilePath) -> Checkpoint.Part? {
    guard let name = file.lastComponent else { return nil }
    let numbers = numbers(in: name.string)
    for index in indices(beside: file) {
      guard let index = try? ShardIndex(index), index.shards.count > 1,
        let position = index.shards.firstIndex(where: { $0.utf8.elementsEqual(name.bytes) })
      else { continue }
      let isUsual = WeightsInFolder.usualNames.first { file.parent.appending($0).status != nil }
      let whole = isUsual.map { file.parent.appending($0) } == index.path
      return .shard(
        number: numbers?.number ?? position + 1, count: numbers?.count ?? index.shards.count,
        whole: whole ? file.parent : index.path)
    }
    if let part = NumberedParts.place(of: file) {
      return .shard(number: part.number + 1, count: part.count, whole: file.parent)
    }
    guard let numbers, numbers.count > 1 else { return nil }
    return .shard(number: numbers.number, count: numbers.count, whole: nil)
  }

  /// The shard indices in a file's folder.
  private static func indices(beside file: FilePath) -> [FilePath] {
    let names = (try? names(in: file.parent)) ?? []
    return names.filter { $0.string.hasSuffix(".index.json") }.map { file.parent.appending($0) }
  }

  /// 2 and 5 of `model-00002-of-00005.safetensors`.
  static func numbers(in name: String) -> (number: Int, count: Int)? {
    let parts = name.split { $0 == "-" || $0 == "." }
    for (before, after) in zip(parts, parts.dropFirst(2)) {
      guard name.contains("-\(before)-of-\(after)"), before.utf8.count == 5,
        after.utf8.count == 5, let number = Int(before), let count = Int(after),
        number >= 1, number <= count
      else { continue }
      return (number, count)
    }
    return nil
  }
}
