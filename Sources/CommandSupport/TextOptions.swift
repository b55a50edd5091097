public import ArgumentParser
internal import Containers
public import SystemPackage
public import TensorCore

/// A text of the command line, as its bytes.
public struct GivenText: ExpressibleByArgument, Sendable {
  private let bytes: [UInt8]

  public init?(argument: String) {
    bytes = argumentBytes(argument)
  }

  /// The text.
  ///
  /// - Throws: `CheckpointError` if it is not valid UTF-8.
  public var text: String {
    get throws(CheckpointError) { try validText(bytes, "the text") }
  }
}

/// The text of a file.
///
/// - Throws: `CheckpointError` if it cannot be read, or is not valid UTF-8.
public func text(ofFile path: FilePath) throws(CheckpointError) -> String {
  let bytes = try SmallFile.read(path, limit: 1 << 30)
  do {
    return try validText(bytes, "the file")
  } catch {
    throw error.inFile(displayed(path))
  }
}

/// The pairs of texts of a file: one in each line, with a tab between its two texts. Lines end with LF or CR LF, and nothing else
/// ends one.
///
/// - Throws: `CheckpointError` that names the file: malformed with the number of a line that is no pair.
public func textPairs(
  ofFile path: FilePath
) throws(CheckpointError) -> [(text: String, pair: String?)] {
  var lines = try text(ofFile: path).unicodeScalars.split(
    separator: "\n", omittingEmptySubsequences: false)
  if lines.last?.isEmpty == true { lines.removeLast() }
  guard !lines.isEmpty, lines.count <= mostPairs else {
    let problem: CheckpointError.Problem =
      lines.isEmpty
      ? .refused("has no pairs")
      : .limitExceeded("the number of pairs", limit: mostPairs, found: lines.count)
    throw CheckpointError(problem, file: displayed(path))
  }
  var pairs: [(String, String?)] = []
  for (number, line) in lines.enumerated() {
    let line = line.last == "\r" ? line.dropLast() : line
    let texts = line.split(separator: "\t", omittingEmptySubsequences: false)
    guard texts.count == 2 else {
      let count = texts.count == 1 ? "no tab" : "\(texts.count - 1) tabs"
      throw CheckpointError(
        .malformed("line \(number + 1) has \(count), and one stands between the texts of a pair"),
        file: displayed(path))
    }
    pairs.append((String(texts[0]), String(texts[1])))
  }
  return pairs
}

/// How many pairs one run takes.
private let mostPairs = 1 << 16

private func validText(_ bytes: [UInt8], _ what: String) throws(CheckpointError) -> String {
  do {
    return String(copying: try UTF8Span(validating: bytes.span))
  } catch {
    throw CheckpointError(
      .malformed("\(what) is not valid UTF-8"), offset: error.byteOffsets.lowerBound)
  }
}
