import Kernels
public import Models
import TensorCore

extension Family {
  /// ESM-2 and its dialects.
  package static let esm = Family(
    members: [ESM.self], tokenizers: [.esm], dialects: [.huggingFaceESM])
}

/// ESM-2, and ESM-1b before it: bidirectional Transformer encoders of proteins with pre-normalisation, and rotary or
/// learned positions. Masks are no words, but gaps, for which the others make up.
///
/// Lin et al.: "Evolutionary-scale prediction of atomic-level protein structure", doi 10.1126/science.ade2574; Rives
/// et al., doi 10.1073/pnas.2016239118. Names of heads, defaults and outputs are those of Hugging Face
/// (models/esm/modeling_esm.py, 5.x).
public struct ESM: TextEncoder {
  public static let name = "esm"
  public static let classes = EncoderHead.classes(
    of: "Esm", [.base, .maskedLM, .sequenceClassification, .tokenClassification])

  public let form: EncoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let sizes = config.proteinSizes()
    let isRotary = config.choice("position_embedding_type", default: Positions.absolute) == .rotary
    let rotary = isRotary ? config.proteinRotary(sizes) : nil
    let head = config.encoderHead(
      Self.classes,
      words: WordScoring(
        width: sizes.width, activation: .gelu, norm: sizes.norm, isTied: sizes.isTied),
      summary: (texts: .dense("classifier_dense", .tanh), choices: .pooler), isStored: isStored)
    let normalises = config.flag(
      "emb_layer_norm_before", default: false, on: .weights, mayBeNull: true)
    var embedding = TextEmbeddingForm(width: sizes.width, norm: normalises ? sizes.norm : nil)
    embedding.dropout = config.tokenDropout()
    embedding.zeroesPadding = true
    if isRotary {
      embedding.unreadPositions = sizes.positions
    } else {
      embedding.positions = config.proteinPositions(rows: sizes.positions)
    }
    form = EncoderForm(
      vocabulary: sizes.vocabulary, width: sizes.width, embedding: embedding,
      rotaries: rotary.map { [$0] } ?? [], holdsFrequencies: isRotary,
      blocks: sizes.proteinBlocks(rotary), norm: sizes.norm,
      pooler: head.task == .base ? head.poolerUse(isStored: isStored) : .none,
      passengers: [
        PassengerLayer("contact_head", inputs: sizes.layers * sizes.heads, outputs: 1)
      ], head: head)
    config.require(
      "is_folding_model", false, otherwise: "a folding model (is_folding_model) is not supported",
      mayBeNull: true)
    config.disregard(["esmfold_config", "hidden_act", "vocab_list"])
  }

  /// How positions are told.
  fileprivate enum Positions: String, CaseIterable {
    case absolute
    case rotary
  }
}

extension EncoderSizes {
  fileprivate func proteinBlocks(_ rotary: RotarySettings?) -> [BlockForm] {
    var blocks = blocks(
      .normBefore, rotary: rotary.map { RotaryPart(.halves, size: $0.turned) })
    // Files of transformers 4 have frequencies in each layer. Those of the first are used.
    for layer in blocks.indices.dropFirst() {
      blocks[layer].attention.buffers.frequencies = rotary
    }
    return blocks
  }
}

extension ConfigReader {
  fileprivate mutating func proteinSizes() -> EncoderSizes {
    disregard(["attention_probs_dropout_prob", "hidden_dropout_prob"])
    let vocabulary = optionalCount("vocab_size", on: .weights)
    if !has("vocab_size") { reject("vocab_size is missing") }
    let sizes = EncoderSizes(
      vocabulary: vocabulary ?? 33,
      width: count("hidden_size", default: 768, on: .weights),
      layers: count("num_hidden_layers", default: 12, limit: Self.mostLayers, on: .weights),
      heads: count("num_attention_heads", default: 12, on: .outputs(as: "heads")),
      feedForward: count("intermediate_size", default: 3072, on: .weights),
      activation: .gelu,
      norm: .layer(epsilon: epsilon("layer_norm_eps", default: 1e-12)),
      positions: count("max_position_embeddings", default: 1026, on: .weights),
      isCausal: attentionIsCausal(),
      isTied: flag("tie_word_embeddings", default: true, on: .weights))
    rejectUndivided(sizes.width, "hidden_size", by: sizes.heads, "num_attention_heads")
    return sizes
  }

  fileprivate mutating func proteinRotary(_ sizes: EncoderSizes) -> RotarySettings {
    let base = positive("rope_theta", default: 10_000, usual: [1e4, 5e5, 1e6])
    if base == 0 { reject("rope_theta must not be 0") }
    if faults.isEmpty, !sizes.headSize.isMultiple(of: 2) {
      reject("heads of \(sizes.headSize) numbers cannot be turned, which must be even")
    }
    return RotarySettings(size: sizes.headSize, base: base)
  }

  /// The table of positions, for which there must be a padding token.
  fileprivate mutating func proteinPositions(rows: Int) -> PositionTable {
    disregard(["rope_theta"])
    if !has("pad_token_id") { reject("pad_token_id is missing, from which positions count") }
    return positionsBehindPadding(rows: rows)
  }

  /// What becomes of masks, if that is anything special: training had one for 80 % of 15 % of the tokens.
  fileprivate mutating func tokenDropout() -> TokenDropout? {
    guard flag("token_dropout", default: false, mayBeNull: true) else { return nil }
    guard let mask = token("mask_token_id", default: nil, on: .outputs) else {
      reject("mask_token_id is missing, which token_dropout needs")
      return nil
    }
    return TokenDropout(token: mask, ratio: 0.15 * 0.8)
  }
}
