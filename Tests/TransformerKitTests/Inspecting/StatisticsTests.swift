import Containers
import Kernels
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// Statistics and digests against those that `Tools/oracle/inspection.py` computed exactly.
@Suite struct StatisticsTests {
  private static let facts: JSONValue? = try? JSONValue(
    parsing: readFile(fixture("inspect/values.json")), grammar: .strict)
  private static let expected = facts?["tensors"]?.elements ?? []

  private func tensors() throws -> [Tensor] {
    try Checkpoint.open(fixture("inspect/values.safetensors")).tensors.tensors
  }

  @Test func `counts, extremes, mean, deviation and norm are right`() throws {
    let found = try statistics(of: tensors())
    #expect(found.count == Self.expected.count && found.count > 25)
    for (tensor, facts) in zip(found, Self.expected) {
      let name = facts["name"]?.string ?? ""
      #expect(tensor.name == TensorName(name))
      #expect(tensor.dtype.name == facts["dtype"]?.string)
      #expect(tensor.count == facts["count"]?.int)
      #expect(tensor.zeros == facts["zeros"]?.int, "\(name)")
      #expect(tensor.subnormals == facts["subnormals"]?.int, "\(name)")
      #expect(tensor.nan == facts["nan"]?.int, "\(name)")
      #expect(tensor.infinite == facts["inf"]?.int, "\(name)")
      #expect(number(tensor.minimum) == number(facts["min"]), "\(name)")
      #expect(number(tensor.maximum) == number(facts["max"]), "\(name)")
      // What a rounding of the mean makes of it.
      let conditioning = abs((number(tensor.mean) ?? 0) / max(tensor.deviation ?? 0, 1e-300))
      let slack = 1e-13 + 0x1p-53 * conditioning
      #expect(isNear(tensor.deviation, number(facts["std"]), slack), "\(name)")
      #expect(isNear(tensor.norm, number(facts["norm"]), 1e-13), "\(name)")
      if case .complex(let x, let y) = tensor.mean {
        let parts = facts["mean"]?.elements?.compactMap(\.double) ?? []
        #expect(isNear(x, parts[0], 1e-13) && isNear(y, parts[1], 1e-13), "\(name)")
      } else {
        #expect(isNear(number(tensor.mean), number(facts["mean"]), 4e-16), "\(name)")
      }
    }
  }

  @Test func `integers are exact to the last digit`() throws {
    let found = try statistics(of: tensors())
    let constant = try #require(found.first { $0.name == "whole.constant" })
    #expect(constant.minimum == .integer(1 << 62 + 3) && constant.maximum == .integer(1 << 62 + 3))
    #expect(constant.deviation == 0)
  }

  @Test func `quantiles are as near as they say, and the largest elements are those`() throws {
    let parts = Self.facts?["quantiles"]?.elements?.compactMap(\.double) ?? []
    let options = StatisticsOptions(largest: 3, quantiles: parts, bars: 10)
    let found = try statistics(of: tensors(), options: options)
    for (tensor, facts) in zip(found, Self.expected) {
      guard let quantiles = facts["quantiles"]?.elements else {
        #expect(tensor.quantiles.isEmpty && tensor.histogram == nil && tensor.largest.isEmpty)
        continue
      }
      #expect(tensor.quantiles.count == quantiles.count)
      for (value, goal) in zip(tensor.quantiles, quantiles) {
        let goal = number(goal) ?? .nan
        // A double's subnormals share bins.
        let slack = abs(goal) < 0x1p-1022 ? 0x1p-1022 : tensor.quantileError * abs(goal)
        #expect(abs(value - goal) <= slack, "\(tensor.name)")
      }
      #expect(tensor.largest.map(\.index) == facts["top"]?.elements?.compactMap(\.int))
      #expect(tensor.histogram?.counts.reduce(0, +) == tensor.finiteCount)
    }
    #expect(found.filter { $0.quantileError == 0 }.count > 10)
  }

  @Test func `a histogram counts where the numbers are`() throws {
    let values: [Float] = [-4, -4, -1, 0, 0, 0, 1.5, 4]
    let options = StatisticsOptions(bars: 4)
    let found = try statistics(of: [Tensor("x", [8], values: values)], options: options)
    #expect(found[0].histogram?.counts == [2, 1, 4, 1])
    #expect(found[0].histogram?.range == -4...4)
  }

  @Test func `nothing depends on the number of workers`() throws {
    let tensors = try tensors() + [large()]
    let runs = try [1, 2, 7].map { workers in
      try exclusively {
        defer { Parallel.workers = 0 }
        Parallel.workers = workers
        return try statistics(of: tensors, options: StatisticsOptions(largest: 2, bars: 5))
      }
    }
    for run in runs.dropFirst() {
      for (a, b) in zip(runs[0], run) {
        #expect(a.mean == b.mean && a.deviation == b.deviation && a.norm == b.norm)
        #expect(a.largest == b.largest && a.histogram == b.histogram)
      }
    }
  }

  /// More than one stretch, so that parts are merged; read by one worker or by several.
  @Test func `parts of a large tensor add up`() throws {
    let tensor = large()
    let found = try statistics(of: [tensor, Tensor(forwards: tensor)])
    let values = (0..<tensor.elementCount).map { Double(Float(($0 * 7919) % 10007)) }
    let mean = values.reduce(0, +) / Double(values.count)
    let variance =
      values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
    for statistics in found {
      #expect(isNear(number(statistics.mean), mean, 1e-15))
      #expect(isNear(statistics.deviation, variance.squareRoot(), 1e-12))
      #expect(statistics.maximum == .single(10006))
    }
    #expect(found[0].deviation == found[1].deviation)
  }

  @Test func `an unreadable tensor is an error, not a number`() {
    let broken = Tensor(name: "x", dtype: .f32, shape: [4], bytes: BrokenBytes())
    #expect(throws: CheckpointError(.checksum("x"))) { try statistics(of: [broken]) }
    #expect(throws: CheckpointError(.checksum("x"))) { try digests(of: [broken]) }
  }

  @Test func `digests are SHA-256 of the elements`() throws {
    let found = try digests(of: tensors())
    #expect(found.map(\.digest) == Self.expected.compactMap { $0["sha256"]?.string })
    #expect(found.map(\.name.text) == Self.expected.compactMap { $0["name"]?.string })
  }

  private func large() -> Tensor {
    Tensor("large", [3, 700_001], values: (0..<2_100_003).map { Float(($0 * 7919) % 10007) })
  }
}

/// Bytes that cannot be read any more.
private struct BrokenBytes: TensorBytes {
  var count: Int { 16 }

  func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    throw CheckpointError(.checksum("x"))
  }
}

/// Bytes that one worker must read in order.
private struct ForwardBytes: TensorBytes {
  let bytes: any TensorBytes
  var count: Int { bytes.count }

  func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    try bytes.read(at: offset, into: &buffer)
  }
}

extension Tensor {
  fileprivate init(forwards tensor: Tensor) {
    self.init(
      name: "forwards", dtype: tensor.dtype, shape: tensor.shape,
      bytes: ForwardBytes(bytes: tensor.bytes))
  }
}

private func number(_ value: ElementValue?) -> Double? {
  switch value {
  case .bool(let value): Double(value)
  case .integer(let value): Double(value)
  case .unsigned(let value): Double(value)
  case .single(let value): Double(value)
  case .real(let value): value
  default: nil
  }
}

private func number(_ value: JSONValue?) -> Double? {
  value?.string == "Infinity" ? .infinity : value?.double
}

private func isNear(_ value: Double?, _ goal: Double?, _ tolerance: Double) -> Bool {
  guard let value, let goal else { return (value == nil) == (goal == nil) }
  return value == goal || abs(value - goal) <= tolerance * abs(goal)
}
