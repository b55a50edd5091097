import Containers
import Kernels
public import Models
public import SystemPackage
public import TensorCore

/// Stored outputs of the original framework for given inputs.
///
/// One npz with arrays `inputs/NAME` and `outputs/NAME`, and an optional `__golden__`: JSON as bytes
/// that says what made it and how precise it is.
public struct Golden: Sendable {
  /// How the framework computed, which decides how close we must come.
  public enum Precision: String, Sendable {
    /// Everything in double precision, also what frameworks keep in single.
    case exactF64 = "exact-f64"
    /// Double precision with the framework's hidden single precision inside.
    case f64
    case f32
    case f16
    case bf16

    /// The limit on |error| / largest |value|: 1e-10 and 1e-5; eight epsilons for half precision.
    public var tolerance: Double {
      switch self {
      case .exactF64: 1e-10
      case .f64, .f32: 1e-5
      case .f16: 8 * 0x1p-10
      case .bf16: 8 * 0x1p-7
      }
    }
  }

  /// The inputs.
  public let inputs: ModelInputs
  /// The outputs, in the order of the file.
  public let outputs: [NamedArray<Double>]
  /// What made it, `transformers 5.23.0`.
  public let framework: String?
  /// How precise it is; single if it does not say.
  public let precision: Precision

  /// Reads a golden.
  ///
  /// - Throws: `CheckpointError` if it is none.
  public init(_ path: FilePath) throws(CheckpointError) {
    let file = try ArrayFile(path)
    let name = displayed(path)
    let outputs = file.section("outputs/")
    guard !outputs.isEmpty else {
      throw CheckpointError(.malformed("is no golden: it has no array outputs/NAME"), file: name)
    }
    for name in file.names where !isGoldenName(name.text) {
      throw CheckpointError(
        .malformed("a golden has inputs/NAME, outputs/NAME and __golden__ only"),
        file: displayed(path), tensor: name)
    }
    inputs = try file.inputs()
    var arrays: [NamedArray<Double>] = []
    for (name, tensor) in outputs {
      arrays.append(NamedArray(name: name, array: try file.numbers(tensor), isHiddenState: false))
    }
    self.outputs = arrays
    let label = try file.tensor("__golden__").map { tensor throws(CheckpointError) in
      try goldenLabel(tensor, file: name)
    }
    framework = label?["framework"]?.string
    guard let precision = label?["precision"]?.string else {
      self.precision = .f32
      return
    }
    guard let known = Precision(rawValue: precision) else {
      throw CheckpointError(
        .malformed("precision \"\(precision)\" is none of exact-f64, f64, f32, f16, bf16"),
        file: name, tensor: "__golden__")
    }
    self.precision = known
  }
}

private func isGoldenName(_ name: String) -> Bool {
  name == "__golden__" || name.hasPrefix("inputs/") || name.hasPrefix("outputs/")
}

private func goldenLabel(_ tensor: Tensor, file: String) throws(CheckpointError) -> JSONValue {
  let bytes = try tensor.bytes.read(0..<tensor.byteCount)
  do {
    return try JSONValue(parsing: bytes, grammar: .strict)
  } catch {
    throw CheckpointError(
      .malformed("\(error.reason), at byte \(error.offset) of the label"), file: file,
      tensor: tensor.name)
  }
}

/// What the comparison of a model with a golden found.
public struct GoldenReport: Sendable {
  /// An output of the golden.
  public struct Line: Sendable {
    /// Its name.
    public let name: String
    /// How far the model is from it, unless `fault` says why they cannot be compared.
    public let deviation: Deviation?
    /// Why they cannot be compared.
    public let fault: String?
    /// Whether it is within the limit.
    public let isWithin: Bool
  }

  /// The model's class.
  public let head: String
  /// What made the golden.
  public let framework: String?
  /// The golden's precision.
  public let precision: Golden.Precision
  /// The limit on |error| / largest |value|.
  public let tolerance: Double
  /// The outputs.
  public let lines: [Line]
  /// The known mistake without which the model would compute what the framework did.
  public let explanation: String?

  /// Whether the model computes what the framework did.
  public var isVerified: Bool { lines.allSatisfy(\.isWithin) }
}

extension Model {
  /// Compares the model, run in double precision, with a golden.
  ///
  /// - Parameters:
  ///   - tolerance: the limit on |error| / largest |value| of an output, instead of the one that goes
  ///     with the golden's precision.
  ///   - explaining: whether to look for the mistake when outputs differ.
  /// - Throws: `CheckpointError` if the model cannot run.
  public func check(
    _ golden: Golden, tolerance: Double? = nil, explaining: Bool = true
  ) throws(CheckpointError) -> GoldenReport {
    let tolerance = tolerance ?? golden.precision.tolerance
    let lines = try lines(graph, golden, tolerance: tolerance)
    let isComparable = lines.allSatisfy { $0.fault == nil }
    let isWrong = !lines.allSatisfy(\.isWithin)
    return GoldenReport(
      head: graph.architecture.head, framework: golden.framework, precision: golden.precision,
      tolerance: tolerance, lines: lines,
      explanation: explaining && isWrong && isComparable
        ? try explanation(of: golden, tolerance: tolerance) : nil)
  }

  /// The outputs of a graph beside the golden's.
  private func lines(
    _ graph: WeightGraph, _ golden: Golden, tolerance: Double
  ) throws(CheckpointError) -> [GoldenReport.Line] {
    var pass = try ForwardPass<Double>(graph, inputs: golden.inputs)
    let outputs = try pass.run(hiddenStates: true)
    return golden.outputs.map { line(for: $0, among: outputs, tolerance: tolerance) }
  }

  /// Undoes known mistakes one by one until the golden is reached.
  private func explanation(
    of golden: Golden, tolerance: Double
  ) throws(CheckpointError) -> String? {
    for trial in Trial.all(for: self) {
      // What a weight in single precision may be off by, after it was scaled and scaled back.
      let limit = trial.isRounded ? max(tolerance, 1e-5) : tolerance
      guard let graph = try trial.undo(self),
        let lines = try? lines(graph, golden, tolerance: limit)
      else { continue }
      if lines.allSatisfy(\.isWithin) { return trial.text }
    }
    return nil
  }

  private func line(
    for expected: NamedArray<Double>, among outputs: [NamedArray<Double>], tolerance: Double
  ) -> GoldenReport.Line {
    func incomparable(_ fault: String) -> GoldenReport.Line {
      GoldenReport.Line(name: expected.name, deviation: nil, fault: fault, isWithin: false)
    }
    guard let output = outputs.first(where: { $0.name == expected.name }) else {
      return incomparable("\(graph.architecture.head) has no such output")
    }
    guard output.array.shape == expected.array.shape else {
      return incomparable(
        "the model's shape is \(describe(shape: output.array.shape)),"
          + " the golden's \(describe(shape: expected.array.shape))")
    }
    let deviation = Deviation(expected.name, output.array, from: expected.array)
    // Written so that a NaN is not within any limit.
    let isWithin = deviation.relative <= tolerance
    return GoldenReport.Line(
      name: expected.name, deviation: deviation, fault: nil, isWithin: isWithin)
  }
}
