public import Codecs
import Containers
import Kernels
import Models
public import TensorCore

/// What the weights of B are to A's that B stores in blocks, or as codes with scales beside them.
///
/// Codes are compared where they are stored: A's weights are laid out as B's dialect stores them, so that rows in another
/// order, and experts in a tensor together, are blocks of the same numbers.
struct QuantizedWeights {
  /// A tensor as B's dialect stores it: A's numbers, and what B has.
  private struct Pair {
    let original: WeightGraph.Translated
    /// Codes of which something can be shown.
    var codes: CodedTensor?
    var blocks: CodedTensor?
    /// What its rows are, if they are those of heads.
    var heads: HeadPart?

    func isAsked(_ paths: Set<String>?) -> Bool {
      guard let paths else { return true }
      return original.parts.contains { paths.contains($0.path) }
    }
  }

  private var pairs: [Pair] = []

  /// Finds out which tensors there are, and reads none of them.
  init(_ a: WeightGraph, _ b: Model) {
    var stored: [TensorName: CodedTensor] = [:]
    for coded in b.plain.coded where coded.stored.count == 1 && coded.stored[0].dtype.isBlock {
      stored[coded.stored[0].name] = coded
    }
    var codes: [TensorName: CodedTensor] = [:]
    for coded in b.plain.coded where coded.hasProof { codes[coded.tensor.name] = coded }
    if stored.isEmpty, codes.isEmpty { return }
    // A model that B's dialect cannot store is not what B was made of.
    let form = try? a.translated(
      to: b.graph.dialect.fullName, in: b.checkpoint.format.name, allowsLoss: true)
    for translated in form ?? [] where translated.tensor.dtype.isComputable {
      let found = [codes, stored].map { coded in
        coded[translated.tensor.name].flatMap {
          $0.tensor.shape == translated.tensor.shape ? $0 : nil
        }
      }
      if found.contains(where: { $0 != nil }) {
        let heads =
          translated.parts.count == 1 ? a.headPart(ofWeight: translated.parts[0].path) : nil
        pairs.append(
          Pair(original: translated, codes: found[0], blocks: found[1], heads: heads))
      }
    }
  }

  /// What weights are to each other, by their paths; those that are not in blocks or codes are not among them.
  ///
  /// - Parameter paths: those that are asked for, or all. What stands in one tensor with them is said, too.
  /// - Throws: `CheckpointError` when weights cannot be read.
  func relations(
    of paths: Set<String>? = nil
  ) throws(CheckpointError) -> [String: WeightRelation] {
    var relations: [String: WeightRelation] = [:]
    for pair in pairs where pair.isAsked(paths) {
      guard let relation = try relation(of: pair) else { continue }
      for part in pair.original.parts { relations[part.path] = relation }
    }
    return relations
  }

  private func relation(of pair: Pair) throws(CheckpointError) -> WeightRelation? {
    let original = pair.original.tensor
    if let codes = pair.codes, let relation = try codeRelation(of: codes, to: original, pair.heads)
    {
      return relation
    }
    // Where A has just the numbers of the blocks, nothing was quantised.
    guard let blocks = pair.blocks,
      try TransformerKit.relation(of: blocks.tensor, to: original) != .identical
    else { return nil }
    return try blockRelation(of: blocks.stored[0], to: original)
  }
}

/// Elements that are compared at once: whole blocks of all types.
private let elementsPerPiece = 1 << 16

/// What codes are to the numbers of A; `nil` if they stand for just these, or these rounded.
///
/// - Throws: `CheckpointError` when bytes cannot be read.
private func codeRelation(
  of coded: CodedTensor, to original: Tensor, _ heads: HeadPart?
) throws(CheckpointError) -> WeightRelation? {
  guard case .different = try relation(of: coded.tensor, to: original) else { return nil }
  let numbers = coded.inOrderOfCodes(original)
  let finding = try coded.finding(of: numbers)
  guard let first = finding.firstWrong else {
    return .coded(
      from: original.dtype, by: coded.codec, error: finding.relativeError,
      again: coded.repetition(in: finding))
  }
  var cause = try headOrder(of: coded, to: original, heads, finding.wrong)
  if cause == nil { cause = try coded.cause(of: numbers, in: finding) }
  return .miscoded(
    Miscoded(
      codec: coded.codec, tensor: coded.stored[0].name, count: finding.wrong, first: first,
      error: finding.relativeError, cause: cause, again: coded.repetition(in: finding)))
}

/// The order of the rotary pairs of heads under which all codes but one in a hundred of those that are wrong are right, if one is.
///
/// - Throws: `CheckpointError` when bytes cannot be read.
private func headOrder(
  of coded: CodedTensor, to original: Tensor, _ heads: HeadPart?, _ wrong: Int
) throws(CheckpointError) -> CodeCause? {
  guard let heads, heads.turned == 0..<heads.size, heads.size.isMultiple(of: 2), heads.size > 2,
    original.shape.count == 2, original.shape[0] == heads.heads * heads.size
  else { return nil }
  for isInterleaved in [true, false] {
    let pairs = isInterleaved ? [2, heads.size / 2] : [heads.size / 2, 2]
    let parted = Tensor(
      name: original.name, dtype: original.dtype,
      shape: [heads.heads] + pairs + [original.shape[1]], bytes: original.bytes)
    let moved = Tensor(
      name: original.name, dtype: original.dtype, shape: original.shape,
      bytes: parted.permuted([0, 2, 1, 3]).bytes)
    let found = try coded.finding(of: coded.inOrderOfCodes(moved))
    if found.wrong * 100 <= wrong {
      return .headOrder(size: heads.size, isInterleaved: isInterleaved)
    }
  }
  return nil
}

/// What blocks are to the numbers of A.
///
/// - Throws: `CheckpointError` when bytes cannot be read.
private func blockRelation(
  of blocks: Tensor, to original: Tensor
) throws(CheckpointError) -> WeightRelation {
  let count = (blocks.elementCount + elementsPerPiece - 1) / elementsPerPiece
  let findings = try inParallel(count) { number throws(CheckpointError) in
    let start = number * elementsPerPiece
    return try blocks.quantizationFinding(
      of: original, start..<min(start + elementsPerPiece, blocks.elementCount))
  }
  let finding = findings.reduce(into: QuantizationFinding()) { $0 += $1 }
  let error = finding.relativeError
  guard let proof = blocks.dtype.quantizationProof else {
    return .unproven(blocks.dtype, error: error)
  }
  guard let first = finding.firstWrong else {
    return .quantized(from: original.dtype, to: blocks.dtype, error: error)
  }
  return .misquantized(
    .init(
      dtype: blocks.dtype, proof: proof, tensor: blocks.name, count: finding.wrong, first: first,
      error: error))
}

/// Codes that are not the nearest ones to the numbers of A, or not those that the maker's formula gives.
public struct Miscoded: Equatable, Sendable {
  /// The codec.
  public let codec: String
  /// The tensor that stores the codes.
  public let tensor: TensorName
  /// How many codes are others, and the first element that is, in the order of the codes.
  public let count: Int
  public let first: Int
  /// The root of the mean square of the differences, relative to that of A's numbers.
  public let error: Double
  /// The one mistake that explains all of them, if one does.
  public let cause: CodeCause?
  /// What came of quantising A's numbers again, where the maker's formula is known.
  public let again: CodeRepetition?

  /// Whether scales and biases are all what the maker's formula gives, so that codes must be, too.
  private var isMakers: Bool { again.map { $0.scales == 0 && $0.biases == 0 } ?? false }

  /// The fault in words.
  var text: String {
    let maker = again?.maker ?? codec
    let (one, many) =
      isMakers
      ? ("what quantising A's number gives", "what quantising A's numbers gives")
      : ("the nearest one to A's number", "the nearest ones to A's numbers")
    let fault =
      count == 1
      ? "1 code of \(maker) is not \(one): code \(first) of \(tensor)"
      : "\(count) codes of \(maker) are not \(many), the first is code \(first) of \(tensor)"
    let others = again.flatMap { isMakers ? nil : "\(fault) (\($0.text) are others)" } ?? fault
    return cause.map { "\(others): \($0.text)" } ?? others
  }
}

/// Blocks that are not what the numbers of A would become.
public struct Misquantized: Equatable, Sendable {
  /// The type of the blocks.
  public let dtype: DType
  /// What they do not fulfil.
  public let proof: QuantizationProof
  /// The tensor that stores them.
  public let tensor: TensorName
  /// How many codes, or blocks, are wrong, and the first element of the stored tensor that is.
  public let count: Int
  public let first: Int
  /// The root of the mean square of the differences, relative to that of A's numbers.
  public let error: Double

  /// The fault in words.
  var text: String {
    if count == 1 {
      let fault =
        proof == .repetition
        ? "block of \(dtype) is not what quantising A's numbers gives"
        : "code of \(dtype) is not the nearest one to A's number"
      return "1 \(fault): at element \(first) of \(tensor)"
    }
    let (what, fault) =
      proof == .repetition
      ? ("blocks", "are not what quantising A's numbers gives")
      : ("codes", "are not the nearest ones to A's numbers")
    return "\(count) \(what) of \(dtype) \(fault), the first at element \(first) of \(tensor)"
  }
}
