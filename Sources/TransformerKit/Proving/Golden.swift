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
  /// In which way the framework computed attention, `eager`, if it says so.
  public let attention: String?
  /// How precise it is; single if it does not say.
  public let precision: Precision

  /// Reads a golden.
  ///
  /// - Parameter check: is told the inputs and the number of elements of all outputs, before these are
  ///   read, and throws if that is too much.
  /// - Throws: `CheckpointError` if it is none, and what `check` throws.
  public init(
    _ path: FilePath,
    _ check: (ModelInputs, Int) throws(CheckpointError) -> Void = { _, _ throws(CheckpointError) in
    }
  ) throws(CheckpointError) {
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
    try check(inputs, outputs.reduce(0) { $0 + $1.tensor.elementCount })
    var arrays: [NamedArray<Double>] = []
    for (name, tensor) in outputs {
      arrays.append(NamedArray(name: name, array: try file.numbers(tensor), isHiddenState: false))
    }
    self.outputs = arrays
    let label = try file.tensor("__golden__").map { tensor throws(CheckpointError) in
      try goldenLabel(tensor, file: name)
    }
    framework = label?["framework"]?.string
    attention = label?["attention"]?.string
    guard let label else {
      self.precision = .f32
      return
    }
    guard let precision = label["precision"]?.string else {
      throw CheckpointError(
        .malformed("its label says no precision: one of exact-f64, f64, f32, f16, bf16"),
        file: name, tensor: "__golden__")
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
