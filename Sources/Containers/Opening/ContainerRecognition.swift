import SystemPackage
import TensorCore

/// The container that `file` is, told by its bytes.
///
/// The name only chooses which reader explains what is wrong with a file that none recognises.
///
/// - Throws: `CheckpointError` that says what the file is instead.
func recognizedFormat(of file: InputFile) throws(CheckpointError) -> ContainerFormat {
  guard file.size > 0 else {
    throw CheckpointError(.malformed("the file is empty"), file: file.name)
  }
  let head = try file.head(ContainerFormat.headSize)
  if let format = ContainerFormat.recognized(head) { return format }
  if let problem = knownOther(head) { throw CheckpointError(problem, file: file.name) }
  if let suffix = file.path.extension, let format = ContainerFormat.withExtension(suffix) {
    return format
  }
  let names = ContainerFormat.all.map(\.name).joined(separator: ", ")
  throw CheckpointError(.malformed("is none of \(names)"), file: file.name)
}

/// What a file that is no container of ours is, if we know.
func knownOther(_ head: [UInt8]) -> CheckpointError.Problem? {
  func begins(_ text: String) -> Bool { head.starts(with: text.utf8) }
  if begins("GGUF") { return .unsupported("is a GGUF file, which is not read") }
  if head.starts(with: Array("\u{89}HDF\r\n".unicodeScalars.map { UInt8($0.value) })) {
    return .unsupported("is an HDF5 file, which is not read")
  }
  if head.count > 1, head[0] == 0x80, (2...5).contains(head[1]) { return .pickle }
  if begins("version https://git-lfs.github.com/spec/") {
    return .malformed("is a Git LFS pointer: the file itself has not been downloaded")
  }
  let text = head.drop { [0x20, 0x09, 0x0A, 0x0D].contains($0) }.prefix(15)
  let lowercased = String(decoding: text, as: UTF8.self).lowercased()
  if lowercased.hasPrefix("<!doctype html") || lowercased.hasPrefix("<html") {
    return .malformed("is a web page: the download went wrong")
  }
  return nil
}

/// Whether a file that begins so can only be JSON text.
func looksLikeJSON(_ head: [UInt8]) -> Bool {
  let text = head.drop { [0x20, 0x09, 0x0A, 0x0D].contains($0) }
  return text.first == UInt8(ascii: "{") && ContainerFormat.recognized(head) == nil
}

extension CheckpointError.Problem {
  /// PyTorch's own files.
  static let pickle = CheckpointError.Problem.unsupported(
    "is a pickle (.bin, .pt), which can run code and is not read; use safetensors")
}
