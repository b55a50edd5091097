import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// Our own npz: what numpy cannot say stands in marks. The archives in `Fixtures/containers/npz/ours`
/// pin the format: today's reader reads them, today's writer writes the same bytes.
@Suite struct NpzMarkTests {
  private let scratch = ScratchFolder()

  @Test(arguments: ["six_bits", "marked_dtypes", "metadata_only"]) func `the format stays`(
    _ name: String
  ) throws {
    let ours = fixture("containers/npz/ours/\(name).npz")
    let path = fixture("containers/safetensors/good/\(name).safetensors")
    let original = try Checkpoint.open(path)
    let marked = try Checkpoint.open(ours)
    #expect(marked.metadata == original.metadata)
    #expect(marked.keepsOrder)
    #expect(try readAll(ours) == readAll(path))
    let again = scratch.path.appending("again")
    try CheckpointWriter(destination: again, format: .npz)
      .write(tensors: original.tensors.tensors, metadata: original.metadata)
    #expect(readFile(again) == readFile(ours))
  }

  @Test(arguments: [
    ("{\"dtype\":\"BF16\"}", "{\"dtype\":\"F16\" }", "contradicts the npy header"),
    ("{\"dtype\":\"BF16\"}", "{\"dtype\":\"XY16\"}", "has a dtype mark that cannot be read"),
    ("{\"dtype\":\"BF16\"}", "{\"dtype\":\"BF16\"]", "has a dtype mark that cannot be read"),
    ("{\"dtype\":\"BF16\"}", "{\"dtypo\":\"BF16\"}", "has a dtype mark that cannot be read"),
    ("\"shape\":[2,4]", "\"shape\":[2,8]", "header declares 6 bytes, F6_E2M3 [2, 8] needs 12"),
    ("\"shape\":[2,4]", "\"shape\":[2,3]", "does not fill whole bytes"),
    ("\"shape\":[2,4]", "\"shape\":[-8]", "has a dtype mark that cannot be read"),
    ("\"shape\":[2,4]", "\"shapo\":[2,4]", "has a dtype mark that cannot be read"),
    ("\"F6_E2M3\"", "\"F8_E4M3\"", "has a dtype mark that cannot be read"),
    ("\"__metadata__\":{}", "\"__metadata__\":[]", "__metadata__: expected an object"),
  ])
  func `a mark that lies is malformed`(_ text: String, _ lie: String, _ message: String) throws {
    let path = scratch.path.appending("x.npz")
    let tensors = [
      Tensor("w", .bf16, [1], [1, 2]), Tensor("packed", .f6e2m3, [2, 4], [1, 2, 3, 4, 5, 6]),
    ]
    try CheckpointWriter(destination: path, format: .npz).write(tensors: tensors, metadata: [:])
    var bytes = readFile(path)
    let place = try #require(
      bytes.indices.first { bytes[$0...].starts(with: text.utf8) }, "the text is there")
    let replacement = Array(lie.utf8)
    let rest = bytes[(place + text.utf8.count)...]
    let padding = [UInt8](repeating: 0x20, count: text.utf8.count - replacement.count)
    // Padded inside the JSON, so that nothing moves.
    bytes = bytes[..<place] + replacement + padding + rest
    let found = error(reading: scratch.write(bytes, to: "x.npz"))
    #expect(found?.description.contains(message) == true, "\(found?.description ?? "none")")
    #expect(found?.category == .failed)
  }
}
