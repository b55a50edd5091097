import Kernels
public import Models
import TensorCore

/// What stands on an encoder with a decoder.
public enum EncoderDecoderHead: Sendable, CaseIterable {
  case base
  case conditionalGeneration
  case sequenceClassification
  case questionAnswering
  /// Of the encoder alone, which reads sounds.
  case soundClassification

  /// Whether there is a decoder below it.
  var hasDecoder: Bool { self != .soundClassification }

  /// The classes of an architecture as Hugging Face usually names them: `…Model`, `…ForConditionalGeneration`, …
  ///
  /// - Parameters:
  ///   - prefix: what they begin with.
  ///   - heads: what the architecture has classes for, in the order in which they are listed.
  public static func classes(
    of prefix: String, _ heads: [EncoderDecoderHead]
  ) -> [(name: String, head: EncoderDecoderHead)] {
    heads.map { (prefix + $0.ending, $0) }
  }

  private var ending: String {
    switch self {
    case .base: "Model"
    case .conditionalGeneration: "ForConditionalGeneration"
    case .sequenceClassification: "ForSequenceClassification"
    case .questionAnswering: "ForQuestionAnswering"
    case .soundClassification: "ForAudioClassification"
    }
  }

  /// What the stored weights show.
  init(isTied: Bool, isStored: (String) -> Bool) {
    if isStored("classification_head.output.weight") {
      self = .sequenceClassification
    } else if isStored("qa_head.weight") {
      self = .questionAnswering
    } else {
      // A tied head is not stored, so nothing tells a language model from the bare one.
      self = isTied || isStored("lm_head.weight") ? .conditionalGeneration : .base
    }
  }
}

/// A head, described.
public struct EncoderDecoderHeadForm: Sendable, Equatable {
  /// What it is.
  public var task: EncoderDecoderHead
  /// Whether the matrix over the vocabulary is that of the decoder's words, unless it is stored separately.
  public var isTied: Bool
  /// Whether the scores of words have a bias, which is zero where it is not stored.
  public var hasBias: Bool
  /// The number of labels.
  public var labels: Int
  /// After which tokens a text is finished; where texts are classified, the state at the last one is.
  public var endTokens: [Int]
  /// What shorter rows are filled up with, if there is such a token.
  public var padToken: Int?
  /// What a text that is written begins with.
  public var startToken: Int?
  /// What the decoder reads where nothing is given for it; `nil` if something must be.
  public var shift: Shift?
  /// What a continued text must have, and what it must not.
  public var limits: TokenLimits
  /// Whether a text that is written begins with tokens that settings of generation say, of its language for example, and
  /// one that is given begins as it is.
  var opensBySettings = false
  /// Whether the bare model has the scores of words, too, as its last states.
  var scoresStates = false
  /// Whether the decoder sees padding only of texts that grow: of others it is masked where no mask is given.
  var masksPadding = false
  /// What classifies sounds.
  var sound = SoundClassification()
}

/// The ids of the text that is read as those that a decoder reads: one place to the right, behind something.
public enum Shift: Sendable, Equatable {
  /// A token; `nil` if the config has none.
  case behind(Int?)
  /// The last token of each text that is no padding, as it is counted from its beginning; `nil` if the config has no
  /// padding token.
  case behindLast(padding: Int?)

  /// What a config lacks that cannot do it.
  var missingKey: String {
    switch self {
    case .behind: "decoder_start_token_id"
    case .behindLast: "pad_token_id"
    }
  }

  /// `[batch, length]` to the same; `nil` if the config has not what it takes.
  func shifted(_ ids: NDArray<Int>) -> NDArray<Int>? {
    switch self {
    case .behind(let token): return token.map { token in ids.shifted { _ in token } }
    case .behindLast(let padding):
      return padding.map { padding in
        ids.shifted { row in
          let count = row.count { $0 != padding }
          // Python's last element, where there is nothing else.
          return row[row.startIndex + (count == 0 ? row.count - 1 : count - 1)]
        }
      }
    }
  }
}

extension NDArray<Int> {
  /// The rows one place to the right, behind what is made of each.
  func shifted(behind first: (ArraySlice<Int>) -> Int) -> NDArray<Int> {
    NDArray(
      shape: shape, elements: (0..<rows).flatMap { [first(row($0))] + row($0).dropLast() })
  }
}

extension EncoderDecoderForm {
  /// The stages after the stacks.
  func headStages<Scalar: ComputeScalar>() -> [Stage<Scalar>] {
    let state = Stack.decoder.state
    return switch head.task {
    case .base: head.scoresStates ? [scores(of: state, as: "last_hidden_state")] : []
    case .conditionalGeneration: [scores(of: state, as: "logits")]
    case .sequenceClassification:
      [
        .endClassification(
          of: state, width: width, labels: head.labels, endTokens: EndTokens(head.endTokens))
      ]
    case .questionAnswering: [.questionAnswering(of: state, width: width)]
    case .soundClassification: soundClassification()
    }
  }

  private func scores<Scalar: ComputeScalar>(of state: String, as output: String) -> Stage<Scalar> {
    .languageModel(
      of: state, ids: Stack.decoder.ids, width: width, vocabulary: words.count(of: .decoder),
      isTied: head.isTied, to: scoringWords, bias: head.hasBias, biasOrigin: .zeros, as: output)
  }
}
