public import Kernels
public import Models
import TensorCore

/// An architecture that is a causal decoder: it reads its config into a description, and everything else
/// follows from that.
///
/// Outputs, inputs and heads are those of Hugging Face's decoders (transformers 5.x).
public protocol CausalDecoder: Architecture {
  /// The names of its classes.
  static var classes: [(name: String, head: CausalHead)] { get }

  /// What it is made of.
  var form: DecoderForm { get }
}

extension CausalDecoder {
  public static func className(as part: ModelPart) -> String? {
    part == .words ? classes.first { $0.head == .languageModel }?.name : nil
  }

  public var head: String {
    Self.classes.first { $0.head == form.head.task }?.name ?? Self.name
  }

  public var dimensions: [String: Int] {
    form.blocks.first?.attention.shape.dimensions ?? [:]
  }

  public var hiddenWidth: Int? { form.outputWidth ?? form.width }

  public func stages<Scalar: ComputeScalar>(_: Scalar.Type) -> [Stage<Scalar>] {
    [form.embeddings()] + form.blocks.indices.map(form.block)
      + form.furtherBlocks.indices.map(form.furtherBlock) + [form.finish()] + form.headStages()
  }

  public var inputs: [InputSlot] {
    let isChoice = form.head.task == .doubleHeads
    let rows = form.head.task == .sequenceClassification
    var slots: [InputSlot] = [
      .ids(
        "input_ids", below: form.vocabulary,
        axes: isChoice ? [.batch, .choices(isOptional: true), .length] : [.batch, .length],
        onlyOneRow: rows ? .unless(form.head.padToken) : nil),
      .mask("attention_mask"),
    ]
    if form.embedding.addsTypes {
      slots.append(.optionalIDs("token_type_ids", below: form.vocabulary))
    }
    if let positions = form.embedding.positions {
      slots.append(
        .positions(
          "position_ids", below: positions.count,
          among: positions.countsPadding ? nil : "attention_mask"))
    } else if let sinusoids = form.embedding.sinusoids {
      slots.append(.positions("position_ids", below: .max - sinusoids.offset))
    } else if !form.rotaries.isEmpty {
      slots.append(.positions("position_ids"))
    }
    if form.blocks.contains(where: { $0.cross != nil }) {
      slots += InputSlot.statesOfEncoder(width: form.width)
    }
    return isChoice ? slots + [.places("mc_token_ids")] : slots
  }

  public var wordVectors: String? {
    let plain = EmbeddingForm(mayHoldRotary: form.embedding.mayHoldRotary)
    return form.embedding == plain ? "hidden" : nil
  }

  public var reach: Reach {
    let attention = form.blocks.map(\.attention)
    return Reach(
      keys: attention.compactMap(\.shape.window).max() ?? 0,
      positions: (form.rotaries.compactMap(\.longest) + attention.compactMap(\.growth?.step)).max()
        ?? 0)
  }

  public var generation: GenerationRules? {
    let isCausal = form.blocks.allSatisfy { !$0.attention.seesAhead }
    guard form.head.task == .languageModel, isCausal else { return nil }
    return GenerationRules(
      ids: "input_ids", mask: "attention_mask", endTokens: form.head.endTokens,
      padToken: form.head.padToken,
      longest: form.embedding.positions?.count ?? form.longest, renewedBeyond: form.renewedBeyond,
      singleSteps: form.rotaries.contains(where: \.growsWithLength)
        ? "rotary frequencies that change while the text grows (dynamic)" : nil)
  }
}

extension DecoderForm {
  /// What words become, and for all blocks the angles of the positions.
  fileprivate func embeddings<Scalar: ComputeScalar>() -> Stage<Scalar> {
    Stage("embeddings", outputs: hiddenOutputs(0), work: embeddingWork) {
      scope throws(CheckpointError) in
      let embedding = try embedding.load(
        scope.module("embeddings", .embedding), vocabulary: vocabulary, width: width)
      if self.embedding.mayHoldRotary { declareRotary(in: scope) }
      return { states throws(CheckpointError) in
        states["hidden"] = try embedding(states.inputs)  // [batch, length, width]
        for (index, rotary) in rotaries.enumerated() {
          let positions = states.inputs.required("position_ids")
          let frequencies = rotary.frequencies(length: (positions.elements.max() ?? 0) + 1)
          states[SelfAttentionForm.rotaryState(index)] = rotaryTable(
            positions: positions, frequencies: frequencies, of: Scalar.self)
        }
        if let alibi {
          let inputs = states.inputs
          states["distance_bias"] = alibi(
            keys: states.firstPosition + inputs.required("input_ids").width,
            allowed: inputs.mask("attention_mask"), of: Scalar.self)
        }
      }
    }
  }

  private var embeddingWork: @Sendable (ModelInputs) -> StageWork {
    let turned = rotaries.reduce(0) { $0 + $1.turned }
    let left = turned + (alibi?.heads ?? 0)
    guard left > 0 else { return { .largest(of: $0) } }
    return { inputs in
      var work = StageWork.positions(of: "input_ids", in: inputs)
      work.leaves = work.positions * left
      return work
    }
  }

  /// What files hold of the first rotary positions once for all layers.
  private func declareRotary<Scalar>(in scope: WeightScope<Scalar>) {
    guard let rotary = rotaries.first else { return }
    scope.constant("rotary_frequencies", [rotary.pairs], .frequencies(of: rotary))
    switch rotary.scaling {
    case .llama3: scope.constant("rotary_factors", [rotary.pairs], .factors(of: rotary))
    case .longRoPE(let factors):
      for (name, list) in [("short", factors.short), ("long", factors.long)] {
        scope.constant(
          "rotary_\(name)_factors", [list.count],
          Formula("holds the \(name) factors of the rotary scaling and is in the config") {
            list[$0]
          })
      }
    default: break
    }
  }

  /// Hidden state `index`, of which the last has been normalised if there is a normalisation at the end.
  private func hiddenOutputs(_ index: Int) -> [StageOutput] {
    index < blocks.count ? [.hidden(index, from: "hidden")] : []
  }

  fileprivate func block<Scalar: ComputeScalar>(_ layer: Int) -> Stage<Scalar> {
    Stage("decoder.blocks.\(layer)", outputs: hiddenOutputs(layer + 1)) {
      scope throws(CheckpointError) in
      let block = try blocks[layer].load(
        scope.module("decoder", .sequence).module("blocks", .sequence).module("\(layer)", .block),
        width: width)
      return { states throws(CheckpointError) in
        states["hidden"] = try block(states["hidden"], &states)
      }
    }
  }

  /// A block that predicts one more token from a state and the embedding of the token after it. Nothing of it is
  /// read. Liu et al., arXiv 2412.19437, §2.2.
  fileprivate func furtherBlock<Scalar: ComputeScalar>(_ index: Int) -> Stage<Scalar> {
    let name = "\(blocks.count + index)"
    return Stage("decoder.blocks." + name) { scope throws(CheckpointError) in
      let scope = scope.module("decoder", .sequence).module("blocks", .sequence)
        .module(name, .sequence).passengers
      _ = scope.deferred { scope throws(CheckpointError) in
        let block = furtherBlocks[index]
        _ = try block.load(scope, width: width)
        for norm in ["state_norm", "token_norm", "head_norm"] {
          _ = try Norm(scope, norm, block.norm, width: width)
        }
        _ = try Linear(
          scope.module("projection", .linear), in: 2 * width, out: width, bias: false)
        for (table, role) in [("word", WeightRole.embedding), ("head", .linear)] {
          _ = scope.module(table, .linear).rows("weight", [vocabulary, width], role)
        }
      }
      return { _ throws(CheckpointError) in }
    }
  }

  /// What stands after the last block: a normalisation, and a projection to another width, where there are. Choices, merged with the batch so far, come
  /// apart.
  fileprivate func finish<Scalar: ComputeScalar>() -> Stage<Scalar> {
    var outputs: [StageOutput] = [.hidden(blocks.count, from: "hidden")]
    if head.task == .base { outputs.append(.final("last_hidden_state", from: "hidden")) }
    return Stage("decoder.norm", outputs: outputs) { scope throws(CheckpointError) in
      let norm = try self.norm.map { norm throws(CheckpointError) in
        try Norm(scope.module("decoder", .sequence), "norm", norm, width: width)
      }
      let projection = try outputWidth.map { output throws(CheckpointError) in
        try Linear(
          scope.module("decoder", .sequence).module("projection", .linear), in: width, out: output,
          bias: false)
      }
      return { states throws(CheckpointError) in
        let x = norm.applied(to: states["hidden"])
        states["hidden"] = states.inputs.separatingChoices(projection.map { $0(x) } ?? x)
        states.remove("distance_bias")
        rotaries.indices.forEach { states.remove(SelfAttentionForm.rotaryState($0)) }
      }
    }
  }
}

/// Embeddings with their tables.
private struct Embedding<Scalar: ComputeScalar> {
  let form: EmbeddingForm
  let word: WeightRows<Scalar>
  let projection: Linear<Scalar>?
  let position: WeightRows<Scalar>?
  let sinusoids: Sinusoids?
  let norm: Norm<Scalar>?

  /// `[batch, length, width]`
  func callAsFunction(_ inputs: ModelInputs) throws(CheckpointError) -> NDArray<Scalar> {
    var x = try word(inputs.required("input_ids"))
    if form.factor != 1 { x = scaled(x, by: form.factor) }
    if let projection { x = projection(x) }
    if let position, let offset = form.positions?.offset {
      let ids = inputs.required("position_ids")
      x = add(x, try position(offset == 0 ? ids : ids.shifted(by: offset)))
    }
    if let sinusoids, let offset = form.sinusoids?.offset {
      x = add(x, sinusoids(inputs.required("position_ids").shifted(by: offset), of: Scalar.self))
    }
    if form.addsTypes, let types = inputs["token_type_ids"] { x = add(x, try word(types)) }
    return norm.applied(to: x)
  }
}

extension EmbeddingForm {
  fileprivate func load<Scalar: ComputeScalar>(
    _ scope: WeightScope<Scalar>, vocabulary: Int, width: Int
  ) throws(CheckpointError) -> Embedding<Scalar> {
    if let sinusoids {
      scope.constant(
        "sinusoids", [sinusoids.stored, width],
        .sinusoids(sinusoids.sinusoids(width: width), stored: sinusoids.stored))
    }
    return Embedding(
      form: self,
      word: scope.module("word", .embedding).rows(
        "weight", [vocabulary, self.width ?? width], .embedding),
      projection: try self.width.map { own throws(CheckpointError) in
        try Linear(scope.module("projection", .linear), in: own, out: width, bias: false)
      },
      position: positions.map {
        scope.module("position", .embedding)
          .rows("weight", [$0.count + $0.offset, width], .embedding)
      },
      sinusoids: sinusoids?.sinusoids(width: width),
      norm: try norm.map { norm throws(CheckpointError) in
        try Norm(scope, "norm", norm, width: width)
      })
  }
}

extension NDArray<Int> {
  fileprivate func shifted(by offset: Int) -> NDArray<Int> {
    NDArray(shape: shape, elements: elements.map { $0 + offset })
  }
}

extension Formula {
  /// What llama3's scaling divides each frequency by.
  fileprivate static func factors(of rotary: RotarySettings) -> Formula {
    // In single precision a factor is off by 2e-6 for the bases and sizes that there are.
    Formula("holds the factors of the rotary scaling and is computed", tolerance: 1e-5) {
      rotary.plainFrequency($0) / rotary.llama3Frequency($0)
    }
  }
}
