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
  /// The samples or frames, and what of them is no padding.
  var inputs: [InputSlot] {
    [.numbers(source.input, source.axes), .mask(Self.mask, over: source.axes[1])]
  }

  static let mask = "attention_mask"
  /// What of the frames is no padding, as numbers.
  static let frames = "frame_mask"
  /// As many of the first frames of each sound.
  private static let counted = "counted_frames"

  /// Sounds of which no frame is made.
  func faults(in inputs: ModelInputs) -> [String] {
    let count = length(of: inputs)
    guard source.frames(of: count) > 0 else {
      let reach = if case .samples(let form) = source { form.reach } else { 1 }
      return ["\(source.input) is \(count) \(source.unit) long, a frame is made of \(reach)"]
    }
    guard let mask = inputs.mask(Self.mask) else { return [] }
    let rows = (0..<mask.rows).filter { row in
      source.frames(of: mask.row(row).count { $0 }) == 0
    }
    return rows.map {
      "\(Self.mask) leaves fewer \(source.unit) in row \($0) than a frame is made of"
    }
  }

  /// How many samples or frames sounds have.
  private func length(of inputs: ModelInputs) -> Int {
    let shape = inputs.numbers[source.input]?.shape ?? []
    return shape.count > 1 ? shape[1] : 0
  }

  /// All frames of all sounds; before these convolutions as many as the first one makes.
  private func work(perFrame: Int = 1) -> @Sendable (ModelInputs) -> StageWork {
    { inputs in
      let frames = max(1, source.frames(of: length(of: inputs)))
      let batch = inputs.numbers[source.input]?.shape.first ?? 1
      return StageWork(positions: batch * frames * perFrame, length: frames)
    }
  }

  /// How many places the first convolution makes of a frame.
  private var placesPerFrame: Int {
    switch source {
    case .samples(let form): max(1, form.stride / max(1, form.layers.first?.stride ?? 1)) + 1
    case .bands(let form):
      (form.stride / max(1, form.step) + 1) * max(1, form.places(of: form.bands, behind: 1))
    case .frames: 1
    }
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
      let embedding = try SoundEmbedding(scope, source, width: width)
      return { states throws(CheckpointError) in
        let mask = states.inputs.mask(Self.mask)
        let lengths = mask.map { mask in (0..<mask.rows).map { mask.row($0).count { $0 } } }
        let (features, stream) = embedding(
          states.inputs.numbers(source.input, as: Scalar.self), lengths: lengths)
        if givesFeatures { states["features"] = features }
        guard let mask, let lengths else {
          states["hidden"] = stream
          return
        }
        let frames = stream.shape[1]
        let counted = lengths.flatMap { length in
          let own = source.frames(of: length)
          return (0..<frames).map { Scalar($0 < own ? 1 : 0) }
        }
        states[Self.counted] = NDArray(shape: [lengths.count, frames], elements: counted)
        // Frames that are read as they are may be padding anywhere.
        let isGiven = if case .frames = source { true } else { false }
        let factors = NDArray(
          shape: [lengths.count, frames],
          elements: isGiven ? mask.elements.map { $0 ? 1 : 0 } : counted)
        states[Self.frames] = factors
        let isHidden = if case .bands = source { false } else { true }
        states["hidden"] =
          isHidden ? multiplyBroadcasting(stream, factors.reshaped(factors.shape + [1])) : stream
      }
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
      let layer = try convolution.map { form throws(CheckpointError) in
        try PositionLayer<Scalar>(
          (isRead ? encoder : encoder.passengers).module("position", .linear), form, width: width)
      }
      let biases = try distances.map { form throws(CheckpointError) in
        try RelativeBias(
          encoder.module("distances", .embedding), buckets: form.buckets, heads: form.heads,
          maxDistance: form.farthest, isBidirectional: true)
      }
      var frequencies: RotaryFrequencies?
      if case .rotary(let rotary) = positions {
        let stored = try encoder.module("rotary", .embedding).weight(
          "frequencies", [rotary.pairs], .embedding, origin: .computed(.frequencies(of: rotary)))
        frequencies = RotaryFrequencies(inverse: stored.elements.map(Double.init))
      }
      let norm = try (normsFirst ? norm : nil).map { form throws(CheckpointError) in
        try Norm(encoder, "norm", form, width: width)
      }
      return { states throws(CheckpointError) in
        let x = states["hidden"]
        states["hidden"] = norm.applied(to: isRead ? layer.map { add(x, $0(x)) } ?? x : x)
        let frames = x.shape[1]
        if let biases {
          states[SelfAttentionForm.distanceBiasState] = biases(
            queries: frames, keys: frames, firstQuery: 0)
        }
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
        let block = try ConformerBlock<Scalar>(own, form, width: width, positions)
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
          for state in [Self.distances, Self.turns, SelfAttentionForm.distanceBiasState] {
            states.remove(state)
          }
        }
      }
    }
  }

  /// Distances are compared for each pair of frames, and a depthwise convolution lays a kernel's frames side by side.
  private func blockWork(_ index: Int) -> @Sendable (ModelInputs) -> StageWork {
    let work = work()
    let heads: Int
    switch (blocks[index], positions) {
    case (.conformer(let form), .relative), (.conformer(let form), .near): heads = form.shape.heads
    case (.conformer, _): heads = 0
    case (.transformer(let form), _):
      guard form.attention.gatesDistanceBias else { return work }
      heads = form.attention.shape.heads
    }
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
      guard !normsFirst, let form = norm else { return { _ throws(CheckpointError) in } }
      let norm = try Norm(scope.module("encoder", .sequence), "norm", form, width: width)
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
          of: "hidden", mask: Self.counted, width: width, labels: head.labels, work: work())
      ]
    }
  }
}
