import Kernels
public import Models
import TensorCore

extension Family {
  /// DeBERTa v2 and v3, and their dialects.
  package static let deberta = Family(
    members: [DeBERTaV2.self], tokenizers: [.debertaV2], dialects: [.huggingFaceDeBERTaV2])
}

/// DeBERTa v2, and v3, which is trained otherwise: a bidirectional Transformer encoder with post-normalisation, whose
/// queries and keys are compared with how far apart they are.
///
/// He et al.: "DeBERTa", arXiv 2006.03654; "DeBERTaV3", arXiv 2111.09543. Names of heads, defaults and outputs are
/// those of Hugging Face (models/deberta_v2/modeling_deberta_v2.py, 5.x).
public struct DeBERTaV2: TextEncoder {
  public static let name = "deberta-v2"
  public static let classes = EncoderHead.classes(
    of: "DebertaV2",
    [.base, .maskedLM, .sequenceClassification, .tokenClassification, .questionAnswering])

  public let form: EncoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let sizes = config.encoderSizes(
      .init(
        vocabulary: 128_100, width: 1536, layers: 24, heads: 24, feedForward: 6144, epsilon: 1e-7,
        mayBeCausal: false))
    let embedding = config.disentangledEmbedding(sizes)
    let (attention, vectors) = config.disentangledAttention(sizes)
    let head = config.disentangledHead(
      Self.classes, sizes, embeddingWidth: embedding.width, isStored)
    let block = BlockForm(
      attention: attention,
      feedForward: FeedForwardForm(hidden: sizes.feedForward, activation: sizes.activation),
      arrangement: .normAfter, norm: sizes.norm)
    form = EncoderForm(
      vocabulary: sizes.vocabulary, width: sizes.width, embedding: embedding,
      distanceVectors: vectors, blocks: Array(repeating: block, count: sizes.layers),
      convolution: config.disentangledConvolution(sizes),
      passengers: [
        PassengerLayer("mask_dense", inputs: sizes.width, outputs: sizes.width),
        PassengerLayer("mask_norm", width: sizes.width),
        PassengerLayer("mask_classifier", inputs: sizes.width, outputs: 1),
      ], head: head)
    config.disregard(["cls_dropout", "pooler_dropout", "z_steps"])
  }
}

extension ConfigReader {
  fileprivate mutating func disentangledEmbedding(_ sizes: EncoderSizes) -> TextEmbeddingForm {
    let width =
      optionalCount("embedding_size", default: sizes.width, on: .weights) ?? sizes.width
    let types = count("type_vocab_size", default: 0, minimum: 0, on: .weights)
    var embedding = TextEmbeddingForm(
      width: width, tokenTypes: types > 0 ? types : nil, norm: sizes.norm)
    if flag("position_biased_input", default: true) {
      embedding.positions = PositionTable(rows: sizes.positions)
    } else {
      embedding.unreadPositions = sizes.positions
    }
    embedding.normalisesProjection = true
    embedding.zeroesPadding = true
    return embedding
  }

  /// Attention, and the vectors of distances, if there are some.
  fileprivate mutating func disentangledAttention(
    _ sizes: EncoderSizes
  ) -> (SelfAttentionForm, DistanceVectors?) {
    let size = optionalCount("attention_head_size", default: sizes.headSize, on: .nothing)
    if faults.isEmpty, let size, size != sizes.headSize {
      refuse("attention_head_size \(size) is not supported; \(sizes.headSize) is, the heads' part")
    }
    let kinds = comparedKinds()
    let isRelative = flag("relative_attention", default: false)
    let shares = flag("share_att_key", default: false, on: .weights)
    let shape = AttentionShape(heads: sizes.heads, headSize: sizes.headSize)
    // The scale counts what is compared, be it so or not.
    let terms = Double(1 + kinds.count { $0 })
    var attention = SelfAttentionForm(
      shape: shape, scale: 1 / (Double(sizes.headSize) * terms).squareRoot(), seesAhead: true)
    attention.disentangled = DisentangledForm(
      comparesQueries: isRelative && kinds[0], comparesKeys: isRelative && kinds[1],
      sharesProjections: shares)
    let vectors = distanceVectors(sizes, isRelative: isRelative, isRead: terms > 1)
    return (attention, vectors)
  }

  /// What is compared with distances: queries, and keys. A list of `c2p` and `p2c`, or a text with a line between.
  private mutating func comparedKinds() -> [Bool] {
    let names = ["c2p", "p2c"]
    func said(_ kinds: [Bool]) -> String {
      zip(names, kinds).compactMap { $1 ? $0 : nil }.joined(separator: "|")
    }
    return fact(
      "pos_att_type", .choice(["c2p|p2c", "c2p", "p2c", ""]), on: .outputs,
      default: [false, false], mayBeNull: true, json: { .string(said($0)) }, text: said
    ) { value in
      let texts = value.elements.map { $0.compactMap(\.string) }
      guard
        let list = texts ?? value.string.map({ $0.lowercased().split(separator: "|").map(trimmed) })
      else { return .fault("must be a text or a list of texts, is \(value.text())") }
      return .value(names.map(list.contains))
    }
  }

  private mutating func distanceVectors(
    _ sizes: EncoderSizes, isRelative: Bool, isRead: Bool
  ) -> DistanceVectors? {
    let bearing: ConfigFact.Bearing = isRelative && isRead ? .outputs : .nothing
    let longest = count("max_relative_positions", default: -1, minimum: -1, on: bearing)
    let buckets = count("position_buckets", default: -1, minimum: -1, on: bearing)
    let norms = (text("norm_rel_ebd") ?? "none").lowercased().split(separator: "|").map(trimmed)
    let normalises = norms.contains("layer_norm")
    guard isRelative else {
      if normalises { refuse("norm_rel_ebd without relative_attention is not supported") }
      return nil
    }
    if longest < 1, isRead {
      _ = count("max_position_embeddings", default: 512, on: .outputs)
    }
    let most = longest < 1 ? sizes.positions : longest
    if faults.isEmpty, buckets > 0, buckets < 2 || most - 1 <= buckets / 2 {
      refuse("position_buckets \(buckets) for \(most) relative positions is not supported")
    }
    return DistanceVectors(
      rows: 2 * (buckets > 0 ? buckets : most), buckets: buckets > 0 ? buckets : nil,
      longest: most, norm: normalises ? sizes.norm : nil, isRead: isRead)
  }

  /// A convolution beside the first block, if there is one.
  fileprivate mutating func disentangledConvolution(_ sizes: EncoderSizes) -> TextConvolution? {
    let kernel = count("conv_kernel_size", default: 0, minimum: 0, on: .weights)
    guard kernel > 0, sizes.layers > 0 else {
      disregard(["conv_act", "conv_groups"])
      return nil
    }
    let groups = count("conv_groups", default: 1)
    if faults.isEmpty, kernel.isMultiple(of: 2) {
      reject("conv_kernel_size \(kernel) must be odd")
    }
    rejectUndivided(sizes.width, "hidden_size", by: groups, "conv_groups")
    return TextConvolution(
      kernel: kernel, groups: groups,
      activation: activation("conv_act", default: .tanh, on: .outputs(as: "conv_act")),
      norm: sizes.norm)
  }

  fileprivate mutating func disentangledHead(
    _ classes: [(name: String, head: EncoderHead)], _ sizes: EncoderSizes, embeddingWidth: Int,
    _ isStored: (String) -> Bool
  ) -> EncoderHeadForm {
    // transformers' own head and that of the model's code have other names, and two biases or one.
    let usual = isStored("mlm_head.bias") || !isStored("mlm_head.decoder.bias")
    let isLegacy = flag("legacy", default: usual, on: .weights)
    let size = optionalCount("pooler_hidden_size", default: sizes.width, on: .nothing)
    if faults.isEmpty, let size, size != sizes.width {
      reject("pooler_hidden_size \(size) is not hidden_size \(sizes.width)")
    }
    // Nothing but a classifier of texts depends on it. Read again below, once the head is known.
    let pooled = activation("pooler_hidden_act", default: .gelu, on: .nothing)
    let head = encoderHead(
      classes,
      words: WordScoring(
        width: isLegacy ? embeddingWidth : sizes.width, activation: sizes.activation,
        norm: sizes.norm, isTied: sizes.isTied || !isLegacy, bias: isLegacy ? .shared : .own),
      summary: (texts: .dense("pooler", pooled), choices: .pooler),
      isStored: { path in
        path == "classifier_dense.weight"
          ? isStored("pooler.weight") && isStored("classifier.weight") : isStored(path)
      })
    if head.task == .sequenceClassification {
      _ = activation("pooler_hidden_act", default: .gelu, on: .outputs(as: "head activation"))
    }
    if faults.isEmpty, head.task == .maskedLM, !isLegacy, embeddingWidth != sizes.width {
      reject("embedding_size \(embeddingWidth) is not hidden_size \(sizes.width)")
    }
    return head
  }
}

/// A text without the spaces around it.
private func trimmed(_ text: Substring) -> String {
  var text = text
  while text.first?.isWhitespace == true { text.removeFirst() }
  while text.last?.isWhitespace == true { text.removeLast() }
  return String(text)
}
