public import Kernels
public import Models
import TensorCore

/// An architecture that is an encoder of texts: it reads its config into a description, and everything else
/// follows from that.
///
/// Outputs, inputs and heads are those of Hugging Face's encoders (transformers 5.x).
public protocol TextEncoder: Architecture {
  /// The names of its classes.
  static var classes: [(name: String, head: EncoderHead)] { get }

  /// What it is made of.
  var form: EncoderForm { get }
}

extension TextEncoder {
  public static func className(as part: ModelPart) -> String? {
    switch part {
    case .states: classes.first { $0.head == .base }?.name
    case .words: classes.first { $0.head == .causalLM }?.name
    case .pictures: nil
    }
  }

  public var head: String {
    Self.classes.first { $0.head == form.head.task }?.name ?? Self.name
  }

  public var dimensions: [String: Int] {
    var dimensions = form.blocks.first?.attention.shape.dimensions ?? [:]
    // The rows of a table of positions that no text has.
    if let token = form.embedding.positions?.padToken { dimensions["padding_rows"] = token + 1 }
    return dimensions
  }

  public var hiddenWidth: Int? { form.width }

  public func stages<Scalar: ComputeScalar>(_: Scalar.Type) -> [Stage<Scalar>] { form.stages() }

  public var inputs: [InputSlot] { form.inputs }

  public func completing(_ inputs: ModelInputs) -> ModelInputs { form.completing(inputs) }

  public var reach: Reach {
    Reach(
      keys: form.blocks.compactMap(\.attention.shape.window).max() ?? 0,
      positions: form.rotaries.compactMap(\.longest).max() ?? 0)
  }

  /// A head that classifies texts reads the first position, or what is no padding, and neither sees padding:
  /// positions that are padding in every row are left out. A row of nothing but padding attends to all of it, and so
  /// does a first position that is padding where it sees only what is near. Masks are counted among padding, too.
  public func withoutPadding(_ inputs: ModelInputs) -> ModelInputs {
    let isNear =
      reach.keys > 0 || form.embedding.dropout != nil || form.distanceVectors != nil
      || form.rotaries.contains(where: \.growsWithLength)
    return form.head.isOfTexts && !form.isCausal && !isNear ? inputs.withoutCommonPadding : inputs
  }
}

extension EncoderForm {
  /// The forward pass in order.
  package func stages<Scalar: ComputeScalar>() -> [Stage<Scalar>] {
    [embeddings()] + blocks.indices.map(block) + finish() + poolers() + summaries()
      + headStages() + passengerStages()
  }

  /// What the encoder reads.
  package var inputs: [InputSlot] {
    let isChoice = head.task == .multipleChoice
    var slots: [InputSlot] = [
      .ids(
        "input_ids", below: vocabulary,
        axes: isChoice ? [.batch, .choices(isOptional: false), .length] : [.batch, .length]),
      .mask("attention_mask"),
    ]
    if let types = embedding.tokenTypes {
      slots.append(.types("token_type_ids", below: types))
    }
    if let table = embedding.positions {
      let name = "position_ids"
      slots.append(
        table.padToken.map {
          InputSlot.positions(name, below: table.rows, behind: $0, of: "input_ids")
        } ?? InputSlot.positions(name, below: table.rows))
    } else if !rotaries.isEmpty {
      slots.append(.positions("position_ids", below: rotaryRows))
    }
    if blocks.contains(where: { $0.cross != nil }) {
      slots += InputSlot.statesOfEncoder(width: width)
    }
    return slots
  }

  /// Texts with the token that stands for them, if one does, where the last allowed id is.
  package func completing(_ inputs: ModelInputs) -> ModelInputs {
    guard let token = summary?.pooling.token(below: vocabulary), var ids = inputs["input_ids"]
    else { return inputs }
    let mask = inputs.mask("attention_mask")
    for text in 0..<ids.rows {
      let allowed = mask?.row(text).lastIndex(of: true) ?? (text + 1) * ids.width - 1
      ids.elements[allowed] = token
    }
    var inputs = inputs
    inputs["input_ids"] = ids
    return inputs
  }

  /// What words become, and for all blocks the angles of the positions and the biases of the distances.
  fileprivate func embeddings<Scalar: ComputeScalar>() -> Stage<Scalar> {
    Stage("embeddings", outputs: hiddenOutputs(0), work: embeddingWork) {
      scope throws(CheckpointError) in
      let embedding = try embedding.load(
        scope.module("embeddings", .embedding), vocabulary: vocabulary, width: width)
      let bias = try distances.map { distances throws(CheckpointError) in
        try RelativeBias(
          scope.module("encoder", .sequence).module("relative_bias", .embedding),
          buckets: distances.buckets, heads: heads, maxDistance: distances.longest,
          isBidirectional: true)
      }
      let table = try rotaryRows.map { rows throws(CheckpointError) in
        try storedTurns(scope.module("encoder", .sequence), rows: rows)
      }
      let stored = try storedFrequencies(scope.module("encoder", .sequence))
      let vectors = try distanceVectors?.load(scope.module("encoder", .sequence), width: width)
      return { states throws(CheckpointError) in
        let x = try embedding(states.inputs)
        states["hidden"] = x  // [batch, length, width]
        for (index, rotary) in rotaries.enumerated() {
          let positions = states.inputs.required("position_ids")
          let frequencies =
            stored ?? rotary.frequencies(length: (positions.elements.max() ?? 0) + 1)
          states[SelfAttentionForm.rotaryState(index)] =
            table.map { gatherRows($0, positions) }
            ?? rotaryTable(positions: positions, frequencies: frequencies, of: Scalar.self)
        }
        if let vectors, let form = distanceVectors, form.isRead {
          // [1, distances, width]
          states["distance_vectors"] = gatherRows(vectors, form.rows(length: x.shape[1]))
        }
        if let bias {
          // [heads, distance]
          states["distance_bias"] = bias(queries: x.shape[1], keys: x.shape[1], firstQuery: 0)
        }
      }
    }
  }

  /// Cosines, then sines of positions, which files store the other way round.
  private func storedTurns<Scalar: ComputeScalar>(
    _ scope: WeightScope<Scalar>, rows: Int
  ) throws(CheckpointError) -> NDArray<Scalar> {
    guard let pairs = rotaries.first?.pairs, let rotary = rotaries.first else {
      return NDArray(shape: [0, 0], elements: [])
    }
    let stored = try scope.module("rotary_table", .embedding).weight(
      "weight", [rows, 2 * pairs], .embedding, origin: .computed(.sinesAndCosines(of: rotary)))
    guard !stored.elements.isEmpty else { return stored }
    let halves = split(stored, axis: 1, sizes: [pairs, pairs])
    return join([halves[1], halves[0]], axis: 1)
  }

  /// The frequencies that files have.
  private func storedFrequencies<Scalar: ComputeScalar>(
    _ scope: WeightScope<Scalar>
  ) throws(CheckpointError) -> RotaryFrequencies? {
    guard holdsFrequencies, let rotary = rotaries.first else { return nil }
    let stored = try scope.module("rotary", .embedding).weight(
      "frequencies", [rotary.pairs], .embedding, origin: .computed(.frequencies(of: rotary)))
    return RotaryFrequencies(inverse: stored.elements.map(Double.init))
  }

  private var heads: Int { blocks.first?.attention.shape.heads ?? 1 }

  private var embeddingWork: @Sendable (ModelInputs) -> StageWork {
    let turned = rotaries.reduce(0) { $0 + $1.turned }
    // A bias for each distance between two positions, in both directions.
    let biases = distances == nil ? 0 : 2 * heads
    // And while a block runs, several numbers for each pair of positions.
    let pairs = distanceVectors?.isRead ?? false ? 6 * heads : 0
    guard turned + biases + pairs > 0 else { return { .largest(of: $0) } }
    return { inputs in
      var work = StageWork.positions(of: "input_ids", in: inputs)
      work.leaves =
        work.positions * (turned + work.length * pairs) + work.length * biases
      return work
    }
  }

  /// Hidden state `index`; the last one, once it is normalised if it is, is also the base model's output.
  private func hiddenOutputs(_ index: Int, isNormalised: Bool = false) -> [StageOutput] {
    let isLast = index == blocks.count
    let hidden = StageOutput.hidden(index, from: "hidden")
    if isLast && norm != nil && !isNormalised { return showsStateBeforeNorm ? [hidden] : [] }
    guard head.givesStates && isLast else { return [hidden] }
    let last = StageOutput.final("last_hidden_state", from: "hidden")
    return isNormalised && showsStateBeforeNorm ? [last] : [hidden, last]
  }

  fileprivate func block<Scalar: ComputeScalar>(_ layer: Int) -> Stage<Scalar> {
    let place = place(of: layer)
    return Stage(place.joined(separator: "."), outputs: hiddenOutputs(layer + 1)) {
      scope throws(CheckpointError) in
      let outer = place.dropLast().reduce(scope) { $0.module($1, .sequence) }
      let block = try blocks[layer].load(
        outer.module(place[place.count - 1], .block), width: width)
      let convolution =
        layer == 0
        ? try convolution?.load(scope.module("encoder", .sequence), width: width) : nil
      return { states throws(CheckpointError) in
        let x = states["hidden"]
        let y = try block(x, &states)
        states["hidden"] = convolution?(x, addedTo: y, states.inputs) ?? y
      }
    }
  }

  /// The modules in which a block's weights are, its own last.
  private func place(of layer: Int) -> [String] {
    guard let shared = weightsOf?[layer] else { return ["encoder", "blocks", "\(layer)"] }
    return ["encoder", "groups", "\(shared.group)", "blocks", "\(shared.index)"]
  }

  /// The normalisation after the last block, if there is one.
  fileprivate func finish<Scalar: ComputeScalar>() -> [Stage<Scalar>] {
    guard let norm else { return [] }
    let outputs = hiddenOutputs(blocks.count, isNormalised: true)
    return [
      Stage("encoder.norm", outputs: outputs) { scope throws(CheckpointError) in
        let norm = try Norm(scope.module("encoder", .sequence), "norm", norm, width: width)
        return { states throws(CheckpointError) in states["hidden"] = norm(states["hidden"]) }
      }
    ]
  }

  /// `pooler_output`, what stands for a text, where something does.
  private func summaries<Scalar: ComputeScalar>() -> [Stage<Scalar>] {
    guard let summary else { return [] }
    let outputs: [StageOutput] = head.task == .base ? [.final("pooler_output")] : []
    return [
      Stage("pooler", outputs: outputs) { scope throws(CheckpointError) in
        let dense = try summary.width.map { output throws(CheckpointError) in
          try Linear(scope.module("pooler", .linear), in: width, out: output)
        }
        return { states throws(CheckpointError) in
          let pooled = summary.pooling.pooled(states["hidden"], states.inputs)
          states["pooler_output"] = dense.map { $0(pooled) } ?? pooled
        }
      }
    ]
  }

  /// The pooled first position, where there is a pooler.
  fileprivate func poolers<Scalar: ComputeScalar>() -> [Stage<Scalar>] {
    guard pooler != .none else { return [] }
    return [
      .pooler(
        of: "hidden", to: "pooler_output", width: width, isOutput: pooler == .output,
        isUnused: pooler == .passenger)
    ]
  }
}

extension EncoderForm {
  /// Layers that no output depends on.
  fileprivate func passengerStages<Scalar: ComputeScalar>() -> [Stage<Scalar>] {
    passengers.map { layer in
      Stage(layer.name) { scope throws(CheckpointError) in
        if let outputs = layer.outputs {
          _ = try Linear(
            scope.module(layer.name, .linear, isUnused: true), in: layer.inputs, out: outputs,
            origin: .passenger)
        } else {
          _ = try Norm(scope.passengers, layer.name, .layer(epsilon: 0), width: layer.inputs)
        }
        return { _ throws(CheckpointError) in }
      }
    }
  }
}

/// Embeddings with their tables.
private struct TextEmbedding<Scalar: ComputeScalar> {
  let word: WeightRows<Scalar>
  let position: WeightRows<Scalar>?
  let tokenType: WeightRows<Scalar>?
  let norm: Norm<Scalar>?
  let projection: Linear<Scalar>?
  let form: TextEmbeddingForm

  /// `[batch, length, width]`
  func callAsFunction(_ inputs: ModelInputs) throws(CheckpointError) -> NDArray<Scalar> {
    var x = try word(inputs.required("input_ids"))
    if let dropout = form.dropout { x = dropout.applied(to: x, inputs) }
    if let tokenType { x = add(x, try tokenType(inputs.required("token_type_ids"))) }
    if let position { x = add(x, try position(inputs.required("position_ids"))) }
    if let projection, form.normalisesProjection { x = projection(x) }
    x = norm.applied(to: x)
    if form.zeroesPadding, let allowed = inputs.mask("attention_mask") {
      x = multiplyBroadcasting(
        x, NDArray(shape: allowed.shape + [1], elements: allowed.elements.map { $0 ? 1 : 0 }))
    }
    return form.normalisesProjection ? x : projection.map { $0(x) } ?? x
  }
}

extension TextEmbeddingForm {
  fileprivate func load<Scalar: ComputeScalar>(
    _ scope: WeightScope<Scalar>, vocabulary: Int, width stream: Int
  ) throws(CheckpointError) -> TextEmbedding<Scalar> {
    func table(_ name: String, _ rows: Int) -> WeightRows<Scalar> {
      scope.module(name, .embedding).rows("weight", [rows, width], .embedding)
    }
    let word = table("word", vocabulary)
    let position = positions.map { positions in
      let rows = table("position", positions.rows)
      scope.constant("position_ids", [positions.rows], .positions)
      scope.constant("token_type_ids", [positions.rows], .noTypes)
      return rows
    }
    if let rows = unreadPositions {
      _ = scope.module("position", .embedding, isUnused: true).rows(
        "weight", [rows, width], .embedding, origin: .passenger)
      scope.constant("position_ids", [rows], .positions)
    }
    return TextEmbedding(
      word: word, position: position, tokenType: tokenTypes.map { table("token_type", $0) },
      norm: try norm.map { norm throws(CheckpointError) in
        try Norm(scope, "norm", norm, width: normalisesProjection ? stream : width)
      },
      projection: projects || width != stream
        ? try Linear(
          scope.module("projection", .linear), in: width, out: stream,
          bias: !normalisesProjection) : nil,
      form: self)
  }
}

extension DistanceVectors {
  /// The table, normalised: `[rows, width]`.
  fileprivate func load<Scalar: ComputeScalar>(
    _ scope: WeightScope<Scalar>, width: Int
  ) throws(CheckpointError) -> NDArray<Scalar> {
    let scope = scope.module("distances", .embedding, isUnused: !isRead)
    let table = try scope.weight("weight", [rows, width], .embedding)
    let norm = try norm.map { norm throws(CheckpointError) in
      try Norm(scope, "norm", norm, width: width)
    }
    return table.elements.isEmpty ? table : norm.applied(to: table)
  }

  /// The rows of all distances in a text, that of the last key before the first query first, which is the longest
  /// one: `[1, 2·length − 1]`.
  fileprivate func rows(length: Int) -> NDArray<Int> {
    let rows = (1 - length..<length).map { row(of: -$0) }
    return NDArray(shape: [1, rows.count], elements: rows)
  }
}

extension TextConvolution {
  fileprivate func load<Scalar: ComputeScalar>(
    _ scope: WeightScope<Scalar>, width: Int
  ) throws(CheckpointError) -> LoadedConvolution<Scalar> {
    let scope = scope.module("convolution", .linear)
    return LoadedConvolution(
      form: self,
      weight: try scope.weight("weight", [width, width / max(1, groups), kernel], .linear),
      bias: try scope.weight("bias", [width], .bias),
      norm: try Norm(scope, "norm", norm, width: width))
  }
}

/// A convolution with its weights.
private struct LoadedConvolution<Scalar: ComputeScalar> {
  let form: TextConvolution
  let weight: NDArray<Scalar>
  let bias: NDArray<Scalar>
  let norm: Norm<Scalar>

  /// `[batch, length, width]`, both, to the same.
  func callAsFunction(
    _ x: NDArray<Scalar>, addedTo y: NDArray<Scalar>, _ inputs: ModelInputs
  ) -> NDArray<Scalar> {
    let along = convolve(
      permute(x, [0, 2, 1]), weight: weight, bias: bias,
      axis: ConvolutionAxis(padding: form.kernel / 2), groups: form.groups)
    let words = inputs.mask("attention_mask").map { allowed in
      NDArray(shape: allowed.shape + [1], elements: allowed.elements.map { Scalar($0 ? 1 : 0) })
    }
    func masked(_ x: NDArray<Scalar>) -> NDArray<Scalar> {
      words.map { multiplyBroadcasting(x, $0) } ?? x
    }
    let added = apply(form.activation, to: masked(permute(along, [0, 2, 1])))
    return masked(norm(add(y, added)))
  }
}

extension TokenDropout {
  /// - Parameter x: `[batch, length, width]`, the vectors of the words.
  fileprivate func applied<Scalar: ComputeScalar>(
    to x: NDArray<Scalar>, _ inputs: ModelInputs
  ) -> NDArray<Scalar> {
    let (ids, allowed) = (inputs.required("input_ids"), inputs.mask("attention_mask"))
    let factors = (0..<ids.rows).flatMap { text -> [Scalar] in
      let row = ids.row(text)
      let length = allowed.map { $0.row(text).count { $0 } } ?? row.count
      let masks = Scalar(row.count { $0 == token }) / Scalar(length)
      // Of nothing but padding there is no part, and transformers says so by a NaN as well.
      return row.map { ($0 == token ? 0 : Scalar(1 - ratio)) / (1 - masks) }
    }
    return multiplyBroadcasting(x, NDArray(shape: ids.shape + [1], elements: factors))
  }
}

extension Formula {
  /// For each position the sines of the angles by which pairs are turned, then the cosines, computed in double
  /// precision and stored in single.
  fileprivate static func sinesAndCosines(of rotary: RotarySettings) -> Formula {
    Formula(
      "holds sines and cosines of rotary positions and is computed", tolerance: 1e-6, as: .f32
    ) { index in
      let (position, column) = index.quotientAndRemainder(dividingBy: 2 * rotary.pairs)
      let turn = rotary.plainTurn(column % rotary.pairs, at: position)
      return column < rotary.pairs ? turn.sine : turn.cosine
    }
  }
}
