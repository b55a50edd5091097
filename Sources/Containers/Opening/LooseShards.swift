import SystemPackage
import TensorCore

/// The shards of one model whose index is not there.
struct LooseShards {
  /// The files, in the order of their numbers.
  let files: [FilePath]
  private let folder: FilePath
  private let missing: [Int]
  private let count: Int

  /// `nil` if files are not all shards of one model, by their names.
  init?(_ names: [FilePath.Component], in folder: FilePath) {
    let shards = names.compactMap { name in
      Checkpoint.Part.numbers(in: name.string).map { (name: name, place: $0) }
    }.sorted { $0.place.number < $1.place.number }
    guard let count = shards.first?.place.count, count > 1, shards.count == names.count,
      shards.allSatisfy({ $0.place.count == count }), count <= 100_000
    else { return nil }
    let found = Set(shards.map(\.place.number))
    let stems = Set(shards.map { Self.stem($0.name.string, $0.place.number) })
    guard found.count == shards.count, stems.count == 1 else { return nil }
    missing = (1...count).filter { !found.contains($0) }
    files = shards.map { folder.appending($0.name) }
    self.count = count
    self.folder = folder
  }

  /// A shard's name without its number.
  private static func stem(_ name: String, _ number: Int) -> String {
    let digits = "\(number)"
    let padded = String(repeating: "0", count: max(0, 5 - digits.utf8.count)) + digits
    return name.replacing("-\(padded)-of-", with: "-*-of-", maxReplacements: 1)
  }

  /// What all shards hold, if all are there.
  ///
  /// - Throws: `CheckpointError` if one is missing, cannot be read, or is another container than the first, or if two
  ///   have a tensor of the same name.
  func open() throws(CheckpointError) -> ShardIndex.Sharded {
    if !missing.isEmpty { throw error }
    var contents = Contents(tensors: [])
    var format: ContainerFormat?
    prepareHeaders(files)
    for path in files {
      let part = try ShardIndex.open(path, &format)
      contents.add(part)
      contents.tensors += part.tensors
    }
    do {
      _ = try TensorTable(contents.tensors)
    } catch {
      throw error.inFile(displayed(folder))
    }
    return ShardIndex.Sharded(format: format ?? .safetensors, contents: contents, files: files)
  }

  /// Why they are no model.
  private var error: CheckpointError {
    let few = missing.prefix(5).map { "\($0)" }.joined(separator: ", ")
    let more = missing.count > 5 ? " and \(missing.count - 5) more" : ""
    let rest =
      missing.count == 1
      ? "shard \(few) is not there either" : "shards \(few)\(more) are not there either"
    let first = files.first.map { displayed(FilePath($0.lastComponent?.string ?? "")) } ?? ""
    return CheckpointError(
      .malformed(
        "the folder has \(files.count) of \(count) shards (\"\(first)\" …) without the index that joins"
          + " them; \(rest)"),
      file: displayed(folder),
      advice: "fetch what is missing; a shard can be named for itself")
  }
}
