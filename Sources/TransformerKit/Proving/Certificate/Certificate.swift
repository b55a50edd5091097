public import TensorCore

/// What was compared with what, and what was proven: a small JSON file that `tfverify check` proves
/// again. docs/certificate.md is its specification.
///
/// The same models give the same bytes: there is no time, no path and no name of a machine in it.
public struct Certificate: Equatable, Sendable {
  /// What was proven.
  public enum Verdict: Equatable, Sendable {
    /// The same weights, bit for bit, and the same outputs and states.
    case identical
    /// Every weight of B is A's, rounded to nearest even in that type; nothing else differs.
    case cast(DType)
    /// Some weights of B are A's, quantised to blocks of these types; the others are A's, or cast.
    case quantized([DType])
  }

  /// A model.
  public struct Side: Equatable, Sendable {
    /// The model's id (docs/model-id.md).
    public var id: String
    /// Its name, as in `model_type`.
    public var architecture: String
    /// The framework's class.
    public var head: String
    /// `safetensors`.
    public var container: String
    /// `huggingface`, with its variant: `t5x-scanned`.
    public var dialect: String
    /// The codecs that made plain numbers of stored tensors, by name.
    public var codecs: [String] = []
    /// The dialect's rules by which the weights were found, `WeightGraph.rules`.
    public var rules: [String]
    /// The files: weights, then the shard index, then the config.
    public var files: [CertifiedFile]
  }

  /// What the models ran on.
  public enum Probe: Equatable, Sendable {
    /// The built-in probe.
    case seed(UInt64)
    /// A file of inputs.
    case inputs(sha256: String, size: Int)
  }

  /// What they ran in.
  public enum Precision: String, Sendable, CaseIterable {
    case f32
    case f64
  }

  /// A weight that B has in blocks.
  public struct Quantization: Equatable, Sendable {
    /// Its canonical path.
    public var weight: String
    /// A's type.
    public var from: DType
    /// The type of the blocks.
    public var to: DType
    /// The root of the mean square of the differences, relative to that of A's numbers.
    public var error: Double
  }

  /// An output of both models.
  public struct Output: Equatable, Sendable {
    /// Its name.
    public var name: String
    /// Its shape.
    public var shape: [Int]
    /// The largest |B − A|, relative to the largest |A|.
    public var change: Double
  }

  /// What proved it. This is information: nothing depends on it.
  public struct Machine: Equatable, Sendable {
    /// The tool's version.
    public var toolVersion: String
    /// The library of matrix products, its version, and its kernels.
    public var blas: String
    public var blasVersion: String
    public var blasKernel: String
    /// The processor.
    public var cpu: String
  }

  /// What was proven.
  public var verdict: Verdict
  /// The model that B was compared with.
  public var a: Side
  /// The model that the certificate is about.
  public var b: Side
  /// What the cast did to each weight that is not bit for bit A's; tied weights once.
  public var casts: [CastLedger]
  /// The weights that B has in blocks; tied weights once.
  public var quantizations: [Quantization] = []
  /// What differs in the mathematics without showing in any output.
  public var configDifferences: [String]
  /// What the models ran on.
  public var probe: Probe
  /// What they ran in.
  public var precision: Precision
  /// The outputs, hidden states included.
  public var outputs: [Output]
  /// What proved it.
  public var machine: Machine
}

/// A file of a certified model.
public struct CertifiedFile: Equatable, Sendable {
  /// What a file is for.
  public enum Role: String, Sendable, CaseIterable {
    case weights
    case index
    case config
  }

  /// Its name, and for shards in subfolders the way to it from the model's folder.
  public var name: String
  /// What it is for.
  public var role: Role
  /// How many bytes it has.
  public var size: Int
  /// Their SHA-256, in lower-case hexadecimal.
  public var sha256: String
}

extension Certificate.Verdict {
  /// The verdict in words.
  public var text: String {
    switch self {
    case .identical: "identical"
    case .cast(let type): "B is A cast to \(type)"
    case .quantized(let types):
      "B is A quantised to \(types.map(\.name).joined(separator: ", "))"
    }
  }

  /// The verdict of a comparison, if it is one that can be certified.
  init?(_ verdict: PairReport.Verdict) {
    switch verdict {
    case .identical: self = .identical
    case .cast(let type): self = .cast(type)
    case .quantized(let types): self = .quantized(types)
    case .coded, .different: return nil
    }
  }

  /// What must have become of the weights.
  var change: RoundedWeights? {
    switch self {
    case .identical: nil
    case .cast(let type): .cast(type)
    case .quantized(let types): .quantized(types)
    }
  }
}
