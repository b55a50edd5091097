import Kernels
public import Models
import TensorCore

extension Family {
  /// Moonshine and its dialect.
  package static let moonshine = Family(
    members: [Moonshine.self], soundProcessors: [.samples], dialects: [.huggingFaceMoonshine])
}

/// Moonshine: an encoder that reads the samples of a sound by way of three convolutions, and a decoder that writes a text,
/// both with rotary positions.
///
/// Jeffries et al.: "Moonshine: Speech Recognition for Live Transcription and Voice Commands", arXiv 2410.15608, §3.
/// Names of heads, defaults and outputs are those of Hugging Face (models/moonshine/modeling_moonshine.py, 5.x).
public struct Moonshine: EncoderDecoder {
  public static let name = "moonshine"
  public static let classes = EncoderDecoderHead.classes(
    of: "Moonshine", [.base, .conditionalGeneration])

  public let form: EncoderDecoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let width = config.count("hidden_size", default: 288, on: .weights)
    let hidden = config.count("intermediate_size", default: 1152, on: .weights)
    let heads = config.moonshineHeads(width: width)
    let rotary = config.rotary(
      RotaryDefaults(fraction: 0.9, headSize: heads.size, positions: 512))
    if rotary.dependsOnLength {
      config.refuse("rotary positions that depend on the length of a text are not supported")
    }
    let hasBias = config.flag("attention_bias", default: false, on: .weights)
    let norm = NormForm.layer(epsilon: 1e-5, hasBias: false)
    func stack(_ stack: Stack) -> StackForm {
      let isEncoder = stack == .encoder
      let layers = config.count(
        "\(stack.rawValue)_num_hidden_layers", or: isEncoder ? nil : "num_hidden_layers",
        default: 6, limit: ConfigReader.mostLayers, on: .weights)
      let activation = config.activation(
        "\(stack.rawValue)_hidden_act", default: isEncoder ? .gelu : .silu,
        on: .outputs(as: "\(stack.rawValue)_activation"))
      var attention = SelfAttentionForm(
        shape: AttentionShape(
          heads: heads.count, headSize: heads.size,
          rotary: RotaryPart(.pairs, size: rotary.turned)),
        hasBias: hasBias, hasOutputBias: false, seesAhead: isEncoder)
      attention.mask = isEncoder ? SoundForm.positions : stack.mask
      var block = BlockForm(
        attention: attention,
        feedForward: FeedForwardForm(hidden: hidden, activation: activation, isGated: !isEncoder),
        norm: norm)
      if !isEncoder {
        block.cross = CrossAttentionForm(
          heads: heads.count, headSize: heads.size, source: Stack.encoder.state,
          mask: SoundForm.positions)
        block.cross?.hasBias = hasBias
        block.cross?.hasOutputBias = false
      }
      return StackForm(
        positions: .rotary(rotary), blocks: Array(repeating: block, count: layers), norm: norm)
    }
    form = EncoderDecoderForm(
      words: .shared(config.count("vocab_size", default: 32_768, on: .weights)), width: width,
      encoder: stack(.encoder), decoder: stack(.decoder),
      head: config.moonshineHead(isStored: isStored), sound: .samples(Self.stem(width: width)))
    // Heads are filled up with zeros for kernels that want them longer, which no output shows.
    config.disregard(["max_position_embeddings", "pad_head_dim_to_multiple_of"])
  }

  private static func stem(width: Int) -> SampleStem {
    SampleStem(layers: [
      .init(width: width, kernel: 127, stride: 64, activation: .tanh, hasBias: false),
      .init(width: 2 * width, kernel: 7, stride: 3, activation: .gelu),
      .init(width: width, kernel: 3, stride: 2, activation: .gelu),
    ])
  }
}

extension ConfigReader {
  /// How many heads there are, and of which size: those of the encoder, since the framework's decoder is built with what
  /// the encoder has left in the config. Each has keys of its own.
  fileprivate mutating func moonshineHeads(width: Int) -> (count: Int, size: Int) {
    let heads = count("encoder_num_attention_heads", default: 8, on: .outputs(as: "heads"))
    rejectUndivided(width, "hidden_size", by: heads, "encoder_num_attention_heads")
    for key in [
      "decoder_num_attention_heads", "encoder_num_key_value_heads", "decoder_num_key_value_heads",
    ] {
      let other = optionalCount(key, on: .nothing)
      if let other, other != heads {
        refuse(
          "\(key) is \(other) and encoder_num_attention_heads \(heads): only equal ones are supported"
        )
      }
    }
    return (heads, max(1, width / heads))
  }

  /// The class, special tokens, and what generated texts must have.
  fileprivate mutating func moonshineHead(isStored: (String) -> Bool) -> EncoderDecoderHeadForm {
    // A tied head is not stored, so nothing tells a model that writes texts from the bare one.
    let task = head(Moonshine.classes) { .conditionalGeneration }
    let isTied = flag("tie_word_embeddings", default: true, on: .weights)
    let endTokens = tokens("eos_token_id", default: [2], on: .nothing)
    return EncoderDecoderHeadForm(
      task: task, isTied: isTied, hasBias: false, labels: labelCount(), endTokens: endTokens,
      padToken: token("pad_token_id", default: nil, on: .nothing),
      startToken: token("decoder_start_token_id", default: 1, on: .nothing), shift: nil,
      limits: tokenLimits(last: [], endTokens: endTokens))
  }
}
