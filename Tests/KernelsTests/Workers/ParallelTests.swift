import Dispatch
import Foundation
import Kernels
import Synchronization
import TestSupport
import Testing

/// How many workers there are must not be seen in any bit.
@Suite(.serialized) struct ParallelTests {
  /// The bits of what `compute` gives with each number of workers.
  private func bits<Scalar: Precision>(
    _ compute: () -> NDArray<Scalar>
  ) -> [[UInt64]] {
    exclusively {
      defer { Parallel.workers = 0 }
      return [1, 2, 3, 7].map { workers in
        Parallel.workers = workers
        return compute().bits
      }
    }
  }

  private func check<Scalar: Precision>(_ compute: () -> NDArray<Scalar>) {
    let results = bits(compute)
    for result in results.dropFirst() { #expect(result == results[0]) }
  }

  @Test(arguments: [(300, 65, 300), (7, 300, 33), (257, 33, 513), (1, 300, 1000)])
  func `linear layers`(_ rows: Int, _ inner: Int, _ columns: Int) {
    var randoms = Randoms(seed: 1)
    let (x, w) = (
      randoms.array(rows, inner, of: Float.self), randoms.array(columns, inner, of: Float.self)
    )
    check { linear(x, weight: w, bias: nil) }
    let (y, v) = (
      randoms.array(rows, inner, of: Double.self), randoms.array(columns, inner, of: Double.self)
    )
    check { linear(y, weight: v, bias: nil) }
  }

  @Test func `attention with a mask`() {
    var randoms = Randoms(seed: 2)
    let x = randoms.array(3, 130, 12, of: Float.self)
    let scores = Scores<Float>(scale: 0.5, keys: .causal(allowed: randoms.mask(3, 130)))
    check { attention(query: x, key: x, value: x, heads: 3, scores: scores) }
  }

  @Test func `attention with a window, global keys, a softcap and sinks, and with blocks`() {
    var randoms = Randoms(seed: 12)
    let x = randoms.array(2, 300, 12, of: Float.self)
    let key = randoms.array(2, 300, 6, of: Float.self)
    let scores = Scores(
      scale: 0.5, softcap: 4, bias: .distances(randoms.array(4, 599, of: Float.self), queries: 300),
      keys: KeyPlan(
        allowed: randoms.mask(2, 300), before: 50, after: 0, global: randoms.globals(2, 300)),
      sinks: randoms.array(4, of: Float.self))
    check { attention(query: x, key: key, value: key, heads: 4, keyHeads: 2, scores: scores) }
    let blocks = KeyBlocks(size: 64, lists: [(0..<5).map { [0, $0, 4, 0] }])
    let listed = Scores<Float>(scale: 0.5, keys: KeyPlan(blocks: blocks))
    check { attention(query: x, key: key, value: key, heads: 4, keyHeads: 2, scores: listed) }
  }

  @Test func `layer normalisation`() {
    var randoms = Randoms(seed: 3)
    let (x, w) = (randoms.array(300, 65, of: Float.self), randoms.array(65, of: Float.self))
    check { layerNorm(x, weight: w, bias: w, epsilon: 1e-12) }
  }

  @Test(arguments: [Activation.gelu, .geluTanh, .silu])
  func `every activation`(_ activation: Activation) {
    var randoms = Randoms(seed: 4)
    let x = randoms.array(50, 1000, of: Float.self)
    check { apply(activation, to: x) }
  }

  @Test func `zero workers are as many as there are cores`() {
    exclusively {
      defer { Parallel.workers = 0 }
      Parallel.workers = 0
      #expect(Parallel.workers >= 1)
      Parallel.workers = 5
      #expect(Parallel.workers == 5)
      Parallel.workers = -1
      #expect(Parallel.workers >= 1)
    }
  }

  @Test(arguments: [1, 2, 5]) func `every piece is done once, and by nobody else later`(
    _ workers: Int
  ) {
    exclusively {
      Parallel.workers = workers
      defer { Parallel.workers = 0 }
      for round in 0..<300 {
        let counts = Mutex([Int](repeating: 0, count: 7))
        Parallel.forEach(count: 7) { piece in counts.withLock { $0[piece] += 1 } }
        #expect(counts.withLock(\.self) == [1, 1, 1, 1, 1, 1, 1], "round \(round)")
        // Sometimes long enough for helpers to leave.
        if round % 50 == 0 { usleep(2000) }
      }
    }
  }

  @Test func `several callers at once, and callers inside pieces, all get their pieces done`() {
    exclusively {
      Parallel.workers = 4
      defer { Parallel.workers = 0 }
      let counts = Mutex([Int](repeating: 0, count: 40))
      DispatchQueue.concurrentPerform(iterations: 4) { caller in
        for _ in 0..<50 {
          Parallel.forEach(count: 2) { part in
            Parallel.forEach(count: 5) { piece in
              counts.withLock { $0[(caller * 2 + part) * 5 + piece] += 1 }
            }
          }
        }
      }
      #expect(counts.withLock(\.self) == [Int](repeating: 50, count: 40))
    }
  }

  @Test func `each worker has something of its own`() {
    exclusively {
      Parallel.workers = 3
      defer { Parallel.workers = 0 }
      let sums = Mutex<[Int]>([])
      for _ in 0..<100 {
        Parallel.forEach(count: 20, scratch: { 0 }) { (own: inout Int, piece) in
          own += 1
          sums.withLock { $0.append(own) }
        }
      }
      // However they share the pieces, a worker's first piece finds nothing of others.
      let firsts = sums.withLock { $0.count { $0 == 1 } }
      #expect((100...300).contains(firsts))
    }
  }

  @Test func `this machine's products are right`() {
    #expect(arithmeticFault() == nil)
  }
}
