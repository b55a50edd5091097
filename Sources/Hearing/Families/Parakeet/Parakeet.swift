import Kernels
public import Models
import TensorCore

extension Family {
  /// Parakeet, and its dialects.
  package static let parakeet = Family(
    members: [ParakeetEncoder.self, ParakeetCTC.self],
    soundProcessors: [.normalizedLogMel],
    dialects: [
      .huggingFaceParakeet(ParakeetEncoder.name), .huggingFaceParakeet(ParakeetCTC.name),
      .nemoParakeet,
    ])
}

/// Parakeet's encoder by itself: Fast Conformer. Rekesh et al., arXiv 2305.05084.
///
/// Defaults and outputs are those of Hugging Face (models/parakeet/modeling_parakeet.py, 5.x).
public struct ParakeetEncoder: SoundEncoder {
  public static let name = "parakeet_encoder"
  public static let classes: [(name: String, head: SoundHead)] = [("ParakeetEncoder", .base)]

  public let form: SoundEncoderForm

  public init(config: inout ConfigReader, isStored _: (String) -> Bool) {
    let head = SoundHeadForm(
      task: config.head(Self.classes) { .base }, labels: 1, blank: 0,
      classification: SoundClassification())
    form = config.fastConformer(head: head)
  }
}

/// The encoder with scores of tokens for each frame, as CTC has them.
public struct ParakeetCTC: SoundEncoder {
  public static let name = "parakeet_ctc"
  public static let classes: [(name: String, head: SoundHead)] = [("ParakeetForCTC", .characters)]

  public let form: SoundEncoderForm

  public init(config: inout ConfigReader, isStored _: (String) -> Bool) {
    let task = config.head(Self.classes) { .characters }
    let words = config.count("vocab_size", default: 1025, on: .weights)
    let head = SoundHeadForm(
      task: task, labels: words,
      blank: config.token("pad_token_id", default: 1024, on: .nothing) ?? 1024,
      classification: SoundClassification())
    form = config.withinModel("encoder_config", named: "encoder") { reader in
      reader.fastConformer(head: head)
    }
    config.disregard(["ctc_loss_reduction", "ctc_zero_infinity"])
  }
}

extension ConfigReader {
  /// Reads the encoder.
  fileprivate mutating func fastConformer(head: SoundHeadForm) -> SoundEncoderForm {
    let width = count("hidden_size", default: 1024, on: .weights)
    let layers = count(
      "num_hidden_layers", default: 24, limit: ConfigReader.mostLayers, on: .weights)
    let heads = count("num_attention_heads", default: 8, on: .outputs(as: "heads"))
    let hasBias = flag("attention_bias", default: true, on: .weights)
    let feedForward = FeedForwardForm(
      hidden: count("intermediate_size", default: 4096, on: .weights),
      activation: activation("hidden_act", default: .silu), hasBias: hasBias)
    let convolution = ConformerForm.ConvolutionForm(
      kernel: depthwiseKernel("conv_kernel_size", default: 9),
      activation: feedForward.activation,
      hasBias: flag("convolution_bias", default: true, on: .weights), silence: .behindGate)
    let block = ConformerForm(
      shape: AttentionShape(heads: heads, headSize: max(1, width / max(1, heads))),
      feedForward: feedForward, convolution: convolution, norm: .layer(epsilon: 1e-5),
      hasBias: hasBias, hidesQueries: true)
    let isScaled = flag("scale_input", default: true)
    let bands = bands(factor: isScaled ? Double(width).squareRoot() : 1)
    rejectUndivided(width, "hidden_size", by: heads, "num_attention_heads")
    if !width.isMultiple(of: 2) {
      reject("hidden_size \(width) must be even: distances have sines and cosines")
    }
    if let keyHeads = present("num_key_value_heads")?.int, keyHeads != heads {
      refuse("num_key_value_heads \(keyHeads) other than num_attention_heads is not supported")
    }
    disregard([
      "activation_dropout", "dropout", "dropout_positions", "layerdrop",
      "max_position_embeddings", "num_key_value_heads",
    ])
    return SoundEncoderForm(
      width: width, source: .bands(bands), positions: .relative,
      blocks: Array(repeating: .conformer(block), count: layers), norm: nil, head: head)
  }

  /// The convolutions over bands of frequencies.
  private mutating func bands(factor: Double) -> BandForm {
    let fewer = count("subsampling_factor", default: 8, limit: 1 << 10, minimum: 2)
    let kernel = count("subsampling_conv_kernel_size", default: 3, limit: 1 << 10, on: .weights)
    let stride = count("subsampling_conv_stride", default: 2, limit: 1 << 10)
    let form = BandForm(
      bands: count("num_mel_bins", default: 80, limit: 1 << 16, on: .weights),
      channels: count("subsampling_conv_channels", default: 256, limit: 1 << 20, on: .weights),
      layers: Int.bitWidth - 1 - fewer.leadingZeroBitCount, kernel: kernel, step: stride,
      factor: factor)
    if kernel.isMultiple(of: 2) { refuse("subsampling_conv_kernel_size must be odd") }
    let left = (0..<form.layers).reduce(form.bands) { left, _ in left / stride }
    if left == 0 || left != form.places(of: form.bands, behind: form.layers) {
      reject(
        "num_mel_bins \(form.bands) cannot be divided \(form.layers) times by subsampling_conv_stride \(stride)"
      )
    }
    return form
  }
}
