import Containers
import TensorCore
import TestSupport

/// Tensors of random names, dtypes, shapes and bytes, and random metadata.
struct RandomCheckpoint {
  var tensors: [Tensor] = []
  var metadata: Metadata?

  private static let oddNames = [
    "a/b", "..", "../up", "/", "x", "é", "e\u{301}", "😀", " ", "tab\t", "q\"\\", "", ".npy",
    "a.npy", "\u{7F}", "\u{202E}txt", "__metadata", "model.layers.0.weight",
  ]

  /// Makes a checkpoint that safetensors can hold.
  init(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let dtypes = DType.elementary.filter { $0 != .c128 }
    var names = Self.oddNames.shuffled(using: &random)
    for number in 0..<Int.random(in: 0...12, using: &random) {
      let dtype = dtypes.randomElement(using: &random) ?? .f32
      var shape = (0..<Int.random(in: 0...4, using: &random)).map { _ in
        Int.random(in: 0...5, using: &random)
      }
      if dtype.byteCount(shape: shape) == nil { shape = [4] + shape }
      let name = number.isMultiple(of: 2) ? names.removeLast() : "tensor.\(number)"
      let bytes = random.bytes(dtype.byteCount(shape: shape) ?? 0)
      tensors.append(Tensor(TensorName(name), dtype, shape, bytes))
    }
    if Bool.random(using: &random) {
      let keys = ["format", "é", "e\u{301}", "long"].prefix(Int.random(in: 0...4, using: &random))
      metadata = Metadata(
        keys.map { key in
          let scale = key == "long" && seed.isMultiple(of: 3) ? 9000 : 1
          return Metadata.Entry(key, String(repeating: "\u{0} \"\\\n/é😀", count: scale))
        })
    }
  }
}
