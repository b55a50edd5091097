import Models
import TensorCore

/// One pass over the weights of two models: what each pair is to each other, what a cast did, and
/// the models' ids. Every weight is read once, piece by piece.
struct WeightSurvey {
  /// All weights, A's in the order of its computation, then those that only B has.
  private(set) var weights: [PairReport.Weight] = []
  /// What was done to the weights that are cast; of tied ones the first alone.
  private(set) var casts: [CastLedger] = []
  /// The weights that B has in blocks which are A's, quantised; of tied ones the first alone.
  private(set) var quantizations: [Certificate.Quantization] = []
  /// The ids.
  let idA: ModelID
  let idB: ModelID

  /// - Throws: `CheckpointError` when weights cannot be read.
  init(_ a: WeightGraph, _ model: Model) throws(CheckpointError) {
    let b = model.graph
    let blocks = try QuantizedWeights(a, model).relations()
    var (digestsA, digestsB): ([String: String], [String: String]) = ([:], [:])
    var known: [[String]: WeightPair] = [:]
    for slot in a.slots {
      guard let left = a.tensor(at: slot.path) else { continue }
      guard let right = b.tensor(at: slot.path) else {
        digestsA[slot.path] = try SHA256.digest(of: left)
        weights.append(PairReport.Weight(path: slot.path, relation: .onlyInA))
        continue
      }
      let owners = [a, b].map { $0.ties[slot.path] ?? slot.path }
      let tie = owners[0] == owners[1] ? owners[0] : slot.path
      let pair =
        if let pair = known[owners] { pair } else { try WeightPair(left, right, blocks[tie]) }
      known[owners] = pair
      (digestsA[slot.path], digestsB[slot.path]) = (pair.digestA, pair.digestB)
      weights.append(PairReport.Weight(path: slot.path, relation: pair.relation))
      if a.ties[slot.path] == nil, let ledger = pair.ledger {
        casts.append(ledger.named(TensorName(slot.path)))
      }
      if a.ties[slot.path] == nil, case .quantized(let from, let to, let error) = pair.relation {
        quantizations.append(.init(weight: slot.path, from: from, to: to, error: error))
      }
    }
    for slot in b.slots where digestsB[slot.path] == nil {
      guard let right = b.tensor(at: slot.path) else { continue }
      digestsB[slot.path] = try SHA256.digest(of: right)
      weights.append(PairReport.Weight(path: slot.path, relation: .onlyInB))
    }
    idA = ModelID(a, digests: digestsA)
    idB = ModelID(b, digests: digestsB)
  }
}

/// How many elements are read at a time.
private let elementsPerPiece = 1 << 17

/// The same weight of two models.
private struct WeightPair {
  let relation: WeightRelation
  let digestA: String
  let digestB: String
  /// What the cast did, if B's is one of A's.
  let ledger: CastLedger?

  /// - Parameter blocks: what B's blocks are to A's numbers, if it has blocks.
  init(_ a: Tensor, _ b: Tensor, _ blocks: WeightRelation?) throws(CheckpointError) {
    guard a.shape == b.shape, blocks == nil else {
      relation = blocks ?? .misshapen(a.shape, b.shape)
      (digestA, digestB) = (try SHA256.digest(of: a), try SHA256.digest(of: b))
      ledger = nil
      return
    }
    var shaA = SHA256()
    var shaB = SHA256()
    var differing = DifferingElements()
    var loss = RoundingLoss()
    for start in stride(from: 0, to: a.elementCount, by: elementsPerPiece) {
      let range = start..<min(start + elementsPerPiece, a.elementCount)
      let (left, right) = (try a.bytes(of: range), try b.bytes(of: range))
      shaA.update(left)
      shaB.update(right)
      differing.add(wrongElements(left, a.dtype, right, b.dtype), at: start)
      if a.dtype != b.dtype { loss += try a.dtype.loss(ofCasting: left, to: b.dtype) }
    }
    relation = differing.relation(a.dtype, b.dtype)
    (digestA, digestB) = (shaA.finalized(), shaB.finalized())
    var ledger: CastLedger?
    if case .cast(let from, let to) = relation {
      ledger = CastLedger(name: a.name, from: from, to: to, loss: loss)
    }
    self.ledger = ledger
  }
}
