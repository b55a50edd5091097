import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// Every file that must be refused is, for the reason that its name says.
@Suite struct BadFilesTests {
  @Test(arguments: expectedFaults.keys.sorted())
  func `every bad file has an expectation`(_ format: String) {
    let files = badFiles(format).map { $0.stem ?? "" }
    #expect(files == expectedFaults[format, default: [:]].keys.sorted())
  }

  @Test(arguments: expectedFaults.keys.sorted().flatMap { badFiles($0) })
  func `refuses`(_ path: FilePath) throws {
    let format = path.removingLastComponent().removingLastComponent().lastComponent?.string ?? ""
    let expected = try #require(expectedFaults[format]?[path.stem ?? ""])
    // What is broken at its beginning is not recognised.
    let named = ecosystems.contains(format) ? ContainerFormat.named(format) : nil
    let found = try #require(error(reading: path, as: named))
    let file = expected.file.map { path.removingLastComponent().appending($0) } ?? path
    #expect(found.file == file.string)
    #expect(found.description.contains(expected.text), "\(found)")
    #expect(found.category == expected.category, "\(found)")
    #expect(!found.description.contains("\n"))
  }
}

/// What the message must say.
struct ExpectedFault: ExpressibleByStringLiteral {
  let text: String
  var category = CheckpointError.Category.failed
  /// The file beside the one that was named, if that is at fault.
  var file: String?

  init(stringLiteral text: String) {
    self.text = text
  }

  static func unsupported(_ text: String) -> ExpectedFault {
    var fault = ExpectedFault(stringLiteral: text)
    fault.category = .unsupported
    return fault
  }

  /// A fault of a file beside the one that was named.
  static func of(_ file: String, _ text: String) -> ExpectedFault {
    var fault = ExpectedFault(stringLiteral: text)
    fault.file = file
    return fault
  }
}

private let expectedFaults: [String: [String: ExpectedFault]] = [
  "safetensors": expectedSafetensorsFaults, "npy": expectedNpyFaults, "npz": expectedNpzFaults,
  "tfz": expectedTFZFaults, "torch": expectedTorchFaults, "gguf": expectedGGUFFaults,
  "flax": expectedFlaxFaults, "tensorflow": expectedTensorFlowFaults, "onnx": expectedONNXFaults,
  "hdf5": expectedHDF5Faults, "pickle": expectedPickleFaults,
  "ctranslate2": expectedCTranslate2Faults,
]

/// The files that must be refused, without those of bytes that belong to one.
private func badFiles(_ format: String) -> [FilePath] {
  let files = fixtures(format, "bad")
  guard ecosystems.contains(format) else { return files }
  let ending = ContainerFormat.named(format)?.fileExtension
  return files.filter { $0.extension == ending }
}
