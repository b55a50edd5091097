public import Kernels
public import Models
public import TensorCore

/// An architecture that is an encoder with a decoder: it reads its config into a description, and everything else
/// follows from that.
///
/// Outputs, inputs and heads are those of Hugging Face's (transformers 5.x).
public protocol EncoderDecoder: Architecture {
  /// The names of its classes.
  static var classes: [(name: String, head: EncoderDecoderHead)] { get }

  /// What it is made of.
  var form: EncoderDecoderForm { get }
}

extension EncoderDecoder {
  public var head: String {
    Self.classes.first { $0.head == form.head.task }?.name ?? Self.name
  }

  public var dimensions: [String: Int] {
    var dimensions = form.decoder.blocks.first?.attention.shape.dimensions ?? [:]
    if case .learned(_, let offset) = form.encoder.positions, offset > 0 {
      dimensions["padding_rows"] = offset
    }
    return dimensions
  }

  public func stages<Scalar: ComputeScalar>(_: Scalar.Type) -> [Stage<Scalar>] {
    form.stages(of: .encoder) + (form.head.task.hasDecoder ? form.stages(of: .decoder) : [])
      + form.headStages()
  }

  public var inputs: [InputSlot] {
    let longest = form.encoder.positions.longest
    // The states of a text that is classified are taken where `input_ids` has its end tokens.
    let length: InputSlot.Axis =
      form.head.task == .sequenceClassification ? .length : .decoderLength
    if let sound = form.sound {
      let read = form.soundInputs(sound)
      guard form.head.task.hasDecoder else { return read }
      return read + [
        decoderIDs([.batch, .decoderLength]), .mask(Stack.decoder.mask, over: .decoderLength),
      ]
    }
    return [
      .ids(Stack.encoder.ids, below: form.words.count(of: .encoder), longest: longest),
      .mask(Stack.encoder.mask), decoderIDs([.batch, length]), decoderMask(length),
    ]
  }

  private func decoderMask(_ length: InputSlot.Axis) -> InputSlot {
    let name = Stack.decoder.mask
    guard form.head.masksPadding, let token = form.head.padToken else {
      return .mask(name, over: length)
    }
    return .mask(name, over: length, hiding: token, of: Stack.decoder.ids)
  }

  private func decoderIDs(_ axes: [InputSlot.Axis]) -> InputSlot {
    let name = Stack.decoder.ids
    let limit = form.words.count(of: .decoder)
    let longest = form.decoder.positions.longest
    guard let shift = form.head.shift else {
      return .ids(name, below: limit, axes: axes, longest: longest)
    }
    return .ids(
      name, below: limit, axes: axes, longest: longest,
      otherwise: "\(name) is missing, and the config has no \(shift.missingKey)"
    ) { inputs in shift.shifted(inputs.required(Stack.encoder.ids)) }
  }

  public func faults(in inputs: ModelInputs) -> [String] {
    guard form.head.task == .sequenceClassification else { return form.soundFaults(in: inputs) }
    return EndTokens(form.head.endTokens).faults(in: inputs)
  }

  public func completing(_ inputs: ModelInputs) -> ModelInputs {
    var inputs = inputs
    if form.head.task == .sequenceClassification {
      EndTokens(form.head.endTokens).end(&inputs, vocabulary: form.words.count(of: .encoder))
    }
    if let start = form.head.startToken { inputs.beginDecoder(with: start, of: self.inputs) }
    return inputs
  }

  public var generation: GenerationRules? {
    guard form.head.task == .conditionalGeneration else { return nil }
    return GenerationRules(
      ids: Stack.decoder.ids, mask: Stack.decoder.mask, endTokens: form.head.endTokens,
      padToken: form.head.padToken, longest: form.decoder.positions.longest,
      limits: form.head.limits, opensBySettings: form.head.opensBySettings)
  }

  public func prompt(_ inputs: ModelInputs) throws(CheckpointError) -> ModelInputs {
    guard generation != nil else { return try prepare(inputs) }
    let start = form.head.startToken
    if form.head.opensBySettings, inputs[Stack.decoder.ids] != nil { return try prepare(inputs) }
    var prompt = try prepare(inputs.prompting(with: start))
    if form.head.masksPadding { prompt[Stack.decoder.mask] = nil }
    return prompt
  }
}

extension EncoderDecoderForm {
  /// The stages of a stack, from ids to states.
  fileprivate func stages<Scalar: ComputeScalar>(of stack: Stack) -> [Stage<Scalar>] {
    let form = form(of: stack)
    return [embeddings(stack)] + form.blocks.indices.map { block($0, stack) } + finish(stack)
  }

  /// Hidden state `index` of a stack; the last one, once it is normalised if it is, is also an output of its own.
  private func outputs(_ index: Int, _ stack: Stack, isNormalised: Bool = false) -> [StageOutput] {
    let form = form(of: stack)
    let isLast = index == form.blocks.count
    if isLast && form.norm != nil && !isNormalised { return [] }
    let hidden = StageOutput.hidden(
      index, from: stack.state,
      named: head.task.hasDecoder ? stack.rawValue + "_hidden_states" : "hidden_states")
    guard isLast, head.task.hasDecoder else { return [hidden] }
    if stack == .encoder {
      return [hidden, .final("encoder_last_hidden_state", from: stack.state)]
    }
    return head.task == .base && !head.scoresStates
      ? [hidden, .final("last_hidden_state", from: stack.state)] : [hidden]
  }

  private func embeddings<Scalar: ComputeScalar>(_ stack: Stack) -> Stage<Scalar> {
    Stage(
      "\(stack.rawValue).embeddings", outputs: outputs(0, stack), runsOnce: stack == .encoder,
      work: work(
        of: stack, perPosition: stack == .encoder ? sound?.placesPerPosition ?? 1 : 1)
    ) { scope throws(CheckpointError) in
      if stack == .encoder, let sound {
        let embedding: SoundEmbedding<Scalar> = try soundEmbedding(sound, scope)
        let sum = try summing(0, stack, scope)
        return { states throws(CheckpointError) in
          states[stack.state] = embedding(&states)
          form(of: stack).positions.turn(&states, states[stack.state].shape[1], first: 0)
          sum?(&states)
        }
      }
      let embedding: StackEmbedding<Scalar> = try embedding(stack, scope)
      return { states throws(CheckpointError) in
        let first = stack == .decoder ? states.firstPosition : 0
        let ids = states.inputs.required(stack.ids)
        states[stack.state] = try embedding(ids, first: first)
        form(of: stack).positions.turn(&states, ids.width, first: first)
      }
    }
  }

  private func block<Scalar: ComputeScalar>(_ layer: Int, _ stack: Stack) -> Stage<Scalar> {
    Stage(
      "\(stack.rawValue).blocks.\(layer)", outputs: outputs(layer + 1, stack),
      runsOnce: stack == .encoder, work: work(of: stack, seesEncoder: true)
    ) { scope throws(CheckpointError) in
      let block = try form(of: stack).blocks[layer].load(
        scope.module(stack.rawValue, .sequence).module("blocks", .sequence)
          .module("\(layer)", .block),
        width: width)
      let isLast = layer == form(of: stack).blocks.count - 1
      let sum =
        isLast && form(of: stack).norm != nil ? nil : try summing(layer + 1, stack, scope)
      return { states throws(CheckpointError) in
        states[stack.state] = try block(states[stack.state], &states)
        sum?(&states)
      }
    }
  }

  /// The normalisation after a stack's last block, if there is one.
  private func finish<Scalar: ComputeScalar>(_ stack: Stack) -> [Stage<Scalar>] {
    let form = form(of: stack)
    guard let norm = form.norm else { return [] }
    return [
      Stage(
        "\(stack.rawValue).norm", outputs: outputs(form.blocks.count, stack, isNormalised: true),
        runsOnce: stack == .encoder, work: work(of: stack)
      ) { scope throws(CheckpointError) in
        let norm = try Norm(scope.module(stack.rawValue, .sequence), "norm", norm, width: width)
        let sum = try summing(form.blocks.count, stack, scope)
        return { states throws(CheckpointError) in
          states[stack.state] = norm(states[stack.state])
          sum?(&states)
        }
      }
    ]
  }
}
