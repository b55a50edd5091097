import Containers
import Kernels
import Models
import Synchronization
public import SystemPackage
public import TensorCore

/// A comparison of which runs that know nothing of each other do a part each, and one gives the verdict.
///
/// What a part has done is in the folder `PLAN.receipts` beside the plan alone: a receipt for each block. So any run may end at
/// any moment, and be run again, also beside another one that does the same.
public struct PartedComparison {
  /// What is done.
  public let plan: VerificationPlan
  /// The file that it was read from.
  public let path: FilePath
  private let id: String

  /// Reads a plan.
  ///
  /// - Throws: `CheckpointError` if it is none.
  public init(_ path: FilePath) throws(CheckpointError) {
    plan = try VerificationPlan(path)
    self.path = path
    id = plan.id
  }

  /// Where receipts are.
  public var folder: FilePath {
    path.removingLastComponent().appending((path.lastComponent?.string ?? "plan") + ".receipts")
  }

  /// The receipt of a block.
  private func place(of block: Int) -> FilePath { folder.appending(Self.name(of: block)) }

  private static func name(of block: Int) -> String {
    let digits = String(block)
    return String(repeating: "0", count: max(0, 5 - digits.count)) + digits + ".json"
  }

  /// A block of a part.
  public struct Done: Sendable {
    /// What is said of it.
    public let receipt: WeightReceipt
    /// Whether an earlier run has compared it.
    public let wasThere: Bool
  }

  /// Compares the blocks of a part of which there is no receipt yet.
  ///
  /// - Parameters:
  ///   - blocks: their numbers.
  ///   - again: the plan as its arguments give it now.
  ///   - progress: hears how many bytes are done.
  /// - Throws: `CheckpointError` if something has changed since it was planned, or cannot be read or written.
  public func compare(
    _ blocks: [Int], _ a: Model, _ b: Model, planned again: VerificationPlan,
    progress: (Int) -> Void = { _ in }
  ) throws(CheckpointError) -> [Done] {
    try check(again)
    try makeFolder(folder)
    var done: [Done] = []
    var bytes = 0
    let quantized = QuantizedWeights(a.graph, b)
    for number in blocks {
      let block = plan.blocks[number - 1]
      if let receipt = try? self.receipt(of: number), fault(of: receipt, number) == nil {
        done.append(Done(receipt: receipt, wasThere: true))
      } else {
        let weights = try compare(block, a.graph, b.graph, quantized)
        let receipt = WeightReceipt(plan: id, block: number, weights: weights)
        try SmallFile(place(of: number), replacing: .anything)
          .write(receipt.json.text(pretty: true) + "\n")
        done.append(Done(receipt: receipt, wasThere: false))
      }
      bytes &+= block.byteCount
      progress(bytes)
    }
    return done
  }

  private func compare(
    _ block: VerificationPlan.Block, _ a: WeightGraph, _ b: WeightGraph,
    _ quantized: QuantizedWeights
  ) throws(CheckpointError) -> [WeightReceipt.Compared] {
    let stored = block.weights.map { storedPath(of: $0, a, b) }
    let known = try quantized.relations(of: Set(stored))
    return try inParallel(block.weights.count) { index throws(CheckpointError) in
      try compared(block.weights[index], a, b, known[stored[index]])
    }
  }

  /// Fails if a plan that was made again is another one.
  private func check(_ again: VerificationPlan) throws(CheckpointError) {
    if let change = again.change(since: plan) { throw change.inFile(displayed(path)) }
  }

  /// The receipt of a block; `nil` if there is none.
  private func receipt(of block: Int) throws(CheckpointError) -> WeightReceipt? {
    let place = place(of: block)
    guard try place.present() != nil else { return nil }
    do throws(CheckpointError) {
      return try WeightReceipt(
        parsing: SmallFile.read(place, limit: VerificationPlan.sizeLimit))
    } catch {
      throw error.inFile(displayed(place))
    }
  }

  /// What is wrong with a receipt, as a predicate.
  private func fault(of receipt: WeightReceipt?, _ block: Int) -> String? {
    guard let receipt else { return "no part has compared it" }
    guard receipt.plan == id else { return "is of another plan, \(receipt.plan.prefix(12))" }
    guard receipt.block == block else { return "has the receipt of block \(receipt.block)" }
    return receipt.weights.map(\.path) == plan.blocks[block - 1].weights
      ? nil : "is about other weights than were planned"
  }

  /// What all parts have found, in the order of the computation.
  ///
  /// - Parameter again: the plan as its arguments give it now.
  /// - Throws: `CheckpointError` with all blocks that are missing or not as planned.
  public func weights(
    planned again: VerificationPlan
  ) throws(CheckpointError) -> [PairReport.Weight] {
    try check(again)
    var weights: [PairReport.Weight] = []
    var faults: [String] = []
    for block in 1..<plan.blocks.count + 1 {
      do throws(CheckpointError) {
        let receipt = try self.receipt(of: block)
        if let fault = fault(of: receipt, block) {
          faults.append("block \(block): \(fault)")
        } else if let receipt {
          weights += receipt.weights.map { .init(path: $0.path, relation: $0.relation) }
        }
      } catch {
        faults.append("block \(block): \(error)")
      }
    }
    let known = Set((1..<plan.blocks.count + 1).map { Self.name(of: $0) })
    for name in try receiptNames(in: folder) where !known.contains(name) {
      faults.append("\(name): is a receipt, and its block is not in the plan")
    }
    guard faults.isEmpty else {
      throw CheckpointError(
        .refused("\(faults.count) of \(plan.blocks.count) blocks are not as planned"),
        file: displayed(path), advice: "run their parts again: tfverify part", details: faults)
    }
    return weights
  }
}

/// Compares a weight of two models, and digests its numbers.
///
/// - Parameter known: what is known of one that B has in blocks or codes.
private func compared(
  _ path: String, _ a: WeightGraph, _ b: WeightGraph, _ known: WeightRelation?
) throws(CheckpointError) -> WeightReceipt.Compared {
  guard let left = a.tensor(at: path) else {
    return WeightReceipt.Compared(path: path, relation: .onlyInB, digests: nil)
  }
  guard let right = b.tensor(at: path) else {
    return WeightReceipt.Compared(path: path, relation: .onlyInA, digests: nil)
  }
  let (x, y) = (DigestedBytes(left.bytes), DigestedBytes(right.bytes))
  let relation =
    if let known { known } else { try relation(of: right.reading(y), to: left.reading(x)) }
  if case .misshapen = relation {
    return WeightReceipt.Compared(path: path, relation: relation, digests: nil)
  }
  return WeightReceipt.Compared(
    path: path, relation: relation, digests: (try x.digest(), try y.digest()))
}

extension Tensor {
  fileprivate func reading(_ bytes: DigestedBytes) -> Tensor {
    Tensor(name: name, dtype: dtype, shape: shape, bytes: bytes)
  }
}

/// Bytes that are digested while they are read, from the first to the last.
private final class DigestedBytes: TensorBytes {
  private struct State: ~Copyable {
    var sha: SHA256? = SHA256()
    /// How many bytes it has.
    var count = 0
  }

  private let source: any TensorBytes
  private let state = Mutex(State())

  init(_ source: any TensorBytes) { self.source = source }

  var count: Int { source.count }
  var isReadForwards: Bool { true }
  var workingMemory: Int { source.workingMemory }
  var usesSlab: Bool { source.usesSlab }

  func announce(_ range: Range<Int>) { source.announce(range) }

  func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    try source.read(at: offset, into: &buffer)
    state.withLock { state in
      guard offset == state.count else { return }
      state.sha?.update(buffer.bytes)
      state.count += buffer.byteCount
    }
  }

  /// The SHA-256 of all bytes.
  func digest() throws(CheckpointError) -> String {
    // What was not read in order is read once more.
    let done = state.withLock { state -> String? in
      guard state.count == count, let sha = state.sha.take() else { return nil }
      return sha.finalized()
    }
    if let done { return done }
    return try SHA256.digest(
      of: Tensor(name: "", dtype: .u8, shape: [count], bytes: source))
  }
}
