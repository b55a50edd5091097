public import Codecs
import Containers
import Kernels
import Models
public import TensorCore

/// What the weights of B are to A's that B stores in blocks.
///
/// Codes are compared where they are stored: A's weights are laid out as B's dialect stores them, so that rows in another
/// order, and experts in a tensor together, are blocks of the same numbers.
struct QuantizedWeights {
  /// By the paths of the weights.
  private(set) var relations: [String: WeightRelation] = [:]

  /// - Throws: `CheckpointError` when weights cannot be read.
  init(_ a: WeightGraph, _ b: Model) throws(CheckpointError) {
    var stored: [TensorName: Tensor] = [:]
    for coded in b.plain.coded where coded.stored.count == 1 && coded.stored[0].dtype.isBlock {
      stored[coded.stored[0].name] = coded.stored[0]
    }
    if stored.isEmpty { return }
    // A model that B's dialect cannot store is not what B was made of.
    let form = try? a.translated(
      to: b.graph.dialect.fullName, in: b.checkpoint.format.name, allowsLoss: true)
    for translated in form ?? [] {
      guard let blocks = stored[translated.tensor.name], translated.tensor.dtype.isComputable,
        translated.tensor.shape == blocks.shape
      else { continue }
      let relation = try relation(ofBlocks: blocks, to: translated.tensor)
      for part in translated.parts { relations[part.path] = relation }
    }
  }
}

/// Elements that are compared at once: whole blocks of all types.
private let elementsPerPiece = 1 << 16

/// What blocks are to the numbers of A.
///
/// - Throws: `CheckpointError` when bytes cannot be read.
private func relation(
  ofBlocks blocks: Tensor, to original: Tensor
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
    let (what, fault) =
      proof == .repetition
      ? ("blocks", "are not what quantising A's numbers gives")
      : ("codes", "are not the nearest ones to A's numbers")
    return "\(count) \(what) of \(dtype) \(fault), the first at element \(first) of \(tensor)"
  }
}
