import Kernels
public import TensorCore

/// What a tensor is, to the last bit: its type, its shape, and the digest of its elements.
public struct TensorDigest: Equatable, Sendable {
  /// The name.
  public let name: TensorName
  /// The element type.
  public let dtype: DType
  /// The shape.
  public let shape: [Int]
  /// SHA-256 of the little-endian elements in C order, in lower-case hexadecimal.
  public let digest: String
}

/// The digests of tensors, on all cores.
///
/// - Parameters:
///   - tensors: of any types.
///   - progress: hears how many bytes are done.
/// - Throws: `CheckpointError` when bytes cannot be read.
public func digests(
  of tensors: [Tensor], progress: @escaping (Int) -> Void = { _ in }
) throws(CheckpointError) -> [TensorDigest] {
  let counter = ByteCounter(progress)
  // The largest first, so that no core is left with one of them at the end.
  let order = tensors.indices.sorted { tensors[$0].byteCount > tensors[$1].byteCount }
  let results = try inParallel(order.count) { position throws(CheckpointError) in
    let tensor = tensors[order[position]]
    var sha = SHA256()
    try tensor.stream(of: 0..<tensor.elementCount) { bytes, _ in
      sha.update(bytes)
      counter.add(bytes.byteCount)
    }
    return TensorDigest(
      name: tensor.name, dtype: tensor.dtype, shape: tensor.shape, digest: sha.finalized())
  }
  return zip(order, results).sorted { $0.0 < $1.0 }.map(\.1)
}
