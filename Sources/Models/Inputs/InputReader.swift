import Kernels
import TensorCore

/// Checks the inputs of a model, and collects everything that is wrong with them.
struct InputReader {
  private(set) var inputs: ModelInputs
  private var faults: [String] = []

  /// Takes inputs, of which only `known` names are accepted.
  init(_ inputs: ModelInputs, known: [String]) {
    self.inputs = inputs
    for name in inputs.arrays.keys.sorted() where !known.contains(name) {
      faults.append(
        "\"\(escaped(name))\" is no input of this model; its inputs are \(known.joined(separator: ", "))"
      )
    }
  }

  /// Whether ids have an axis of choices, which is merged with the batch.
  enum Choices {
    case no
    case yes
    case optional
  }

  /// The ids `name`, which must be there: `[batch, length]`, or `[batch, choices, length]`, which
  /// is merged to `[batch × choices, length]`. Returns the shape after merging.
  mutating func ids(_ name: String, below limit: Int, choices: Choices = .no) -> [Int]? {
    guard let ids = inputs[name] else {
      faults.append("\(name) is missing")
      return nil
    }
    let rank = ids.shape.count
    guard rank == 2 && choices != .yes || rank == 3 && choices != .no, !ids.elements.isEmpty else {
      let axes =
        switch choices {
        case .no: "[batch, length]"
        case .yes: "[batch, choices, length]"
        case .optional: "[batch, length] or [batch, choices, length]"
        }
      faults.append("\(name) is \(describe(shape: ids.shape)), must be \(axes)")
      return nil
    }
    if rank == 3 { (inputs.choices, inputs.hasChoices) = (ids.shape[1], true) }
    check(ids, name, below: limit)
    return merge(name)
  }

  /// An array like the ids, if given: of that shape, before merging or after it, values `0..<limit`.
  mutating func companion(_ name: String, shape: [Int], below limit: Int) {
    _ = merge(name)
    array(name, shape: shape, below: limit)
  }

  /// An array of exactly that shape, if given, with values `0..<limit`.
  mutating func array(_ name: String, shape: [Int], below limit: Int) {
    guard let array = inputs[name] else { return }
    guard array.shape == shape else {
      faults.append(
        "\(name) is \(describe(shape: array.shape)), must be \(describe(shape: shape))")
      return
    }
    check(array, name, below: limit)
  }

  /// Position ids `[batch, length]`, or `[1, length]` for all; 0, 1, 2, … if not given.
  mutating func positions(_ name: String, shape: [Int], below limit: Int) {
    let (batch, length) = (shape[0], shape[1])
    if inputs[name] == nil {
      guard length <= limit else {
        faults.append("the inputs are \(length) long, the model has \(limit) positions")
        return
      }
      inputs[name] = NDArray(shape: [1, length], elements: Array(0..<length))
    }
    if let row = inputs[name], row.shape == [1, length] {
      inputs[name] = NDArray(
        shape: shape, elements: (0..<batch).flatMap { _ in row.elements })
    }
    companion(name, shape: shape, below: limit)
  }

  /// An array of one number, unless it is given.
  mutating func fill(_ name: String, shape: [Int], with value: Int = 0) {
    if inputs[name] == nil { inputs[name] = NDArray(shape: shape, repeating: value) }
  }

  /// An array to take where `name` is not given.
  mutating func fill(_ name: String, with array: NDArray<Int>) {
    if inputs[name] == nil { inputs[name] = array }
  }

  /// Records a fault that is none of a single array.
  mutating func reject(_ reason: String) {
    faults.append(reason)
  }

  /// Merges the choices of a rank-3 array with its batch. Returns the new shape.
  private mutating func merge(_ name: String) -> [Int]? {
    guard let array = inputs[name] else { return nil }
    guard array.shape.count == 3 else { return array.shape }
    let shape = [array.shape[0] * array.shape[1], array.shape[2]]
    inputs[name] = array.reshaped(shape)
    return shape
  }

  private mutating func check(_ ids: NDArray<Int>, _ name: String, below limit: Int) {
    guard let index = ids.elements.firstIndex(where: { !(0..<limit).contains($0) }) else { return }
    faults.append("\(name) has \(ids.elements[index]) at element \(index), must be below \(limit)")
  }

  /// The inputs, if nothing was wrong.
  ///
  /// - Throws: `CheckpointError` with every fault.
  func checked() throws(CheckpointError) -> ModelInputs {
    guard faults.isEmpty else {
      throw CheckpointError(
        .malformed(faults.count == 1 ? faults[0] : "\(faults.count) faults in the inputs"),
        details: faults.count == 1 ? [] : faults)
    }
    return inputs
  }
}
