import TensorCore

/// A tensor in a pickle, as far as it is one for us.
struct TorchEntry {
  enum Content {
    case stored(TorchTensor)
    /// A number that stands in the pickle itself.
    case number(DType, [UInt8])
  }

  let name: TensorName
  let content: Content
}

extension TorchStorages {
  /// Describes the tensors that torch would make: one, and with a quantised one what its codes mean.
  mutating func entries(
    _ name: String, _ function: String, _ arguments: PickleValue, in heap: PickleHeap
  ) throws(CheckpointError) -> [TorchEntry] {
    do throws(CheckpointError) {
      let values = heap.fewElements(arguments) ?? []
      let isQuantized = function.hasSuffix("_rebuild_qtensor")
      guard values.count >= 4 else { throw Self.brokenCall }
      var view = try storage(values[0], in: heap)
      var element = view.element
      if function.hasSuffix("_v3") {
        guard values.count >= 7, let dtype = heap.name(values[6]) else { throw Self.brokenCall }
        guard let own = TorchElement(dtype: dtype) else {
          throw CheckpointError(.unsupported("its type \(dtype) is not known"))
        }
        element = own
        if values.count > 7 { try checkFlags(values[7], in: heap) }
      } else if !isQuantized, values.count > 6 {
        try checkFlags(values[6], in: heap)
      }
      guard case .int(let offset) = values[1] else { throw Self.brokenCall }
      let tensor = try TorchTensor(
        view: view, element: element, offset: offset,
        shape: try Self.numbers(values[2], in: heap),
        strides: try Self.numbers(values[3], in: heap))
      let entry = TorchEntry(name: TensorName(name), content: .stored(tensor))
      guard isQuantized else { return [entry] }
      guard values.count > 4 else { throw Self.brokenCall }
      view = tensor.view
      return [entry] + (try quantization(name, values[4], in: heap))
    } catch {
      var error = error
      error.tensor = error.tensor ?? TensorName(name)
      throw error
    }
  }

  /// All of a storage as a tensor.
  mutating func entry(
    _ name: String, storage id: PickleValue, in heap: PickleHeap
  ) throws(CheckpointError) -> TorchEntry {
    do throws(CheckpointError) {
      let view = try view(id, in: heap)
      let tensor = try TorchTensor(
        view: view, element: view.element, offset: 0,
        shape: [view.bytes.count / view.element.width], strides: [1])
      return TorchEntry(name: TensorName(name), content: .stored(tensor))
    } catch {
      var error = error
      error.tensor = error.tensor ?? TensorName(name)
      throw error
    }
  }

  private static let brokenCall = CheckpointError(
    .malformed("what describes it is not what torch writes"))

  private mutating func storage(
    _ value: PickleValue, in heap: PickleHeap
  ) throws(CheckpointError) -> View {
    guard case .persistent(let id)? = heap.object(value) else { throw Self.brokenCall }
    return try view(id, in: heap)
  }

  private static func numbers(
    _ value: PickleValue, in heap: PickleHeap
  ) throws(CheckpointError) -> [Int] {
    guard let numbers = heap.extents(value) else { throw brokenCall }
    return numbers
  }

  /// Views whose elements stand for others: torch marks them instead of writing them.
  private func checkFlags(_ flags: PickleValue, in heap: PickleHeap) throws(CheckpointError) {
    let pairs = heap.pairs(flags) ?? []
    guard pairs.count <= 32 else { throw Self.brokenCall }
    for index in stride(from: 1, to: pairs.count, by: 2) where pairs[index] == .bool(true) {
      let flag = heap.string(pairs[index - 1]) ?? "?"
      throw CheckpointError(
        .unsupported("it is a view (\(flag)) whose elements are not those of its storage"))
    }
  }

  /// What the codes of a quantised tensor mean: tensors named as torch's methods that give them.
  private mutating func quantization(
    _ name: String, _ parameters: PickleValue, in heap: PickleHeap
  ) throws(CheckpointError) -> [TorchEntry] {
    let values = heap.fewElements(parameters) ?? []
    guard let scheme = values.first.flatMap({ heap.name($0) }) else { throw Self.brokenCall }
    func number(_ part: String, _ dtype: DType, _ bits: UInt64) -> TorchEntry {
      TorchEntry(
        name: TensorName("\(name).\(part)"), content: .number(dtype, bits.littleEndianBytes))
    }
    switch scheme {
    case "torch.per_tensor_affine":
      guard values.count == 3, case .float(let scale) = values[1], case .int(let zero) = values[2]
      else { throw Self.brokenCall }
      return [
        number("q_scale", .f64, scale.bitPattern),
        number("q_zero_point", .i64, UInt64(bitPattern: Int64(zero))),
      ]
    case "torch.per_channel_affine", "torch.per_channel_affine_float_qparams":
      guard values.count == 4, case .int(let axis) = values[3] else { throw Self.brokenCall }
      var entries: [TorchEntry] = []
      for (part, value) in zip(
        ["q_per_channel_scales", "q_per_channel_zero_points"], values[1...2])
      {
        guard case .tensor(let function, let arguments) = TorchMeaning(value, in: heap),
          !function.hasSuffix("_rebuild_qtensor")
        else {
          throw CheckpointError(.unsupported("its scales are no tensors"))
        }
        entries += try self.entries("\(name).\(part)", function, arguments, in: heap)
      }
      return entries + [
        number("q_per_channel_axis", .i64, UInt64(bitPattern: Int64(axis)))
      ]
    default:
      throw CheckpointError(.unsupported("it is quantised in a way that is not known: \(scheme)"))
    }
  }
}

extension PickleHeap {
  /// Extents, offsets or strides; `nil` if they are no numbers. Of too many, one more than there may be.
  func extents(_ value: PickleValue) -> [Int]? {
    // torch.Size, where it was written as itself.
    var value = value
    if let call = call(value), name(call.function) == "torch.Size" {
      value = elements(call.arguments)?.first ?? .none
    }
    guard let values = elements(value) else { return nil }
    var numbers: [Int] = []
    for value in values.prefix(Limits.rank + 1) {
      guard case .int(let number) = value else { return nil }
      numbers.append(number)
    }
    return numbers
  }
}
