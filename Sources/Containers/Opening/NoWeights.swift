import SystemPackage
import TensorCore

/// Why a folder has no weights to read: what it is instead, or where some are.
func noWeights(in folder: FilePath, _ inside: [FilePath.Component]) -> CheckpointError {
  func error(_ problem: CheckpointError.Problem) -> CheckpointError {
    CheckpointError(problem, file: displayed(folder))
  }
  if case .weights(let words)? = ForeignFolder(folder, inside) {
    return error(.unsupported("is \(words), which is not read"))
  }
  let snapshots = snapshots(of: folder)
  if !snapshots.isEmpty {
    return error(
      .malformed("is a cache of the hub; the model is \(quoted(snapshots))"))
  }
  let found = foldersWithWeights(in: folder)
  if !found.isEmpty {
    return error(
      .malformed("the folder has no container in it; name one of those in it: \(quoted(found))"))
  }
  return CheckpointError(
    .malformed("the folder has no container in it"), file: displayed(folder),
    advice: "name a model's folder or file; tfconvert list formats says what is read")
}

private func quoted(_ names: [String]) -> String {
  let shown = names.prefix(3).map { "\"\($0)\"" }.joined(separator: ", ")
  return names.count > 3 ? "\(shown) or one of \(names.count - 3) more" : shown
}

/// The snapshots in a hub cache's folder of a model (`models--OWNER--NAME`), that of `main` first; of
/// other folders none.
///
/// Source: huggingface.co/docs/huggingface_hub, "Understand caching".
private func snapshots(of folder: FilePath) -> [String] {
  let root = folder.lastComponent?.string == "snapshots" ? folder.parent : folder
  let place = root.appending("snapshots")
  guard root.appending("refs").status != nil || root.appending("blobs").status != nil,
    let names = try? names(in: place)
  else { return [] }
  let paths = names.map { place.appending($0) }.filter { $0.status?.type == .directory }
  let main = (try? SmallFile.read(root.appending("refs").appending("main"), limit: 256)).map {
    place.child($0.filter { $0 > 0x20 })
  }
  let first = paths.filter { $0 == main }
  return (first + paths.filter { $0 != main }).map { displayed($0) }
}

/// The folders in a folder that have files with weights in them, or files that stand for some.
private func foldersWithWeights(in folder: FilePath) -> [String] {
  // Looked for in what can be listed at once; who has more there knows where his models are.
  guard let entries = try? LocalFolder(folder).entries(isDeep: true) else { return [] }
  var found: [FilePath] = []
  for entry in entries where entry.kind == .file {
    let parent = entry.path.removingLastComponent()
    guard parent != folder, found.last != parent,
      let file = try? InputFile(entry.path), let kind = try? recognizeWeights(file),
      case .container = kind
    else { continue }
    if !found.contains(parent) { found.append(parent) }
  }
  return found.map { displayed($0) }
}
