/// Why a checkpoint could not be read, understood or written: the facts.
///
/// `description` is the only place that turns them into a sentence, and `category` the only place
/// that says how bad it is. The commands map categories to exit codes.
public struct CheckpointError: Error, Equatable, Sendable {
  /// What kind of obstacle this is, as a caller must tell them apart.
  public enum Category: Sendable {
    /// The file is broken, lies, or cannot be read or written.
    case failed
    /// The file may be fine, but we do not know how to handle it.
    case unsupported
    /// We could, but it would lose or overwrite something.
    case refused
  }

  /// What is wrong.
  public enum Problem: Equatable, Sendable {
    /// The content breaks the rules of its format; the text says which, without a final stop.
    case malformed(String)
    /// Something is not there that is needed; the text says what, and how to name it.
    case missing(String)
    /// Fewer bytes exist than are needed.
    case truncated(needed: Int, available: Int)
    /// The header's byte count is not what dtype and shape need.
    case sizeMismatch(declared: Int, dtype: DType, shape: [Int])
    /// A number in the file, or a product of such numbers, does not fit.
    case overflow(String)
    /// The name occurs twice.
    case duplicate
    /// A limit of ours is exceeded.
    case limitExceeded(String, limit: Int, found: Int)
    /// The operating system refused; `errno` and what was tried.
    case system(Int32, String)
    /// A checksum stored in the file does not match.
    case checksum(String)
    /// The file changed while we read it.
    case changedWhileRead
    /// We know what it is, or do not, and cannot handle it.
    case unsupported(String)
    /// We will not do it.
    case refused(String)
  }

  /// What is wrong.
  public var problem: Problem
  /// The file, as the user named it; escaped when printed.
  public var file: String?
  /// The tensor.
  public var tensor: TensorName?
  /// The position in the file, in bytes.
  public var offset: Int?
  /// What the user can do, in a line of its own.
  public var advice: String?
  /// Further faults of the same cause, each a line.
  public var details: [String]
  /// What lists all details where there are too many to be printed, as a sentence.
  public var listing: String?

  /// Describes a fault.
  public init(
    _ problem: Problem, file: String? = nil, tensor: TensorName? = nil, offset: Int? = nil,
    advice: String? = nil, details: [String] = [], listing: String? = nil
  ) {
    self.problem = problem
    self.file = file
    self.tensor = tensor
    self.offset = offset
    self.advice = advice
    self.details = details
    self.listing = listing
  }

  /// The same fault, in that file, unless it names one already.
  public func inFile(_ file: String) -> CheckpointError {
    var error = self
    error.file = error.file ?? file
    return error
  }

  /// How bad it is.
  public var category: Category {
    switch problem {
    case .unsupported: .unsupported
    case .refused: .refused
    default: .failed
    }
  }
}

extension CheckpointError: CustomStringConvertible {
  /// One line: file, tensor, offset and what is wrong. Control characters are escaped, and what makes
  /// the line very long is left out.
  public var description: String {
    var place: [String] = []
    if let file { place.append(escaped(file)) }
    var spot = tensor.map { "tensor \"\(escaped(abridged($0.text, to: 240)))\"" } ?? ""
    if let offset { spot += (spot.isEmpty ? "" : " ") + "at byte \(offset)" }
    if !spot.isEmpty { place.append(spot) }
    place.append(escaped(abridged(problem.text, to: 1000)))
    return place.joined(separator: ": ")
  }
}

extension CheckpointError {
  /// The description and the first details, in one line.
  public var withDetails: String {
    guard !details.isEmpty else { return description }
    let shown = details.prefix(3).map { escaped(abridged($0, to: 1000)) }
    let rest = details.count - shown.count
    return "\(self): " + (shown + (rest > 0 ? ["and \(rest) more"] : [])).joined(separator: "; ")
  }
}

extension CheckpointError.Problem {
  /// Whether something is not there.
  public var isMissing: Bool { if case .missing = self { true } else { false } }

  /// The problem in words, without the place.
  public var text: String {
    switch self {
    case .malformed(let text), .missing(let text), .unsupported(let text), .refused(let text): text
    case .truncated(let needed, let available):
      "truncated: needs \(needed) bytes, \(available) are left"
    case .sizeMismatch(let declared, let dtype, let shape):
      "header declares \(declared) bytes, \(dtype) \(describe(shape: shape)) needs "
        + (dtype.byteCount(shape: shape).map { "\($0)" } ?? "a number that is none")
    case .overflow(let what): "\(what) is too large"
    case .duplicate: "the name occurs twice"
    case .limitExceeded(let what, let limit, let found):
      "\(what) is \(found), the limit is \(limit)"
    case .system(let number, let action): "\(action): \(systemMessage(number))"
    case .checksum(let what): "checksum of \(what) does not match"
    case .changedWhileRead: "the file changed while it was read"
    }
  }
}
