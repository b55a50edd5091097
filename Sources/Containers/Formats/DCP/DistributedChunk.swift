import Synchronization
import TensorCore

/// A chunk of a tensor, which is a file of `torch.save` within a file. It is looked at when it is read, and forgotten at its
/// end: a checkpoint may have very many.
final class DistributedChunk: TensorBytes {
  let count: Int
  private let stretch: ArchiveMember
  private let name: TensorName
  private let element: TorchElement
  /// The extents as torch counts them.
  private let shape: [Int]
  private let open = Mutex<(any TensorBytes)?>(nil)

  init(
    in file: any ByteSource, _ range: Range<Int>, of name: TensorName, _ element: TorchElement,
    shape: [Int]
  ) {
    stretch = ArchiveMember(archive: file, fileName: [], start: range.lowerBound, size: range.count)
    (self.name, self.element, self.shape) = (name, element, shape)
    count = shape.reduce(element.width, &*)
  }

  var fileName: String? { stretch.archive.name }

  func announce(_ range: Range<Int>) { stretch.announce(0..<stretch.size) }

  func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    do throws(CheckpointError) {
      try bytes().read(at: offset, into: &buffer)
    } catch {
      var error = error
      error.file = stretch.archive.name
      error.tensor = error.tensor ?? name
      error.offset = error.offset.map { stretch.start + $0 } ?? stretch.start
      throw error
    }
    if offset + buffer.byteCount == count { open.withLock { $0 = nil } }
  }

  /// The elements, in the file that is in the stretch.
  private func bytes() throws(CheckpointError) -> any TensorBytes {
    try open.withLock { open throws(CheckpointError) in
      if let open { return open }
      let tensors = try TorchArchive(stretch).contents().tensors
      guard tensors.count == 1, tensors[0].dtype == element.dtype,
        tensors[0].shape == element.ownShape(shape)
      else {
        let found =
          tensors.count == 1 ? "\(tensors[0].dtype) \(describe(shape: tensors[0].shape))" : ""
        throw CheckpointError(
          .malformed(
            "the chunk is \(found.isEmpty ? "\(tensors.count) tensors" : found), and the metadata says"
              + " \(element.dtype) \(describe(shape: element.ownShape(shape)))"))
      }
      open = tensors[0].bytes
      return tensors[0].bytes
    }
  }
}
