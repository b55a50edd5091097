import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// Files that somebody made to be odd, judged as the reference implementations judge them, or more
/// strictly where two readers could differ.
@Suite struct OddFilesTests {
  private let scratch = ScratchFolder()

  private func safetensors(_ header: String, _ data: [UInt8] = []) -> FilePath {
    let length = (0..<8).map { UInt8(truncatingIfNeeded: header.utf8.count >> (8 * $0)) }
    return scratch.write(length + Array(header.utf8) + data, to: "x.safetensors")
  }

  @Test(arguments: [
    "[9223372036854775807,9223372036854775807,0]", "[4611686018427387904,4,0]",
    "[9223372036854775807,3,0]",
  ])
  func `extents that overflow before a zero are refused`(_ shape: String) {
    let path = safetensors("{\"w\":{\"dtype\":\"F32\",\"shape\":\(shape),\"data_offsets\":[0,0]}}")
    let found = error(reading: path)
    #expect(found?.category == .failed)
    #expect(found?.description.hasSuffix("is too large") == true, "\(String(describing: found))")
  }

  @Test func `behind a zero, extents are of any size`() throws {
    let path = safetensors(
      "{\"w\":{\"dtype\":\"F32\",\"shape\":[0,4611686018427387904,4],\"data_offsets\":[0,0]}}")
    let tensor = try #require(try Checkpoint.open(path).tensors["w"])
    #expect(tensor.shape == [0, 1 << 62, 4] && tensor.elementCount == 0)
  }

  @Test(arguments: [ContainerFormat.npz, .tfz]) func `a NUL in a key of metadata survives`(
    _ format: ContainerFormat
  ) throws {
    let path = safetensors(
      #"{"__metadata__":{"a\u0000b":"\u001b[2J\u0000","a":"c"},"#
        + #""w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, [7])
    let original = try Checkpoint.open(path)
    #expect(original.metadata == ["a\u{0}b": "\u{1B}[2J\u{0}", "a": "c"])
    let copy = scratch.path.appending("copy")
    try CheckpointWriter(destination: copy, format: format)
      .write(tensors: original.tensors.tensors, metadata: original.metadata)
    #expect(try Checkpoint.open(copy).metadata == original.metadata)
  }

  @Test func `an error stays short, however long a name is`() {
    let name = String(repeating: "n", count: 70_000)
    let path = safetensors(
      "{\"\(name)\":{\"dtype\":\"\(name)\",\"shape\":[1],\"data_offsets\":[0,1]}}", [0])
    let text = error(reading: path)?.description ?? ""
    #expect(text.contains("n[69760 characters]n") && text.utf8.count < 3000, "\(text.utf8.count)")
  }

  @Test func `of very many disagreements the first thousand are listed, the others counted`() {
    let map = (0..<1500).map { "\"t\($0)\":\"x.safetensors\"" }.joined(separator: ",")
    let path = scratch.write(
      Array("{\"weight_map\":{\(map)}}".utf8), to: "model.safetensors.index.json")
    _ = safetensors("{}")
    let found = error(reading: path)
    #expect(found?.problem == .malformed("index and shards disagree (1500 faults)"))
    #expect(found?.details.count == 1001 && found?.details.last == "and 500 more")
    #expect(found?.withDetails.hasSuffix("and 998 more") == true)
  }

  @Test func `one disagreement is one fault`() {
    let path = scratch.write(
      Array("{\"weight_map\":{\"x\":\"x.safetensors\"}}".utf8), to: "model.safetensors.index.json")
    _ = safetensors("{}")
    #expect(
      error(reading: path)?.withDetails.hasSuffix("tensor \"x\" is not in \"x.safetensors\"")
        == true)
  }

  @Test func `a shard that is not there is one fault, with all its tensors`() {
    let map = (0..<1500).map { "\"t\($0)\":\"gone.safetensors\"" }.joined(separator: ",")
    let path = scratch.write(
      Array("{\"weight_map\":{\(map)}}".utf8), to: "model.safetensors.index.json")
    let found = error(reading: path)
    #expect(
      found?.problem
        == .malformed("shard \"gone.safetensors\" does not exist, and 1500 of the tensors with it"))
    #expect(found?.details == [] && found?.advice?.contains("fetch the shards") == true)
  }

  @Test func `a later TFZ is unsupported, whatever else is in the file`() {
    let magic: [UInt8] = [0x89, 0x54, 0x46, 0x5A, 0x0D, 0x0A, 0x1A, 0x0A]
    let path = scratch.write(magic + [3, 0, 0, 0], to: "x.tfz")
    #expect(error(reading: path)?.category == .unsupported)
    let cut = scratch.write(magic + [2, 0, 0], to: "y.tfz")
    #expect(error(reading: cut)?.category == .failed)
  }
}
