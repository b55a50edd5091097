import SystemPackage
import TensorCore
import TestSupport
import Testing

/// Every file that must be refused is, for the reason that its name says.
@Suite struct BadFilesTests {
  @Test(arguments: ["safetensors", "npy", "npz"])
  func `every bad file has an expectation`(_ format: String) {
    let files = fixtures(format, "bad").map { $0.stem ?? "" }
    #expect(files == expectedFaults[format, default: [:]].keys.sorted())
  }

  @Test(arguments: ["safetensors", "npy", "npz"].flatMap { fixtures($0, "bad") })
  func `refuses`(_ path: FilePath) throws {
    let format = path.removingLastComponent().removingLastComponent().lastComponent?.string ?? ""
    let expected = try #require(expectedFaults[format]?[path.stem ?? ""])
    let found = try #require(error(reading: path))
    #expect(found.file == path.string)
    #expect(found.description.contains(expected.text), "\(found)")
    #expect(found.category == expected.category, "\(found)")
    #expect(!found.description.contains("\n"))
  }
}

/// What the message must say.
struct ExpectedFault: ExpressibleByStringLiteral {
  let text: String
  var category = CheckpointError.Category.failed

  init(stringLiteral text: String) {
    self.text = text
  }

  static func unsupported(_ text: String) -> ExpectedFault {
    var fault = ExpectedFault(stringLiteral: text)
    fault.category = .unsupported
    return fault
  }
}

private let expectedFaults: [String: [String: ExpectedFault]] = [
  "safetensors": expectedSafetensorsFaults, "npy": expectedNpyFaults, "npz": expectedNpzFaults,
]

private let expectedSafetensorsFaults: [String: ExpectedFault] = [
  "empty": "the file is empty",
  "seven_bytes": "truncated: needs 8 bytes, 7 are left",
  "header_length_beyond_file": "truncated: needs 1000000 bytes, 54 are left",
  "header_length_max": "the header's length is 9223372036854775807, the limit is 100000000",
  "header_over_limit": "the header's length is 100000001, the limit is 100000000",
  "header_length_zero": "at byte 8: the header does not begin with {",
  "header_not_utf8": "at byte 10: the header: not valid UTF-8",
  "header_with_bom": "at byte 8: the header does not begin with {",
  "header_begins_with_space": "at byte 8: the header does not begin with {",
  "header_is_array": "at byte 8: the header does not begin with {",
  "header_cut_off": "at byte 61: the header: the text ends too early",
  "header_nul_padding": "at byte 62: the header: something follows the value",
  "header_two_objects": "at byte 62: the header: something follows the value",
  "header_single_quotes": "at byte 9: the header: expected a key in quotes",
  "header_nested_deeply": "the header: nested deeper than 64",
  "duplicate_name": "at byte 62: the header: duplicate key \"a\"",
  "duplicate_name_escaped": "at byte 62: the header: duplicate key \"a\"",
  "duplicate_key": "the header: duplicate key \"dtype\"",
  "lone_surrogate": "at byte 10: the header: a lone surrogate",
  "entry_is_null": "tensor \"a\" at byte 9: the entry is not an object",
  "entry_without_shape": "the entry does not have all of dtype, shape and data_offsets",
  "entry_with_more": "the entry has an unknown key \"device\"",
  "key_with_nul":
    "tensor \"a\" at byte 9: the entry has an unknown key \"dtype\\u{0}x\"",
  "dtype_unknown": .unsupported("tensor \"a\" at byte 9: dtype \"F128\" is not known"),
  "dtype_c128": .unsupported("dtype \"C128\" is not known"),
  "dtype_lower_case": .unsupported("dtype \"f32\" is not known"),
  "dtype_is_number": "dtype is not a string",
  "shape_negative": "the entry has a negative number",
  "shape_minus_zero": "the entry has a negative number",
  "shape_fraction": "shape is not a list of whole numbers below 2^63",
  "shape_exponent": "shape is not a list of whole numbers below 2^63",
  "shape_string": "shape is not a list of whole numbers below 2^63",
  "shape_beyond_int64": "shape is not a list of whole numbers below 2^63",
  "shape_beyond_uint64": "a number does not fit 64 bits",
  "shape_product_wraps": "the number of bytes of F32 [4611686018427387904, 4, 2] is too large",
  "shape_bits_wrap": "the number of bytes of F32 [576460752303423490] is too large",
  "shape_rank_65": "the number of dimensions is 65, the limit is 64",
  "sub_byte_not_whole": "F4 [3] does not fill whole bytes",
  "size_too_small": "tensor \"a\" at byte 9: header declares 8 bytes, F32 [3] needs 12",
  "size_too_large": "tensor \"a\" at byte 9: header declares 8 bytes, F32 [1] needs 4",
  "offsets_reversed": "data_offsets is no pair [begin, end] with begin <= end",
  "offsets_three": "data_offsets is no pair [begin, end] with begin <= end",
  "offsets_wrap": "data_offsets is no pair [begin, end] with begin <= end",
  "offsets_gap_at_start": "begins at 4 and leaves a gap after the bytes before, which end at 0",
  "offsets_gap": "tensor \"b\" at byte 62: begins at 12 and leaves a gap",
  "offsets_overlap": "tensor \"b\" at byte 62: begins at 4 and overlaps",
  "offsets_same": "begins at 0 and overlaps the bytes before, which end at 8",
  "data_cut_off": "at byte 62: truncated: needs 8 bytes, 7 are left",
  "data_left_over": "at byte 70: 1 bytes follow the last tensor",
  "metadata_not_strings": "__metadata__: the value of \"a\" is not a string",
  "metadata_is_list": "__metadata__: expected an object",
  "metadata_duplicate": "duplicate key \"a\"",
  "git_lfs_pointer": "is a Git LFS pointer",
  "web_page": "is a web page",
  "ggml": .unsupported("is a GGML file"),
  "pickle": .unsupported("is a pickle"),
]

private let expectedNpyFaults: [String: ExpectedFault] = [
  "magic_only": "at byte 0: truncated: needs 10 bytes, 6 are left",
  "no_length": "at byte 0: truncated: needs 10 bytes, 9 are left",
  "version_4": .unsupported("npy version 4.0 is not known"),
  "header_beyond_file": "at byte 8: truncated: needs 60000 bytes",
  "header_over_limit": "the header's length is 2147483648, the limit is 1048576",
  "data_cut_off": "tensor \"data_cut_off\" at byte 68: truncated: needs 8 bytes, 7 are left",
  "data_left_over": "at byte 68: 1 bytes follow the array",
  "object": .unsupported("dtype \"|O\" is objects, which are pickled"),
  "structured": .unsupported("structured arrays are not read"),
  "text": .unsupported("dtype \"<U2\" is text"),
  "byte_string": .unsupported("dtype \"|S2\" is text"),
  "dates": .unsupported("dtype \"<M8[s]\" is dates or times"),
  "long_double": .unsupported("dtype \"<f16\" is a floating-point type that only some machines"),
  "raw_byte": .unsupported(
    "dtype \"<V1\" is one raw byte, which may be any of sixteen types of ml_dtypes"),
  "raw_bytes": .unsupported("dtype \"|V3\" is raw bytes"),
  "code": "at byte 10: npy header: expected \"{\"",
  "descr_expression": "npy header: expected \"}\"",
  "descr_machine_dependent": .unsupported("dtype \"l\" has another size on other machines"),
  "descr_unknown": .unsupported("dtype \"<q4\" is not known"),
  "key_twice": "the key 'shape' is unknown or there twice",
  "key_unknown": "the key 'name' is unknown or there twice",
  "key_missing": "a key of descr, fortran_order and shape is missing",
  "order_is_number": "expected True or False",
  "shape_is_number": "the shape is a number, not a tuple",
  "shape_is_list": "expected \"(\"",
  "shape_negative": "expected a whole number from 0",
  "shape_leading_zero": "a number starts with 0",
  "shape_overflow": "an extent is too large",
  "shape_product_wraps": "the number of bytes of F32 [4611686018427387904, 4, 2] is too large",
  "text_after_header": "something follows the dictionary",
  "nul_in_header": "an unusual character in a string",
]

private let expectedNpzFaults: [String: ExpectedFault] = [
  "zip64_count_differs": "the 64-bit end records of the zip archive contradict each other",
  "zip64_count_huge": "the number of zip members is 1099511627776, the limit is 262144",
  "zip64_count_negative": "the number of zip members is too large",
  "zip64_record_elsewhere": "the 64-bit end records of the zip archive contradict each other",
  "zip64_record_broken": "the 64-bit end records of the zip archive contradict each other",
  "zip64_start_wrong": "the zip directory does not end where its end record begins",
  "zip64_offset_missing": "overlaps what follows it",
  "comment_of_ours_broken": "the zip comment cannot be read",
  "comment_of_later_version": .unsupported("of a later version, \"tfkit.npz/2\""),
  "comment_promises_metadata": "promises 9 bytes of metadata, 0 are there",
  "cut_off": "has no end record",
  "end_record_cut_off": "has no end record",
  "signature_only": "has no end record",
  "member_twice": "zip member \"a.npy\" is there twice",
  "no_array": "zip member \"readme.txt\" is no array",
  "folder_entry": "zip member \"folder/\" is no array",
  "encrypted": .unsupported("zip member \"a.npy\" is encrypted"),
  "method_unknown": .unsupported("has the compression method 12"),
  "version_too_new": .unsupported("zip member \"a.npy\" needs zip version 10.9"),
  "name_differs": "is described differently in its local header",
  "name_not_utf8": "the name of a zip member is not UTF-8",
  "name_with_nul": "the name of a zip member is not UTF-8",
  "second_name": .unsupported("a zip member has a second name"),
  "size_differs": "is described differently in its local header",
  "flags_differ": "is described differently in its local header",
  "method_differs": "is described differently in its local header",
  "crc_differs": "is described differently in its local header",
  "crc_wrong": "checksum of zip member \"a.npy\" does not match",
  "crc_wrong_deflated": "checksum of zip member \"a.npy\" does not match",
  "data_changed": "checksum of zip member \"a.npy\" does not match",
  "stored_with_two_sizes": "is stored, but has two sizes",
  "deflated_bomb": "says it is larger than deflate can make it",
  "deflated_more_than_declared": "has more than its 152 bytes",
  "deflated_less_than_declared": "ends after 151 of 152 bytes",
  "deflated_garbage": "is not valid deflate data",
  "offset_beyond_file": "overlaps what follows it",
  "members_overlap": "overlaps what follows it",
  "members_same": "has 187 bytes after it that belong to nothing",
  "gap_before_first": "10 bytes before the first zip member belong to nothing",
  "gap_before_directory": "has 6 bytes after it that belong to nothing",
  "gap_after_directory": "does not end where its end record begins",
  "data_after_end": "bytes follow the end of the zip archive",
  "two_end_records": "does not end where its end record begins",
  "end_record_in_comment": "does not end where its end record begins",
  "count_too_large": "the zip directory has an impossible size",
  "count_too_small": "the zip directory has more than its members",
  "counts_differ": .unsupported("is split over disks"),
  "zip64_beside_sizes": "has 64-bit sizes beside its 32-bit sizes",
  "directory_size_wrong": "does not end where its end record begins",
  "object_inside": .unsupported("tensor \"a\" at byte 0: dtype \"|O\" is objects"),
  "array_cut_off": "is described differently in its local header",
  "raw_byte_inside": .unsupported("is one raw byte"),
]
