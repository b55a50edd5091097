import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

@Suite struct ManifestTests {
  private let scratch = ScratchFolder()
  private static let names: [TensorName] = ["a", "b c  d", "F32", "F32 [2] x", "\u{1B}[0m", ""]
  private static let tensors = names.enumerated().map { index, name in
    Tensor(name, [index, 2], values: (0..<2 * index).map { Float($0) })
  }

  private func manifest(_ text: String) throws -> Manifest {
    try Manifest(scratch.write(Array(text.utf8), to: "manifest"))
  }

  private func lines(_ digests: [TensorDigest], short: Bool) -> String {
    digests.map { digest in
      let middle = short ? "" : "\(digest.dtype)  \(describe(shape: digest.shape))  "
      return "\(digest.digest)  \(middle)\(escaped(digest.name.text))\n"
    }.joined()
  }

  @Test(arguments: [false, true])
  func `what was printed matches`(_ short: Bool) throws {
    // A short line of the fourth name reads as a long one, and one of no name as none.
    let tensors =
      short ? Self.tensors.filter { !["F32 [2] x", ""].contains($0.name) } : Self.tensors
    let found = try digests(of: tensors)
    let manifest = try manifest("# comment\n\n" + lines(found, short: short))
    #expect(manifest.faults(in: found).isEmpty)
  }

  @Test func `every way to differ is told`() throws {
    let before = try digests(of: Self.tensors)
    let manifest = try manifest(lines(before, short: false))
    let after = try digests(of: [
      Tensor("a", [0, 3], values: []),
      Tensor("b c  d", [1, 2], values: [0, -1]),
      Tensor("F32", .f64, [2, 2], bytes: [UInt8](repeating: 0, count: 32)),
      Tensor("F32 [2] x", [3, 2], values: (0..<6).map { Float($0) }),
      Tensor("new", [], values: [1]),
    ])
    let faults = manifest.faults(in: after).map { "\(escaped($0.name)): \($0.reason)" }
    #expect(
      faults == [
        "a: is [0, 3], was [0, 2]", "b c  d: has other values", "F32: is F64, was F32",
        "\\u{1b}[0m: is missing", ": is missing", "new: is not in the manifest",
      ])
  }

  @Test(arguments: [
    "", "# nothing\n", "hello", "abc  name", "{\"tensors\": 3}",
    "{\"tensors\": [{\"name\": \"x\"}]}",
    String(repeating: "0", count: 64), String(repeating: "g", count: 64) + "  x", "{",
  ])
  func `what is no manifest is refused`(_ text: String) {
    let error = #expect(throws: CheckpointError.self) { try manifest(text) }
    #expect(error?.category == .failed)
  }

  @Test func `a name twice is refused`() throws {
    let digest = String(repeating: "0", count: 64)
    #expect(throws: CheckpointError.self) { try manifest("\(digest)  x\n\(digest)  x\n") }
  }
}
