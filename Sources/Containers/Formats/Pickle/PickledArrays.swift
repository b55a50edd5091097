import TensorCore

extension ContainerFormat {
  /// Arrays of numpy in what Python's `pickle` wrote: the parameters of Haiku and other trees of dictionaries.
  ///
  /// Nothing of it is run: see `Pickle`. A tensor's name is its path, joined by `/`, as Haiku and Flax join it.
  public static let pickle = ContainerFormat(
    name: "pickle", fileExtension: "pkl", otherExtensions: ["pickle"], canShard: false,
    matches: { $0.isPickle && $0.namesArrays && !$0.isJoblib ? .exact : nil },
    read: { file throws(CheckpointError) in try readArrays(file) },
    layout: nil)
}

private func readArrays(_ file: any ByteSource) throws(CheckpointError) -> Contents {
  let pickle = try Pickle(FileBytes(file: file, start: 0, count: file.size), base: 0)
  guard pickle.end == file.size else {
    throw CheckpointError(
      .malformed("\(file.size - pickle.end) bytes follow the pickle"), offset: pickle.end)
  }
  let tree = try PickleTree(pickle, name: file.stem, NumpyArrays(file: file))
  var contents = Contents(tensors: tree.entries, keepsOrder: false)
  try checkViews(tree.entries, fileSize: file.size)
  contents.others = tree.others.map { Checkpoint.Other(name: $0.name, what: $0.what) }
  contents.otherCount = tree.otherCount
  contents.openingMemory = pickle.heap.used
  return contents
}

/// Checks that tensors which may be views of few bytes have not too many together.
func checkViews(_ tensors: [Tensor], fileSize: Int) throws(CheckpointError) {
  // As with deflate, which cannot make more of one byte either.
  let limit = max(Limits.views, fileSize.multipliedIfFits(by: 1032) ?? .max)
  var total = 0
  for tensor in tensors {
    total = total.addedIfFits(tensor.byteCount) ?? .max
    guard total <= limit else {
      throw CheckpointError(
        .limitExceeded("the size of all tensors", limit: limit, found: total), tensor: tensor.name)
    }
  }
}
