public import TensorCore

/// What stands before the tensors of a ggml file: sizes, the filters of bands of frequencies, and words.
public struct GGMLHead: Sendable {
  /// The sizes in the order of `GGML.sizes`.
  let sizes: [Int]
  /// `[bands, 201]` in single precision.
  let filters: [UInt8]
  /// How many words there are; a model may have more tokens.
  public let wordCount: Int
  /// Of each word its length, and its bytes.
  private let words: [UInt8]

  /// The number of a size.
  private subscript(name: String) -> Int {
    GGML.sizes.firstIndex(of: name).map { sizes[$0] } ?? 0
  }

  /// How many bands of frequencies a sound has.
  public var bands: Int { self["n_mels"] }

  /// How many tensors belong to it.
  var tensorCount: Int {
    GGML.tensorCount(layers: self["n_audio_layer"], self["n_text_layer"])
  }

  /// What a file begins with.
  ///
  /// - Parameters:
  ///   - sizes: an object with a number under each of the program's names.
  ///   - filters: `[bands, 201]`.
  ///   - words: the bytes of each word, in order.
  /// - Throws: `CheckpointError` if a number is missing or none that a file has, or there are too few or too many filters.
  public init(
    sizes: JSONValue, filters: [Float], words: [[UInt8]]
  ) throws(CheckpointError) {
    self.sizes = try GGML.sizes.map { name throws(CheckpointError) in
      guard let size = sizes[name]?.int, (0...Int(Int32.max)).contains(size) else {
        throw CheckpointError(.refused("a ggml file cannot say \(name) of this model"))
      }
      return size
    }
    self.filters = filters.flatMap(\.bitPattern.littleEndianBytes)
    wordCount = words.count
    self.words = words.flatMap { UInt32($0.count).littleEndianBytes + $0 }
    guard bands.multipliedIfFits(by: GGML.frequencies) == filters.count else {
      throw CheckpointError(
        .refused("\(filters.count) numbers are no filters of \(bands) bands"))
    }
  }

  /// Reads what a file begins with.
  init(_ cursor: inout SourceCursor) throws(CheckpointError) {
    guard try cursor.bytes(GGML.magic.count) == GGML.magic else {
      throw CheckpointError(.malformed("does not begin as a ggml file"), offset: 0)
    }
    var sizes: [Int] = []
    for name in GGML.sizes { sizes.append(try cursor.ggmlSize(name)) }
    self.sizes = sizes
    _ = try cursor.ggmlSize("the type of the file")
    let offset = cursor.position
    let bands = try cursor.ggmlSize("the number of bands")
    let frequencies = try cursor.ggmlSize("the number of frequencies")
    guard bands == sizes.last, frequencies == GGML.frequencies,
      let bytes = bands.multipliedIfFits(by: 4 * GGML.frequencies), bytes <= Limits.ggmlHead
    else {
      throw CheckpointError(
        .malformed(
          "\(bands) × \(frequencies) filters, and not \(sizes.last ?? 0) ×"
            + " \(GGML.frequencies), as whisper.cpp has them"), offset: offset)
    }
    filters = try cursor.bytes(bytes)
    let start = cursor.position
    wordCount = try cursor.ggmlSize("the number of words")
    guard wordCount <= Limits.tensors else {
      throw CheckpointError(
        .limitExceeded("the number of words", limit: Limits.tensors, found: wordCount),
        offset: start)
    }
    var words: [UInt8] = []
    for _ in 0..<wordCount {
      let place = cursor.position
      let length = try cursor.ggmlSize("the length of a word")
      guard length <= Limits.name, words.count + length <= Limits.ggmlHead else {
        throw CheckpointError(
          .limitExceeded("the length of a word", limit: Limits.name, found: length), offset: place)
      }
      words += UInt32(length).littleEndianBytes + (try cursor.bytes(length))
    }
    self.words = words
  }

  /// The bytes of each word, in order.
  public var wordList: [[UInt8]] {
    var list: [[UInt8]] = []
    var place = 0
    for _ in 0..<wordCount {
      let length = words[place..<place + 4].reversed().reduce(0) { $0 << 8 | Int($1) }
      list.append(Array(words[place + 4..<place + 4 + length]))
      place += 4 + length
    }
    return list
  }

  /// What a file of matrices of a type begins with.
  func bytes(type: Int) -> [UInt8] {
    var bytes = GGML.magic
    for number in sizes + [type, bands, GGML.frequencies] {
      bytes += UInt32(number).littleEndianBytes
    }
    return bytes + filters + UInt32(wordCount).littleEndianBytes + words
  }
}
