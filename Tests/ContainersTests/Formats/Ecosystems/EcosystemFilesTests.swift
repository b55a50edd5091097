import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// The formats whose files the scripts of `Tools/oracle` make with the ecosystems' own code.
let ecosystems = ["flax", "tensorflow", "onnx", "hdf5"]

/// Files of these that must be read.
let ecosystemFixtures = ecosystems.flatMap { fixtures($0, "good") }.filter {
  $0.extension != "data"
}

/// What other ecosystems wrote is read as they read it, or refused for the reason that the file's name says.
@Suite struct EcosystemFilesTests {
  @Test(arguments: ecosystemFixtures) func `reads what is there`(_ path: FilePath) throws {
    let checkpoint = try Checkpoint.open(path)
    let stem = path.lastComponent?.string.prefix { $0 != "." } ?? ""
    let folder = path.removingLastComponent().removingLastComponent()
    #expect(checkpoint.format.name == folder.lastComponent?.string)
    let expected = try Checkpoint.open(folder.appending("expected/\(stem).safetensors"))
    let found = try checkpoint.tensors.tensors.map { try ReadTensor($0) }
    #expect(found.map(\.name).sorted() == expected.tensors.tensors.map(\.name).sorted())
    for tensor in found {
      let there = try ReadTensor(try #require(expected.tensors[tensor.name]))
      // safetensors has no complex numbers of double precision: there they are pairs.
      let (dtype, shape) =
        tensor.dtype == .c128 ? (.f64, tensor.shape + [2]) : (tensor.dtype, tensor.shape)
      #expect(dtype == there.dtype && shape == there.shape, "\(tensor.name)")
      #expect(tensor.bytes == there.bytes, "\(tensor.name)")
    }
    let asides = checkpoint.others.map { "\($0.name): \($0.what)" }.joined(separator: "\n")
    #expect(asides == expected.metadata?["asides"] ?? "")
  }

  @Test(arguments: ecosystemFixtures) func `can be written as another container`(
    _ path: FilePath
  ) throws {
    let checkpoint = try Checkpoint.open(path)
    let scratch = ScratchFolder()
    let target = scratch.path.appending("again.tfz")
    try CheckpointWriter(destination: target, format: .tfz, keepsOrder: checkpoint.keepsOrder)
      .write(tensors: checkpoint.tensors.tensors)
    let found = try readAll(path).sorted { $0.name < $1.name }
    #expect(try readAll(target).sorted { $0.name < $1.name } == found)
  }

  @Test(arguments: ecosystems) func `every bad file has an expectation`(_ format: String) {
    let files = badFiles(format).map { $0.stem ?? "" }
    #expect(files == expectedEcosystemFaults[format, default: [:]].keys.sorted())
  }

  @Test(arguments: ecosystems.flatMap { badFiles($0) }) func refuses(
    _ path: FilePath
  ) throws {
    let folder = path.removingLastComponent().removingLastComponent()
    let format = folder.lastComponent?.string ?? ""
    let expected = try #require(expectedEcosystemFaults[format]?[path.stem ?? ""])
    let found = try #require(error(reading: path, as: ContainerFormat.named(format)))
    #expect(found.description.contains(expected.text), "\(found)")
    #expect(found.category == expected.category, "\(found)")
    #expect(!found.description.contains("\n"))
  }

  @Test(arguments: ecosystems) func `is read, and not written`(_ name: String) throws {
    let format = try #require(ContainerFormat.named(name))
    #expect(!format.isWritten && ContainerFormat.all.contains(format))
    #expect(!ContainerFormat.written.contains(format))
    let scratch = ScratchFolder()
    let target = scratch.path.appending("a.\(format.fileExtension)")
    let tensors = [Tensor("a", .u8, [1], [1])]
    for refused in [
      failure { try CheckpointWriter(destination: target, format: format).write(tensors: tensors) },
      failure { _ = try ContainerFormat.written(at: target) },
    ] {
      #expect(refused?.category == .unsupported)
      #expect(refused?.description.contains("\(name) files") == true, "\(refused as Any)")
    }
    #expect(scratch.names.isEmpty)
  }

  private func failure(_ body: () throws -> Void) -> CheckpointError? {
    do { try body() } catch { return error as? CheckpointError }
    return nil
  }
}

private let expectedEcosystemFaults: [String: [String: ExpectedFault]] = [
  "flax": expectedFlaxFaults, "tensorflow": expectedTensorFlowFaults,
  "onnx": expectedONNXFaults, "hdf5": expectedHDF5Faults,
]

/// The files that must be refused, without those that belong to others.
private func badFiles(_ format: String) -> [FilePath] {
  let ending = ContainerFormat.named(format)?.fileExtension
  return fixtures(format, "bad").filter { $0.extension == ending }
}

private let expectedFlaxFaults: [String: ExpectedFault] = [
  "bytes_after": "at byte 27: 1 bytes follow the last item",
  "key_twice": "at byte 27: the key \"w\" is there twice",
  "key_number": "at byte 27: a key of a map is no text",
  "key_not_utf8": "at byte 27: MessagePack: a text is not UTF-8",
  "path_twice": "tensor \"a/b\": the name occurs twice",
  "map_too_long": "at byte 31: truncated: needs 1 bytes, 0 are left",
  "no_item": "at byte 29: MessagePack: a byte that begins no item",
  "type_unknown": .unsupported("has an item of the unknown type 9"),
  "dtype_int4": .unsupported("dtype \"int4\" is not read"),
  "dtype_object": .unsupported("dtype \"object\" is not read"),
  "size_too_small": "header declares 7 bytes, F32 [2] needs 8",
  "shape_negative": "an array has an extent that is no number from 0",
  "shape_wraps": "the number of bytes of F32 [4611686018427387904, 4, 2] is too large",
  "shape_huge": "a number is too large",
  "shape_rank_65": "the number of dimensions is 65, the limit is 64",
  "array_with_more": "an array is no list of shape, type and bytes",
  "array_is_map": "an array is no list of shape, type and bytes",
  "array_past_end": "truncated: needs 2147483648 bytes, 1 are left",
  "complex_of_three": "a complex number is not two numbers",
  "nested_deeply": "nested deeper than 64",
  "chunks_missing": "tensor \"w\": an array in pieces is not a shape and vectors of one type",
  "chunks_too_few": "header declares 8 bytes, F32 [4] needs 16",
  "chunks_out_of_order": "tensor \"w\": an array in pieces is not a shape and vectors of one type",
  "chunks_of_two_types": "tensor \"w\": an array in pieces is not a shape and vectors of one type",
  "chunks_none": "tensor \"w\": an array in pieces is not a shape and vectors of one type",
  "chunk_shape_negative": "the number of bytes of F32 [-2] is too large",
]

private let expectedTensorFlowFaults: [String: ExpectedFault] = [
  "cut_off": "truncated: needs 48 bytes, 40 are left",
  "magic_wrong": "does not end as a table does",
  "footer_broken": "the footer of the table is broken",
  "footer_with_more": "the footer of the table is broken",
  "block_changed": "at byte 0: checksum of a block of the table does not match",
  "block_past_end": "truncated: needs 1099511627776 bytes",
  "snappy": .unsupported("is compressed with Snappy, which is not read"),
  "compression_unknown": .unsupported("is compressed in the unknown way 7"),
  "key_twice": "the keys of the table are not in order",
  "keys_out_of_order": "the keys of the table are not in order",
  "key_behind_last": "a block of the table has a key behind its last",
  "shared_too_much": "at byte 0: a block of the table is broken",
  "restart_nowhere": "at byte 0: a block of the table is broken",
  "restarts_too_many": "at byte 0: a block of the table is broken",
  "gap": "a block of the table is not where the one before it ends",
  "header_missing": "the index has no header",
  "no_shards": "the index says that there are 0 shards",
  "version_2": .unsupported("needs a reader of version 2 of TensorFlow's checkpoints"),
  "message_broken": "tensor \"a\" at byte 0: truncated",
  "message_of_groups": "Protocol Buffers: a field of an unknown kind",
  "field_of_other_kind": "the offset is stored as something else",
  "checksum_of_other_kind": "the checksum is stored as something else",
  "name_not_utf8": "the name of a tensor is not UTF-8",
  "dtype_qint8": .unsupported("tensor \"a\": dtype \"qint8\" is not read"),
  "dtype_unknown": .unsupported("tensor \"a\": a type of the unknown number 77"),
  "size_too_small": "tensor \"a\": header declares 7 bytes, F32 [2] needs 8",
  "shape_negative": "tensor \"a\" at byte 0: an extent is negative",
  "shape_wraps": "the number of bytes of F32 [4611686018427387904, 4, 2] is too large",
  "shape_rank_65": "the number of dimensions is 65, the limit is 64",
  "offset_negative": "a place or a size is negative",
  "offset_past_end": "truncated: needs 8 bytes, 0 are left",
  "offset_wraps": "a place or a size is negative",
  "shard_unknown": "is in shard 3 of 1",
  "shard_missing": "shard_missing.data-00000-of-00001: tensor \"a\": cannot open",
  "overlap": "tensor \"b\": begins at 4 and overlaps the bytes before",
  "data_changed": "checksum of the bytes does not match",
  "partitioned_columns": .unsupported("is partitioned along another axis than the first"),
  "parts_missing": "its parts are not there, or are no whole",
]

private let expectedONNXFaults: [String: ExpectedFault] = [
  "cut_off": "truncated",
  "data_missing": "tensor \"a\" at byte 15: header declares 0 bytes, F32 [2] needs 8",
  "data_of_other_type": "its numbers are stored as those of another type",
  "data_twice": "its numbers are stored twice",
  "data_unpacked": .unsupported("the numbers stand one by one (not packed)"),
  "dtype_int4": .unsupported("dtype \"INT4\" is not read"),
  "dtype_missing": "the tensor has no type",
  "dtype_unknown": .unsupported("a type of the unknown number 99"),
  "external_absolute": "the path \"/etc/hostname\" of its bytes leaves the folder",
  "external_and_inside": "its bytes are in the file, and in another one",
  "external_dot": "the path \"./x\" of its bytes leaves the folder",
  "external_length_wrong": "the length of its bytes is 9, it needs 8",
  "external_missing": "cannot open",
  "external_nowhere": "its bytes are in another file, and it is not said in which",
  "external_offset_huge": "the offset of its bytes is no number",
  "external_offset_negative": "the offset of its bytes is no number: \"-1\"",
  "external_offset_past_end": "truncated: needs 8 bytes, 0 are left",
  "external_up": "the path \"../secret\" of its bytes leaves the folder",
  "f4_of_odd_count": "F4 [3] does not fill whole bytes",
  "group": "Protocol Buffers: a field of an unknown kind",
  "name_missing": "a tensor has no name",
  "name_not_utf8": "Protocol Buffers: a text that is not UTF-8",
  "name_twice": "tensor \"a\": the name occurs twice",
  "no_graph": "the model has no graph",
  "number_too_large": "a number that I8 has not",
  "numbers_too_few": "has 1 numbers, its shape needs 2",
  "raw_data_twice": "the numbers are in too many pieces",
  "segment": .unsupported("a tensor in segments is not read"),
  "shape_negative": "an extent is negative",
  "shape_rank_65": "the number of dimensions is 65, the limit is 64",
  "shape_wraps": "the number of bytes of F32 [4611686018427387904, 4, 2] is too large",
  "size_too_small": "header declares 7 bytes, F32 [2] needs 8",
  "sparse": .unsupported("has a sparse initialiser"),
  "two_graphs": "the model has two graphs",
  "varint_too_long": "Protocol Buffers: a number of more than 64 bits",
]

private let expectedHDF5Faults: [String: ExpectedFault] = [
  "addresses_of_4_bytes": .unsupported("addresses are not of 8 bytes"),
  "base_elsewhere": "addresses do not count from the superblock",
  "chunk_changed": "checksum of a chunk does not match",
  "chunk_elsewhere": "tensor \"a\"",
  "chunk_huge": "a chunk is broken",
  "chunk_of_zeros": "a chunk is not valid deflate data, or too long",
  "chunk_twice": "a chunk is broken",
  "chunks_latest": .unsupported("chunks in the newest form"),
  "committed_type": .unsupported("has a part that stands elsewhere"),
  "cut_off": "truncated: needs",
  "data_past_end": "truncated: needs 24 bytes, 4 are left",
  "dense_links": .unsupported("a group of many links in the newest form"),
  "external": .unsupported("its bytes are in another file"),
  "fill_value": .unsupported("elements that were never written stand for a number"),
  "fill_value_whole": .unsupported("elements that were never written stand for a number"),
  "filter_lzf": .unsupported("the filter lzf is not read"),
  "filter_scaleoffset": .unsupported("the filter scaleoffset is not read"),
  "float_of_other_form": .unsupported("floating-point numbers of an unusual form"),
  "group_in_itself": "two ways lead to the same group or tree",
  "header_changed": "checksum of an object's header does not match",
  "heap_missing": "is no HEAP where one should be",
  "heap_too_large": "the size of a heap is 4611686018427387904",
  "layout_2": .unsupported("a dataset of version 2 is not read"),
  "layout_unknown": "a dataset of an unknown kind",
  "name_past_heap": "a name leads out of its heap",
  "node_missing": "is no SNOD where one should be",
  "object_past_end": "an address leads out of the file",
  "root_is_no_object": "is no object where one should be",
  "root_past_end": "an address leads out of the file",
  "shape_of_other_size": "header declares 24 bytes, F32 [2, 4] needs 32",
  "shape_wraps": "the number of bytes of F32 [2305843009213693952, 64] is too large",
  "signature_only": "truncated",
  "superblock_9": .unsupported("a superblock of version 9 is not read"),
  "superblock_changed": "checksum of the superblock does not match",
  "tree_in_circle": "two ways lead to the same group or tree",
  "tree_missing": "is no TREE where one should be",
  "tree_of_many": "truncated",
  "type_unknown": "a type of an unknown class",
  "virtual": .unsupported("is made of other datasets (virtual)"),
]
