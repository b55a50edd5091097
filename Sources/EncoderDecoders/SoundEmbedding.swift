public import Kernels
import Models
import TensorCore

/// What an encoder reads in place of words: the frames of a sound, described.
///
/// Two convolutions of three frames go over them, of which the second takes every other place, and each has an
/// activation. Radford et al.: "Robust Speech Recognition via Large-Scale Weak Supervision", arXiv 2212.04356, §2.2.
public struct SoundForm: Sendable, Equatable {
  /// How many numbers a frame has: one for each band of frequencies.
  public var bands: Int
  /// What is applied behind each convolution.
  public var activation: Activation

  /// Describes what is read.
  public init(bands: Int, activation: Activation) {
    self.bands = bands
    self.activation = activation
  }

  /// The input: `[batch, bands, frames]`.
  static let input = "input_features"

  /// How many frames become one position.
  static let framesPerPosition = 2
}

extension EncoderDecoderForm {
  /// How many positions a sound has: all sounds are equally long.
  var soundPositions: Int { encoder.positions.longest ?? 0 }

  /// What the encoder reads, where it is no text.
  func soundInput(_ sound: SoundForm) -> InputSlot {
    .numbers(
      SoundForm.input,
      [.batch, .size(sound.bands), .size(SoundForm.framesPerPosition * soundPositions)])
  }

  /// What a stage of one of the stacks works with.
  ///
  /// - Parameters:
  ///   - seesEncoder: whether it has keys and values of the encoder's states.
  ///   - perPosition: how many frames' vectors it has for each position of a sound.
  func work(
    of stack: Stack, seesEncoder: Bool = false, perPosition: Int = 1
  ) -> @Sendable (ModelInputs) -> StageWork {
    guard sound != nil else { return stack.work(seesEncoder: seesEncoder) }
    let positions = soundPositions
    return { inputs in
      let batch = inputs.numbers[SoundForm.input]?.shape.first ?? 1
      let sound = StageWork(positions: batch * positions * perPosition, length: positions)
      guard stack == .decoder else { return sound }
      let own = StageWork.positions(of: stack.ids, in: inputs)
      guard seesEncoder else { return own }
      return StageWork(
        positions: max(own.positions, sound.positions), length: max(own.length, sound.length))
    }
  }

  /// Asks for the convolutions and the vectors of positions.
  func soundEmbedding<Scalar: ComputeScalar>(
    _ sound: SoundForm, _ scope: WeightScope<Scalar>
  ) throws(CheckpointError) -> SoundEmbedding<Scalar> {
    let scope = scope.module(Stack.encoder.rawValue, .sequence).module("embeddings", .embedding)
    func convolution(
      _ name: String, in channels: Int
    ) throws(CheckpointError) -> SoundEmbedding<Scalar>.Convolution {
      let scope = scope.module(name, .linear)
      return .init(
        weight: try scope.weight("weight", [width, channels, 3], .linear),
        bias: try scope.weight("bias", [width], .bias))
    }
    return SoundEmbedding(
      form: sound, first: try convolution("first", in: sound.bands),
      second: try convolution("second", in: width),
      position: try scope.module("position", .embedding).weight(
        "weight", [soundPositions, width], .embedding))
  }
}

/// What the frames of a sound become before the first block.
struct SoundEmbedding<Scalar: ComputeScalar> {
  struct Convolution {
    let weight: NDArray<Scalar>
    let bias: NDArray<Scalar>
  }

  let form: SoundForm
  let first: Convolution
  let second: Convolution
  let position: NDArray<Scalar>

  /// `[batch, bands, frames]` to `[batch, positions, width]`
  func callAsFunction(_ frames: NDArray<Scalar>) -> NDArray<Scalar> {
    let x = apply(
      form.activation,
      to: convolve(
        frames, weight: first.weight, bias: first.bias, axis: ConvolutionAxis(padding: 1)))
    let y = apply(
      form.activation,
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
