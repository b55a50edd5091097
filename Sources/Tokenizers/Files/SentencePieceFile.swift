public import TensorCore

/// What a sentencepiece model says.
///
/// Format: sentencepiece, `sentencepiece_model.proto`.
package struct SentencePieceFile {
  package enum Kind: Int {
    case normal = 1
    case unknown = 2
    case control = 3
    case userDefined = 4
    case unused = 5
    case byte = 6
  }

  package struct Piece {
    package var text: [UInt8] = []
    package var score: Float = 0
    package var kind = Kind.normal
  }

  package var pieces: [Piece] = []
  /// 1 unigram, 2 byte pairs, 3 words, 4 characters.
  package private(set) var algorithm = 1
  private(set) var hasByteFallback = false
  private(set) var spaceIsSuffix = false
  /// The text for what is unknown.
  private(set) var unknownText = " \u{2047} ".bytes
  package private(set) var charsmap: [UInt8] = []
  private(set) var addsSpace = true
  private(set) var removesSpaces = true
  private(set) var escapesSpaces = true

  /// - Throws: `CheckpointError` if it is no such message.
  package init(_ bytes: [UInt8]) throws(CheckpointError) {
    var reader = ProtobufReader(bytes, 0..<bytes.count)
    var limit = VocabularyLimit()
    while let field = try reader.next() {
      guard case .bytes(let range) = field.value else { continue }
      switch field.number {
      case 1:
        let piece = try Self.piece(bytes, range)
        try limit.add(piece.text.count, "piece", range.lowerBound)
        pieces.append(piece)
      case 2: try readTrainer(bytes, range)
      case 3: try readNormalizer(bytes, range)
      default: break
      }
    }
    guard !pieces.isEmpty else {
      throw CheckpointError(.malformed("no sentencepiece model: it has no pieces"))
    }
  }

  private static func piece(
    _ bytes: [UInt8], _ range: Range<Int>
  ) throws(CheckpointError) -> Piece {
    var (piece, reader) = (Piece(), ProtobufReader(bytes, range))
    while let field = try reader.next() {
      switch (field.number, field.value) {
      case (1, .bytes(let range)): piece.text = Array(bytes[range])
      case (2, .fixed32(let bits)): piece.score = Float(bitPattern: bits)
      case (3, .number(let number)):
        guard let kind = Int(exactly: number).flatMap(Kind.init) else {
          throw CheckpointError(
            .unsupported("a piece of kind \(number)"), offset: range.lowerBound)
        }
        piece.kind = kind
      default: break
      }
    }
    guard (try? UTF8Span(validating: piece.text.span)) != nil, !piece.score.isNaN else {
      throw CheckpointError(
        .malformed("a piece is not valid UTF-8, or its score is no number"),
        offset: range.lowerBound)
    }
    return piece
  }

  private mutating func readTrainer(
    _ bytes: [UInt8], _ range: Range<Int>
  ) throws(CheckpointError) {
    var reader = ProtobufReader(bytes, range)
    while let field = try reader.next() {
      if field.number == 44, case .bytes(let range) = field.value {
        unknownText = validText(Array(bytes[range]))
      }
      guard case .number(let number) = field.value else { continue }
      switch field.number {
      case 3: algorithm = Int(truncatingIfNeeded: number)
      case 24: spaceIsSuffix = number != 0
      case 35: hasByteFallback = number != 0
      default: break
      }
    }
  }

  private mutating func readNormalizer(
    _ bytes: [UInt8], _ range: Range<Int>
  ) throws(CheckpointError) {
    var reader = ProtobufReader(bytes, range)
    while let field = try reader.next() {
      switch (field.number, field.value) {
      case (2, .bytes(let range)): charsmap = Array(bytes[range])
      case (3, .number(let number)): addsSpace = number != 0
      case (4, .number(let number)): removesSpaces = number != 0
      case (5, .number(let number)): escapesSpaces = number != 0
      default: break
      }
    }
  }

  /// The ids of a kind.
  func ids(_ kind: Kind) -> [Int] { pieces.indices.filter { pieces[$0].kind == kind } }
}

extension Tokenizer {
  /// Reads a sentencepiece model: unigram or byte pairs.
  ///
  /// - Throws: `CheckpointError`: malformed, or unsupported if it asks for what is not known here.
  public init(sentencePiece bytes: [UInt8]) throws(CheckpointError) {
    try self.init(SentencePieceFile(bytes))
  }

  /// The tokenizer that a sentencepiece model describes.
  init(_ file: SentencePieceFile) throws(CheckpointError) {
    let unknown = file.ids(.unknown)
    guard unknown.count == 1 else {
      throw CheckpointError(
        .malformed("a sentencepiece model has one unknown piece, and this one \(unknown.count)"))
    }
    switch file.algorithm {
    case 1: self.init(format: "sentencepiece unigram", model: .unigram(file.unigram(unknown[0])))
    case 2: self.init(format: "sentencepiece BPE", model: .bytePairs(file.bytePairs(unknown[0])))
    default:
      throw CheckpointError(
        .unsupported("a sentencepiece model of words or characters is not known here"))
    }
    normalizer = .sentencePiece(try SentencePieceNormalizer(file))
    decoder = .sentencePiece(
      SentencePieceDecoder(
        unknown: file.pieces[unknown[0]].text, unknownText: file.unknownText,
        dropsFirst: file.addsSpace, dropsAll: file.removesSpaces))
    added = try AddedTokens(
      file.ids(.control).map {
        AddedToken(String(decoding: file.pieces[$0].text, as: UTF8.self), id: $0, isSpecial: true)
      }, nil, isFound: false)
  }
}

extension SentencePieceFile {
  /// The kinds of pieces that a text is made of.
  private static let ordinary: Set<Kind> = [.normal, .userDefined, .unused]

  func unigram(_ unknown: Int) -> UnigramModel {
    let out = pieces.indices.filter {
      !Self.ordinary.contains(pieces[$0].kind) || pieces[$0].kind == .unused
    }
    let lowest = ids(.normal).map { Double(pieces[$0].score) }.min()
    return UnigramModel(
      pieces: pieces.map(\.text), scores: pieces.map { Double($0.score) }, unknown: unknown,
      hasByteFallback: hasByteFallback, isSentencePiece: true, left: Set(out),
      favoured: Set(ids(.userDefined)), lowest: lowest ?? 0)
  }

  func bytePairs(_ unknown: Int) -> BytePairModel {
    var words = WordTable(capacity: pieces.count)
    var written = WordTable(capacity: pieces.count)
    for (id, piece) in pieces.enumerated() {
      if Self.ordinary.contains(piece.kind) { words.add(piece.text, id: id) }
      written.add(piece.text, id: id)
    }
    let order = Set(pieces.map(\.score)).sorted(by: >)
    let places = Dictionary(uniqueKeysWithValues: order.enumerated().map { ($1, Int32($0)) })
    var model = BytePairModel(
      words: words, written: written,
      pairs: .words(ranks: pieces.map { places[$0.score] ?? .max }), isBytes: false)
    model.unknown = unknown
    model.fusesUnknown = true
    if hasByteFallback { model.byteTokens = byteTokens(in: written) }
    model.wholes = Set(ids(.userDefined))
    model.wholeWords = Trie(ids(.userDefined).map { (pieces[$0].text, $0) })
    model.unused = Set(ids(.unused))
    return model
  }
}
