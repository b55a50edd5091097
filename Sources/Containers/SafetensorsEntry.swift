import TensorCore

/// A tensor as the header of a safetensors file describes it.
struct SafetensorsEntry {
  let name: TensorName
  let dtype: DType
  let shape: [Int]
  /// Where its bytes are, counted from the end of the header.
  let range: Range<Int>
  /// Where the entry itself stands in the file.
  let offset: Int
}

extension SafetensorsEntry {
  private static let keys = ["dtype", "shape", "data_offsets"]

  /// Reads one entry; every error names the tensor and where its entry stands.
  init(_ member: JSONScanner.Member, value: [UInt8]) throws(CheckpointError) {
    let name = TensorName(member.key)
    let offset = 8 + member.offset
    do throws(CheckpointError) {
      guard value.first == UInt8(ascii: "{"), let json = try? JSONValue(parsingChecked: value)
      else { throw CheckpointError(.malformed("the entry is not an object")) }
      try Self.checkKeys(of: json)
      // No dtype has a minus, so one anywhere makes a number negative, "-0" included.
      guard !value.contains(UInt8(ascii: "-")) else {
        throw CheckpointError(.malformed("the entry has a negative number"))
      }
      try self.init(name, offset: offset, json: json)
    } catch {
      var error = error
      error.tensor = name
      error.offset = offset
      throw error
    }
  }

  private init(_ name: TensorName, offset: Int, json: JSONValue) throws(CheckpointError) {
    guard let dtypeName = json["dtype"]?.string else {
      throw CheckpointError(.malformed("dtype is not a string"))
    }
    guard let dtype = DType(rawValue: dtypeName), dtype != .c128 else {
      throw CheckpointError(.unsupported("dtype \"\(dtypeName)\" is not known"))
    }
    guard let shape = json["shape"]?.naturalNumbers else {
      throw CheckpointError(.malformed("shape is not a list of whole numbers below 2^63"))
    }
    try Limits.check(name: name, rank: shape.count, offset: offset)
    guard let span = json["data_offsets"]?.naturalNumbers, span.count == 2, span[0] <= span[1]
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

  private static func checkKeys(of json: JSONValue) throws(CheckpointError) {
    let found = json.members?.map(\.key) ?? []
    for key in found where !keys.contains(where: { $0.utf8.elementsEqual(key.utf8) }) {
      throw CheckpointError(.malformed("the entry has an unknown key \"\(key)\""))
    }
    // The scanner has refused duplicates, and NULs, where json-c ends a key: three known keys are
    // all of them.
    guard found.count == keys.count else {
      throw CheckpointError(
        .malformed("the entry does not have all of dtype, shape and data_offsets"))
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

extension JSONValue {
  /// The elements, if this is a list of integers from 0 that fit `Int`.
  fileprivate var naturalNumbers: [Int]? {
    guard let elements else { return nil }
    let numbers = elements.compactMap(\.int)
    return numbers.count == elements.count && numbers.allSatisfy { $0 >= 0 } ? numbers : nil
  }
}
