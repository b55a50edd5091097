public import Kernels
public import Models
import TensorCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// An architecture that is an encoder of sounds: it reads its config into a description, and everything else follows from
/// that.
///
/// Outputs, inputs and heads are those of Hugging Face's (transformers 5.x).
public protocol SoundEncoder: Architecture {
  /// The names of its classes.
  static var classes: [(name: String, head: SoundHead)] { get }

  /// What it is made of.
  var form: SoundEncoderForm { get }
}

extension SoundEncoder {
  public var head: String {
    Self.classes.first { $0.head == form.head.task }?.name ?? Self.name
  }

  public var dimensions: [String: Int] { form.blocks.first?.shape.dimensions ?? [:] }

  public var hiddenWidth: Int? { form.width }

  public func stages<Scalar: ComputeScalar>(_: Scalar.Type) -> [Stage<Scalar>] { form.stages() }

  public var inputs: [InputSlot] { form.inputs }

  public func faults(in inputs: ModelInputs) -> [String] { form.faults(in: inputs) }

  public var blank: Int? { form.head.task == .characters ? form.head.blank : nil }
}

extension SoundEncoderForm {
  /// The samples, and what of them is no padding.
  var inputs: [InputSlot] {
    let samples = InputSlot.Axis.samples(each: samples.stride, first: samples.reach)
    return [
      .numbers(Self.input, [.batch, samples]), .mask(Self.mask, over: samples),
    ]
  }

  static let input = "input_values"
  static let mask = "attention_mask"
  /// What of the frames is no padding, as numbers.
  static let frames = "frame_mask"

  /// Sounds of which no frame is made.
  func faults(in inputs: ModelInputs) -> [String] {
    let count = inputs.numbers[Self.input]?.shape.last ?? 0
    guard samples.frames(of: count) > 0 else {
      return ["\(Self.input) is \(count) samples long, a frame is made of \(samples.reach)"]
    }
    guard let mask = inputs.mask(Self.mask) else { return [] }
    let rows = (0..<mask.rows).filter { row in
      samples.frames(of: mask.row(row).count { $0 }) == 0
    }
    return rows.map { "\(Self.mask) leaves fewer samples in row \($0) than a frame is made of" }
  }

  /// All frames of all sounds; before these convolutions as many as the first one makes.
  private func work(perFrame: Int = 1) -> @Sendable (ModelInputs) -> StageWork {
    let samples = samples
    return { inputs in
      let shape = inputs.numbers[Self.input]?.shape ?? [1, samples.reach]
      let frames = max(1, samples.frames(of: shape.last ?? 0))
      return StageWork(positions: (shape.first ?? 1) * frames * perFrame, length: frames)
    }
  }

  /// How many places the first convolution makes of a frame.
  private var placesPerFrame: Int {
    max(1, samples.stride / max(1, samples.layers.first?.stride ?? 1)) + 1
  }

  /// The forward pass in order.
  func stages<Scalar: ComputeScalar>() -> [Stage<Scalar>] {
    [embeddings(), placing()] + blocks.indices.map(block) + [finish()] + headStages()
  }

  private func embeddings<Scalar: ComputeScalar>() -> Stage<Scalar> {
    let outputs: [StageOutput] =
      head.task == .base && givesFeatures ? [.final("extract_features", from: "features")] : []
    return Stage("embeddings", outputs: outputs, work: work(perFrame: placesPerFrame)) {
      scope throws(CheckpointError) in
      let scope = scope.module("embeddings", .embedding)
      let embedding = try SampleEmbedding(scope, samples, width: width)
      // What stands for what training masks.
      _ = try scope.module("mask", .embedding, isUnused: true).weight(
        "weight", [width], .embedding, origin: .passenger)
      return { states throws(CheckpointError) in
        let (features, stream) = embedding(
          states.inputs.numbers(Self.input, as: Scalar.self))
        states["features"] = features
        guard let mask = frameMask(states.inputs, frames: stream.shape[1]) else {
          states["hidden"] = stream
          return
        }
        let factors = NDArray(
          shape: mask.shape, elements: mask.elements.map { Scalar($0 ? 1 : 0) })
        states[Self.frames] = factors
        states["hidden"] = multiplyBroadcasting(stream, factors.reshaped(mask.shape + [1]))
      }
    }
  }

  /// Which frames are no padding: as many of each sound as its samples make.
  private func frameMask(_ inputs: ModelInputs, frames: Int) -> NDArray<Bool>? {
    inputs.mask(Self.mask).map { mask in
      let elements = (0..<mask.rows).flatMap { row in
        let own = samples.frames(of: mask.row(row).count { $0 })
        return (0..<frames).map { $0 < own }
      }
      return NDArray(shape: [mask.rows, frames], elements: elements)
    }
  }

  /// Which frames are no padding, as blocks ask for it.
  private func allowed<Scalar>(_ states: States<Scalar>) -> NDArray<Bool>? {
    states.stateIfSet(Self.frames).map { mask in
      NDArray(shape: mask.shape, elements: mask.elements.map { $0 != 0 })
    }
  }

  /// What tells blocks where something is.
  private func placing<Scalar: ComputeScalar>() -> Stage<Scalar> {
    let work = work()
    return Stage(
      "positions", outputs: [.hidden(0, from: "hidden")],
      work: { inputs in
        var work = work(inputs)
        work.leaves = 2 * work.length * width
        return work
      }
    ) { scope throws(CheckpointError) in
      let encoder = scope.module("encoder", .sequence)
      let isRead = positions == .convolution
      let layer = try PositionLayer<Scalar>(
        (isRead ? encoder : encoder.passengers).module("position", .linear), convolution,
        width: width, samples.activation)
      var frequencies: RotaryFrequencies?
      if case .rotary(let rotary) = positions {
        let stored = try encoder.module("rotary", .embedding).weight(
          "frequencies", [rotary.pairs], .embedding, origin: .computed(.frequencies(of: rotary)))
        frequencies = RotaryFrequencies(inverse: stored.elements.map(Double.init))
      }
      let norm = normsFirst ? try Norm(encoder, "norm", norm, width: width) : nil
      return { states throws(CheckpointError) in
        let x = states["hidden"]
        states["hidden"] = norm.applied(to: isRead ? add(x, layer(x)) : x)
        let frames = x.shape[1]
        if positions == .relative {
          states[Self.distances] = Self.vectors(frames: frames, width: width)
        }
        if let frequencies {
          states[Self.turns] = rotaryTable(
            positions: NDArray(shape: [1, frames], elements: Array(0..<frames)),
            frequencies: frequencies, of: Scalar.self)
        }
      }
    }
  }

  private static let distances = "distances"
  private static let turns = "rotary"

  /// Sines and cosines of all distances between two frames, the largest first: `[1, 2 · frames − 1, width]`.
  private static func vectors<Scalar: ComputeScalar>(
    frames: Int, width: Int
  ) -> NDArray<Scalar> {
    var elements: [Scalar] = []
    elements.reserveCapacity((2 * frames - 1) * width)
    for distance in stride(from: frames - 1, to: -frames, by: -1) {
      for column in 0..<width {
        let frequency = exp(Double(column / 2 * 2) * -(log(10_000) / Double(width)))
        let angle = Double(distance) * frequency
        elements.append(Scalar(column.isMultiple(of: 2) ? sin(angle) : cos(angle)))
      }
    }
    return NDArray(shape: [1, 2 * frames - 1, width], elements: elements)
  }

  private func block<Scalar: ComputeScalar>(_ index: Int) -> Stage<Scalar> {
    let isLast = index == blocks.count - 1
    return Stage(
      "encoder.blocks.\(index)", outputs: [.hidden(index + 1, from: "hidden")],
      work: blockWork(index)
    ) { scope throws(CheckpointError) in
      let encoder = scope.module("encoder", .sequence)
      let own = encoder.module("blocks", .sequence).module("\(index)", .block)
      let sum = try summing(index: index, scope)
      let run: (inout States<Scalar>) throws(CheckpointError) -> Void
      switch blocks[index] {
      case .transformer(let form):
        let block = try form.load(own, width: width)
        run = { states throws(CheckpointError) in
          states["hidden"] = try block(states["hidden"], &states)
        }
      case .conformer(let form):
        let block = try ConformerBlock<Scalar>(
          own, form, width: width, isRelative: positions == .relative)
        run = { states throws(CheckpointError) in
          states["hidden"] = block(
            states["hidden"], allowed: allowed(states),
            distances: states.stateIfSet(Self.distances), turns: states.stateIfSet(Self.turns))
        }
      }
      return { states throws(CheckpointError) in
        if index == 0 { sum?(0, states["hidden"], &states) }
        try run(&states)
        sum?(index + 1, states["hidden"], &states)
        if isLast {
          states.remove(Self.distances)
          states.remove(Self.turns)
        }
      }
    }
  }

  /// Distances are compared for each pair of frames, and a depthwise convolution lays a kernel's frames side by side.
  private func blockWork(_ index: Int) -> @Sendable (ModelInputs) -> StageWork {
    let work = work()
    guard case .conformer(let form) = blocks[index] else { return work }
    let heads = positions == .relative ? form.shape.heads : 0
    return { inputs in
      var work = work(inputs)
      work.leaves = work.positions * 6 * heads * work.length
      return work
    }
  }

  private func summing<Scalar: ComputeScalar>(
    index: Int, _ scope: WeightScope<Scalar>
  ) throws(CheckpointError) -> ((Int, NDArray<Scalar>, inout States<Scalar>) -> Void)? {
    guard head.task == .classification, head.classification.sumsStates else { return nil }
    return try head.classification.summing(states: blocks.count + 1, scope)
  }

  private func finish<Scalar: ComputeScalar>() -> Stage<Scalar> {
    let outputs: [StageOutput] =
      head.task == .base ? [.final("last_hidden_state", from: "hidden")] : []
    return Stage("encoder.norm", outputs: outputs, work: work()) { scope throws(CheckpointError) in
      guard !normsFirst else { return { _ throws(CheckpointError) in } }
      let norm = try Norm(scope.module("encoder", .sequence), "norm", norm, width: width)
      return { states throws(CheckpointError) in states["hidden"] = norm(states["hidden"]) }
    }
  }

  private func headStages<Scalar: ComputeScalar>() -> [Stage<Scalar>] {
    switch head.task {
    case .base: return []
    case .characters:
      let work = work()
      return [
        Stage(
          "lm_head", outputs: [.final("logits")],
          work: { inputs in
            var work = work(inputs)
            work.gives = work.positions * head.labels
            return work
          }
        ) { scope throws(CheckpointError) in
          let linear = try Linear(
            scope.module("lm_head", .linear), in: width, out: head.labels)
          return { states throws(CheckpointError) in states["logits"] = linear(states["hidden"]) }
        }
      ]
    case .classification:
      return [
        head.classification.stage(
          of: "hidden", mask: Self.frames, width: width, labels: head.labels, work: work())
      ]
    }
  }
}
