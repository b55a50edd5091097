public import Kernels
import Models
import TensorCore

/// What an encoder reads in place of words: a sound.
public enum SoundForm: Sendable, Equatable {
  /// The frames of a sound, each of as many numbers as there are bands of frequencies.
  ///
  /// Two convolutions of three frames go over them, of which the second takes every other place, and each has an
  /// activation. Radford et al.: "Robust Speech Recognition via Large-Scale Weak Supervision", arXiv 2212.04356, §2.2.
  case frames(bands: Int, activation: Activation)
  /// The samples of a sound.
  case samples(SampleStem)

  /// The input: `[batch, bands, frames]`, or `[batch, samples]`.
  var input: String {
    switch self {
    case .frames: "input_features"
    case .samples: "input_values"
    }
  }

  /// The mask of samples that are no padding, and
  static let mask = Stack.encoder.mask
  /// the state that says which positions are made of them.
  static let positions = "position_mask"

  /// How many frames become one position.
  static let framesPerPosition = 2

  /// How many places the first convolution makes of a position.
  var placesPerPosition: Int {
    switch self {
    case .frames: Self.framesPerPosition
    case .samples(let stem): stem.stride / max(1, stem.layers.first?.stride ?? 1) + 1
    }
  }
}

extension EncoderDecoderForm {
  /// How many positions a sound has.
  func soundPositions(_ inputs: ModelInputs) -> Int {
    guard case .samples(let stem) = sound else { return encoder.positions.longest ?? 0 }
    return stem.frames(of: samples(of: inputs))
  }

  private func samples(of inputs: ModelInputs) -> Int {
    sound.flatMap { inputs.numbers[$0.input]?.shape.last } ?? 0
  }

  /// What the encoder reads, where it is no text.
  func soundInputs(_ sound: SoundForm) -> [InputSlot] {
    switch sound {
    case .frames(let bands, _):
      let frames = SoundForm.framesPerPosition * (encoder.positions.longest ?? 0)
      return [.numbers(sound.input, [.batch, .size(bands), .size(frames)])]
    case .samples(let stem):
      let samples = InputSlot.Axis.samples(each: stem.stride, first: stem.reach)
      return [
        .numbers(sound.input, [.batch, samples]), .mask(SoundForm.mask, over: samples),
      ]
    }
  }

  /// Sounds of which no position is made.
  func soundFaults(in inputs: ModelInputs) -> [String] {
    guard case .samples(let stem) = sound, soundPositions(inputs) == 0 else { return [] }
    return [
      "input_values is \(samples(of: inputs)) samples long, a position is made of \(stem.reach)"
    ]
  }

  /// What a stage of one of the stacks works with.
  ///
  /// - Parameters:
  ///   - seesEncoder: whether it has keys and values of the encoder's states.
  ///   - perPosition: how many frames' vectors it has for each position of a sound.
  func work(
    of stack: Stack, seesEncoder: Bool = false, perPosition: Int = 1
  ) -> @Sendable (ModelInputs) -> StageWork {
    guard let sound else { return stack.work(seesEncoder: seesEncoder) }
    return { inputs in
      let batch = inputs.numbers[sound.input]?.shape.first ?? 1
      let positions = soundPositions(inputs)
      let sound = StageWork(positions: batch * positions * perPosition, length: positions)
      guard stack == .decoder else { return sound }
      let own = StageWork.positions(of: stack.ids, in: inputs)
      guard seesEncoder else { return own }
      return StageWork(
        positions: max(own.positions, sound.positions), length: max(own.length, sound.length))
    }
  }

  /// Asks for the convolutions, and the vectors of positions if these are learned.
  func soundEmbedding<Scalar: ComputeScalar>(
    _ sound: SoundForm, _ scope: WeightScope<Scalar>
  ) throws(CheckpointError) -> SoundEmbedding<Scalar> {
    let scope = scope.module(Stack.encoder.rawValue, .sequence).module("embeddings", .embedding)
    switch sound {
    case .samples(let stem): return .samples(stem, try SampleLayers(scope, stem))
    case .frames(let bands, let activation):
      func convolution(
        _ name: String, in channels: Int
      ) throws(CheckpointError) -> FrameEmbedding<Scalar>.Convolution {
        let scope = scope.module(name, .linear)
        return .init(
          weight: try scope.weight("weight", [width, channels, 3], .linear),
          bias: try scope.weight("bias", [width], .bias))
      }
      return .frames(
        FrameEmbedding(
          activation: activation, first: try convolution("first", in: bands),
          second: try convolution("second", in: width),
          position: try scope.module("position", .embedding).weight(
            "weight", [encoder.positions.longest ?? 0, width], .embedding)))
    }
  }
}

/// What a sound becomes before the first block, with its weights.
enum SoundEmbedding<Scalar: ComputeScalar> {
  case frames(FrameEmbedding<Scalar>)
  case samples(SampleStem, SampleLayers<Scalar>)

  /// `[batch, positions, width]`; and of samples which positions are no padding, where that is given.
  func callAsFunction(_ states: inout States<Scalar>) -> NDArray<Scalar> {
    switch self {
    case .frames(let embedding):
      return embedding(states.inputs.numbers("input_features", as: Scalar.self))
    case .samples(let stem, let layers):
      let x = layers(states.inputs.numbers("input_values", as: Scalar.self))
      if let mask = states.inputs.mask(SoundForm.mask) {
        // The mask of a position is that of the sample at its place.
        let counted = (0..<mask.rows).flatMap { row in
          let own = row * mask.width
          return (0..<x.shape[1]).map { Scalar(mask.elements[own + $0 * stem.stride] ? 1 : 0) }
        }
        states[SoundForm.positions] = NDArray(shape: [mask.rows, x.shape[1]], elements: counted)
      }
      return x
    }
  }
}

/// What the frames of a sound become before the first block.
struct FrameEmbedding<Scalar: ComputeScalar> {
  struct Convolution {
    let weight: NDArray<Scalar>
    let bias: NDArray<Scalar>
  }

  let activation: Activation
  let first: Convolution
  let second: Convolution
  let position: NDArray<Scalar>

  /// `[batch, bands, frames]` to `[batch, positions, width]`
  func callAsFunction(_ frames: NDArray<Scalar>) -> NDArray<Scalar> {
    let x = apply(
      activation,
      to: convolve(
        frames, weight: first.weight, bias: first.bias, axis: ConvolutionAxis(padding: 1)))
    let y = apply(
      activation,
      to: convolve(
        x, weight: second.weight, bias: second.bias,
        axis: ConvolutionAxis(stride: SoundForm.framesPerPosition, padding: 1)))
    return addBroadcasting(
      permute(y, [0, 2, 1]), position.reshaped([1] + position.shape))
  }
}

extension EncoderDecoderForm {
  /// What adds a hidden state of the encoder to the sum of all, if a head reads that.
  func summing<Scalar: ComputeScalar>(
    _ index: Int, _ stack: Stack, _ scope: WeightScope<Scalar>
  ) throws(CheckpointError) -> ((inout States<Scalar>) -> Void)? {
    guard stack == .encoder, head.task == .soundClassification, head.sound.sumsStates else {
      return nil
    }
    let sum = try head.sound.summing(states: encoder.blocks.count + 1, scope)
    return { states in sum(index, states[stack.state], &states) }
  }

  /// `logits`: of the mean of all positions, each through a linear layer.
  func soundClassification<Scalar: ComputeScalar>() -> [Stage<Scalar>] {
    [
      head.sound.stage(
        of: Stack.encoder.state, width: width, labels: head.labels, work: work(of: .encoder))
    ]
  }
}
