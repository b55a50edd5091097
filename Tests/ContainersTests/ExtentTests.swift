import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// How large the extents of an empty tensor may be: as safetensors 0.8 and numpy 2.4 have it.
@Suite struct ExtentTests {
  @Test(arguments: [
    "[2305843009213693952,4,0]", "[4294967296,2147483648,0]", "[9223372036854775807,2,0]",
    "[0,9223372036854775807]", "[0,4611686018427387904,4611686018427387904]",
  ]) func `what safetensors takes is taken`(_ shape: String) throws {
    let header = #"{"a":{"dtype":"F64","shape":\#(shape),"data_offsets":[0,0]}}"#
    let scratch = ScratchFolder()
    let found = try readAll(safetensorsFile(header), as: "a.safetensors", in: scratch)
    #expect(found.count == 1 && found[0].bytes.isEmpty)
    // It can be written again, and compressed.
    let checkpoint = try Checkpoint.open(scratch.path.appending("a.safetensors"))
    for format in [ContainerFormat.safetensors, .tfz] {
      let path = scratch.path.appending("b.\(format.fileExtension)")
      try write(checkpoint, to: path, format)
      #expect(try readAll(path) == found)
    }
    // numpy refuses to read such arrays.
    for format in [ContainerFormat.npz, .npy] {
      let refusal = #expect(throws: CheckpointError.self) {
        try write(checkpoint, to: scratch.path.appending("b.\(format.fileExtension)"), format)
      }
      #expect(refusal?.category == .refused && refusal?.tensor == "a")
      #expect(refusal?.problem.text.hasPrefix("numpy has no array of F64") == true)
    }
    #expect(scratch.names == ["a.safetensors", "b.safetensors", "b.tfz"])
  }

  @Test func `empty arrays that numpy has are written`() throws {
    // numpy 2.4 reads both, and neither with one extent more.
    for (dtype, extent) in [("F32", (1 << 61) - 1), ("U8", Int.max), ("BF16", (1 << 62) - 1)] {
      let header = #"{"a":{"dtype":"\#(dtype)","shape":[0,\#(extent)],"data_offsets":[0,0]}}"#
      let scratch = ScratchFolder()
      let path = scratch.write(safetensorsFile(header), to: "a.safetensors")
      let copy = scratch.path.appending("b.npz")
      try write(Checkpoint.open(path), to: copy, .npz)
      #expect(try readAll(copy) == readAll(path))
    }
  }

  @Test(arguments: [
    ("[2305843009213693952,8,0]", "the number of bytes of F64"),
    ("[4294967296,4294967296,0]", "the number of bytes of F64"),
    // It takes these two; extents that no signed number is are not worth having.
    ("[0,9223372036854775808]", "shape is not a list of whole numbers below 2^63"),
    ("[9223372036854775808,0]", "shape is not a list of whole numbers below 2^63"),
  ]) func `what overflows is refused`(_ shape: String, _ text: String) throws {
    let header = #"{"a":{"dtype":"F64","shape":\#(shape),"data_offsets":[0,0]}}"#
    let scratch = ScratchFolder()
    let path = scratch.write(safetensorsFile(header), to: "a.safetensors")
    let found = try #require(error(reading: path))
    #expect(found.category == .failed && found.problem.text.contains(text), "\(found)")
  }

  @Test(arguments: [
    ("<f4", "(0, 2305843009213693951)", true), ("<f4", "(0, 2305843009213693952)", false),
    ("<f4", "(0, 9223372036854775807)", false), ("|u1", "(0, 9223372036854775807)", true),
    ("<f4", "(4294967296, 0, 2147483647)", false), ("|u1", "(4294967296, 0, 2147483647)", true),
    ("|u1", "(2305843009213693952, 4, 0)", false), ("|u1", "(4294967296, 2147483648, 0)", false),
  ]) func `npy takes what numpy takes`(_ descr: String, _ shape: String, _ isTaken: Bool) throws {
    let literal = "{'descr': '\(descr)', 'fortran_order': False, 'shape': \(shape), }\n"
    let length = UInt16(literal.utf8.count)
    let bytes =
      [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(length & 255), UInt8(length >> 8)]
      + Array(literal.utf8)
    let scratch = ScratchFolder()
    let found = error(reading: scratch.write(bytes, to: "a.npy"))
    #expect((found == nil) == isTaken, "\(found.map { "\($0)" } ?? "taken")")
    #expect(found?.category != .unsupported)
  }

  @Test func `metadata of null is none`() throws {
    let header = #"{"__metadata__":null,"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#
    let scratch = ScratchFolder()
    let path = scratch.write(safetensorsFile(header, data: 1), to: "a.safetensors")
    let checkpoint = try Checkpoint.open(path)
    #expect(checkpoint.metadata == nil && checkpoint.tensors.tensors.map(\.name) == ["a"])
    // What is kept of the file gives it back.
    let (packed, again) = (scratch.path.appending("b.tfz"), scratch.path.appending("c.safetensors"))
    try write(checkpoint, to: packed, .tfz)
    try write(Checkpoint.open(packed), to: again, .safetensors)
    #expect(readFile(again) == readFile(path))
  }
}
