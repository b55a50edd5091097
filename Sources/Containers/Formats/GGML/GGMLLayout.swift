import TensorCore

/// A ggml file to be: what it begins with, and the tensors in the order given, one behind the other.
struct GGMLLayout: FileLayout {
  let byteCount: Int
  private let head: [UInt8]
  private let tensors: [(entry: [UInt8], tensor: Tensor)]

  /// Lays a file out.
  ///
  /// - Throws: `CheckpointError` if it is not known what the file begins with, or whisper.cpp would not read it.
  init(_ contents: Contents) throws(CheckpointError) {
    guard let beginning = contents.belongings.ggml else {
      throw CheckpointError(
        .refused(
          "a ggml file begins with sizes, filters and words, which the source does not have"),
        advice: "--dialect whisper-cpp makes them of a model and its tokenizer")
    }
    let tensors = contents.tensors
    guard tensors.count == beginning.tensorCount else {
      throw CheckpointError(
        .refused(
          "whisper.cpp reads whole models: \(tensors.count) tensors, and by the sizes"
            + " \(beginning.tensorCount)"))
    }
    let type = try Self.type(of: tensors)
    let number = (GGML.fileTypes[type] ?? 0) + (type.isBlock ? GGML.blockVersion : 0)
    head = beginning.bytes(type: number)
    var size = head.count
    self.tensors = try tensors.map { tensor throws(CheckpointError) in
      try Self.check(tensor, in: type)
      let entry = try Self.entry(tensor)
      guard let end = size.addedIfFits(entry.count)?.addedIfFits(tensor.byteCount) else {
        throw CheckpointError(.overflow("the size of the file"), tensor: tensor.name)
      }
      size = end
      return (entry, tensor)
    }
    byteCount = size
  }

  /// The one type of all matrices.
  private static func type(of tensors: [Tensor]) throws(CheckpointError) -> DType {
    let matrices = tensors.filter { $0.shape.count == 2 && !GGML.singles.contains($0.name.text) }
    let types = Set(matrices.map(\.dtype)).sorted { $0.name < $1.name }
    guard types.count < 2 else {
      throw CheckpointError(
        .refused(
          "whisper.cpp reads matrices of one type, and not of "
            + types.map(\.name).joined(separator: " and ")),
        advice: types.contains(where: \.isBlock)
          ? "rows of some are no whole blocks: another type, or --dtype f16, has them all"
          : "--dtype f16 or f32 has them all in one")
    }
    let type = types.first ?? .f32
    guard GGML.fileTypes[type] != nil else {
      throw CheckpointError(
        .refused("whisper.cpp has no files of \(type)"),
        advice: "--dtype f16 is what it has usually")
    }
    return type
  }

  /// Fails if whisper.cpp has a tensor in another type in a file whose matrices have `type`: vectors and what is added to
  /// positions in single precision, kernels of convolutions in half precision unless all is single.
  private static func check(_ tensor: Tensor, in type: DType) throws(CheckpointError) {
    let rank = tensor.shape.count
    let isSingle = rank < 2 || GGML.singles.contains(tensor.name.text)
    let wanted: DType = isSingle ? .f32 : rank == 2 ? type : type == .f32 ? .f32 : .f16
    guard tensor.dtype != wanted else { return }
    throw CheckpointError(
      .refused(
        "whisper.cpp has it in \(wanted) beside matrices of \(type), and not in \(tensor.dtype)"),
      tensor: tensor.name,
      advice: "--dialect whisper-cpp with --dtype \(type.name.lowercased()) writes it so"
    )
  }

  private static func entry(_ tensor: Tensor) throws(CheckpointError) -> [UInt8] {
    guard let number = GGUF.number(of: tensor.dtype), tensor.shape.count <= GGML.rank,
      tensor.shape.allSatisfy({ $0 <= Int(Int32.max) }), tensor.name.text.utf8.count <= Limits.name
    else {
      throw CheckpointError(
        .refused("a ggml file has no \(tensor.dtype) \(describe(shape: tensor.shape))"),
        tensor: tensor.name)
    }
    let name = Array(tensor.name.text.utf8)
    var bytes: [UInt8] = []
    for size in [tensor.shape.count, name.count, Int(number)] + tensor.shape.reversed() {
      bytes += UInt32(size).littleEndianBytes
    }
    return bytes + name
  }

  func write(to file: OutputFile, progress: (Int) -> Void) throws(CheckpointError) {
    try file.write(head)
    progress(head.count)
    for (entry, tensor) in tensors {
      try file.write(entry)
      progress(entry.count)
      try file.copy(tensor, progress: progress)
    }
  }
}
