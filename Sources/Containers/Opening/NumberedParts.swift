import SystemPackage
import TensorCore

/// The files of a model that lies divided among processes, a part of every tensor in each:
/// `consolidated.00.pth`, `consolidated.01.pth` and so on. All have the same names.
struct NumberedParts {
  /// The files, in the order of their numbers from 0 on.
  let files: [FilePath]

  /// What such files are called before their number of two digits.
  private static let stem = "consolidated"

  /// The parts that a folder's containers are; `nil` if some are something else, or there is only the first.
  ///
  /// - Throws: `CheckpointError` if one before the last is missing.
  init?(_ names: [FilePath.Component], in folder: FilePath) throws(CheckpointError) {
    let parts = names.compactMap(Self.part)
    guard let last = parts.max(by: { $0.number < $1.number }), parts.count == names.count,
      parts.allSatisfy({ $0.ending == last.ending }), last.number > 0
    else { return nil }
    let found = Set(parts.map(\.number))
    let missing = (0..<last.number).filter { !found.contains($0) }
      .map { "\"\(Self.name($0, last.ending))\"" }
    guard missing.isEmpty else {
      throw CheckpointError(
        .malformed(
          "\(missing.joined(separator: ", ")) \(missing.count == 1 ? "is" : "are") missing: the folder"
            + " has other parts of the model, up to \"\(Self.name(last.number, last.ending))\""),
        file: displayed(folder), advice: "fetch the parts that are not there")
    }
    files = (0...last.number).map { folder.appending(Self.name($0, last.ending)) }
  }

  /// The number of a file among the parts that lie in its folder, and how many these are; `nil` if it is none,
  /// or the only one.
  static func place(of file: FilePath) -> (number: Int, count: Int)? {
    guard let own = file.lastComponent.flatMap(part) else { return nil }
    let beside = ((try? names(in: file.parent)) ?? []).compactMap(part)
      .filter { $0.ending == own.ending }
    let count = (beside.map(\.number).max() ?? 0) + 1
    return count == 1 ? nil : (own.number, count)
  }

  /// What all parts hold, every tensor under the name of its part: `consolidated.00/norm.weight`.
  ///
  /// - Throws: `CheckpointError` if one cannot be read, or is another container than the first.
  func open() throws(CheckpointError) -> ShardIndex.Sharded {
    var contents = Contents(tensors: [])
    var format: ContainerFormat?
    prepareHeaders(files)
    for (number, path) in files.enumerated() {
      let part = try ShardIndex.open(path, &format)
      let prefix = Self.name(number, "") + "/"
      contents.tensors += part.tensors.map { $0.renamed(TensorName(prefix + $0.name.text)) }
      contents.metadata = Metadata.merged(contents.metadata, part.metadata)
      contents.keepsOrder = contents.keepsOrder && part.keepsOrder
      contents.others += part.others.map { .init(name: prefix + $0.name, what: $0.what) }
      contents.otherCount += part.otherCount
      contents.openingMemory = max(contents.openingMemory, part.openingMemory)
    }
    return ShardIndex.Sharded(format: format ?? .torch, contents: contents, files: files)
  }

  /// `consolidated.00` and the ending.
  private static func name(_ number: Int, _ ending: String) -> String {
    "\(stem).\(number < 10 ? "0" : "")\(number)\(ending)"
  }

  /// The number, and the ending with its dot, of a part's name.
  private static func part(_ name: FilePath.Component) -> (number: Int, ending: String)? {
    let pieces = name.string.split(separator: ".", omittingEmptySubsequences: false)
    guard pieces.count == 3, pieces[0] == stem, pieces[1].utf8.count == 2,
      pieces[1].allSatisfy({ $0.isASCII && $0.isNumber }), let number = Int(pieces[1])
    else { return nil }
    return (number, ".\(pieces[2])")
  }
}
