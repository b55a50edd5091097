import Kernels
import Models
import TensorCore

/// What the words of a text become before the first block of a stack.
struct StackEmbedding<Scalar: ComputeScalar> {
  let stack: Stack
  let form: StackForm
  let word: WeightRows<Scalar>
  let positions: WeightRows<Scalar>?
  let width: Int
  let norm: Norm<Scalar>?

  /// `[batch, length, width]`
  ///
  /// - Parameter first: the position of the first id.
  func callAsFunction(_ ids: NDArray<Int>, first: Int) throws(CheckpointError) -> NDArray<Scalar> {
    var x = try word(ids)
    if form.factor != 1 { x = scaled(x, by: form.factor) }
    if case .rotary = form.positions { return norm.applied(to: x) }
    return norm.applied(to: add(x, try vectors(of: ids, first: first)))
  }

  private func vectors(
    of ids: NDArray<Int>, first: Int
  ) throws(CheckpointError) -> NDArray<Scalar> {
    switch form.positions {
    case .learned(_, let offset):
      return try positions?(ids.counted(from: first + offset)) ?? Self.none
    case .table: return try positions?(ids.counted(from: first)) ?? Self.none
    case .behindPadding(let token, _):
      let sinusoids = Sinusoids(width: width, zero: token)
      return sinusoids(ids.counted(behind: token, after: first), of: Scalar.self)
    case .tableBehindPadding(let token, let count):
      let places = ids.counted(behind: token, after: first, countsPadding: true)
      if let positions, places.elements.allSatisfy({ $0 < count }) { return try positions(places) }
      return Sinusoids(width: width, zero: token)(places, of: Scalar.self)
    case .rotary: return Self.none
    }
  }

  private static var none: NDArray<Scalar> { NDArray(shape: [0], elements: []) }
}

extension EncoderDecoderForm {
  /// Asks for what a stack's embeddings need.
  func embedding<Scalar: ComputeScalar>(
    _ stack: Stack, _ scope: WeightScope<Scalar>
  ) throws(CheckpointError) -> StackEmbedding<Scalar> {
    let form = form(of: stack)
    let own = scope.module(stack.rawValue, .sequence).module("embeddings", .embedding)
    return StackEmbedding(
      stack: stack, form: form, word: wordTable(stack, scope, own),
      positions: form.positions.load(own, width: width), width: width,
      norm: try form.embeddingNorm.map { norm throws(CheckpointError) in
        try Norm(own, "norm", norm, width: width)
      })
  }

  private func wordTable<Scalar>(
    _ stack: Stack, _ scope: WeightScope<Scalar>, _ own: WeightScope<Scalar>
  ) -> WeightRows<Scalar> {
    func rows(_ scope: WeightScope<Scalar>, origin: WeightOrigin? = nil) -> WeightRows<Scalar> {
      scope.module("word", .embedding).rows(
        "weight", [words.count(of: stack), width], .embedding, origin: origin)
    }
    let shared = { rows(scope.module("embeddings", .embedding)) }
    switch words {
    case .shared: return shared()
    case .perhapsOwn:
      _ = shared()
      return rows(own, origin: .equal(Self.sharedWords))
    case .separate: return rows(own)
    }
  }

  private static let sharedWords = "embeddings.word.weight"

  /// The path of the table that scores words, where a head is tied to one.
  var scoringWords: String {
    if case .separate = words { "decoder.embeddings.word.weight" } else { Self.sharedWords }
  }
}

extension StackPositions {
  fileprivate func load<Scalar: ComputeScalar>(
    _ scope: WeightScope<Scalar>, width: Int
  ) -> WeightRows<Scalar>? {
    switch self {
    case .learned(let count, let offset):
      return scope.module("position", .embedding).rows(
        "weight", [count + offset, width], .embedding)
    case .table(let count):
      return scope.module("position", .embedding).rows(
        "weight", [count, width], .embedding,
        origin: .computed(.table(of: Sinusoids(width: width, spacing: .open))))
    case .tableBehindPadding(let token, let count):
      return scope.module("position", .embedding).rows(
        "weight", [count, width], .embedding,
        origin: .computed(.sinusoids(Sinusoids(width: width, zero: token), stored: count)))
    case .behindPadding(let token, let stored):
      scope.constant(
        "sinusoids", [stored, width],
        .sinusoids(Sinusoids(width: width, zero: token), stored: stored))
      return nil
    case .rotary: return nil
    }
  }
}

extension StackPositions {
  /// Leaves the angles of `count` positions to the blocks that turn by them.
  func turn<Scalar: ComputeScalar>(_ states: inout States<Scalar>, _ count: Int, first: Int) {
    guard case .rotary(let rotary) = self else { return }
    let positions = NDArray(shape: [1, count], elements: Array(first..<first + count))
    states[SelfAttentionForm.rotaryState(0)] = rotaryTable(
      positions: positions, frequencies: rotary.frequencies(length: first + count),
      of: Scalar.self)
  }
}

extension Formula {
  /// A table of sines and cosines, which frameworks compute in double precision and round to single.
  fileprivate static func table(of sinusoids: Sinusoids) -> Formula {
    let width = sinusoids.width
    return Formula(
      "holds the sines and cosines of positions and is computed", margin: 1.2e-7, as: .f32
    ) { sinusoids.number($0 % width, at: $0 / width) }
  }
}

extension NDArray<Int> {
  /// For each element its place in its row, from `first` on.
  fileprivate func counted(from first: Int) -> NDArray<Int> {
    NDArray(shape: shape, elements: elements.indices.map { first + $0 % width })
  }

  /// For each padding token its number, and for the other elements what follows it, `before` places later; that is
  /// where padding is, too, if it `countsPadding`.
  fileprivate func counted(
    behind token: Int, after before: Int, countsPadding: Bool = false
  ) -> NDArray<Int> {
    NDArray(
      shape: shape,
      elements: (0..<rows).flatMap { row in
        var last = token + before
        return self.row(row).map { element in
          guard element != token else { return countsPadding ? token + before : token }
          last += 1
          return last
        }
      })
  }
}
