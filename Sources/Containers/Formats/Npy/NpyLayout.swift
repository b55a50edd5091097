import TensorCore

/// An npy file to be, byte for byte as `numpy.save` writes it.
struct NpyLayout: FileLayout {
  let byteCount: Int
  private let tensor: Tensor
  private let header: [UInt8]

  /// Lays a file out.
  ///
  /// - Throws: `CheckpointError` unless there is exactly one tensor, of a type that npy can say.
  init(_ contents: Contents) throws(CheckpointError) {
    guard let tensor = contents.tensors.first, contents.tensors.count == 1 else {
      throw CheckpointError(
        .refused("npy holds one tensor, and there are \(contents.tensors.count)"),
        advice: "write npz or safetensors, or choose one with --include")
    }
    try tensor.requireElements(for: "npy")
    guard NpyDType.saysItself(tensor.dtype) else {
      throw CheckpointError(
        .refused("npy cannot say \(tensor.dtype), so it would be lost"), tensor: tensor.name,
        advice: "npz and safetensors can")
    }
    try Self.checkShape(of: tensor)
    self.tensor = tensor
    header = Self.header(descr: NpyDType.descr(of: tensor.dtype), shape: tensor.shape)
    guard let total = header.count.addedIfFits(tensor.byteCount) else {
      throw CheckpointError(.overflow("the size of the file"), tensor: tensor.name)
    }
    byteCount = total
  }

  /// Checks that numpy has arrays of the tensor's shape.
  ///
  /// - Throws: `CheckpointError` of the category `refused`, as for empty tensors of very large extents.
  static func checkShape(of tensor: Tensor) throws(CheckpointError) {
    guard tensor.dtype.byteWidth != nil, !NpyHeader.canHave(tensor.shape, tensor.dtype) else {
      return
    }
    throw CheckpointError(
      .refused("numpy has no array of \(tensor.dtype) \(describe(shape: tensor.shape))"),
      tensor: tensor.name, advice: "safetensors and TFZ can hold it, --exclude leaves it out")
  }

  /// The header of an array in C order.
  static func header(descr: String, shape: [Int]) -> [UInt8] {
    let extents = shape.map(String.init).joined(separator: ", ")
    let tuple = shape.count == 1 ? "(\(extents),)" : "(\(extents))"
    var text = "{'descr': '\(descr)', 'fortran_order': False, 'shape': \(tuple), }"
    // numpy leaves room for the first extent to grow in place to 21 digits.
    if let first = shape.first {
      text += String(repeating: " ", count: max(0, 21 - String(first).utf8.count))
    }
    // Magic, version and length take 10 bytes; the elements begin at a multiple of 64.
    let isShort = text.utf8.count + 10 + 64 <= 65_535
    let start = isShort ? 10 : 12
    text += String(repeating: " ", count: 64 - (start + text.utf8.count + 1) % 64) + "\n"
    let length = UInt32(text.utf8.count).littleEndianBytes
    return NpyHeader.magic + (isShort ? [1, 0] + length[..<2] : [2, 0] + length) + text.utf8
  }

  func write(to file: OutputFile, progress: (Int) -> Void) throws(CheckpointError) {
    try file.write(header)
    progress(header.count)
    try file.copy(tensor, progress: progress)
  }
}
