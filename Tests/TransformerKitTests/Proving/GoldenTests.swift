import Containers
import Kernels
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// A golden that is made for a test.
private struct MadeGolden {
  var tensors: [Tensor]

  /// The golden of a case, without its label.
  init(_ name: String) throws {
    let checkpoint = try Checkpoint.open(fixture("bert/\(name)/golden.npz"))
    tensors = checkpoint.tensors.tensors.filter { $0.name != "__golden__" }
  }

  mutating func label(_ text: String) {
    tensors.append(
      Tensor("__golden__", .u8, [text.utf8.count], bytes: Array(text.utf8)))
  }

  /// Changes the numbers of an output.
  mutating func edit(_ name: TensorName, _ change: (inout [Double]) -> Void) throws {
    guard let index = tensors.firstIndex(where: { $0.name == name }) else { fatalError() }
    var array = try NDArray<Double>(reading: tensors[index])
    change(&array.elements)
    tensors[index] = Tensor(name: name, array)
  }

  func read() throws -> Golden {
    let folder = ScratchFolder()
    let path = folder.path.appending("golden.npz")
    try CheckpointWriter(destination: path, format: .npz).write(tensors: tensors)
    return try Golden(path)
  }
}

@Suite struct GoldenTests {
  private static let model = try? openModel("bert/base")

  private func report(_ golden: MadeGolden, tolerance: Double? = nil) throws -> GoldenReport {
    try #require(Self.model).check(golden.read(), tolerance: tolerance)
  }

  /// The report on `base` when one number of an output is off by a part of the largest.
  private func report(_ label: String?, off: Double, tolerance: Double? = nil) throws
    -> GoldenReport
  {
    var golden = try MadeGolden("base")
    if let label { golden.label(label) }
    try golden.edit("outputs/last_hidden_state") { values in
      values[100] += off * (values.map(\.magnitude).max() ?? 0)
    }
    return try report(golden, tolerance: tolerance)
  }

  @Test(
    arguments: [
      (#"{"precision": "exact-f64"}"#, 1e-10), (#"{"precision": "f64"}"#, 1e-5),
      (#"{"precision": "f32"}"#, 1e-5), (nil, 1e-5),
      (#"{"precision": "f16"}"#, 0x1p-7), (#"{"precision": "bf16"}"#, 0x1p-4),
    ] as [(String?, Double)])
  func `the label decides the limit`(_ label: String?, _ limit: Double) throws {
    let near = try report(label, off: limit * 0.99)
    #expect(near.isVerified && near.tolerance == limit)
    let far = try report(label, off: limit * 1.01)
    #expect(!far.isVerified)
    #expect(far.lines.filter { !$0.isWithin }.map(\.name) == ["last_hidden_state"])
  }

  @Test(arguments: [
    "{}", "3", "null", #"["exact-f64"]"#, #"{"precision": 3}"#, #"{"precison": "f64"}"#,
    #"{"precision": "exact-f99"}"#,
  ])
  func `a label without a precision that is known decides nothing`(_ label: String) throws {
    var golden = try MadeGolden("base")
    golden.label(label)
    let error = #expect(throws: CheckpointError.self) { try golden.read() }
    #expect(error?.category == .failed && error?.description.contains("__golden__") == true)
  }

  @Test func `what outputs take is told before they are read`() throws {
    let path = fixture("bert/base/golden.npz")
    let all = try Golden(path)
    var told = 0
    let refusal = CheckpointError(.refused("too much"))
    #expect(throws: refusal) {
      _ = try Golden(path) { inputs, count throws(CheckpointError) in
        told = count + inputs.arrays.count
        throw refusal
      }
    }
    let outputs = all.outputs.reduce(0) { $0 + $1.array.elements.count }
    #expect(told == outputs + all.inputs.arrays.count)
  }

  @Test func `an input that no model takes is not read`() throws {
    let scratch = ScratchFolder()
    let path = scratch.path.appending("x.npz")
    let count = (1 << 23) + 1
    let zeros = Tensor("input_ids", .u8, [count], bytes: Array(repeating: 0, count: count))
    try CheckpointWriter(destination: path, format: .npz).write(tensors: [zeros])
    let found = #expect(throws: CheckpointError.self) { _ = try ArrayFile(path).inputs() }
    #expect(found?.description.hasSuffix("is 8388609, the limit is 8388608") == true)
  }

  @Test func `a limit of one's own replaces it`() throws {
    #expect(try report(nil, off: 0.1, tolerance: 0.11).isVerified)
    #expect(try !report(nil, off: 1e-7, tolerance: 1e-8).isVerified)
  }

  /// What transformers' eager attention makes of Falcon's ALiBi, and what its default one does.
  @Test func `what a framework is known to compute otherwise is said`() throws {
    let model = try openModel("falcon/alibi")
    let twice = try model.check(Golden(fixture("falcon/alibi/golden-eager.npz")))
    #expect(twice.isVerified)
    #expect(twice.framework == "transformers 5.23.0, whose eager attention adds ALiBi twice")
    let once = try model.check(Golden(fixture("falcon/alibi/golden.npz")))
    #expect(once.isVerified && once.framework == "transformers 5.23.0")
    // Another model computes neither, and is told the differences from what the model should compute.
    let other = try openModel("falcon/holes")
    let wrong = try other.check(Golden(fixture("falcon/alibi/golden-eager.npz")), explaining: false)
    #expect(!wrong.isVerified && wrong.framework == "transformers 5.23.0")
  }

  @Test func `names the worst row`() throws {
    let line = try report(nil, off: 1).lines.first { $0.name == "last_hidden_state" }
    // Element 100 of [3, 9, 24].
    #expect(line?.deviation?.worstRow == [0, 4])
    #expect(line?.deviation?.shape == [3, 9, 24])
  }

  @Test(arguments: [Double.nan, .infinity, -.infinity])
  func `what is not finite is within no limit`(_ value: Double) throws {
    var golden = try MadeGolden("base")
    try golden.edit("outputs/pooler_output") { $0[3] = value }
    for tolerance in [nil, 1e300] {
      let report = try report(golden, tolerance: tolerance)
      #expect(report.lines.filter { !$0.isWithin }.map(\.name) == ["pooler_output"])
    }
  }

  @Test(arguments: [Float.nan, .infinity])
  func `a model that computes NaN is within no limit`(_ value: Float) throws {
    var variant = try Variant("base")
    variant.set("pooler.dense.bias", floats: [value] + [Float](repeating: 0, count: 23))
    variant.set("embeddings.LayerNorm.bias", floats: [.nan] + [Float](repeating: 0, count: 23))
    let report = try variant.model().check(MadeGolden("base").read(), tolerance: 1e300)
    #expect(report.lines.allSatisfy { !$0.isWithin })
  }

  @Test func `an output that the model lacks is a fault, not an error`() throws {
    var golden = try MadeGolden("base")
    golden.tensors.append(Tensor("outputs/logits", [1], values: [0]))
    let report = try report(golden)
    #expect(!report.isVerified)
    #expect(report.lines.last?.fault == "BertModel has no such output")
  }

  @Test func `an output of another shape is a fault, not an error`() throws {
    var golden = try MadeGolden("base")
    golden.tensors.removeAll { $0.name == "outputs/pooler_output" }
    golden.tensors.append(Tensor("outputs/pooler_output", [3, 1], values: [0, 0, 0]))
    let report = try report(golden)
    #expect(!report.isVerified)
    #expect(
      report.lines.last?.fault == "the model's shape is [3, 24], the golden's [3, 1]")
  }

  @Test func `a golden may hold some of the outputs, in any precision`() throws {
    var golden = try MadeGolden("base")
    golden.tensors.removeAll { $0.name.text.hasPrefix("outputs/hidden") }
    let array = try golden.read().outputs[0].array
    golden.tensors.removeAll { $0.name == "outputs/last_hidden_state" }
    golden.tensors.append(
      Tensor("outputs/last_hidden_state", array.shape, values: array.elements.map { Float($0) }))
    #expect(try report(golden).isVerified)
  }

  @Test(arguments: [
    ("no outputs", "is no golden: it has no array outputs/NAME"),
    ("another array", "a golden has inputs/NAME, outputs/NAME and __golden__ only"),
    ("integer outputs", "outputs must be F16, BF16, F32 or F64, this is I64"),
    ("complex inputs", "inputs must be integers, F16, BF16, F32 or F64, element 0 is C64"),
    ("broken label", "expected a value, at byte 0 of the label"),
    ("unknown precision", "is none of exact-f64"),
  ])
  func `refuses what is no golden`(_ kind: String, _ message: String) throws {
    var golden = try MadeGolden("base")
    switch kind {
    case "no outputs": golden.tensors.removeAll { $0.name.text.hasPrefix("outputs/") }
    case "another array": golden.tensors.append(Tensor("weights", [1], values: [0]))
    case "integer outputs":
      golden.tensors.append(Tensor("outputs/x", .i64, [0], bytes: []))
    case "complex inputs":
      golden.tensors.append(Tensor("inputs/x", .c64, [1], bytes: Array(repeating: 0, count: 8)))
    case "broken label": golden.label("nonsense")
    default: golden.label(#"{"precision": "f8"}"#)
    }
    let error = try #require(throws: CheckpointError.self) { try golden.read() }
    #expect(error.category == .failed)
    #expect(error.description.contains(message), "\(error)")
  }

  @Test func `refuses inputs that the model does not take`() throws {
    var golden = try MadeGolden("base")
    golden.tensors.append(Tensor("inputs/pixel_values", .i64, [0], bytes: []))
    let error = try #require(throws: CheckpointError.self) { try report(golden) }
    #expect(error.category == .failed && error.description.contains("pixel_values"))
  }

  @Test func `inputs may be integers of any width`() throws {
    var golden = try MadeGolden("base")
    golden.tensors = try golden.tensors.map { tensor in
      guard tensor.name.text.hasPrefix("inputs/") else { return tensor }
      let bytes = try tensor.bytes.read(0..<tensor.byteCount)
      let narrow = stride(from: 0, to: bytes.count, by: 8).map { bytes[$0] }
      return Tensor(tensor.name, .u8, tensor.shape, bytes: narrow)
    }
    #expect(try report(golden).isVerified)
  }
}

@Suite struct DeviationTests {
  private func deviation(
    _ values: [Double], from expected: [Double], shape: [Int]? = nil
  ) -> Deviation {
    Deviation(
      "x", NDArray(shape: shape ?? [values.count], elements: values),
      from: NDArray(shape: shape ?? [values.count], elements: expected))
  }

  @Test func `equal numbers are identical`() {
    let same = deviation([1, -2, 0, .nan, .infinity], from: [1, -2, 0, .nan, .infinity])
    #expect(same.isIdentical && same.error == 0 && same.relative == 0 && same.scale == 2)
  }

  @Test func `the error is the largest, relative to the largest expected value`() {
    let found = deviation([1, 5, -9], from: [1, 4, -8.5])
    #expect(found.error == 1 && found.scale == 8.5 && found.relative == 1 / 8.5)
    #expect(!found.isIdentical)
  }

  @Test func `zeros of either sign are equal, and not identical`() {
    let found = deviation([0.0, 1], from: [-0.0, 1])
    #expect(found.error == 0 && found.relative == 0 && !found.isIdentical)
  }

  @Test func `NaN of another payload is equal, and not identical`() {
    let found = deviation([Double(nan: 7, signaling: false)], from: [.nan])
    #expect(found.error == 0 && !found.isIdentical)
  }

  @Test(arguments: [
    (Double.nan, 1.0), (1, .nan), (.infinity, 1), (1, .infinity), (.infinity, -.infinity),
    (.nan, .infinity),
  ])
  func `what is not finite is infinitely far from anything else`(_ value: Double, _ goal: Double) {
    let found = deviation([0, value], from: [0, goal])
    #expect(found.error == .infinity && found.relative == .infinity && !found.isIdentical)
  }

  @Test func `any error is infinite where all should be zero`() {
    #expect(deviation([1e-300], from: [0]).relative == .infinity)
  }

  @Test func `infinities do not count as scale`() {
    #expect(deviation([.infinity, 3], from: [.infinity, 2]).relative == 0.5)
  }

  @Test func `the worst row is counted without the last axis`() {
    var values = [Double](repeating: 1, count: 24)
    values[5] = 1.1
    values[17] = 2
    let found = deviation(values, from: [Double](repeating: 1, count: 24), shape: [2, 3, 4])
    #expect(found.worstRow == [1, 1])
    #expect(deviation([1, 2], from: [1, 1]).worstRow == [])
    #expect(deviation([3], from: [1], shape: []).worstRow == [])
  }

  @Test func `empty arrays are identical`() {
    let empty = NDArray(shape: [0, 3], elements: [Double]())
    let found = Deviation("x", empty, from: empty)
    #expect(found.isIdentical && found.relative == 0)
  }

  @Test func `other types are never identical`() {
    let found = Deviation(
      "x", NDArray(shape: [1], elements: [Float(1)]), from: NDArray(shape: [1], elements: [1.0]))
    #expect(found.error == 0 && !found.isIdentical)
  }
}
