public import ArgumentParser
internal import TensorCore

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Which part of how many a run does.
public struct PartOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Which part of how many, counted from 1: 3/8.", valueName: "i/n"),
    transform: PartNumber.init)
  var part: PartNumber?

  @Option(
    help: ArgumentHelp(
      "Of how many; which one is what SLURM_ARRAY_TASK_ID says (from 1) or JOB_COMPLETION_INDEX (from 0).",
      valueName: "n"))
  var of: Int?

  public init() {}

  public func validate() throws {
    if part != nil, of != nil { throw ValidationError("--part says of how many; leave out --of") }
    if let of, !PartNumber.counts.contains(of) {
      throw ValidationError("--of is from 1 to \(PartNumber.counts.upperBound)")
    }
  }

  /// The part, from 1, and how many there are.
  ///
  /// Slurm's array counts from 1 here, `--array=1-N`; without `--of`, N is the array's size if it begins with 1 and has no gaps.
  /// Kubernetes counts from 0, and does not say of how many.
  public func chosen() throws -> (number: Int, count: Int) {
    if let part { return (part.number, part.count) }
    let slurm = number("SLURM_ARRAY_TASK_ID")
    let kubernetes = number("JOB_COMPLETION_INDEX")
    switch (slurm, kubernetes) {
    case (nil, nil):
      throw ValidationError(
        "which part? --part I/N, or --of N with SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX")
    case (.some, .some):
      throw ValidationError(
        "SLURM_ARRAY_TASK_ID and JOB_COMPLETION_INDEX are both there: say --part I/N")
    case (.some(let text), nil):
      return try checked(
        text, from: 1, variable: "SLURM_ARRAY_TASK_ID", count: of ?? arrayCount())
    case (nil, .some(let text)):
      guard let of else {
        throw ValidationError("JOB_COMPLETION_INDEX does not say of how many: --of N")
      }
      return try checked(text, from: 0, variable: "JOB_COMPLETION_INDEX", count: of)
    }
  }

  private func checked(
    _ text: String, from first: Int, variable: String, count: Int
  ) throws -> (number: Int, count: Int) {
    guard let value = Int(text), value >= first, value < first + count else {
      throw ValidationError(
        "\(variable) is \"\(escaped(abridged(text, to: 40)))\", and with \(count) parts it is \(first) to \(first + count - 1)"
      )
    }
    return (value - first + 1, count)
  }

  /// How many tasks a whole array from 1 on has.
  private func arrayCount() throws -> Int {
    let facts = ["MIN", "MAX", "COUNT"].map {
      number("SLURM_ARRAY_TASK_\($0)").flatMap { Int($0) }
    }
    guard let first = facts[0], first == 1, let last = facts[1], let count = facts[2],
      last == count, PartNumber.counts.contains(count)
    else { throw ValidationError("the array is not 1 to N, so say --of N") }
    return count
  }

  private func number(_ variable: String) -> String? {
    guard let text = unsafe getenv(variable) else { return nil }
    let value = unsafe String(cString: text)
    return value.isEmpty ? nil : value
  }
}

/// One of several parts, as it is typed: `3/8`.
struct PartNumber {
  let number: Int
  let count: Int

  static let counts = 1...1_000_000

  init(_ argument: String) throws {
    let words = argument.split(separator: "/", omittingEmptySubsequences: false)
    guard words.count == 2, let number = Int(words[0]), let count = Int(words[1]) else {
      throw ValidationError("--part is I/N, as in 3/8")
    }
    guard Self.counts.contains(count), (1...count).contains(number) else {
      throw ValidationError("--part is 1/N to N/N, and N at most \(Self.counts.upperBound)")
    }
    (self.number, self.count) = (number, count)
  }
}
