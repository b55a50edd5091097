import Containers
public import Kernels
public import Models
public import SystemPackage
public import TensorCore

/// Arrays in an npz (or any other container): the inputs of a model, or a golden.
public struct ArrayFile: Sendable {
  private let checkpoint: Checkpoint
  private var file: String { displayed(checkpoint.path) }

  /// Opens a file of arrays.
  ///
  /// - Throws: `CheckpointError` if it is no container.
  public init(_ path: FilePath) throws(CheckpointError) {
    checkpoint = try Checkpoint.open(path)
  }

  /// The inputs in the file: `inputs/NAME`, or all arrays under their own names if there is no such.
  ///
  /// Integers stay what they are, and floating-point numbers become double precision.
  ///
  /// - Throws: `CheckpointError` if one holds neither.
  public func inputs() throws(CheckpointError) -> ModelInputs {
    var tensors = section("inputs/")
    if tensors.isEmpty && section("outputs/").isEmpty {
      tensors = checkpoint.tensors.tensors.map { ($0.name.text, $0) }
    }
    var inputs = ModelInputs([:])
    inputs.file = file
    for (name, tensor) in tensors {
      try checkSize(of: tensor)
      if tensor.dtype.isComputable {
        inputs.numbers[name] = try NDArray(reading: tensor)
      } else {
        inputs[name] = try integers(tensor)
      }
    }
    return inputs
  }

  /// The tensors whose names begin with `prefix`, by the rest of their names.
  func section(_ prefix: String) -> [(name: String, tensor: Tensor)] {
    checkpoint.tensors.tensors.compactMap { tensor in
      let name = tensor.name.text
      return name.hasPrefix(prefix) ? (String(name.dropFirst(prefix.count)), tensor) : nil
    }
  }

  /// The tensor of exactly that name.
  func tensor(_ name: TensorName) -> Tensor? {
    checkpoint.tensors[name]
  }

  /// The names of all tensors.
  var names: [TensorName] { checkpoint.tensors.tensors.map(\.name) }

  /// Elements of an input, at most: far more than any model takes, and a compressed file can promise
  /// a thousand times its size.
  private static let inputLimit = 1 << 23

  private func checkSize(of tensor: Tensor) throws(CheckpointError) {
    guard tensor.elementCount <= Self.inputLimit else {
      throw CheckpointError(
        .limitExceeded(
          "the number of elements of an input", limit: Self.inputLimit, found: tensor.elementCount),
        file: file, tensor: tensor.name)
    }
  }

  private func integers(_ tensor: Tensor) throws(CheckpointError) -> NDArray<Int> {
    let bytes = try tensor.bytes.read(0..<tensor.byteCount)
    var elements: [Int] = []
    elements.reserveCapacity(tensor.elementCount)
    for index in 0..<tensor.elementCount {
      guard let value = tensor.dtype.element(at: index, of: bytes).int else {
        throw CheckpointError(
          .malformed(
            "inputs must be integers, F16, BF16, F32 or F64, element \(index) is \(tensor.dtype)"),
          file: file, tensor: tensor.name)
      }
      elements.append(value)
    }
    return NDArray(shape: tensor.shape, elements: elements)
  }

  /// The numbers of a floating-point tensor.
  func numbers(_ tensor: Tensor) throws(CheckpointError) -> NDArray<Double> {
    guard tensor.dtype.isComputable else {
      throw CheckpointError(
        .malformed("outputs must be F16, BF16, F32 or F64, this is \(tensor.dtype)"),
        file: file, tensor: tensor.name)
    }
    return try NDArray(reading: tensor)
  }
}

extension Tensor {
  /// Numbers in memory as a tensor of their own type.
  public init<Scalar: ComputeScalar>(name: TensorName, _ array: NDArray<Scalar>) {
    let dtype: DType = Scalar.self == Float.self ? .f32 : .f64
    self.init(
      name: name, dtype: dtype, shape: array.shape, bytes: NumberBytes(numbers: array.elements))
  }
}

/// The bytes of numbers in memory.
private struct NumberBytes<Scalar: ComputeScalar>: TensorBytes {
  let numbers: [Scalar]

  var count: Int { numbers.count * MemoryLayout<Scalar>.size }
  var isReadForwards: Bool { false }

  func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    unsafe buffer.withUnsafeMutableBytes { target in
      unsafe numbers.withUnsafeBytes { source in
        unsafe target.copyMemory(
          from: UnsafeRawBufferPointer(rebasing: source[offset..<offset + target.count]))
      }
    }
  }
}
