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

private func validText(_ bytes: [UInt8], _ what: String) throws(CheckpointError) -> String {
  do {
    return String(copying: try UTF8Span(validating: bytes.span))
  } catch {
    throw CheckpointError(
      .malformed("\(what) is not valid UTF-8"), offset: error.byteOffsets.lowerBound)
  }
}
