import Kernels
public import Models
import TensorCore

extension Family {
  /// Whisper and its dialects.
  package static let whisper = Family(
    members: [Whisper.self], soundProcessors: [.logMel],
    dialects: [.huggingFaceWhisper, .openAIWhisper, .whisperCPP, .ctranslate2Whisper])
}

/// Whisper: an encoder that reads the frames of a sound by way of two convolutions, and a decoder that writes a text.
///
/// Radford et al.: "Robust Speech Recognition via Large-Scale Weak Supervision", arXiv 2212.04356, §2.2. Names of
/// heads, defaults and outputs are those of Hugging Face (models/whisper/modeling_whisper.py, 5.x).
public struct Whisper: EncoderDecoder {
  public static let name = "whisper"
  public static let classes = EncoderDecoderHead.classes(
    of: "Whisper", [.base, .conditionalGeneration, .soundClassification])

  public let form: EncoderDecoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let width = config.count("d_model", or: "hidden_size", default: 384, on: .weights)
    let head = config.whisperHead(isStored: isStored)
    let hasDecoder = head.task.hasDecoder
    // Of the encoder alone no output depends on what is said of the decoder.
    let written: ConfigFact.Bearing = hasDecoder ? .weights : .nothing
    let vocabulary = config.count("vocab_size", default: 51_865, on: written)
    let bands = config.count("num_mel_bins", default: 80, on: .weights)
    let activation = config.activation("activation_function", default: .gelu)
    func stack(_ stack: Stack, _ config: inout ConfigReader) -> StackForm {
      let isEncoder = stack == .encoder
      let name = stack.rawValue
      let bearing = isEncoder ? .weights : written
      let heads = config.count(
        "\(name)_attention_heads", or: isEncoder ? "num_attention_heads" : nil, default: 6,
        on: isEncoder || hasDecoder ? .outputs(as: "\(name)_heads") : .nothing)
      let layers = config.count(
        "\(name)_layers", or: isEncoder ? "num_hidden_layers" : nil, default: 4,
        limit: ConfigReader.mostLayers, on: bearing)
      let hidden = config.count("\(name)_ffn_dim", default: 1536, on: bearing)
      let positions = config.count(
        isEncoder ? "max_source_positions" : "max_target_positions",
        default: isEncoder ? 1500 : 448, on: bearing)
      let norm = NormForm.layer(epsilon: 1e-5)
      let block = BlockForm.whisper(
        stack, heads: heads, headSize: max(1, width / heads),
        FeedForwardForm(hidden: hidden, activation: activation), norm)
      return StackForm(
        positions: .learned(positions, offset: 0),
        blocks: Array(repeating: block, count: layers), norm: norm)
    }
    form = EncoderDecoderForm(
      words: .shared(vocabulary), width: width, encoder: stack(.encoder, &config),
      decoder: stack(.decoder, &config), head: head,
      sound: .frames(bands: bands, activation: .gelu))
    config.disregard(Self.withoutEffect)
    for stack in hasDecoder ? [Stack.encoder, .decoder] : [.encoder] {
      let heads = form.form(of: stack).blocks.first?.attention.shape.heads ?? 1
      config.rejectUndivided(width, "d_model", by: heads, "\(stack.rawValue)_attention_heads")
    }
  }

  /// Settings of training, of how times are found, and a factor that the framework reads and does not use.
  private static let withoutEffect = [
    "activation_dropout", "apply_spec_augment", "decoder_layerdrop", "dropout",
    "encoder_layerdrop", "forced_decoder_ids", "init_std", "mask_feature_length",
    "mask_feature_min_masks", "mask_feature_prob", "mask_time_length", "mask_time_min_masks",
    "mask_time_prob", "median_filter_width", "scale_embedding",
  ]
}

extension BlockForm {
  /// A block of one of the stacks: keys have no bias.
  fileprivate static func whisper(
    _ stack: Stack, heads: Int, headSize: Int, _ feedForward: FeedForwardForm, _ norm: NormForm
  ) -> BlockForm {
    var attention = SelfAttentionForm(
      shape: AttentionShape(heads: heads, headSize: headSize), seesAhead: stack == .encoder)
    attention.hasKeyBias = false
    attention.mask = stack.mask
    var block = BlockForm(attention: attention, feedForward: feedForward, norm: norm)
    if stack == .decoder {
      block.cross = CrossAttentionForm(
        heads: heads, headSize: headSize, source: Stack.encoder.state, mask: Stack.encoder.mask)
      block.cross?.hasKeyBias = false
    }
    return block
  }
}

extension ConfigReader {
  /// The class, its labels, special tokens, and what generated texts must have.
  fileprivate mutating func whisperHead(isStored: (String) -> Bool) -> EncoderDecoderHeadForm {
    let task = head(Whisper.classes) {
      if isStored("classifier.weight") { return .soundClassification }
      // A tied head is not stored, so nothing tells a language model from the bare one.
      return .conditionalGeneration
    }
    let hasDecoder = task.hasDecoder
    let isTied = flag("tie_word_embeddings", default: true, on: hasDecoder ? .weights : .nothing)
    let endTokens = tokens("eos_token_id", default: [50_256], on: .nothing)
    let start = token("decoder_start_token_id", default: 50_257, on: .nothing)
    var form = EncoderDecoderHeadForm(
      task: task, isTied: isTied, hasBias: false, labels: labelCount(), endTokens: endTokens,
      padToken: token("pad_token_id", default: 50_256, on: .nothing), startToken: start,
      shift: nil, limits: tokenLimits(last: [], endTokens: endTokens))
    // Where a config does not say which ones.
    form.limits.suppressedFirst = [220, 50_256]
    form.opensBySettings = true
    let bearing: ConfigFact.Bearing = hasDecoder ? .nothing : .weights
    form.sound = SoundClassification(
      projection: count("classifier_proj_size", default: 256, on: bearing),
      sumsStates: flag("use_weighted_layer_sum", default: false, on: bearing))
    return form
  }
}
