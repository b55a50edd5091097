import TensorCore

extension Normalizer {
  /// The step that an object says.
  init(_ fields: FileFields) throws(CheckpointError) {
    switch fields.type {
    case "Sequence":
      var steps: [Normalizer] = []
      for step in try fields.list("normalizers") { steps.append(try Normalizer(step)) }
      self = .sequence(steps)
    case "BertNormalizer":
      let lowers = try fields.bool("lowercase")
      self = .bert(
        BERTNormalizer(
          cleansText: try fields.bool("clean_text"),
          separatesChinese: try fields.bool("handle_chinese_chars"),
          stripsAccents: try fields.bool("strip_accents", lowers), lowers: lowers))
    case "Lowercase": self = .lowercase
    case "Strip":
      self = .strip(
        left: try fields.bool("strip_left"), right: try fields.bool("strip_right"))
    case "StripAccents": self = .stripAccents
    case "Replace":
      let content = try fields.string("content").unicodeScalars.map(\.value)
      self = .replace(try fields.pattern(), with: content)
    case "Prepend":
      self = .prepend(try fields.string("prepend").unicodeScalars.map(\.value))
    case "Nmt": self = .nmt
    case "ByteLevel": self = .byteLevel
    case "Precompiled":
      guard let blob = decodeBase64(try fields.string("precompiled_charsmap").bytes) else {
        throw fields.fault("precompiled_charsmap", "is no base64")
      }
      self = .charsmap(try Charsmap(blob))
    case let type:
      guard let form = NormalForm(rawValue: type ?? "") else {
        throw fields.unsupported("the normalizer \"\(type ?? "without type")\"")
      }
      self = .form(form)
    }
  }
}

extension PreTokenizer {
  /// The step that an object says.
  init(_ fields: FileFields) throws(CheckpointError) {
    switch fields.type {
    case "Sequence":
      var steps: [PreTokenizer] = []
      for step in try fields.list("pretokenizers") { steps.append(try PreTokenizer(step)) }
      self = .sequence(steps)
    case "ByteLevel":
      let usesPattern = try fields.bool("use_regex", true)
      self = .byteLevel(
        addsSpace: try fields.bool("add_prefix_space"),
        pattern: usesPattern ? try Pattern(Self.gpt2) : nil)
    case "BertPreTokenizer": self = .bert
    case "Whitespace": self = .whitespace
    case "WhitespaceSplit": self = .whitespaceSplit
    case "Metaspace": self = .metaspace(try Metaspace(fields))
    case "Punctuation": self = .punctuation(try Self.behavior(fields, .isolated))
    case "Digits": self = .digits(isEach: try fields.bool("individual_digits"))
    case "Split":
      self = .split(
        try fields.pattern(), try Self.behavior(fields, nil),
        isInverted: try fields.bool("invert", false))
    case "CharDelimiterSplit": self = .delimiter(try fields.character("delimiter"))
    case "FixedLength":
      let length = try fields.count("length", 5)
      guard length > 0 else { throw fields.fault("length", "is 0") }
      self = .fixedLength(length)
    case let type:
      throw fields.unsupported("the pre-tokenizer \"\(type ?? "without type")\"")
    }
  }

  private static func behavior(
    _ fields: FileFields, _ fallback: CutBehavior?
  ) throws(CheckpointError) -> CutBehavior {
    let name = try fields.string("behavior", fallback?.rawValue)
    guard let behavior = CutBehavior(rawValue: name) else {
      throw fields.unsupported("the behavior \"\(name)\"")
    }
    return behavior
  }
}

extension Metaspace {
  /// The settings that an object says.
  init(_ fields: FileFields) throws(CheckpointError) {
    let name = try fields.string("prepend_scheme", "always")
    guard var prepending = Prepending(rawValue: name) else {
      throw fields.unsupported("the prepend_scheme \"\(name)\"")
    }
    if try !fields.bool("add_prefix_space", true) { prepending = .never }
    self.init(
      replacement: try fields.character("replacement"), prepending: prepending,
      splits: try fields.bool("split", true))
  }
}

extension Decoder {
  /// The step that an object says.
  init(_ fields: FileFields) throws(CheckpointError) {
    switch fields.type {
    case "Sequence":
      var steps: [Decoder] = []
      for step in try fields.list("decoders") { steps.append(try Decoder(step)) }
      self = .sequence(steps)
    case "ByteLevel": self = .byteLevel
    case "BPEDecoder": self = .bytePairs(suffix: try fields.string("suffix", "</w>").bytes)
    case "WordPiece":
      self = .wordPiece(
        prefix: try fields.string("prefix", "##").bytes,
        cleansUp: try fields.bool("cleanup", true))
    case "Metaspace": self = .metaspace(try Metaspace(fields))
    case "CTC":
      self = .ctc(
        padding: try fields.string("pad_token", "<pad>").bytes,
        delimiter: try fields.string("word_delimiter_token", "|").bytes,
        cleansUp: try fields.bool("cleanup", true))
    case "Replace":
      self = .replace(try fields.pattern(), with: try fields.string("content").bytes)
    case "Fuse": self = .fuse
    case "Strip":
      self = .strip(
        try fields.character("content"), start: try fields.count("start"),
        end: try fields.count("stop"))
    case "ByteFallback": self = .byteFallback
    case let type: throw fields.unsupported("the decoder \"\(type ?? "without type")\"")
    }
  }
}

extension PostProcessor {
  /// The step that an object says.
  init(_ fields: FileFields) throws(CheckpointError) {
    switch fields.type {
    case "Sequence":
      var steps: [PostProcessor] = []
      for step in try fields.list("processors") { steps.append(try PostProcessor(step)) }
      self = .sequence(steps)
    case "TemplateProcessing": self = .template(try Template(fields))
    case "BertProcessing":
      self = .bert(
        separator: try Self.special(fields, "sep"), start: try Self.special(fields, "cls"))
    case "RobertaProcessing":
      self = .roberta(
        separator: try Self.special(fields, "sep"), start: try Self.special(fields, "cls"),
        trim: try Self.trimming(fields))
    case "ByteLevel": self = .byteLevel(try Self.trimming(fields))
    case let type: throw fields.unsupported("the post-processor \"\(type ?? "without type")\"")
    }
  }

  private static func trimming(_ fields: FileFields) throws(CheckpointError) -> ByteTrimming? {
    guard try fields.bool("trim_offsets", true) else { return nil }
    return ByteTrimming(addsSpace: try fields.bool("add_prefix_space", true))
  }

  private static func special(
    _ fields: FileFields, _ key: String
  ) throws(CheckpointError) -> Special {
    guard let parts = fields.value[key]?.elements, parts.count == 2, let text = parts[0].string,
      let id = parts[1].int, (0...Int(Int32.max)).contains(id)
    else { throw fields.fault(key, "is no text with its id") }
    return Special(text: text, id: id)
  }
}

extension Template {
  init(_ fields: FileFields) throws(CheckpointError) {
    let specials = try fields.object("special_tokens")
    single = try Self.parts(fields, "single", specials)
    pair = try Self.parts(fields, "pair", specials)
  }

  private static func parts(
    _ fields: FileFields, _ key: String, _ specials: FileFields
  ) throws(CheckpointError) -> [Part] {
    var parts: [Part] = []
    for part in try fields.list(key) {
      if part.value["Sequence"] != nil {
        let text = try part.object("Sequence")
        let isFirst = try text.string("id") == "A"
        if !isFirst, key == "single" { throw text.fault("id", "is a second text") }
        parts.append(.text(isFirst ? 0 : 1, type: try text.count("type_id")))
      } else {
        let special = try part.object("SpecialToken")
        let type = try special.count("type_id")
        let tokens = try specials.object(try special.string("id"))
        parts.append(.special(try Self.tokens(tokens), type: type))
      }
    }
    return parts
  }

  private static func tokens(
    _ fields: FileFields
  ) throws(CheckpointError) -> [PostProcessor.Special] {
    let ids = fields.value["ids"]?.elements?.compactMap(\.int) ?? []
    let texts = fields.value["tokens"]?.elements?.compactMap(\.string) ?? []
    guard ids.count == texts.count, !ids.isEmpty,
      ids.allSatisfy({ (0...Int(Int32.max)).contains($0) })
    else { throw fields.fault("ids", "are not as many as tokens") }
    return zip(texts, ids).map { PostProcessor.Special(text: $0, id: $1) }
  }
}
