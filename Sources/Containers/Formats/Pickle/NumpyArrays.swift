import TensorCore

/// The arrays of numpy in a pickle, and its numbers.
///
/// Source: numpy 2.4, `_core/src/multiarray/methods.c` (`array_reduce`, `array_setstate`), `descriptor.c`
/// (`arraydescr_reduce`), `_core/numeric.py` (`_frombuffer`); before 2.0 the same is in `core`. JAX writes its arrays
/// as numpy's (jax 0.10, `_src/array.py`).
struct NumpyArrays: PickleLeaves {
  /// The file that the pickle is.
  let file: any ByteSource

  static let separator = "/"
  static let leavesWrapperOut = false

  func isTensor(_ value: PickleValue, in heap: PickleHeap) -> Bool {
    NumpyCall(value, in: heap) != nil
  }

  func isNumber(_ value: PickleValue, in heap: PickleHeap) -> Bool {
    if case .scalar? = NumpyCall(value, in: heap) { true } else { false }
  }

  func entries(
    _ value: PickleValue, _ name: String, in heap: PickleHeap
  ) throws(CheckpointError) -> [Tensor] {
    do throws(CheckpointError) {
      guard let array = try array(value, in: heap) else { return [] }
      return [try array.tensor(TensorName(name))]
    } catch {
      var error = error
      error.tensor = error.tensor ?? TensorName(name)
      throw error
    }
  }

  private func array(
    _ value: PickleValue, in heap: PickleHeap
  ) throws(CheckpointError) -> PickledArray? {
    switch NumpyCall(value, in: heap) {
    case .state(let state): return try array(state: state, in: heap)
    case .buffer(let values): return try array(buffer: values, in: heap)
    case .scalar(let values):
      guard values.count == 2 else { throw Self.brokenCall }
      let type = try PickledType(values[0], in: heap)
      return PickledArray(type: type, shape: [], bytes: try bytes(values[1], in: heap))
    case nil: return nil
    }
  }

  private static let brokenCall = CheckpointError(
    .malformed("what describes it is not what numpy writes"))

  /// What `ndarray.__setstate__` is told: a version, the shape, the type, whether the order is Fortran's, the bytes.
  private func array(
    state: PickleValue, in heap: PickleHeap
  ) throws(CheckpointError) -> PickledArray {
    guard let values = heap.fewElements(state), values.count == 5,
      values[0] == .int(0) || values[0] == .int(1), let isFortran = Self.flag(values[3])
    else { throw Self.brokenCall }
    let type = try PickledType(values[2], in: heap)
    let shape = try Self.extents(values[1], in: heap)
    let bytes = try bytes(values[4], in: heap)
    return PickledArray(
      type: type, shape: shape, bytes: bytes,
      order: isFortran ? Array(shape.indices.reversed()) : nil)
  }

  /// What `_frombuffer` is called with: the bytes, the type, the shape and the order.
  private func array(
    buffer values: [PickleValue], in heap: PickleHeap
  ) throws(CheckpointError) -> PickledArray {
    guard (4...5).contains(values.count), let order = heap.string(values[3]) else {
      throw Self.brokenCall
    }
    let type = try PickledType(values[1], in: heap)
    let stored = try Self.extents(values[2], in: heap)
    let bytes = try bytes(values[0], in: heap)
    let axes = values.count == 5 ? values[4] : .none
    switch (order, axes) {
    case ("C", _): return PickledArray(type: type, shape: stored, bytes: bytes)
    case ("F", _):
      return PickledArray(
        type: type, shape: stored, bytes: bytes, order: Array(stored.indices.reversed()))
    case ("K", .object):
      // The bytes are those of an array in C order, whose axes are then taken in this order.
      let order = try Self.extents(axes, in: heap)
      guard order.sorted() == Array(stored.indices) else { throw Self.brokenCall }
      var places = order
      for (place, axis) in order.enumerated() { places[axis] = place }
      return PickledArray(
        type: type, shape: order.map { stored[$0] }, bytes: bytes, order: places)
    default: throw Self.brokenCall
    }
  }

  private static func flag(_ value: PickleValue) -> Bool? {
    switch value {
    case .bool(let flag): flag
    case .int(0): false
    case .int(1): true
    default: nil
    }
  }

  private static func extents(
    _ value: PickleValue, in heap: PickleHeap
  ) throws(CheckpointError) -> [Int] {
    guard let values = heap.elements(value) else { throw brokenCall }
    guard values.count <= Limits.rank else {
      throw CheckpointError(
        .limitExceeded("the number of dimensions", limit: Limits.rank, found: values.count))
    }
    var extents: [Int] = []
    for value in values {
      guard case .int(let extent) = value, extent >= 0 else { throw brokenCall }
      extents.append(extent)
    }
    return extents
  }

  /// The bytes that a value stands for. Before protocol 3 Python 3 writes them as a text, each as the letter of
  /// Latin-1 that has its number.
  private func bytes(
    _ value: PickleValue, in heap: PickleHeap
  ) throws(CheckpointError) -> any TensorBytes {
    switch value {
    case .bytes(let text), .string(let text): return ByteArray(Array(heap.bytes(text)))
    case .text(let text):
      return ByteArray(try Latin1Text(ByteArray(Array(heap.bytes(text)))).all())
    default: break
    }
    if case .distant(let number)? = heap.object(value) {
      let stretch = heap.stretches[Int(number)]
      let bytes = FileBytes(file: file, start: stretch.range.lowerBound, count: stretch.count)
      return stretch.isText ? try Latin1Text(bytes) : bytes
    }
    guard let call = heap.call(value), let name = heap.name(call.function),
      let arguments = heap.fewElements(call.arguments)
    else { throw Self.brokenCall }
    switch name {
    case "_codecs.encode":
      guard arguments.count == 2, heap.string(arguments[1]) == "latin1", heap.isText(arguments[0])
      else { throw Self.brokenCall }
      return try bytes(arguments[0], in: heap)
    case "__builtin__.bytes", "builtins.bytes":
      guard arguments.isEmpty else { throw Self.brokenCall }
      return ByteArray([])
    default: throw Self.brokenCall
    }
  }
}

extension PickleHeap {
  /// Whether a value is a text of Python 3.
  fileprivate func isText(_ value: PickleValue) -> Bool {
    if case .text = value { return true }
    if case .distant(let number)? = object(value) { return stretches[Int(number)].isText }
    return false
  }
}

/// A call that makes an array of numpy, or a number.
private enum NumpyCall {
  /// An array that is told what it is.
  case state(PickleValue)
  /// An array made of bytes.
  case buffer([PickleValue])
  /// A number.
  case scalar([PickleValue])

  init?(_ value: PickleValue, in heap: PickleHeap) {
    guard let call = heap.call(value), let name = heap.name(call.function) else { return nil }
    switch name {
    case "numpy._core.multiarray._reconstruct", "numpy.core.multiarray._reconstruct":
      self = .state(call.state)
    case "numpy._core.numeric._frombuffer", "numpy.core.numeric._frombuffer":
      self = .buffer(heap.fewElements(call.arguments) ?? [])
    case "numpy._core.multiarray.scalar", "numpy.core.multiarray.scalar":
      self = .scalar(heap.fewElements(call.arguments) ?? [])
    case "jax._src.array._reconstruct_array", "jax._src.device_array.reconstruct_device_array":
      let values = heap.fewElements(call.arguments) ?? []
      guard values.count >= 3, heap.name(values[0])?.hasSuffix(".multiarray._reconstruct") == true
      else { return nil }
      self = .state(values[2])
    default: return nil
    }
  }
}

/// What the elements of an array in a pickle are.
private struct PickledType {
  let dtype: DType
  let isBigEndian: Bool

  /// Understands a call of `numpy.dtype` and what its result is told: version, order of bytes, and what makes
  /// records of elements.
  init(_ value: PickleValue, in heap: PickleHeap) throws(CheckpointError) {
    guard let call = heap.call(value), heap.name(call.function) == "numpy.dtype",
      let first = heap.fewElements(call.arguments)?.first,
      let state = call.state == .none ? [] : heap.fewElements(call.state)
    else { throw CheckpointError(.malformed("what describes its type is not what numpy writes")) }
    let order = state.count > 1 ? heap.string(state[1]) : ""
    guard let order, ["", "<", ">", "|", "="].contains(order) else {
      throw CheckpointError(.malformed("the order of its bytes is none"))
    }
    if let version = state.first {
      guard case .int(0...4) = version else {
        throw CheckpointError(
          .unsupported("what describes its type is of a version that is not known"))
      }
    }
    guard state.dropFirst(2).prefix(3).allSatisfy({ $0 == .none }) else {
      throw CheckpointError(.unsupported("its elements are records, which are not read"))
    }
    if let name = heap.name(first), let last = name.split(separator: ".").last {
      guard ["ml_dtypes.\(last)", "jaxlib.xla_extension.\(last)"].contains(name) else {
        throw CheckpointError(.unsupported("dtype \"\(abridged(name, to: 80))\" is not read"))
      }
      dtype = try DType(numpyName: String(last), at: nil)
      isBigEndian = order == ">" && (dtype.byteWidth ?? 1) > 1
      return
    }
    guard let text = heap.string(first), text.count <= 80 else {
      throw CheckpointError(.malformed("what describes its type is not what numpy writes"))
    }
    if text.hasPrefix("O") {
      throw CheckpointError(.unsupported("it is an array of objects, which are not read"))
    }
    // What these mean in an npy file, only ml_dtypes says; here it says so itself.
    guard !text.contains("V"), text != "f1", text.first?.isLetter == true else {
      throw CheckpointError(.unsupported("dtype \"\(order)\(text)\" is not read"))
    }
    let type = try NpyDType(order + text)
    (dtype, isBigEndian) = (type.dtype, type.isBigEndian)
  }
}

/// An array in a pickle.
private struct PickledArray {
  let type: PickledType
  let shape: [Int]
  let bytes: any TensorBytes
  /// The places of the axes of what is stored among those of the array, the outermost first; `nil` if they are the
  /// same.
  var order: [Int]?

  /// The array as a tensor.
  ///
  /// - Throws: `CheckpointError` if its bytes are not as many as it needs.
  func tensor(_ name: TensorName) throws(CheckpointError) -> Tensor {
    guard NpyHeader.canHave(shape, type.dtype) else {
      throw CheckpointError(
        .overflow("the number of bytes of \(type.dtype) \(describe(shape: shape))"))
    }
    try checkByteCount(bytes.count, dtype: type.dtype, shape: shape)
    var bytes = bytes
    if let order, shape.count(where: { $0 > 1 }) > 1, bytes.count > 0 {
      var strides = [Int](repeating: 1, count: shape.count)
      var stride = 1
      for axis in order.reversed() {
        strides[axis] = stride
        stride *= shape[axis]
      }
      bytes = bytes.moved(
        Move(reading: Piece(offset: 0, shape: shape, strides: strides)), type.dtype,
        count: stride)
    }
    if type.isBigEndian { bytes = SwappedBytes(bytes: bytes, unit: type.dtype.byteOrderUnit) }
    return Tensor(name: name, dtype: type.dtype, shape: shape, bytes: bytes)
  }
}
