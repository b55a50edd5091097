public import SystemPackage
public import TensorCore

extension ContainerFormat {
  /// The container that the name of a file to be written asks for; `nil` if the name has no extension.
  ///
  /// - Throws: `CheckpointError`, unsupported, if the extension is that of no container that is written.
  public static func written(at path: FilePath) throws(CheckpointError) -> ContainerFormat? {
    guard let ending = path.extension else { return nil }
    let format = withExtension(ending)
    if let format, format.isWritten { return format }
    let known = written.map { ".\($0.fileExtension)" }.joined(separator: ", ")
    guard let other = format.map({ "\($0.name) files" }) ?? foreignExtensions[ending.lowercased()]
    else {
      throw CheckpointError(
        .unsupported(
          "\".\(ending)\" is the extension of no container that we write; those are \(known)"),
        file: displayed(path))
    }
    throw CheckpointError(
      .unsupported(
        "\".\(ending)\" is what \(other) are called, which are not written; what is: \(known)"),
      file: displayed(path), advice: "name the target so, or end the path with / for a folder")
  }

  /// What the name of a file says that it is, if that is another format.
  public static func otherName(of path: FilePath, than format: ContainerFormat) -> String? {
    guard let ending = path.extension?.lowercased() else { return nil }
    if let named = withExtension(ending) {
      return named == format ? nil : "\(named.name) files"
    }
    return foreignExtensions[ending]
  }
}

/// Extensions by which programs take a file for something that is not written here.
private let foreignExtensions: [String: String] = {
  return [
    "h5": "HDF5 files", "hdf5": "HDF5 files",
    "keras": "Keras archives", "msgpack": "Flax files", "onnx": "ONNX models",
    "pb": "TensorFlow graphs", "tflite": "TensorFlow Lite models", "mlmodel": "Core ML models",
    "tar": "tar archives", "gz": "compressed files", "zip": "zip archives",
    "zst": "compressed files", "json": "JSON files",
  ]
}()
