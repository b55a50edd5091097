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
    func padded(_ number: Int) -> String {
      String(repeating: "0", count: 5 - min(5, String(number).count)) + String(number)
    }
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

/// What the key-values say about the file's place among several.
private struct GGUFPlace {
  let number: Int
  let count: Int
  let tensorCount: Int?

  /// - Throws: `CheckpointError` if the numbers make no sense.
  init?(_ values: GGUFKeyValues?) throws(CheckpointError) {
    guard let count = values?["split.count"]?.int, count > 1 else { return nil }
    guard let number = values?["split.no"]?.int, (0..<count).contains(number), count <= 99_999
    else {
      throw CheckpointError(.malformed("split.no and split.count are no place among several files"))
    }
    (self.number, self.count) = (number, count)
    tensorCount = values?["split.tensors.count"]?.int
  }
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
    let place = try naming(file) { () throws(CheckpointError) in
      try GGUFPlace(belongings.keyValues)
    }
    guard let place else { return (self, [file.path]) }
    guard let name = GGUFSplitName(file.path.lastComponent), name.number == place.number + 1,
      name.count == place.count
    else {
      throw CheckpointError(
        .malformed(
          "is file \(place.number + 1) of \(place.count) by its metadata, and is not called so:"
            + " …-00001-of-0000\(min(9, place.count)).gguf"), file: file.name)
    }
    var whole = Contents(tensors: [])
    var files: [FilePath] = []
    for number in 0..<place.count {
      let path = file.path.removingLastComponent().appending(name.sibling(number + 1))
      let part = number == place.number ? self : try Self.part(path, number, of: place)
      if number == 0 { whole = part } else { whole.tensors += part.tensors }
      files.append(path)
    }
    if let expected = place.tensorCount, expected != whole.tensors.count {
      throw CheckpointError(
        .malformed("split.tensors.count is \(expected), the files have \(whole.tensors.count)"),
        file: file.name)
    }
    return (whole, files)
  }

  private static func part(
    _ path: FilePath, _ number: Int, of place: GGUFPlace
  ) throws(CheckpointError) -> Contents {
    let file = try InputFile(path)
    let contents = try ContainerFormat.gguf.contents(of: file)
    let own = try naming(file) { () throws(CheckpointError) in
      try GGUFPlace(contents.belongings.keyValues)
    }
    guard let own, own.number == number, own.count == place.count else {
      throw CheckpointError(
        .malformed("is not file \(number + 1) of \(place.count) by its metadata"), file: file.name)
    }
    return contents
  }
}

/// Does something; errors name the file.
private func naming<Result>(
  _ file: InputFile, _ body: () throws(CheckpointError) -> Result
) throws(CheckpointError) -> Result {
  do {
    return try body()
  } catch {
    throw error.inFile(file.name)
  }
}
