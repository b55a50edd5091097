import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// What a page of two checkpoints says of the second one, and of B − A.
@Suite struct ComparisonReportTests {
  private let scratch = ScratchFolder()
  private static let names = (0..<3).map { "h.\($0).w" }

  private func numbers(_ count: Int, seed: UInt64, deviation: Double) -> [Double] {
    var random = SeededGenerator(seed: seed)
    // Twelve uniform numbers have a variance of 1.
    return (0..<count).map { _ in
      ((0..<12).reduce(-6) { sum, _ in sum + Double.random(in: 0..<1, using: &random) }) * deviation
    }
  }

  /// A product of random factors.
  private func product(
    _ rows: Int, _ columns: Int, rank: Int, seed: UInt64, size: Double
  ) -> [Double] {
    let a = numbers(rows * rank, seed: seed, deviation: size)
    let b = numbers(rank * columns, seed: seed + 1, deviation: 1)
    return (0..<rows * columns).map { place in
      let (row, column) = (place / columns, place % columns)
      return (0..<rank).reduce(0) { $0 + a[row * rank + $1] * b[$1 * columns + column] }
    }
  }

  private func tensor(
    _ name: String, _ dtype: DType, _ shape: [Int], _ values: [Double]
  ) -> Tensor {
    let bytes = values.flatMap { value in
      Array(littleEndian(dtype.roundedBits(of: value)).prefix(dtype.bitWidth / 8))
    }
    return Tensor(TensorName(name), dtype, shape, bytes: bytes)
  }

  private func checkpoint(_ file: String, _ tensors: [Tensor]) throws -> Checkpoint {
    let path = scratch.path.appending(file)
    try CheckpointWriter(destination: path, format: .safetensors, overwrite: true)
      .write(tensors: tensors)
    return try Checkpoint.open(path)
  }

  /// The report about matrices to which something was added, and a bias that stays as it is, or not.
  private func report(
    _ shape: [Int], _ dtype: DType = .f32, bias: Double = 0,
    _ delta: (_ layer: Int) -> [Double]
  ) throws -> ComparisonReport {
    var (a, b): ([Tensor], [Tensor]) = ([], [])
    for (layer, name) in Self.names.enumerated() {
      let base = numbers(shape[0] * shape[1], seed: UInt64(layer), deviation: 0.02).map {
        dtype.value(ofBits: dtype.roundedBits(of: $0))
      }
      a.append(tensor(name, dtype, shape, base))
      b.append(tensor(name, dtype, shape, zip(base, delta(layer)).map { $0 + $1 }))
      a.append(tensor("h.\(layer).b", dtype, [2], [1, 2]))
      b.append(tensor("h.\(layer).b", dtype, [2], [1, 2 + bias]))
    }
    return try ComparisonReport(
      of: checkpoint("a.safetensors", a), and: checkpoint("b.safetensors", b))
  }

  @Test(arguments: [(DType.f32, [40, 24], 3), (.f32, [200, 300], 8), (.bf16, [300, 200], 8)])
  func `a merged adapter has its rank, whatever rounding adds`(
    _ dtype: DType, _ shape: [Int], _ rank: Int
  ) throws {
    let found = try report(shape, dtype) {
      product(shape[0], shape[1], rank: rank, seed: UInt64(100 + $0), size: 0.003)
    }
    #expect(found.ranks.matrices.map(\.rank) == [rank, rank, rank])
    #expect(found.ranks.matrices.map(\.layer) == [0, 1, 2])
    #expect(found.ranks.matrices.allSatisfy { $0.isLow && !$0.isAtLeast })
    #expect(
      found.ranks.verdict
        == "It can be: in all 3 matrices in which it is seen, B − A has rank \(rank) at most.")
    #expect(
      found.map.headline(found.diff, noun: "tensors") == "3 of 6 tensors changed, in all 3 layers")
  }

  @Test func `what no LoRA does is said`() throws {
    let found = try report([200, 300], bias: 0.5) {
      product(200, 300, rank: 4, seed: UInt64(100 + $0), size: 0.003)
    }
    let verdict = try #require(found.ranks.verdict)
    #expect(
      verdict.hasSuffix("; but 3 other weights changed as well, which a LoRA usually leaves alone.")
    )
  }

  @Test func `training everything is no LoRA`() throws {
    let wide = try report([200, 400]) { numbers(80_000, seed: UInt64(50 + $0), deviation: 1e-4) }
    #expect(wide.ranks.matrices.allSatisfy { $0.isAtLeast && $0.rank == 80 && !$0.isLow })
    #expect(wide.ranks.verdict == "No: no rank is low. The lowest is 80 or more of 200.")
    // Of so wide a matrix, a rank of 80 may still be a low one.
    let wider = try report([324, 400]) { numbers(129_600, seed: UInt64(50 + $0), deviation: 1e-4) }
    #expect(
      wider.ranks.verdict == "No, unless its rank is 80 or more: none is lower than that.")
  }

  @Test func `noise of the size of rounding hides everything`() throws {
    let found = try report([64, 48], .bf16) { layer in
      // Half a unit in the last place of most elements, and so now and then a whole one.
      numbers(64 * 48, seed: UInt64(70 + layer), deviation: 2e-5)
    }
    #expect(found.ranks.matrices.allSatisfy { $0.isHidden })
    #expect(found.ranks.verdict?.hasPrefix("Cannot be told") == true)
  }

  @Test func `singular values are those of the difference`() throws {
    let shape = [6, 5]
    let found = try report(shape) { layer in
      var diagonal = [Double](repeating: 0, count: 30)
      for place in 0..<4 { diagonal[6 * place] = Double(layer + 1) * Double(4 - place) }
      return diagonal
    }
    #expect(found.spectra.matrixCount == 3 && found.spectra.count == 3)
    for spectrum in found.spectra.roles[0].spectra {
      let layer = Double((spectrum.layer ?? 0) + 1)
      for (value, wanted) in zip(spectrum.values, [4.0, 3, 2, 1, 0]) {
        #expect(abs(value - layer * wanted) < 1e-6 * layer, "\(spectrum.values)")
      }
    }
  }

  @Test func `what is not finite in B is a fault of B, and the largest change`() throws {
    let found = try report([24, 20]) { layer in
      var delta = [Double](repeating: Double(layer) * 0.1, count: 480)
      if layer == 1 { delta[21] = .nan }
      if layer == 0 { delta[3] = .infinity }
      return delta
    }
    #expect(found.check.faults.map(\.tensor) == ["h.0.w", "h.1.w"])
    #expect(found.check.faults.allSatisfy { $0.group == .values })
    #expect(found.incomparable == 2)
    let changed = found.largest.map { found.diff.changes[$0].b?.name }
    #expect(changed == ["h.0.w", "h.1.w", "h.2.w"])
    #expect(found.ranks.notFinite == 2 && found.ranks.matrices.count == 1)
    #expect(found.spectra.notFinite == 2)
    #expect(found.map.layers[1].relative == .infinity)
  }

  @Test func `two models of one family are compared by their weights`() throws {
    let found = try ComparisonReport(
      of: Checkpoint.open(fixture("gpt2/openai")),
      and: Checkpoint.open(fixture("gpt2/openai/huggingface")))
    #expect(found.diff.isEmpty && found.ranks.verdict == nil && found.largest.isEmpty)
    #expect(found.map.headline(found.diff, noun: "weights").hasPrefix("All "))
  }
}
