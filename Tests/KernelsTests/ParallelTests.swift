import Kernels
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
    let mask = AttentionMask(keys: randoms.mask(3, 130), isCausal: true)
    check { attention(query: x, key: x, value: x, heads: 3, scale: 0.5, mask: mask) }
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

  @Test func `this machine's products are right`() {
    #expect(arithmeticFault() == nil)
  }
}
