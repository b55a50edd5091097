public import SystemPackage
public import TensorCore

/// Everything that is wrong with a checkpoint's files, where opening it tells only the first fault.
///
/// Each file is looked at for itself: of safetensors every entry of the header, of an index every
/// tensor and every shard. Where a fault hides all others, as one in the JSON text does, it alone is
/// told.
///
/// - Parameters:
///   - path: what to open.
///   - format: the container, if its bytes shall not decide.
/// - Returns: the faults; none if it can be opened.
public func structureFaults(of path: FilePath, format: ContainerFormat? = nil) -> [CheckpointError]
{
  do throws(CheckpointError) {
    switch try CheckpointSource(path, format: format).weights {
    case .file(let file, let format): return faults(of: file, format)
    case .index(let path): return try faults(ofIndex: path)
    case .parts(let parts): return try faults(ofFiles: parts.files)
    case .shards(let shards):
      let found = try faults(ofFiles: shards.files)
      if found.isEmpty { _ = try shards.open() }
      return found
    }
  } catch {
    return [error]
  }
}

private func faults(ofFiles paths: [FilePath]) throws(CheckpointError) -> [CheckpointError] {
  var found: [CheckpointError] = []
  for path in paths {
    let file = try InputFile(path)
    found += faults(of: file, try recognizedFormat(of: file))
  }
  return found
}

private func faults(of file: InputFile, _ format: ContainerFormat) -> [CheckpointError] {
  var faults: [CheckpointError] = []
  do throws(CheckpointError) {
    if format == .safetensors {
      _ = try SafetensorsHeader(of: file) { faults.append($0) }
    }
    if faults.isEmpty { _ = try format.contents(of: file) }
  } catch {
    faults.append(error)
  }
  return faults.map { $0.inFile(file.name) }
}

/// The faults of the shards; if they have none, what they and the index do not agree about.
private func faults(ofIndex path: FilePath) throws(CheckpointError) -> [CheckpointError] {
  let index = try ShardIndex(path)
  var found: [CheckpointError] = []
  for shard in index.shards {
    let place = path.removingLastComponent().appending(shard)
    guard place.linkStatus != nil else { continue }
    do throws(CheckpointError) {
      let file = try InputFile(place)
      found += faults(of: file, try recognizedFormat(of: file))
    } catch {
      found.append(error)
    }
  }
  if found.isEmpty { _ = try index.open() }
  return found
}
