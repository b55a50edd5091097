import Containers
import TensorCore

extension GGUFKeyValues {
  /// The same, saying of which type most numbers are, and how blocks are made if there are some
  /// (llama.h, `enum llama_ftype`; ggml.h, `GGML_QNT_VERSION`). Nothing is said of types that nobody writes here.
  func sayingTypes(of tensors: [Tensor]) -> GGUFKeyValues {
    var counts: [DType: Int] = [:]
    for tensor in tensors where tensor.shape.count > 1 {
      counts[tensor.dtype, default: 0] &+= tensor.elementCount
    }
    let most = counts.max { ($0.value, $1.key.name) < ($1.value, $0.key.name) }?.key ?? .f32
    let numbers: [DType: Int] = [
      .f32: 0, .f16: 1, .q40: 2, .q41: 3, .q80: 7, .q50: 8, .q51: 9, .bf16: 32,
    ]
    guard let number = numbers[most] else { return self }
    let typed = setting("general.file_type", .number(number))
    return most.isBlock ? typed.setting("general.quantization_version", 2) : typed
  }
}
