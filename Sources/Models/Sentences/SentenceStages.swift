import Kernels
import TensorCore

extension SentenceStack {
  /// The stages of all modules; the last one gives `sentence_embedding`.
  ///
  /// - Parameter state: the state with the hidden states `[batch, length, width]`.
  func stages<Scalar: ComputeScalar>(on state: String, _: Scalar.Type) -> [Stage<Scalar>] {
    let acting = modules.filter { $0.form != .dropout }
    return acting.enumerated().map { index, module in
      stage(module, reading: state, isLast: index == acting.count - 1)
    }
  }

  private func stage<Scalar: ComputeScalar>(
    _ module: Module, reading state: String, isLast: Bool
  ) -> Stage<Scalar> {
    let outputs: [StageOutput] = isLast ? [.final("sentence_embedding", from: "sentence")] : []
    let kept = isLast ? truncation : nil
    return Stage("sentence.\(module.name)", outputs: outputs) { scope throws(CheckpointError) in
      let step = try module.step(scope.module("sentence", .head), reading: state)
      return { states throws(CheckpointError) in
        let x = try step(states)
        states["sentence"] = kept.map { firstColumns($0, of: x) } ?? x
      }
    }
  }

  /// How many tensors its weights are.
  public var tensorCount: Int { declared.declared.slots.count }

  /// What the modules ask for, and the tensor in its folder that each weight is.
  var declared: (declared: Declared, tensors: [String: (folder: String, name: String)]) {
    let declaration = Declaration()
    let scope = WeightScope<Float>(visitor: declaration)
    for stage in stages(on: "", Float.self) { _ = try? stage.load(scope) }
    let declared = declaration.declared(named: "sentence")
    var tensors: [String: (folder: String, name: String)] = [:]
    for module in modules {
      let own = "sentence.\(module.name)."
      for slot in declared.slots where slot.path.hasPrefix(own) {
        let rest = String(slot.path.dropFirst(own.count))
        let layer = module.isNorm ? "norm." : "linear."
        tensors[slot.path] = (module.folder, rest.hasPrefix("residual.") ? rest : layer + rest)
      }
    }
    return (declared, tensors)
  }
}

extension SentenceStack.Module {
  /// Its module's name, as part of a path.
  fileprivate var name: String {
    switch form {
    case .pooling: "pooling"
    case .dense: "dense_\(number)"
    case .layerNorm: "norm_\(number)"
    case .normalize: "normalize_\(number)"
    case .dropout: "dropout_\(number)"
    }
  }

  fileprivate var isNorm: Bool { if case .layerNorm = form { true } else { false } }

  /// From the states to the vectors `[batch, width]`.
  fileprivate func step<Scalar: ComputeScalar>(
    _ scope: WeightScope<Scalar>, reading state: String
  ) throws(CheckpointError) -> (States<Scalar>) throws(CheckpointError) -> NDArray<Scalar> {
    switch form {
    case .pooling(let form):
      return { states throws(CheckpointError) in try form.pooled(states[state], states.inputs) }
    case .dense(let form):
      let scope = scope.module(name, .linear)
      let dense = try Linear(
        scope, in: form.inputs, out: form.outputs, bias: form.hasBias, activation: form.activation)
      let residual =
        form.addsInput && form.inputs != form.outputs
        ? try Linear(
          scope.module("residual", .linear), in: form.inputs, out: form.outputs, bias: false) : nil
      return { states throws(CheckpointError) in
        let x = states["sentence"]
        guard form.addsInput else { return dense(x) }
        return add(dense(x), residual.map { $0(x) } ?? x)
      }
    case .layerNorm(let width):
      let norm = try LayerNorm(scope.module(name, .layerNorm), width: width, epsilon: 1e-5)
      return { states throws(CheckpointError) in norm(states["sentence"]) }
    case .normalize: return { states throws(CheckpointError) in normalized(states["sentence"]) }
    case .dropout: return { states throws(CheckpointError) in states["sentence"] }
    }
  }
}

/// Each row divided by its Euclidean length, or by 1e-12 if that is more: torch.nn.functional.normalize.
private func normalized<Scalar: ComputeScalar>(_ x: NDArray<Scalar>) -> NDArray<Scalar> {
  NDArray(
    shape: x.shape,
    elements: (0..<x.rows).flatMap { row in
      let row = x.row(row)
      let length = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
      return row.map { $0 / max(length, Scalar(1e-12)) }
    })
}

/// The first numbers of each row.
private func firstColumns<Scalar: ComputeScalar>(
  _ count: Int, of x: NDArray<Scalar>
) -> NDArray<Scalar> {
  let count = min(count, x.width)
  return NDArray(
    shape: [x.rows, count], elements: (0..<x.rows).flatMap { x.row($0).prefix(count) })
}

extension PoolingForm {
  /// The input that says how many of a text's first tokens are a prompt.
  static let promptLength = "prompt_length"

  /// - Parameter x: `[batch, length, width]`
  /// - Returns: `[batch, width · modes]`
  /// - Throws: `CheckpointError` if the hidden states have another width than the config says.
  fileprivate func pooled<Scalar: ComputeScalar>(
    _ x: NDArray<Scalar>, _ inputs: ModelInputs
  ) throws(CheckpointError) -> NDArray<Scalar> {
    guard x.width == width else {
      throw SentenceStack.misfit([
        "the pooling reads \(width) numbers, hidden states have \(x.width)"
      ])
    }
    let (batch, length) = (x.shape[0], x.shape[1])
    let mask = inputs.mask("attention_mask")
    var elements: [Scalar] = []
    elements.reserveCapacity(batch * width * modes.count)
    for text in 0..<batch {
      let given = mask.map { Array($0.row(text)) } ?? Array(repeating: true, count: length)
      let begin = given.firstIndex(of: true) ?? 0
      var counted = given
      if !includesPrompt, let prompt = inputs[Self.promptLength]?.elements[text] {
        for place in 0..<min(length, begin + min(prompt, length)) { counted[place] = false }
      }
      let positions = Positions(
        begin: begin, counted: counted.indices.filter { counted[$0] }, all: length)
      for mode in modes {
        elements += mode.vector(of: positions) { x.row(text * length + $0) }
      }
    }
    return NDArray(shape: [batch, width * modes.count], elements: elements)
  }
}

/// The positions of a text.
private struct Positions {
  /// The first that is no padding, be it one of a prompt.
  let begin: Int
  /// Those that count.
  let counted: [Int]
  /// How many there are.
  let all: Int
}

extension PoolingForm.Mode {
  /// - Parameter row: the vector of a position.
  fileprivate func vector<Scalar: ComputeScalar>(
    of positions: Positions, _ row: (Int) -> ArraySlice<Scalar>
  ) -> [Scalar] {
    let counted = positions.counted
    let width = row(0).count
    switch self {
    case .first: return Array(row(counted.first ?? 0))
    case .last:
      // Of nothing, zeros.
      return counted.last.map { Array(row($0)) } ?? Array(repeating: 0, count: width)
    case .largest:
      var largest = [Scalar](repeating: -.infinity, count: width)
      for place in counted {
        for (column, element) in row(place).enumerated() {
          // A NaN stays, as in torch.
          if !(element <= largest[column]) { largest[column] = element }
        }
      }
      return largest
    case .mean:
      return sum(counted, row, width) { _ in 1 }.map { $0 / atLeastTiny(Scalar(counted.count)) }
    case .meanByRoot:
      let root = atLeastTiny(Scalar(counted.count)).squareRoot()
      return sum(counted, row, width) { _ in 1 }.map { $0 / root }
    case .weightedMean:
      let weights = counted.reduce(0) { $0 + ($1 - positions.begin + 1) }
      return sum(counted, row, width) { Scalar($0 - positions.begin + 1) }
        .map { $0 / atLeastTiny(Scalar(weights)) }
    }
  }

  private func sum<Scalar: ComputeScalar>(
    _ places: [Int], _ row: (Int) -> ArraySlice<Scalar>, _ width: Int, weight: (Int) -> Scalar
  ) -> [Scalar] {
    var sum = [Scalar](repeating: 0, count: width)
    for place in places {
      let factor = weight(place)
      for (column, element) in row(place).enumerated() { sum[column] += element * factor }
    }
    return sum
  }

  /// What sums are divided by, so that nothing divided by nothing is nothing.
  private func atLeastTiny<Scalar: ComputeScalar>(_ number: Scalar) -> Scalar {
    max(number, Scalar(1e-9))
  }
}
