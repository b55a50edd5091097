public import Kernels
import Models
public import TensorCore
public import Tokenizers

/// The likeliest words of a place, labels of a text or a picture, or texts beside a picture.
public struct Likeliest: Sendable {
  /// One of them.
  public struct Choice: Sendable {
    /// The id of the token, or the number of the label or text.
    public let id: Int
    /// Its text.
    public let text: String
    /// Its share of all, by softmax; of texts that fit a picture each by itself, the sigmoid.
    public let probability: Double
  }

  /// The output that says it.
  public let output: String
  /// The place among the tokens, the next one counted; `nil` if it is about the whole text.
  public let place: Int?
  /// The picture or sound that it is about, by its file's name; `nil` if it is about a text.
  public var picture: String?
  /// The number of the pair of texts that it is about, from 1; `nil` if no pairs were given.
  public var pair: Int?
  /// The likeliest first.
  public let choices: [Choice]
}

extension Model {
  /// What the model finds likeliest: words in each masked place, the next word of a model that continues texts, and
  /// labels of a text.
  ///
  /// - Parameters:
  ///   - outputs: those of a pass over one text.
  ///   - ids: the text's tokens.
  ///   - count: how many choices are given.
  /// - Throws: `CheckpointError`: refused if nothing in the outputs is about words or labels, or no place is masked.
  public func likeliest<Scalar: ComputeScalar>(
    _ outputs: [NamedArray<Scalar>], ids: [Int], _ tokenizer: Tokenizer, count: Int
  ) throws(CheckpointError) -> [Likeliest] {
    var found: [Likeliest] = []
    for output in outputs where Self.scores.contains(output.name) {
      if output.array.shape.count == 2 {
        let labels = graph.config["id2label"]
        found.append(
          Likeliest(
            output: output.name, place: nil,
            choices: choices(output.array.row(0), count) { labels?["\($0)"]?.string ?? "\($0)" }))
      } else {
        for place in try places(in: ids, tokenizer) {
          let row = output.array.row(min(place, ids.count - 1))
          found.append(
            Likeliest(
              output: output.name, place: place,
              choices: choices(row, count) { tokenizer.word($0) ?? "" }))
        }
      }
    }
    guard !found.isEmpty else {
      throw CheckpointError(
        .unsupported(
          "the class \(graph.architecture.head) says nothing of words or labels of a text"))
    }
    return found
  }

  /// The likeliest labels of each pair of texts.
  ///
  /// - Parameters:
  ///   - outputs: those of a pass over the pairs.
  ///   - count: how many choices are given for each.
  /// - Throws: `CheckpointError`: unsupported if nothing in the outputs is about labels.
  public func likeliestOfPairs<Scalar: ComputeScalar>(
    _ outputs: [NamedArray<Scalar>], count: Int
  ) throws(CheckpointError) -> [Likeliest] {
    let labels = graph.config["id2label"]
    let found = scoresOfTexts(outputs).flatMap { output in
      (0..<output.array.rows).map { row in
        Likeliest(
          output: output.name, place: nil, pair: row + 1,
          choices: choices(output.array.row(row), count) { labels?["\($0)"]?.string ?? "\($0)" })
      }
    }
    guard !found.isEmpty else {
      throw CheckpointError(
        .unsupported("the class \(graph.architecture.head) says nothing of labels of a pair"))
    }
    return found
  }

  /// The outputs that have a row of scores, of labels, for each text.
  public func scoresOfTexts<Scalar: ComputeScalar>(
    _ outputs: [NamedArray<Scalar>]
  ) -> [NamedArray<Scalar>] {
    outputs.filter { Self.scores.contains($0.name) && $0.array.shape.count == 2 }
  }

  /// The outputs that are scores of words, or of labels.
  private static let scores = ["logits", "prediction_logits", "seq_relationship_logits"]

  /// The places that are asked for: masked ones, or the next one.
  private func places(in ids: [Int], _ tokenizer: Tokenizer) throws(CheckpointError) -> [Int] {
    if graph.architecture.generation?.ids == "input_ids" { return [ids.count] }
    let masks = ["[MASK]", "<mask>"].compactMap { tokenizer.id(of: $0) }
    let places = ids.indices.filter { masks.contains(ids[$0]) }
    guard !places.isEmpty else {
      let name = masks.first.flatMap { tokenizer.word($0) } ?? "[MASK]"
      throw CheckpointError(
        .refused("no place in the text is masked"), advice: "put \(name) where a word is asked for")
    }
    return places
  }

  /// The largest of some scores, as probabilities.
  ///
  /// - Parameter isOfEach: whether each one's is its own sigmoid.
  func choices<Scalar: ComputeScalar>(
    _ row: ArraySlice<Scalar>, _ count: Int, isOfEach: Bool = false, text: (Int) -> String
  ) -> [Likeliest.Choice] {
    let scores = row.map { Double($0) }
    let largest = scores.max() ?? 0
    let sum = scores.reduce(0) { $0 + Double.exp($1 - largest) }
    let order = scores.indices.sorted { (scores[$0], $1) > (scores[$1], $0) }
    return order.prefix(count).map { id in
      let share =
        isOfEach
        ? 1 / (1 + Double.exp(-scores[id])) : Double.exp(scores[id] - largest) / sum
      return Likeliest.Choice(id: id, text: text(id), probability: share)
    }
  }
}
