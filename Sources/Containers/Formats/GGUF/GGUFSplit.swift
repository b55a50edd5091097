import SystemPackage
import TensorCore

/// The name of one of the files that a model was split into: `PREFIX-00001-of-00003.gguf`
/// (llama.cpp, `split_path`).
struct GGUFSplitName: Equatable {
  let prefix: String
  /// From 1 on.
  let number: Int
  let count: Int

  init?(_ name: FilePath.Component?) {
    guard let text = name?.string, text.hasSuffix(".gguf") else { return nil }
    let stem = text.dropLast(5)
    let digits = { (part: Substring) -> Int? in
      part.utf8.count == 5 && part.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(part) : nil
    }
    guard stem.utf8.count > 15, let count = digits(stem.suffix(5)),
      stem.dropLast(5).hasSuffix("-of-"), let number = digits(stem.dropLast(9).suffix(5)),
      stem.dropLast(14).hasSuffix("-"), (1...max(1, count)).contains(number)
    else { return nil }
    (prefix, self.number, self.count) = (String(stem.dropLast(15)), number, count)
  }

  /// The name of another file of the same model.
  func sibling(_ number: Int) -> String {
    return "\(prefix)-\(padded(number))-of-\(padded(count)).gguf"
  }

  /// The first file, if `names` are files of one model that was split.
  static func first(of names: [FilePath.Component]) -> FilePath.Component? {
    let parts = names.map { GGUFSplitName($0) }
    guard let first = parts.first ?? nil, names.count > 1,
      parts.allSatisfy({ $0?.prefix == first.prefix && $0?.count == first.count })
    else { return nil }
    return zip(names, parts).min { ($0.1?.number ?? 0) < ($1.1?.number ?? 0) }?.0
  }
}

/// A file's place among those that a model is split into, as its own key-values say it.
struct GGUFPlace: Sendable {
  /// From 0 on.
  let number: Int
  let count: Int
  /// How many tensors all files have together, if that is said.
  let tensorCount: Int?

  /// The keys that are a file's own (llama.cpp, `LLM_KV_SPLIT_…`).
  static let (numberKey, countKey, tensorCountKey) = (
    "split.no", "split.count", "split.tensors.count"
  )
  static let keys = [numberKey, countKey, tensorCountKey]
  /// The most files, as numbers of 16 bits count them.
  static let most = Int(UInt16.max)

  init(number: Int, count: Int, tensorCount: Int) {
    (self.number, self.count, self.tensorCount) = (number, count, tensorCount)
  }

  /// - Throws: `CheckpointError` if the numbers make no sense.
  init?(_ values: GGUFKeyValues?) throws(CheckpointError) {
    guard let count = values?[Self.countKey]?.int, count > 1 else { return nil }
    guard let number = values?[Self.numberKey]?.int, (0..<count).contains(number), count <= 99_999
    else {
      throw CheckpointError(.malformed("split.no and split.count are no place among several files"))
    }
    (self.number, self.count) = (number, count)
    tensorCount = values?[Self.tensorCountKey]?.int
  }

  /// The key-values that say it, of the types that llama.cpp gives them.
  var values: [(key: String, value: GGUFValue)] {
    [
      (Self.numberKey, .unsigned(UInt64(number), .uint16)),
      (Self.countKey, .unsigned(UInt64(count), .uint16)),
      (Self.tensorCountKey, .integer(Int64(tensorCount ?? 0), .int32)),
    ]
  }

  var words: String { "file \(number + 1) of \(count)" }
}

extension GGUFValue {
  /// The value, if it is a whole number.
  fileprivate var int: Int? {
    switch self {
    case .integer(let value, _): Int(value)
    case .unsigned(let value, _): Int(exactly: value)
    default: nil
    }
  }
}

extension Contents {
  /// The contents of a file together with those of the others that its model was split into.
  ///
  /// - Throws: `CheckpointError` if one of them is missing, or is another's.
  func joined(from file: InputFile) throws(CheckpointError) -> (
    contents: Contents, files: [FilePath]
  ) {
    guard let place = try place(in: file) else { return (self, [file.path]) }
    guard let name = GGUFSplitName(file.path.lastComponent), name.number == place.number + 1,
      name.count == place.count
    else {
      throw CheckpointError(
        .malformed(
          "is \(place.words) by its metadata, and is not called so:"
            + " …-\(padded(place.number + 1))-of-\(padded(place.count)).gguf"), file: file.name)
    }
    let folder = file.path.removingLastComponent()
    let names = (1...place.count).map { name.sibling($0) }
    try requireAll(names, in: folder, place, file)
    var parts = GGUFParts()
    prepareHeaders(names.map { folder.appending($0) })
    for (number, name) in names.enumerated() {
      let isNamed = number == place.number
      let part = isNamed ? file : try InputFile(folder.appending(name))
      let contents = isNamed ? self : try ContainerFormat.gguf.contents(of: part)
      do throws(CheckpointError) {
        try parts.append(contents, called: name, number, of: place)
      } catch {
        throw error.inFile(part.name)
      }
    }
    if let expected = place.tensorCount, expected != parts.whole.tensors.count {
      throw CheckpointError(
        .malformed(
          "\(GGUFPlace.tensorCountKey) is \(expected), the files have \(parts.whole.tensors.count)"),
        file: file.name)
    }
    return (parts.whole, names.map { folder.appending($0) })
  }

  /// The place of the file that the contents are of.
  private func place(in file: InputFile) throws(CheckpointError) -> GGUFPlace? {
    do throws(CheckpointError) {
      return try GGUFPlace(belongings.keyValues)
    } catch {
      throw error.inFile(file.name)
    }
  }

  private func requireAll(
    _ names: [String], in folder: FilePath, _ place: GGUFPlace, _ file: InputFile
  ) throws(CheckpointError) {
    let missing = names.filter { folder.appending($0).linkStatus == nil }
    guard !missing.isEmpty else { return }
    let shown = missing.prefix(3).map { "\"\($0)\"" }.joined(separator: ", ")
    let rest = missing.count > 3 ? " and \(missing.count - 3) more" : ""
    throw CheckpointError(
      .malformed(
        "is \(place.words) of a model, and \(shown)\(rest)"
          + " \(missing.count == 1 ? "is" : "are") not beside it"), file: file.name,
      advice: "fetch the files that are not there")
  }
}

/// The files of a model put together, one after the other.
private struct GGUFParts {
  /// What the first one says, and the tensors of all.
  var whole = Contents(tensors: [])
  private var first: GGUFPlace?
  private var files: [TensorName: String] = [:]

  /// Adds the next file.
  ///
  /// - Throws: `CheckpointError` if it is not the one of that number, is another model's than the first, or has a
  ///   tensor that one before it has.
  mutating func append(
    _ part: Contents, called name: String, _ number: Int, of place: GGUFPlace
  ) throws(CheckpointError) {
    let own = try GGUFPlace(part.belongings.keyValues)
    guard let own, own.number == number, own.count == place.count else {
      throw CheckpointError(
        .malformed(
          "is \(own.map { "\($0.words)" } ?? "no file of several") by its metadata, and not file"
            + " \(number + 1) of \(place.count)"))
    }
    if let first { try compare(own, with: first) }
    for tensor in part.tensors {
      if let other = files.updateValue(name, forKey: tensor.name) {
        throw CheckpointError(
          .malformed("\"\(displayed(FilePath(other)))\" has a tensor of this name, too"),
          tensor: tensor.name)
      }
    }
    guard files.count <= Limits.tensors else {
      throw CheckpointError(
        .limitExceeded("the number of tensors", limit: Limits.tensors, found: files.count))
    }
    if first != nil {
      try compare(part.belongings.keyValues)
      whole.tensors += part.tensors
    } else {
      (whole, first) = (part, own)
    }
  }

  private func compare(_ own: GGUFPlace, with first: GGUFPlace) throws(CheckpointError) {
    guard let count = own.tensorCount, let expected = first.tensorCount, count != expected else {
      return
    }
    throw CheckpointError(
      .malformed(
        "\(GGUFPlace.tensorCountKey) is \(count), in the first file \(expected):"
          + " these are files of two models"))
  }

  /// What a later file says of the model must be what the first one says.
  private func compare(_ values: GGUFKeyValues?) throws(CheckpointError) {
    for (key, value) in values?.entries ?? []
    where !GGUFPlace.keys.contains(key) && key != GGUF.alignmentKey {
      if let other = whole.belongings.keyValues?[key], other != value {
        throw CheckpointError(
          .malformed("key \"\(key)\" differs from the first file's: these are files of two models"))
      }
    }
  }
}
