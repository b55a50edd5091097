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

  /// The ids `name`, which must be there: `[batch, length]`, or `[batch, choices, length]`, which
  /// is merged to `[batch × choices, length]`. Returns the shape after merging.
  mutating func ids(_ name: String, below limit: Int, choices: Bool = false) -> [Int]? {
    guard let ids = inputs[name] else {
      faults.append("\(name) is missing")
      return nil
    }
    let rank = choices ? 3 : 2
    guard ids.shape.count == rank, !ids.elements.isEmpty else {
      let axes = choices ? "[batch, choices, length]" : "[batch, length]"
      faults.append("\(name) is \(describe(shape: ids.shape)), must be \(axes)")
      return nil
    }
    if choices { inputs.choices = ids.shape[1] }
    check(ids, name, below: limit)
    return merge(name)
  }

  /// An array like the ids, if given: of that shape, before merging or after it, values `0..<limit`.
  mutating func companion(_ name: String, shape: [Int], below limit: Int) {
    guard inputs[name] != nil, let found = merge(name) else { return }
    guard found == shape else {
      faults.append("\(name) is \(describe(shape: found)), must be \(describe(shape: shape))")
      return
    }
    check(inputs.required(name), name, below: limit)
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

  /// An array of zeros, unless it is given.
  mutating func zeros(_ name: String, shape: [Int]) {
    if inputs[name] == nil { inputs[name] = NDArray(shape: shape, repeating: 0) }
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
