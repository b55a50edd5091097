import TensorCore

/// A tensor as the header of a safetensors file describes it.
struct SafetensorsEntry {
  let name: TensorName
  let dtype: DType
  var shape: [Int]
  /// Where its bytes are, counted from the end of the header.
  let range: Range<Int>
  /// Where the entry itself stands in the file.
  let offset: Int
}

extension SafetensorsEntry {
  /// Reads one entry of the header whose text is `bytes`; every error names the tensor and where its
  /// entry stands.
  init(_ member: JSONScanner.Member, in bytes: [UInt8]) throws(CheckpointError) {
    do throws(CheckpointError) {
      let fields = try Fields(member.value, in: bytes)
      // No dtype has a minus, so one anywhere makes a number negative, "-0" included.
      guard !bytes[member.value].contains(UInt8(ascii: "-")) else {
        throw CheckpointError(.malformed("the entry has a negative number"))
      }
      try self.init(TensorName(member.key), offset: 8 + member.offset, fields, in: bytes)
    } catch {
      var error = error
      error.tensor = TensorName(member.key)
      error.offset = 8 + member.offset
      throw error
    }
  }

  private init(
    _ name: TensorName, offset: Int, _ fields: Fields, in bytes: [UInt8]
  ) throws(CheckpointError) {
    guard let dtypeName = JSONScanner.string(ofChecked: fields.dtype, in: bytes) else {
      throw CheckpointError(.malformed("dtype is not a string"))
    }
    guard let dtype = DType(rawValue: dtypeName), dtype != .c128, !dtype.isBlock else {
      throw CheckpointError(.unsupported("dtype \"\(dtypeName)\" is not known"))
    }
    guard
      let (shape, rank) = JSONScanner.naturalNumbers(
        ofChecked: fields.shape, in: bytes, limit: Limits.rank)
    else { throw CheckpointError(.malformed("shape is not a list of whole numbers below 2^63")) }
    try Limits.check(name: name, rank: rank, offset: offset)
    guard
      let (span, count) = JSONScanner.naturalNumbers(
        ofChecked: fields.offsets, in: bytes, limit: 2), count == 2, span[0] <= span[1]
    else {
      throw CheckpointError(.malformed("data_offsets is no pair [begin, end] with begin <= end"))
    }
    try checkByteCount(span[1] - span[0], dtype: dtype, shape: shape)
    self.name = name
    self.offset = offset
    self.dtype = dtype
    self.shape = shape
    range = span[0]..<span[1]
  }

  /// Where the three values of an entry stand.
  private struct Fields {
    var dtype = 0..<0
    var shape = 0..<0
    var offsets = 0..<0

    init(_ entry: Range<Int>, in bytes: [UInt8]) throws(CheckpointError) {
      guard
        let members = try? JSONScanner.members(ofChecked: entry, in: bytes, grammar: .strict)
      else { throw CheckpointError(.malformed("the entry is not an object")) }
      for member in members {
        switch TensorName(member.key) {
        case "dtype": dtype = member.value
        case "shape": shape = member.value
        case "data_offsets": offsets = member.value
        default:
          throw CheckpointError(.malformed("the entry has an unknown key \"\(member.key)\""))
        }
      }
      // The scanner has refused duplicates: three known keys are all of them.
      guard members.count == 3 else {
        throw CheckpointError(
          .malformed("the entry does not have all of dtype, shape and data_offsets"))
      }
    }
  }
}

/// Checks that `declared` is the number of bytes that dtype and shape need.
func checkByteCount(_ declared: Int, dtype: DType, shape: [Int]) throws(CheckpointError) {
  guard checkedElementCount(of: shape)?.multipliedIfFits(by: dtype.bitWidth) != nil else {
    throw CheckpointError(.overflow("the number of bytes of \(dtype) \(describe(shape: shape))"))
  }
  guard let needed = dtype.byteCount(shape: shape) else {
    throw CheckpointError(
      .malformed("\(dtype) \(describe(shape: shape)) does not fill whole bytes"))
  }
  guard needed == declared else {
    throw CheckpointError(.sizeMismatch(declared: declared, dtype: dtype, shape: shape))
  }
}
