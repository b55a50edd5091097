import TensorCore

extension ContainerFormat {
  /// The datasets of an HDF5 file: transformers' `tf_model.h5`, Keras' `.h5` and `.weights.h5`, and the one in
  /// Keras' `.keras` archives.
  public static let hdf5: ContainerFormat = {
    var format = ContainerFormat(
      name: "hdf5", fileExtension: "h5", canShard: false,
      matches: { $0.isHDF5 || $0.zip == .keras ? .exact : nil },
      read: { file throws(CheckpointError) in
        try readHDF5(try kerasWeights(in: file) ?? file)
      },
      layout: nil)
    format.otherExtensions = ["hdf5", "keras"]
    return format
  }()
}

extension Glimpse {
  /// HDF5's signature, at the beginning or behind a block of the user's (HDF5 File Format
  /// Specification 3.0, section II.A).
  fileprivate var isHDF5: Bool {
    HDF5File.places.contains { bytes(at: $0, 8) == HDF5File.signature }
  }
}

/// The weights in a Keras archive, which stores them as they are; `nil` if the file is no zip archive.
private func kerasWeights(
  in file: any ByteSource
) throws(CheckpointError) -> (any ByteSource)? {
  guard try file.head(4) == [0x50, 0x4B, 3, 4] else { return nil }
  let archive = try ZipArchive(file, ZipDirectory(of: file))
  let name: TensorName = "model.weights.h5"
  guard let number = archive.members.firstIndex(where: { $0.name == name }) else {
    throw CheckpointError(.malformed("the archive has no model.weights.h5"))
  }
  guard let weights = archive.file(number) else {
    throw CheckpointError(
      .unsupported("model.weights.h5 is compressed in the archive: unpack it, and name it"))
  }
  return weights
}

private func readHDF5(_ source: any ByteSource) throws(CheckpointError) -> Contents {
  let file = try HDF5File(source)
  let walk = HDF5Walk()
  let names = try HDF5Names(file, walk)
  var contents = Contents(tensors: [], keepsOrder: false)
  contents.strippedPrefix = names.leftOut
  for found in names.datasets {
    let name = TensorName(found.weightName ?? found.path)
    do throws(CheckpointError) {
      if let what = found.dataset.aside {
        contents.addOther(name.text, what)
        continue
      }
      guard contents.tensors.count < Limits.tensors else {
        throw CheckpointError(
          .limitExceeded(
            "the number of tensors", limit: Limits.tensors, found: contents.tensors.count + 1))
      }
      contents.tensors.append(try found.dataset.tensor(name, walk))
    } catch {
      var error = error
      error.tensor = error.tensor ?? name
      throw error
    }
  }
  for link in names.indirect {
    contents.addOther(link, "a link to another place, which is not followed")
  }
  return contents
}
