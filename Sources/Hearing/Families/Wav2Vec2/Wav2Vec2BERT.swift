import Kernels
public import Models
import TensorCore

/// W2V-BERT 2.0: Conformer blocks over frames of bands of frequencies, with convolutions that see no later frame. Barrault
/// et al.: "Seamless", arXiv 2312.05187, §3.2.1.
///
/// Names of heads, defaults and outputs are those of Hugging Face (models/wav2vec2_bert/modeling_wav2vec2_bert.py, 5.x).
public struct Wav2Vec2BERT: SoundEncoder {
  public static let name = "wav2vec2-bert"
  public static let classes = SoundHead.classes(of: "Wav2Vec2Bert")

  public let form: SoundEncoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let width = config.count("hidden_size", default: 1024, on: .weights)
    let layers = config.count(
      "num_hidden_layers", default: 24, limit: ConfigReader.mostLayers, on: .weights)
    let heads = config.count("num_attention_heads", default: 16, on: .outputs(as: "heads"))
    let feedForward = FeedForwardForm(
      hidden: config.count("intermediate_size", default: 4096, on: .weights),
      activation: config.activation("hidden_act", default: .silu))
    let norm = NormForm.layer(epsilon: config.epsilon("layer_norm_eps", default: 1e-5))
    let numbers = config.count("feature_projection_input_dim", default: 160, on: .weights)
    let shape = AttentionShape(heads: heads, headSize: max(1, width / max(1, heads)))
    let block = ConformerForm(
      shape: shape, feedForward: feedForward,
      convolution: .init(
        kernel: config.depthwiseKernel("conv_depthwise_kernel_size", default: 31),
        activation: feedForward.activation, isCausal: true, normalization: .layer,
        silence: .beforeGate),
      norm: norm)
    form = SoundEncoderForm(
      width: width, source: .frames(width: numbers, norm: norm),
      positions: config.conformerPositions(
        ConfigReader.PositionKind.allCases, default: .near, shape),
      blocks: Array(repeating: .conformer(block), count: layers), norm: nil,
      givesFeatures: true,
      head: config.soundHead(Self.classes, projection: 768, isStored: isStored))
    config.rejectUndivided(width, "hidden_size", by: heads, "num_attention_heads")
    config.refuseFurtherParts()
    config.disregard(ConfigReader.ofTraining)
    config.disregard(["adapter_act", "use_intermediate_ffn_before_adapter"])
  }
}

extension Dialect {
  /// W2V-BERT 2.0 as Hugging Face transformers stores it (models/wav2vec2_bert/modeling_wav2vec2_bert.py, 4.37 and later).
  static let huggingFaceWav2Vec2BERT: Dialect = {
    let model = "wav2vec2_bert."
    return Dialect(
      name: "huggingface",
      architecture: Wav2Vec2BERT.name,
      rules: [
        .rename("\(model)feature_projection.layer_norm", "embeddings.norm"),
        .rename("\(model)feature_projection.projection", "embeddings.projection"),
        .tensor("\(model)masked_spec_embed", .weight("embeddings.mask.weight")),
        .tensor(
          "\(model)encoder.embed_positions.inv_freq", .weight("encoder.rotary.frequencies")),
        conformer("\(model)encoder.layers.{i}."),
        .rename("lm_head", "lm_head"),
        .tensor("layer_weights", .weight("layer_shares.weight")),
        .rename("projector", "projector"), .rename("classifier", "classifier"),
      ],
      prefixes: [OptionalPrefix(text: model) { $0 != "Wav2Vec2BertModel" }],
      evidence: [
        Evidence(
          stored: "\(model)encoder.layers.0.conv_module.depthwise_layer_norm.weight",
          isWhole: true)
      ])
  }()
}
