import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// What torch wrote is read as torch reads it: Tools/oracle/torch_files.py.
@Suite struct TorchFilesTests {
  private static let manifest = try? JSONValue(
    parsing: readFile(fixture("containers/torch/manifest.json")), grammar: .strict)

  @Test func `every good file is in the manifest`() {
    let listed = Self.manifest?.members?.map(\.key).sorted() ?? []
    #expect(listed == fixtures("torch", "good").map { $0.lastComponent?.string ?? "" }.sorted())
  }

  @Test(arguments: fixtures("torch", "good")) func `reads what torch reads`(
    _ path: FilePath
  ) throws {
    let expected = try #require(Self.manifest?[path.lastComponent?.string ?? ""])
    let checkpoint = try Checkpoint.open(path)
    #expect(checkpoint.format == .torch)
    #expect(checkpoint.metadata == ["format": "pt"])
    let tensors = try #require(expected["tensors"]?.elements)
    #expect(checkpoint.tensors.count == tensors.count)
    for (facts, tensor) in zip(tensors, checkpoint.tensors.tensors) {
      let found = try ReadTensor(tensor)
      #expect(found.name == TensorName(facts["name"]?.string ?? "?"))
      #expect(found.dtype.name == facts["dtype"]?.string, "\(found.name)")
      #expect(found.shape == facts["shape"]?.elements?.compactMap(\.int), "\(found.name)")
      let digits = found.bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
      #expect(digits == facts["bytes"]?.string, "\(found.name)")
    }
    let others = checkpoint.others.map { "\($0.name): \($0.what)" }
    #expect(others == expected["others"]?.elements?.compactMap(\.string))
    #expect(checkpoint.otherCount == others.count)
    #expect(checkpoint.strippedPrefix?.text == expected["prefix"]?.string)
  }

  @Test func `what is left out of names is counted, and more can be taken off`() throws {
    let checkpoint = try Checkpoint.open(fixture("containers/torch/good/training.pth"))
    #expect(checkpoint.strippedPrefix?.count == 4)
    let stripped = try checkpoint.strippingPrefix("0.")
    #expect(stripped.strippedPrefix?.text == "model.0.")
    #expect(stripped.strippedPrefix?.count == 2)
    #expect(stripped.tensors["weight"] != nil && stripped.tensors["1.weight"] != nil)
  }

  @Test func `every bad file has an expectation`() {
    #expect(fixtures("torch", "bad").map { $0.stem ?? "" } == expectedTorchFaults.keys.sorted())
  }

  @Test(arguments: fixtures("torch", "bad")) func `refuses`(_ path: FilePath) throws {
    let expected = try #require(expectedTorchFaults[path.stem ?? ""])
    let found = try #require(error(reading: path))
    #expect(found.file == path.string)
    #expect(found.description.contains(expected.text), "\(found)")
    #expect(found.category == expected.category, "\(found)")
    #expect(!found.description.contains("\n"))
  }

  // MARK: Limits

  /// An archive of that pickle, without checksums, so that it need not be made with care.
  private func open(_ pickle: [UInt8]) -> CheckpointError? {
    let scratch = ScratchFolder()
    return error(reading: scratch.write(legacyFile(pickle), to: "x.pt"))
  }

  /// A file as before torch 1.6, up to the object: the pickle.
  private func legacyFile(_ pickle: [UInt8]) -> [UInt8] {
    let magic: [UInt8] = [0x80, 2, 0x8A, 10] + Array("l".utf8) + [0xFC, 0x9C, 0x46, 0xF9] + [0x20]
    return magic + [
      0x6A, 0xA8, 0x50, 0x19, 0x2E, 0x80, 2, 0x4D, 0xE9, 3, 0x2E, 0x80, 2, 0x7D, 0x2E,
    ]
      + pickle
  }

  private func text(_ pickle: [UInt8]) -> String { open(pickle)?.description ?? "" }

  @Test func `memory, stack and lengths are bounded`() {
    let pairs = [UInt8](repeating: UInt8(ascii: "]"), count: 1_500_000)
    #expect(text(pairs + [0x2E]).contains("the memory of a pickle's objects is"))
    let numbers = [UInt8](repeating: UInt8(ascii: "N"), count: 2_200_000)
    #expect(text(numbers).contains("the height of a pickle's stack is 2097152"))
    let marks = [UInt8](repeating: UInt8(ascii: "("), count: 2_200_000)
    #expect(text(marks).contains("the number of a pickle's marks is 2097152"))
    let line = [UInt8(ascii: "c")] + [UInt8](repeating: UInt8(ascii: "a"), count: 70_000)
    #expect(text(line).contains("the length of a line is 65537"))
    // Put aside far from each other: the memo is counted.
    var memo: [UInt8] = [UInt8(ascii: "N")]
    for number in 1..<1_700_000 as Range<UInt32> {
      memo.append(UInt8(ascii: "r"))
      memo += littleEndian(number &* 2_654_435)
    }
    #expect(text(memo).contains("the memory of a pickle's objects is"))
  }

  @Test func `values nested a million deep are dropped`() {
    let deep = [UInt8](repeating: UInt8(ascii: "]"), count: 500_000)
    let closed = [UInt8](repeating: UInt8(ascii: "a"), count: 499_999)
    #expect(text(deep + closed + [0x2E]).contains("truncated"))
    let tuples = [UInt8(ascii: "N")] + [UInt8](repeating: 0x85, count: 900_000)
    #expect(text(tuples + [0x2E]).contains("truncated"))
  }

  @Test func `a list that is in itself ends`() throws {
    // l = []; l.append(l); l.append(l), and no storages.
    let pickle: [UInt8] = Array("]q\0h\0ah\0a.".utf8) + [0x80, 2, 0x5D, 0x2E]
    let scratch = ScratchFolder()
    let path = scratch.write(legacyFile(pickle), to: "x.pt")
    let checkpoint = try Checkpoint.open(path, format: .torch)
    #expect(checkpoint.tensors.count == 0)
    #expect(checkpoint.others.map(\.what) == ["a list of 2"])
  }

  /// 2^50 lists, and no tensor in any of them.
  @Test func `lists that laugh have no tensors`() throws {
    var pickle = Array("]".utf8)
    for number in 0..<50 as Range<UInt8> {
      pickle += [UInt8(ascii: "q"), number, 0x30, UInt8(ascii: "]")]
      pickle += [UInt8(ascii: "h"), number, UInt8(ascii: "a"), UInt8(ascii: "h"), number]
      pickle.append(UInt8(ascii: "a"))
    }
    let scratch = ScratchFolder()
    let path = scratch.write(legacyFile(pickle + [0x2E, 0x80, 2, 0x5D, 0x2E]), to: "x.pt")
    #expect(try Checkpoint.open(path, format: .torch).others.count == 1)
  }

  @Test func `what a pickle takes is counted for caps of memory`() throws {
    let scratch = ScratchFolder()
    let tensors = (0..<500).map { Tensor(TensorName("t\($0)"), .u8, [1], [1]) }
    let path = scratch.path.appending("x.pt")
    try CheckpointWriter(destination: path, format: .torch).write(tensors: tensors)
    // 20 values of 16 bytes and some objects a tensor.
    #expect(try Checkpoint.open(path).openingMemory > 500 * 320)
    let other = scratch.path.appending("x.npz")
    try CheckpointWriter(destination: other, format: .npz).write(tensors: tensors)
    #expect(try Checkpoint.open(other).openingMemory == 0)
  }

  @Test func `another pickle is not taken for torch's`() {
    let scratch = ScratchFolder()
    let path = scratch.write([0x80, 2, 0x7D, 0x2E], to: "x.pt")
    #expect(throws: CheckpointError.self) { try Checkpoint.open(path, format: .torch) }
    #expect(error(reading: path)?.category == .unsupported)
  }

  // MARK: Folders

  @Test func `safetensors comes before torch in a folder, and torch is named`() throws {
    let scratch = ScratchFolder()
    scratch.write(
      readFile(fixture("containers/torch/good/views.pt")), to: "pytorch_model.bin")
    #expect(try Checkpoint.open(scratch.path).format == .torch)
    try CheckpointWriter(
      destination: scratch.path.appending("model.safetensors"), format: .safetensors
    ).write(tensors: [Tensor("a", .u8, [1], [1])])
    let checkpoint = try Checkpoint.open(scratch.path)
    #expect(checkpoint.format == .safetensors)
    let around = try checkpoint.surroundings(isDeep: true)
    #expect(around.weights.map { "\($0.name): \($0.what)" } == ["pytorch_model.bin: torch"])
  }

  @Test func `a file without tensors is no weights, and travels`() throws {
    let scratch = ScratchFolder()
    let name = "training_args.bin"
    scratch.write(readFile(fixture("containers/torch/good/nothing.bin")), to: name)
    scratch.write(readFile(fixture("containers/torch/good/views.pt")), to: "pytorch_model.bin")
    let around = try Checkpoint.open(scratch.path).surroundings(isDeep: true)
    #expect(around.weights.isEmpty)
    #expect(around.companions.map { String(decoding: $0.name, as: UTF8.self) } == [name])
  }
}

private let expectedTorchFaults: [String: ExpectedFault] = [
  "append_to_number": "something is put into what cannot hold it",
  "buffer_outside": .unsupported("at byte 42: the pickle has buffers outside of it"),
  "build_number": "something is put into what cannot hold it",
  "byte_order": "the byte order is neither little nor big",
  "bytes_behind": "zip member \"m/data.pkl\" has 4 bytes behind its pickle",
  "call_without_arguments": "tensor \"w\": what describes it is not what torch writes",
  "class_is_number": "the name of a class is no text",
  "class_not_utf8": "the name of a class is not UTF-8",
  "conjugate": .unsupported("it is a view (conj) whose elements are not those of its storage"),
  "deep": "the depth of lists in lists is 1000, the limit is 1000",
  "dtype_unknown": .unsupported("its type torch.bits16 is not known"),
  "empty_pickle": "truncated: needs 1 bytes, 0 are left",
  "expanded_bomb": "the size of all tensors is 4398046511104, the limit is 268435456",
  "extension": .unsupported("names a class by a number of somebody's registry"),
  "huge_number_missing": "truncated: needs 2147483647 bytes, 2 are left",
  "key_is_tuple": .unsupported("a tensor stands under a key that is no text of up to 4096 bytes"),
  "laughs": "the length of all names is 50331651, the limit is 50331648",
  "legacy_behind": "1 bytes follow the last storage",
  "legacy_cut_off": "truncated: needs 16 bytes, 15 are left",
  "legacy_missing": "the storage \"0\" is not in the file",
  "legacy_no_count": "truncated: needs 8 bytes, 2 are left",
  "legacy_other_count": "the storage \"0\" has 5 elements, its tensors speak of 4",
  "legacy_twice": "the storage \"0\" is there twice",
  "legacy_unknown_key": "a storage is there that no tensor is in",
  "legacy_version": .unsupported("is a PyTorch file of a version that is not known"),
  "legacy_view_beyond": "its storage is a view of what is not there",
  "mark_below_nothing": "nothing is on the stack below a mark",
  "memo_missing": "nothing has been put aside as 7",
  "meta": .unsupported("is a tensor without elements"),
  "name_not_utf8": .unsupported("a tensor stands under a key that is no text"),
  "name_twice": "tensor \"1\": the name occurs twice",
  "no_mark": "nothing is on the stack below a mark",
  "no_pickle": "zip member \"m/data.pkx\" is no array",
  "no_stop": "truncated: needs 1 bytes, 0 are left",
  "number_is_none": "a number is none",
  "odd_pairs": "a key has no value",
  "offset_beyond": "it reaches to element 4 of its storage, which has 4 elements",
  "offset_negative": "its offset, shape or strides are negative",
  "opcode_unknown": "at byte 42: the pickle is broken: 0xff is no opcode",
  "persistent_text": "what stands for its storage is none",
  "pickle_changed": "checksum of zip member \"m/data.pkl\" does not match",
  "pop_through_mark": "nothing is on the stack",
  "protocol_6": .unsupported("pickles of protocol 6 are not known"),
  "quantised_unknown": .unsupported("quantised in a way that is not known: torch.per_channel_x"),
  "rank_65": "the number of dimensions is 65, the limit is 64",
  "set_item_of_list": "something is put into what cannot hold it",
  "shape_is_text": "what describes it is not what torch writes",
  "shape_negative": "its offset, shape or strides are negative",
  "shape_overflow": "the number of bytes of F32 [4611686018427387904, 4611686018427387904]",
  "shape_without_stride": "it has 1 dimensions and 0 strides",
  "sparse": .unsupported("tensor \"w\": is a sparse tensor, which is not read"),
  "stack_empty": "nothing is on the stack",
  "storage_changed": "checksum of zip member \"m/data/0\" does not match",
  "storage_class": .unsupported("its storage is of the class \"os.system\", which is not known"),
  "storage_is_text": "what describes it is not what torch writes",
  "storage_missing": "the storage \"9\" is not in the archive",
  "storage_negative": "what stands for its storage is none",
  "storage_outside": "the storage \"../../etc/passwd\" is not in the archive",
  "storage_overflow": "the size of the storage \"0\" is too large",
  "storage_size": "zip member \"m/data/0\" has 16 bytes, and its tensors speak of 20",
  "storage_two_ways": "tensor \"w.1\": the storage \"0\" is described in two ways",
  "stride_beyond": "it reaches to element 6 of its storage, which has 4 elements",
  "stride_negative": "its offset, shape or strides are negative",
  "stride_overflow": "the place of its last element is too large",
  "text_64_bits": "truncated: needs 9223372036854775807 bytes, 1 are left",
  "text_longer_than_file": "truncated: needs 2147483647 bytes, 1 are left",
  "tuple_without_values": "nothing is on the stack",
  "two_folders": "the archive has no n/data.pkl",
]
