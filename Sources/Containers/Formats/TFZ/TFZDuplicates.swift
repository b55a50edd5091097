import TensorCore

/// Finds tensors that have the same bytes, reading all of them only where their beginnings agree.
struct TFZDuplicates {
  private struct Key: Hashable {
    let unit: TFZUnit
    let count: Int
    let beginning: UInt64
  }

  private var known: [Key: [(bytes: any TensorBytes, stream: Int)]] = [:]
  /// The most tensors of one beginning that a tensor is compared with.
  private static let candidates = 8
  private static let beginningSize = 4096
  private static let pieceSize = 1 << 20

  /// The stream of an earlier tensor with the same bytes and units; else `tensor` gets `stream`.
  mutating func stream(of tensor: Tensor, otherwise stream: Int) throws(CheckpointError) -> Int? {
    let bytes = tensor.bytes
    do throws(CheckpointError) {
      let beginning = try bytes.beginning(Self.beginningSize)
      let key = Key(unit: tensor.dtype.tfzUnit, count: bytes.count, beginning: xxh3(beginning))
      let others = known[key, default: []]
      for other in others where try Self.areEqual(other.bytes, bytes) { return other.stream }
      if others.count < Self.candidates { known[key, default: []].append((bytes, stream)) }
      return nil
    } catch {
      var error = error
      error.tensor = error.tensor ?? tensor.name
      throw error
    }
  }

  private static func areEqual(
    _ a: any TensorBytes, _ b: any TensorBytes
  ) throws(CheckpointError) -> Bool {
    for start in stride(from: 0, to: a.count, by: pieceSize) {
      let range = start..<min(start + pieceSize, a.count)
      if try a.read(range) != b.read(range) { return false }
    }
    return true
  }
}
