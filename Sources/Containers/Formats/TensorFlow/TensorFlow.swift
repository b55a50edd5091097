import SystemPackage
import TensorCore

extension ContainerFormat {
  /// A checkpoint of TensorFlow, version 2 (`tensorflow/core/util/tensor_bundle`): an index, which is a
  /// sorted table of messages of Protocol Buffers, and files of bytes beside it.
  public static let tensorFlow = ContainerFormat(
    name: "tensorflow", fileExtension: "index", canShard: false,
    matches: { $0.isTensorFlowIndex ? .exact : nil },
    read: { file throws(CheckpointError) in
      var bundle = TensorBundle(file)
      return try bundle.contents()
    },
    layout: nil)
}

extension Glimpse {
  /// A sorted table whose first key is empty.
  fileprivate var isTensorFlowIndex: Bool {
    head.count >= 48 && head[0] == 0 && head[1] == 0
      && bytes(at: source.size - 8, 8) == SortedTable.magic
  }
}

/// Where a TensorFlow checkpoint's index is, when something else of it was named.
enum TensorFlowNames {
  /// The index that belongs to a prefix, or to one of the files of bytes; `nil` if there is none.
  static func index(for path: FilePath) -> FilePath? {
    guard let name = path.lastComponent?.bytes else { return nil }
    var stem = name
    if path.linkStatus != nil {
      let mark = Array(".data-".utf8)
      guard let cut = name.indices.last(where: { name[$0...].starts(with: mark) }) else {
        return nil
      }
      stem = Array(name[..<cut])
    }
    let index = path.sibling(stem + Array(".index".utf8))
    return index.status?.type == .regular ? index : nil
  }

  /// The index that a folder is known by: that of a SavedModel, or of the checkpoint that the file
  /// `checkpoint` calls the latest (`tensorflow/python/checkpoint/checkpoint_management.py`).
  static func index(inFolder folder: FilePath) -> FilePath? {
    let saved = folder.appending("variables").appending("variables.index")
    if folder.appending("saved_model.pb").status != nil, saved.status?.type == .regular {
      return saved
    }
    guard let bytes = try? SmallFile.read(folder.appending("checkpoint"), limit: 1 << 20),
      let text = String(validating: bytes, as: UTF8.self)
    else { return nil }
    let key = "model_checkpoint_path: \""
    guard let line = text.split(separator: "\n").first, line.hasPrefix(key), line.hasSuffix("\"")
    else { return nil }
    let name = line.dropFirst(key.count).dropLast()
    guard !name.contains("\\"), ShardIndex.staysInFolder(String(name)) else { return nil }
    let index = folder.descendant(Array((name + ".index").utf8))
    return index.status?.type == .regular ? index : nil
  }

  /// What the file of a shard of bytes is called.
  static func data(ofIndex name: [UInt8], shard: Int, of count: Int) -> [UInt8]? {
    let ending = Array(".index".utf8)
    guard name.count > ending.count, name.suffix(ending.count).elementsEqual(ending) else {
      return nil
    }
    func padded(_ number: Int) -> String {
      let digits = String(number)
      return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
    }
    let suffix = ".data-\(padded(shard))-of-\(padded(count))"
    return name.dropLast(ending.count) + Array(suffix.utf8)
  }
}
