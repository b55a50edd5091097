import SystemPackage
import TensorCore

/// What a file is, told by its bytes, in a folder as for itself.
enum FileKind {
  /// A container that is read.
  case container(ContainerFormat)
  /// Weights in a format that is known and not read.
  case foreign(ForeignFormat)
  /// What stands in a file's place: a pointer, a web page, nothing.
  case substitute(Substitute)
  /// Nothing that has weights in it, as far as is known.
  case other
}

/// How much a file's bytes say.
enum Certainty: Int, Comparable {
  /// That it is one of many things that are stored in this way: a zip archive, a pickle.
  case wrapper
  /// What it is.
  case exact

  static func < (a: Certainty, b: Certainty) -> Bool { a.rawValue < b.rawValue }
}

/// What a file is, by what its bytes say: the most specific wins, and of equals a container that is
/// read.
///
/// - Throws: `CheckpointError` if it cannot be read.
func recognize(_ source: any ByteSource) throws(CheckpointError) -> FileKind {
  try certain(source).kind
}

/// What a file surely is. A zip archive or a pickle in which nothing was found that holds weights is no
/// such thing.
func recognizeWeights(_ source: any ByteSource) throws(CheckpointError) -> FileKind {
  let (kind, certainty) = try certain(source)
  return certainty == .exact ? kind : .other
}

private func certain(
  _ source: any ByteSource
) throws(CheckpointError) -> (kind: FileKind, certainty: Certainty) {
  let glimpse = try Glimpse(source)
  var best: (kind: FileKind, certainty: Certainty)?
  func offer(_ certainty: Certainty?, _ kind: @autoclosure () -> FileKind) {
    guard let certainty else { return }
    if let best, best.certainty >= certainty { return }
    best = (kind(), certainty)
  }
  for format in ContainerFormat.all { offer(format.matches(glimpse), .container(format)) }
  for format in ForeignFormat.all { offer(format.matches(glimpse), .foreign(format)) }
  if let best { return best }
  return (Substitute(glimpse).map { .substitute($0) } ?? .other, .exact)
}

/// The container that a file is, told by its bytes.
///
/// The name only chooses which reader explains what is wrong with a file that none recognises.
///
/// - Throws: `CheckpointError` that says what the file is instead.
func recognizedFormat(of file: any ByteSource) throws(CheckpointError) -> ContainerFormat {
  switch try recognize(file) {
  case .container(let format): return format
  case .foreign(let format): throw CheckpointError(format.problem, file: file.name)
  case .substitute(let found):
    throw CheckpointError(found.problem, file: file.name, advice: found.advice)
  case .other: break
  }
  // Anything may be called .bin.
  if file.fileExtension.lowercased() != "bin",
    let format = ContainerFormat.withExtension(file.fileExtension)
  {
    return format
  }
  let names = ContainerFormat.all.map(\.name).joined(separator: ", ")
  throw CheckpointError(.malformed("is none of \(names)"), file: file.name)
}

/// Whether a file can only be JSON text.
func looksLikeJSON(_ file: any ByteSource) throws(CheckpointError) -> Bool {
  let text = try file.head(Glimpse.headSize).drop { [0x20, 0x09, 0x0A, 0x0D].contains($0) }
  guard text.first == UInt8(ascii: "{"), case .other = try recognize(file) else { return false }
  return true
}
