import Containers
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
/// - Throws: `CheckpointError` when bytes cannot be read, or are not those whose SHA-256 their container
///   has.
public func digests(
  of tensors: [Tensor], progress: @escaping (Int) -> Void = { _ in }
) throws(CheckpointError) -> [TensorDigest] {
  let counter = ByteCounter(progress)
  // The largest first, so that no core is left with one of them at the end.
  let order = tensors.indices.sorted { tensors[$0].byteCount > tensors[$1].byteCount }
  var places = order
  for (position, number) in order.enumerated() { places[number] = position }
  let results = try inParallel(order.count) { position throws(CheckpointError) in
    let tensor = tensors[order[position]]
    return try tensor.bytes.inTurn { () throws(CheckpointError) in
      var sha = SHA256()
      try tensor.stream(of: 0..<tensor.elementCount) { bytes, _ in
        sha.update(bytes)
        counter.add(bytes.byteCount)
      }
      let digest = sha.finalizedBytes()
      try tensor.check(digest: digest)
      return SHA256.text(of: digest)
    }
  }
  return tensors.indices.map { number in
    let tensor = tensors[number]
    return TensorDigest(
      name: tensor.name, dtype: tensor.dtype, shape: tensor.shape,
      digest: results[places[number]])
  }
}
