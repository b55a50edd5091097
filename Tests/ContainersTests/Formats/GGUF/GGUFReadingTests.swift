import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// GGUF files that gguf-py wrote are read as numpy had them; others for what is wrong with them.
@Suite struct GGUFReadingTests {
  private static func path(_ name: String) -> FilePath { fixture("containers/gguf/\(name)") }

  @Test(arguments: ["every_type", "big_endian", "alignment_64"])
  func `every type is what numpy had`(_ name: String) throws {
    let found = try readAll(Self.path("good/\(name).gguf"))
    let expected = try readAll(Self.path("\(name).safetensors"))
    #expect(found.count == expected.count)
    for tensor in found {
      let other = try #require(expected.first { $0.name == tensor.name })
      #expect(tensor.bytes == other.bytes, "\(tensor.name)")
      // The blocks were saved as the bytes that they are.
      let isSame = tensor.dtype == other.dtype && tensor.shape == other.shape
      #expect(tensor.dtype.isBlock || isSame, "\(tensor.name)")
    }
  }

  @Test func `both orders of bytes mean the same`() throws {
    #expect(
      try readAll(Self.path("good/every_type.gguf")) == readAll(Self.path("good/big_endian.gguf")))
  }

  @Test(arguments: ["every_type", "big_endian"])
  func `key-values of thirteen types are told as they are`(_ name: String) throws {
    let checkpoint = try Checkpoint.open(Self.path("good/\(name).gguf"))
    let config = try #require(checkpoint.config?.value)
    #expect(config["general.architecture"] == "some")
    #expect(config["some.uint8"]?.int == 200 && config["some.int8"]?.int == -5)
    #expect(config["some.uint16"]?.int == 60000 && config["some.int16"]?.int == -30000)
    #expect(config["some.uint32"]?.int == 4_000_000_000)
    #expect(config["some.int32"]?.int == -2_000_000_000)
    #expect(config["some.float32"]?.double == 1e-5 && config["some.float64"]?.double == 0.1)
    #expect(config["some.bool"] == true && config["some.text"] == "é 😀\n")
    #expect(config["some.int64"]?.int == -(1 << 62))
    #expect(config["some.numbers"] == [1, -2, 3] && config["some.flags"] == [true, false])
    #expect(config["some.fractions"] == [.double(0.5), .double(1.25)])
    #expect(config["some.texts"] == ["a", "", "ü"])
    #expect(checkpoint.metadata?["some.text"] == "é 😀\n")
  }

  @Test func `innermost extents come first in the file, and last here`() throws {
    let found = try readAll(Self.path("good/version_2.gguf"))
    #expect(found.map(\.shape) == [[4, 2]] && found[0].bytes == Array(0..<32))
    let odd = try readAll(Self.path("good/empty_and_scalar.gguf"))
    #expect(odd.map(\.shape) == [[0, 3], [], [8]] && odd[1].bytes == [7, 0, 0, 0])
    #expect(try readAll(Self.path("good/no_tensors.gguf")).isEmpty)
  }

  @Test(arguments: ["every_type", "big_endian", "alignment_64", "version_2", "empty_and_scalar"])
  func `what is written again is the same, little-endian and aligned to 32`(
    _ name: String
  ) throws {
    let scratch = ScratchFolder()
    let checkpoint = try Checkpoint.open(Self.path("good/\(name).gguf"))
    let target = scratch.path.appending("again.gguf")
    try write(checkpoint, to: target, .gguf)
    #expect(try readAll(target) == readAll(Self.path("good/\(name).gguf")))
    let again = try Checkpoint.open(target)
    let gone = ["general.alignment"]
    #expect(
      again.config?.value.members?.filter { !gone.contains($0.key) }
        == checkpoint.config?.value.members?.filter { !gone.contains($0.key) })
    // gguf-py's own file comes out byte for byte.
    if name == "every_type" {
      #expect(readFile(target) == readFile(Self.path("good/\(name).gguf")))
    }
  }

  // MARK: Several files

  @Test(arguments: ["", "/model-00001-of-00003.gguf", "/model-00003-of-00003.gguf"])
  func `a model that was split is read whole, whichever file is named`(_ name: String) throws {
    let checkpoint = try Checkpoint.open(FilePath(Self.path("split/parts").string + name))
    #expect(checkpoint.tensors.tensors.map(\.name.text) == (0..<5).map { "t.\($0)" })
    #expect(checkpoint.files.count == 3 && checkpoint.part == nil)
    #expect(checkpoint.metadata?["general.name"] == "in parts")
    for (number, tensor) in checkpoint.tensors.tensors.enumerated() {
      #expect(
        try tensor.dtype.element(at: 7, of: tensor.bytes(of: 0..<8)) == .single(Float(number)))
    }
  }

  @Test func `a part that is missing, or another's, is an error`() throws {
    let scratch = ScratchFolder()
    let names = (1...3).map { "model-0000\($0)-of-00003.gguf" }
    func fault(_ files: [(from: String, to: String)]) -> String {
      let folder = scratch.makeFolder("\(scratch.names.count)")
      for (from, to) in files {
        writeFile(readFile(Self.path("split/parts/\(from)")), to: folder.appending(to))
      }
      return error(reading: folder.appending(files[0].to))?.description ?? "none"
    }
    #expect(fault([(names[0], names[0]), (names[1], names[1])]).contains(names[2]))
    #expect(
      fault([(names[0], names[0]), (names[0], names[1]), (names[2], names[2])])
        .contains("is not file 2 of 3"))
    #expect(fault([(names[0], "model.gguf")]).contains("is file 1 of 3 by its metadata"))
  }

  // MARK: Damage

  @Test(arguments: fixtures("gguf", "bad")) func `refuses`(_ path: FilePath) throws {
    let expected = try #require(expectedGGUFFaults[path.stem ?? ""], "\(path)")
    let found = try #require(error(reading: path))
    #expect(found.file == path.string || found.file?.hasSuffix(".gguf") == true)
    #expect(found.description.contains(expected.text), "\(found)")
    #expect(found.category == expected.category, "\(found)")
    #expect(!found.description.contains("\n"))
  }

  @Test func `every expectation has a file`() {
    #expect(fixtures("gguf", "bad").map { $0.stem ?? "" } == expectedGGUFFaults.keys.sorted())
  }

  @Test(arguments: fixtures("gguf", "good")) func `survives cuts, flipped bits and stretches`(
    _ path: FilePath
  ) throws {
    let scratch = ScratchFolder()
    let bytes = readFile(path)
    for count in bytes.indices {
      #expect(
        error(reading: scratch.write(Array(bytes[..<count]), to: "a.gguf")) != nil, "\(count)")
    }
    var random = SeededGenerator(seed: 18)
    for round in 0..<1500 {
      var damaged = bytes
      if round.isMultiple(of: 3) {
        let start = Int.random(in: 0..<bytes.count, using: &random)
        let fill: UInt8 = [0, 0xFF, 0x7F, 1].randomElement(using: &random) ?? 0
        for index in start..<min(bytes.count, start + 8) { damaged[index] = fill }
      } else {
        let bit = Int.random(in: 0..<8 * bytes.count, using: &random)
        damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      }
      _ = try? readAll(damaged, as: "a.gguf", in: scratch)
    }
  }
}

private let expectedGGUFFaults: [String: ExpectedFault] = [
  "alignment_huge": "general.alignment is no power of two",
  "alignment_is_text": "general.alignment is no power of two",
  "alignment_no_power": "general.alignment is no power of two",
  "alignment_zero": "general.alignment is no power of two",
  "big_endian_q5_0": .unsupported(
    "tensor \"a\" at byte 24: blocks of Q5_0 are not read from big-endian files"),
  "bool_is_two": "key \"k\": 2 is neither true nor false",
  "bytes_wrap": "the number of bytes of F32 [8, 4611686018427387904] is too large",
  "bytes_without_tensors": "40 bytes follow the last tensor",
  "count_beyond_int64": "at byte 8: the number of tensors is too large",
  "data_cut_off": "truncated: needs 16 bytes, 15 are left",
  "data_left_over": "17 bytes follow the last tensor",
  "data_missing": "truncated: needs 16 bytes, 0 are left",
  "elements_wrap": "the number of bytes of F32",
  "extent_beyond_int64": "tensor \"a\" at byte 24: an extent is too large",
  "five_dimensions": "the number of dimensions is 5, the limit is 4",
  "gap": "tensor \"b\" at byte 57: begins at 64 and leaves a gap after the bytes before",
  "gap_at_start": "begins at 32 and leaves a gap",
  "key_beyond_file": "at byte 32: truncated: needs 1000 bytes, 0 are left",
  "key_empty": "a key is empty",
  "key_not_utf8": "a key is not UTF-8",
  "key_too_long": "the length of a key is 1099511627776, the limit is 65536",
  "key_twice": "key \"k\": the key occurs twice",
  "list_beyond_file": "a list of 2305843009213693952 values does not fit the rest of the file",
  "list_of_bool_is_two": "2 is neither true nor false",
  "list_of_texts_beyond_file": "a list of 3 values does not fit the rest of the file",
  "list_wraps": "a list of 4611686018427387904 values does not fit the rest of the file",
  "lists_nested_deeply": "lists are nested deeper than 8",
  "magic_only": "at byte 4: truncated: needs 4 bytes, 0 are left",
  "name_not_utf8": "the name of a tensor is not UTF-8",
  "name_twice": "tensor \"a\" at byte 57: the name occurs twice",
  "no_counts": "truncated",
  "offset_not_aligned": "begins at 8, which is no multiple of the alignment 32",
  "offset_wraps": "leaves a gap",
  "overlap": "tensor \"b\" at byte 57: begins at 32 and overlaps the bytes before, which end at 64",
  "rows_no_blocks": "rows of 48 are no whole blocks of Q4_0, which have 32 numbers",
  "same_offset": "begins at 0 and overlaps",
  "split_number_beyond_count": "split.no and split.count are no place among several files",
  "split_without_siblings": "is file 1 of 3 by its metadata, and is not called so",
  "text_beyond_file": "truncated: needs 4611686018427387904 bytes",
  "text_not_utf8": "key \"k\": a text is not UTF-8",
  "too_many_tensors": "the number of tensors is 1099511627776, the limit is 262144",
  "too_many_values": "the number of key-values is 1099511627776, the limit is 65536",
  "type_given_up": .unsupported("ggml's type 31 is not known"),
  "type_unknown": .unsupported("ggml's type 99 is not known"),
  "value_cut_off": "truncated: needs 8 bytes, 4 are left",
  "value_type_unknown": "type 13 of a value is not known",
  "version_1": .unsupported("GGUF version 1 is not known; versions 2 and 3 are"),
  "version_4": .unsupported("GGUF version 4 is not known; versions 2 and 3 are"),
]
