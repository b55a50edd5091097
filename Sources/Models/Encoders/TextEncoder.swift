public import Kernels
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
  public var head: String {
    Self.classes.first { $0.head == form.head.task }?.name ?? Self.name
  }

  public var dimensions: [String: Int] {
    form.blocks.first?.attention.shape.dimensions ?? [:]
  }

  public func stages<Scalar: ComputeScalar>(_: Scalar.Type) -> [Stage<Scalar>] {
    [form.embeddings()] + form.blocks.indices.map(form.block) + form.finish() + form.poolers()
      + form.headStages()
  }

  public var inputs: [InputSlot] {
    let isChoice = form.head.task == .multipleChoice
    var slots: [InputSlot] = [
      .ids(
        "input_ids", below: form.vocabulary,
        axes: isChoice ? [.batch, .choices(isOptional: false), .length] : [.batch, .length]),
      .mask("attention_mask"),
    ]
    if let types = form.embedding.tokenTypes {
      slots.append(.types("token_type_ids", below: types))
    }
    if let table = form.embedding.positions {
      let name = "position_ids"
      slots.append(
        table.padToken.map {
          InputSlot.positions(name, below: table.rows, behind: $0, of: "input_ids")
        } ?? InputSlot.positions(name, below: table.rows))
    } else if !form.rotaries.isEmpty {
      slots.append(.positions("position_ids", below: form.rotaryRows))
    }
    return slots
  }

  public var reach: Reach {
    Reach(
      keys: form.blocks.compactMap(\.attention.shape.window).max() ?? 0,
      positions: form.rotaries.compactMap(\.longest).max() ?? 0)
  }

  /// A head that classifies texts reads the first position, or what is no padding, and neither sees padding:
  /// positions that are padding in every row are left out. A row of nothing but padding attends to all of it, and so does a first position
  /// that is padding where it sees only what is near.
  public func withoutPadding(_ inputs: ModelInputs) -> ModelInputs {
    let isNear = reach.keys > 0 || form.rotaries.contains(where: \.growsWithLength)
    guard form.head.isOfTexts, !form.isCausal, !isNear,
      let mask = inputs.mask("attention_mask")
    else { return inputs }
    var longest = 0
    for row in 0..<mask.rows {
      let allowed = mask.row(row)
      guard let last = allowed.lastIndex(of: true) else { return inputs }
      longest = max(longest, last - allowed.startIndex + 1)
    }
    var shorter = inputs
    shorter.arrays = inputs.arrays.mapValues { array in
      NDArray(
        shape: array.shape.dropLast() + [longest],
        elements: (0..<array.rows).flatMap { array.row($0).prefix(longest) })
    }
    return shorter
  }
}

extension EncoderForm {
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
      return { states throws(CheckpointError) in
        let x = try embedding(states.inputs)
        states["hidden"] = x  // [batch, length, width]
        for (index, rotary) in rotaries.enumerated() {
          let positions = states.inputs.required("position_ids")
          let frequencies = rotary.frequencies(length: (positions.elements.max() ?? 0) + 1)
          states[DecoderForm.rotaryState(index)] =
            table.map { gatherRows($0, positions) }
            ?? rotaryTable(positions: positions, frequencies: frequencies, of: Scalar.self)
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

  private var heads: Int { blocks.first?.attention.shape.heads ?? 1 }

  private var embeddingWork: @Sendable (ModelInputs) -> StageWork {
    let turned = rotaries.reduce(0) { $0 + $1.turned }
    // A bias for each distance between two positions, in both directions.
    let biases = distances == nil ? 0 : 2 * heads
    guard turned + biases > 0 else { return { .largest(of: $0) } }
    return { inputs in
      var work = StageWork.positions(of: "input_ids", in: inputs)
      work.leaves = work.positions * turned + work.length * biases
      return work
    }
  }

  /// Hidden state `index`; the last one, once it is normalised if it is, is also the base model's output.
  private func hiddenOutputs(_ index: Int, isNormalised: Bool = false) -> [StageOutput] {
    let isLast = index == blocks.count
    if isLast && norm != nil && !isNormalised { return [] }
    let hidden = StageOutput.hidden(index, from: "hidden")
    guard head.task == .base && isLast else { return [hidden] }
    return [hidden, .final("last_hidden_state", from: "hidden")]
  }

  fileprivate func block<Scalar: ComputeScalar>(_ layer: Int) -> Stage<Scalar> {
    let place = place(of: layer)
    return Stage(place.joined(separator: "."), outputs: hiddenOutputs(layer + 1)) {
      scope throws(CheckpointError) in
      let outer = place.dropLast().reduce(scope) { $0.module($1, .sequence) }
      let block = try blocks[layer].load(
        outer.module(place[place.count - 1], .block), width: width)
      return { states throws(CheckpointError) in
        states["hidden"] = try block(states["hidden"], &states)
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

/// Embeddings with their tables.
private struct TextEmbedding<Scalar: ComputeScalar> {
  let word: WeightRows<Scalar>
  let position: WeightRows<Scalar>?
  let tokenType: WeightRows<Scalar>?
  let norm: Norm<Scalar>?
  let projection: Linear<Scalar>?

  /// `[batch, length, width]`
  func callAsFunction(_ inputs: ModelInputs) throws(CheckpointError) -> NDArray<Scalar> {
    var x = try word(inputs.required("input_ids"))
    if let tokenType { x = add(x, try tokenType(inputs.required("token_type_ids"))) }
    if let position { x = add(x, try position(inputs.required("position_ids"))) }
    x = norm.applied(to: x)
    return projection.map { $0(x) } ?? x
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
    return TextEmbedding(
      word: word, position: position, tokenType: tokenTypes.map { table("token_type", $0) },
      norm: try norm.map { norm throws(CheckpointError) in
        try Norm(scope, "norm", norm, width: width)
      },
      projection: projects || width != stream
        ? try Linear(scope.module("projection", .linear), in: width, out: stream) : nil)
  }
}

extension Formula {
  /// For each position the sines of the angles by which pairs are turned, then the cosines, computed in double
  /// precision and stored in single.
  fileprivate static func sinesAndCosines(of rotary: RotarySettings) -> Formula {
    Formula("holds sines and cosines of rotary positions and is computed", tolerance: 1e-6) {
      index in
      let (position, column) = index.quotientAndRemainder(dividingBy: 2 * rotary.pairs)
      let turn = rotary.plainTurn(column % rotary.pairs, at: position)
      return column < rotary.pairs ? turn.sine : turn.cosine
    }
  }
}
