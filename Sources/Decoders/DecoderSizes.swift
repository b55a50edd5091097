public import Models

/// The extents that the configs of most decoders have under the same names.
public struct DecoderSizes: Sendable, Equatable {
  /// The number of words.
  public var vocabulary: Int
  /// The width of the stream.
  public var width: Int
  /// The number of blocks.
  public var layers: Int
  /// The number of heads.
  public var heads: Int
  /// How many heads keys and values have.
  public var keyHeads: Int
  /// How many numbers a head has.
  public var headSize: Int
  /// The number of units inside a feed-forward network.
  public var feedForward: Int

  /// What a config need not say.
  public struct Defaults: Sendable {
    var vocabulary = 32000
    var width = 4096
    var layers = 32
    var heads = 32
    /// `nil` for as many as queries have.
    var keyHeads: Int?
    /// `nil` for what heads share of the width.
    var headSize: Int?
    var feedForward: Int
  }
}

extension ConfigReader {
  /// `vocab_size`, `hidden_size`, `num_hidden_layers`, `num_attention_heads`, `num_key_value_heads`,
  /// `head_dim` and `intermediate_size`. A null number of key heads is as many as queries have, a null size
  /// what heads share of the width.
  ///
  /// - Parameter usual: what stands for what is absent.
  public mutating func decoderSizes(_ usual: DecoderSizes.Defaults) -> DecoderSizes {
    let width = count("hidden_size", default: usual.width, on: .weights)
    let heads = count("num_attention_heads", default: usual.heads, on: .outputs(as: "heads"))
    let keyHeads =
      optionalCount(
        "num_key_value_heads", default: isNull("num_key_value_heads") ? nil : usual.keyHeads,
        on: .weights) ?? heads
    let sizes = DecoderSizes(
      vocabulary: count("vocab_size", default: usual.vocabulary, on: .weights),
      width: width,
      layers: count(
        "num_hidden_layers", default: usual.layers, limit: Self.mostLayers, minimum: 0,
        on: .weights),
      heads: heads,
      keyHeads: keyHeads,
      headSize: optionalCount(
        "head_dim", default: isNull("head_dim") ? nil : usual.headSize, on: .weights)
        ?? max(1, width / heads),
      feedForward: count("intermediate_size", default: usual.feedForward, on: .weights))
    if faults.isEmpty, !heads.isMultiple(of: keyHeads) {
      reject("num_attention_heads \(heads) is not a multiple of num_key_value_heads \(keyHeads)")
    }
    return sizes
  }
}
