public import Kernels
public import Models
import TensorCore

/// The extents of an encoder, and what its config calls as most encoders' configs do.
public struct EncoderSizes: Sendable, Equatable {
  public var vocabulary: Int
  public var width: Int
  public var layers: Int
  public var heads: Int
  public var feedForward: Int
  public var activation: Activation
  public var norm: NormForm
  /// How many rows the table of positions has.
  public var positions: Int
  /// Whether no position sees what comes after it.
  public var isCausal: Bool
  /// Attention to what an encoder made of another text, if there is some.
  public var cross: CrossAttentionForm?
  public var isTied: Bool

  /// What stands for what a config does not say.
  public struct Defaults: Sendable {
    let vocabulary: Int
    let width: Int
    let layers: Int
    let heads: Int
    let feedForward: Int
    let positions: Int
    let activation: Activation
    let epsilon: Double
    /// Whether the number of blocks does not show in that of their weights.
    let sharesBlocks: Bool
    /// Whether a config can say that no position sees what comes after it.
    let mayBeCausal: Bool
    /// Whether it can say that positions see another text then, too.
    var mayCross: Bool

    /// What most have, unless told otherwise.
    package init(
      vocabulary: Int = 30522, width: Int = 768, layers: Int = 12, heads: Int = 12,
      feedForward: Int = 3072, positions: Int = 512, activation: Activation = .gelu,
      epsilon: Double = 1e-12, sharesBlocks: Bool = false, mayBeCausal: Bool = true,
      mayCross: Bool = false
    ) {
      (self.vocabulary, self.width) = (vocabulary, width)
      (self.layers, self.heads) = (layers, heads)
      self.feedForward = feedForward
      self.positions = positions
      (self.activation, self.epsilon) = (activation, epsilon)
      (self.sharesBlocks, self.mayBeCausal) = (sharesBlocks, mayBeCausal)
      self.mayCross = mayCross
    }
  }

  /// How many numbers a head has.
  public var headSize: Int { max(1, width / heads) }

  /// Blocks whose attention sees all of a text, or what comes before, normalised as said.
  ///
  /// - Parameter count: how many there are, if not as many as layers.
  package func blocks(
    _ arrangement: BlockForm.Arrangement, count: Int? = nil, rotary: RotaryPart? = nil,
    hasDistanceBias: Bool = false
  ) -> [BlockForm] {
    var block = BlockForm(
      attention: SelfAttentionForm(
        shape: AttentionShape(heads: heads, headSize: headSize, rotary: rotary),
        hasDistanceBias: hasDistanceBias, seesAhead: !isCausal),
      feedForward: FeedForwardForm(hidden: feedForward, activation: activation),
      arrangement: arrangement, norm: norm)
    block.cross = cross
    return Array(repeating: block, count: count ?? layers)
  }
}

extension ConfigReader {
  /// The extents of an encoder under the keys that most configs have for them.
  ///
  /// - Parameter usual: what stands for what is absent.
  public mutating func encoderSizes(_ usual: EncoderSizes.Defaults) -> EncoderSizes {
    disregard(["attention_probs_dropout_prob", "hidden_dropout_prob"])
    var sizes = EncoderSizes(
      vocabulary: count("vocab_size", default: usual.vocabulary, on: .weights),
      width: count("hidden_size", default: usual.width, on: .weights),
      layers: count(
        "num_hidden_layers", default: usual.layers, limit: Self.mostLayers, minimum: 0,
        on: usual.sharesBlocks ? .outputs(as: "layers") : .weights),
      heads: count("num_attention_heads", default: usual.heads, on: .outputs(as: "heads")),
      feedForward: count("intermediate_size", default: usual.feedForward, on: .weights),
      activation: activation("hidden_act", default: usual.activation),
      norm: .layer(epsilon: epsilon("layer_norm_eps", default: usual.epsilon)),
      positions: count("max_position_embeddings", default: usual.positions, on: .weights),
      isCausal: usual.mayBeCausal ? attentionIsCausal(mayCross: usual.mayCross) : false,
      isTied: flag("tie_word_embeddings", default: true, on: .weights))
    if usual.mayCross {
      sizes.cross = crossAttention(
        heads: sizes.heads, headSize: sizes.headSize, isCausal: sizes.isCausal)
    }
    require("position_embedding_type", "absolute")
    rejectUndivided(sizes.width, "hidden_size", by: sizes.heads, "num_attention_heads")
    return sizes
  }

  /// Whether the config says that no position sees what comes after it. Attention to another text beside it
  /// is refused, unless there may be some.
  mutating func attentionIsCausal(mayCross: Bool = false) -> Bool {
    if !mayCross {
      require(
        "add_cross_attention", false,
        otherwise: "cross-attention (add_cross_attention) is not supported")
    }
    return flag(
      "is_decoder", default: false, on: .outputs(as: "attention"),
      named: (no: "bidirectional", yes: "causal"))
  }

  /// Attention to what an encoder made of another text, which `add_cross_attention` says there is, where no position
  /// sees what comes after it.
  mutating func crossAttention(heads: Int, headSize: Int, isCausal: Bool) -> CrossAttentionForm? {
    let crosses = flag("add_cross_attention", default: false, on: .weights)
    if crosses && !isCausal {
      reject("add_cross_attention is true, but is_decoder, which it needs, is not")
    }
    return crosses ? .ofGivenStates(heads: heads, headSize: max(1, headSize)) : nil
  }

  /// The head of an encoder: its class and labels.
  ///
  /// - Parameters:
  ///   - classes: the classes' names. See `EncoderHead.classes`.
  ///   - isCausal: whether no position sees what comes after it.
  ///   - summary: what texts are classified by, and choices.
  public mutating func encoderHead(
    _ classes: [(name: String, head: EncoderHead)], words: WordScoring, isCausal: Bool = false,
    summary: (texts: EncoderHeadForm.Summary, choices: EncoderHeadForm.Summary),
    isStored: (String) -> Bool
  ) -> EncoderHeadForm {
    let labels = labelCount()
    let task = head(classes) {
      EncoderHead(isCausal: isCausal, poolsTexts: summary.texts == .pooler, isStored: isStored)
    }
    if faults.isEmpty, task == .questionAnswering, labels != 2 {
      reject("question answering has 2 labels, the config has \(labels)")
    }
    return EncoderHeadForm(
      task: task, labels: labels, words: words,
      summary: task == .multipleChoice ? summary.choices : summary.texts)
  }
}

extension EncoderHeadForm {
  /// What becomes of a pooler, where an architecture has one.
  func poolerUse(isStored: (String) -> Bool) -> PoolerUse {
    switch task {
    case .base: isStored("pooler.weight") ? .output : .none
    case .preTraining, .nextSentence: .summary
    case .sequenceClassification, .multipleChoice: summary == .pooler ? .summary : .passenger
    default: .passenger
    }
  }
}

extension ConfigReader {
  /// A table of positions that count from behind the number of the padding token on.
  ///
  /// - Parameter padToken: where the config has none.
  mutating func positionsBehindPadding(rows: Int, padToken standard: Int = 1) -> PositionTable {
    let token = token("pad_token_id", default: standard, on: .outputs)
    guard faults.isEmpty else { return PositionTable(rows: rows, padToken: standard) }
    guard let token, (0..<rows - 1).contains(token) else {
      reject(
        "pad_token_id \(token.map { "\($0)" } ?? "null") is no position before others of"
          + " max_position_embeddings \(rows)")
      return PositionTable(rows: rows, padToken: standard)
    }
    return PositionTable(rows: rows, padToken: token)
  }
}
