/// What the words of a name say of a weight: a module, a part of it, weight or bias. Names of tensors and canonical
/// paths are read alike, so that both can be compared.
struct NameWords: Equatable {
  /// What is said, each with how much it tells.
  private(set) var meanings: Set<String> = []
  /// The words as they stand, without numbers of layers: to compare names of the same ecosystem.
  private(set) var parts: Set<String> = []

  /// Nothing.
  init() {}

  /// Reads a name whose numbers of layers and experts are `#`.
  ///
  /// - Parameters:
  ///   - facts: what there is in the model, on which the meaning of some words depends.
  init(_ skeleton: String, _ facts: Facts) {
    let components = Self.components(skeleton)
    parts = Self.parts(components)
    for component in components { add(Self.words(of: component), facts) }
    settle(facts)
  }

  /// A name without the word that says whether it is a weight or a bias, and that word's meaning: the parts of a module
  /// are alike without it.
  static func module(of skeleton: String) -> (name: String, part: String?) {
    var words = components(skeleton).flatMap(words(of:))
    let place = words.lastIndex { weightWords.contains($0) || biasWords.contains($0) }
    guard let place else { return (words.joined(separator: " "), nil) }
    let part = biasWords.contains(words.remove(at: place)) ? "bias" : "weight"
    return (words.joined(separator: " "), part)
  }

  private static let weightWords: Set = [
    "weight", "w", "kernel", "gamma", "scale", "g", "gain", "weights", "mat",
  ]
  private static let biasWords: Set = ["bias", "b", "beta", "biases", "offset", "shift"]

  /// What several names say together: those of the parts of a common matrix.
  init(joining all: [NameWords]) {
    meanings = all.reduce(into: []) { $0.formUnion($1.meanings) }
    parts = all.reduce(into: []) { $0.formUnion($1.parts) }
  }

  /// The same, with more that is said.
  func adding(_ words: some Sequence<String>) -> NameWords {
    var more = self
    more.meanings.formUnion(words)
    return more
  }

  /// The same weight, also under other names, of which only whole parts count: their words are an ecosystem's own.
  func naming(_ skeletons: [String], _ facts: Facts) -> NameWords {
    var more = self
    for skeleton in skeletons {
      more.parts.formUnion(Self.parts(Self.components(skeleton)))
    }
    return more
  }

  private static func components(_ skeleton: String) -> [Substring] {
    skeleton.split { $0 == "." || $0 == "/" || $0 == ":" || $0 == "#" }
  }

  private static func parts(_ components: [Substring]) -> Set<String> {
    Set(components.map(String.init).filter { !common.contains($0) && $0.count > 2 })
  }

  /// What of a model the meaning of words depends on.
  struct Facts: Equatable {
    /// Whether feed-forward networks have a gate.
    var isGated = false
    /// Whether there are blocks of an encoder and of a decoder.
    var hasBothStacks = false
  }

  // MARK: Comparing

  /// How much more of what this name says is said of `x` than of `y`.
  func preference(for x: NameWords, over y: NameWords) -> Int {
    let names = parts.intersection(x.parts).count - parts.intersection(y.parts).count
    return weight(meanings.intersection(x.meanings.subtracting(y.meanings)))
      - weight(meanings.intersection(y.meanings.subtracting(x.meanings)))
      + 2 * max(-1, min(1, names))
  }

  /// Whether the names cannot be of one weight: one says weight, the other bias.
  func contradicts(_ other: NameWords) -> Bool {
    Self.classes.contains { words in
      let (own, others) = (meanings.intersection(words), other.meanings.intersection(words))
      return !own.isEmpty && !others.isEmpty && own.isDisjoint(with: others)
    }
  }

  /// What both say.
  func common(with other: NameWords) -> [String] {
    meanings.intersection(other.meanings).filter { Self.weak[$0] == nil }.sorted()
  }

  private func weight(_ words: Set<String>) -> Int {
    words.reduce(0) { $0 + (Self.weak[$1] ?? 4) }
  }

  /// What says little, since several things are called so.
  private static let weak = ["out": 2, "in": 2, "weight": 1, "lm": 1]

  /// Of each of these a weight is one, or none.
  private static let classes: [Set<String>] = [
    ["weight", "bias"], ["query", "key", "value", "out"], ["gate", "up", "down"],
    ["encoder", "decoder"], ["attention", "feed forward", "embedding", "head", "pooler"],
    ["word", "position", "type", "class", "patch", "mask"], ["text", "vision"],
    ["before attention", "after attention", "before feed forward", "after feed forward"],
  ]

  /// Words that stand in most names, and tell nothing.
  private static let common: Set<String> = ["model", "weight", "bias", "module"]

  // MARK: Reading

  /// The words of a component: what stands between signs, and between small and capital letters, letters and digits.
  private static func words(of component: Substring) -> [String] {
    if isDigest(component) { return [] }
    var (words, word): ([String], String) = ([], "")
    var previous: Character?
    func isLower(_ c: Character?) -> Bool { c?.isLowercase == true }
    for character in component {
      let isSign = !(character.isLetter || character.isNumber)
      let isNew =
        previous.map { before in
          before.isNumber != character.isNumber || before.isLowercase && character.isUppercase
        } ?? false
      if (isSign || isNew) && !word.isEmpty {
        words.append(word.lowercased())
        word = ""
      }
      if isSign {
        previous = nil
      } else {
        word.append(character)
        previous = character
      }
    }
    if !word.isEmpty { words.append(word.lowercased()) }
    return words.flatMap { glued[$0] ?? [$0] }
  }

  /// Whether letters and digits take turns as in a digest or a serial number, where no letter means anything.
  private static func isDigest(_ component: Substring) -> Bool {
    var (changes, digits, longest) = (0, 0, 0)
    var previous: Character?
    for character in component {
      let isNew = previous.map {
        $0.isNumber && character.isLetter || $0.isLetter && character.isNumber
      }
      if isNew == true { changes += 1 }
      digits = character.isNumber ? digits + 1 : 0
      longest = max(longest, digits)
      previous = character
    }
    return changes > 3 || changes > 0 && longest > 3
  }

  /// Words that are two without a sign between them.
  private static let glued: [String: [String]] = {
    var all: [String: [String]] = [:]
    for part in ["q", "k", "v", "o"] {
      all["w\(part)"] = ["w", part]
      all["b\(part)"] = ["b", part]
    }
    return all
  }()

  /// Takes the meaning of the longest phrases.
  private mutating func add(_ words: [String], _ facts: Facts) {
    var rest = words[...]
    while let first = rest.first {
      var length = 0
      for count in stride(from: min(Self.longestPhrase, rest.count), to: 0, by: -1) {
        let phrase = rest.prefix(count).joined(separator: " ")
        if let found = Self.meaning(of: phrase, facts) {
          take(found)
          length = count
          break
        }
      }
      // A word that nobody knows says what it says where both have it.
      if length == 0, first.count > 2, first.allSatisfy(\.isLetter) { meanings.insert(first) }
      rest = rest.dropFirst(max(1, length))
    }
  }

  /// Of stacks in each other the outer one counts; in a head a decoder is another thing.
  private mutating func take(_ found: [String]) {
    let stacks: Set = ["encoder", "decoder"]
    guard found.count == 1, stacks.contains(found[0]) else { return meanings.formUnion(found) }
    if meanings.contains("head") {
      meanings.insert("\(found[0]) of head")
    } else if meanings.isDisjoint(with: stacks) {
      meanings.insert(found[0])
    }
  }

  /// What words mean beside each other.
  private mutating func settle(_ facts: Facts) {
    if meanings.contains("encoder attention") {
      meanings.remove("encoder attention")
      meanings.formUnion(
        meanings.contains("decoder")
          ? ["cross", "attention"]
          : facts.hasBothStacks ? ["attention"] : ["encoder", "attention"])
    }
    if !facts.hasBothStacks, !meanings.contains("cross") {
      meanings.subtract(["encoder", "decoder"])
    }
    if meanings.contains("norm") {
      let places = [("attention", "attention"), ("feed forward", "feed forward")]
      for (word, place) in places where meanings.contains(word) {
        for side in ["before", "after"] where meanings.contains(side) {
          meanings.subtract([word, side])
          meanings.insert("\(side) \(place)")
        }
      }
      // The first normalisation of a block, by what comes in.
      if meanings.contains("input"), !meanings.contains("embedding") {
        meanings.remove("input")
        meanings.insert("before attention")
      }
    }
    if meanings.contains("out"), meanings.contains("feed forward"),
      meanings.isDisjoint(with: ["norm", "gate", "up"])
    {
      meanings.insert("down")
    }
    if meanings.contains("in"), !facts.isGated, meanings.contains("feed forward"),
      meanings.isDisjoint(with: ["norm", "gate", "down"])
    {
      meanings.insert("up")
    }
    meanings.remove("")
  }

  private static let longestPhrase = 5

  private static func meaning(of phrase: String, _ facts: Facts) -> [String]? {
    if let found = phrases[phrase] { return found }
    return facts.isGated ? gated[phrase] : plain[phrase]
  }

  /// Words of networks without a gate, which are numbered in their order.
  private static let plain: [String: [String]] = [
    "fc 1": ["feed forward", "up"], "fc 2": ["feed forward", "down"],
    "linear 1": ["feed forward", "up"], "linear 2": ["feed forward", "down"],
    "lin 1": ["feed forward", "up"], "lin 2": ["feed forward", "down"],
    "w 1": ["feed forward", "up"], "w 2": ["feed forward", "down"],
    "dense 1": ["feed forward", "up"], "dense 2": ["feed forward", "down"],
    "wi": ["feed forward", "up"], "fc": ["feed forward", "up"],
  ]

  /// Those of networks with one, of which the first and the third are as wide.
  private static let gated: [String: [String]] = [
    "wi 0": ["feed forward", "gate"], "wi 1": ["feed forward", "up"],
    "fc 2": ["feed forward", "down"], "linear 2": ["feed forward", "down"],
    "lin 2": ["feed forward", "down"], "w 1": ["gate"], "wg": ["gate"],
  ]

  private static let phrases: [String: [String]] = {
    var all: [String: [String]] = [:]
    func add(_ meanings: [String], _ spellings: [String]) {
      for spelling in spellings { all[spelling] = meanings }
    }
    add(
      ["attention"],
      [
        "attention", "attn", "att", "mha", "msa", "mhsa", "self attention", "self attn", "selfattn",
        "self att", "sa", "self", "multi head attention", "multihead attn", "multi head", "attend",
      ])
    add(
      ["cross", "attention"],
      [
        "cross attention", "cross attn", "cross att", "xattn", "crossattn", "crossattention",
        "xatt",
        "enc dec attention", "enc dec attn", "encdec attn", "encdec", "enc dec", "src attn",
        "source attention", "ca", "inter attention", "context attention", "xa",
      ])
    add(["cross"], ["cross"])
    add(
      ["encoder attention"],
      [
        "encoder attn", "encoder attention", "encoder att", "encoder mha", "enc attn", "enc att",
        "enc mha",
      ])
    add(["query"], ["query", "q", "queries", "q proj", "to q", "q lin", "q linear", "que"])
    add(["key"], ["key", "k", "keys", "k proj", "to k", "k lin", "k linear"])
    add(
      ["value"], ["value", "v", "values", "v proj", "to v", "v lin", "v linear", "val"])
    add(
      ["query", "key", "value"],
      ["qkv", "wqkv", "query key value", "qkv proj", "in proj", "to qkv", "c attn", "w pack"])
    add(["key", "value"], ["kv", "key value", "wkv", "to kv"])
    add(
      ["out"],
      [
        "out", "output", "o", "o proj", "out proj", "out lin", "proj", "c proj", "to out",
        "projection", "dense", "o linear",
      ])
    add(
      ["feed forward"],
      ["feed forward", "feedforward", "ff", "ffn", "mlp", "ffw", "ff layer", "forward", "pwff"])
    add(
      ["feed forward", "up"],
      [
        "c fc", "intermediate", "dense h to 4 h", "h to 4 h", "expand", "inner", "fc in",
        "fc in proj",
      ])
    add(
      ["feed forward", "down"],
      ["dense 4 h to h", "4 h to h", "contract", "fc out", "shrink"])
    add(["up"], ["up", "up proj", "w up", "wup", "w 3"])
    add(["down"], ["down", "down proj", "w down", "wdown"])
    add(["gate"], ["gate", "gate proj", "w gate", "wgate", "gating"])
    add(["in"], ["in"])
    add(
      ["norm"],
      [
        "norm", "ln", "layer norm", "layernorm", "rms norm", "rmsnorm", "lnorm", "nrm",
        "normalization", "normalisation", "rms", "layernorms", "norms",
      ])
    add(["norm", "final"], ["ln f", "norm f", "f norm", "final norm", "ln final", "ln post"])
    add(["final"], ["final", "last"])
    add(["before"], ["pre", "before"])
    add(["after"], ["post", "after"])
    add(["weight"], Array(weightWords))
    add(["bias"], Array(biasWords))
    add(
      ["embedding"],
      ["embedding", "embeddings", "embed", "emb", "embd", "embs", "embedder", "lookup"])
    add(
      ["embedding", "word"],
      ["wte", "embed tokens", "tok embeddings", "embed in", "emb in", "input embedding"])
    add(["embedding", "position"], ["wpe", "pos embed", "posemb", "embed positions"])
    add(["word"], ["word", "words", "tok", "token", "tokens", "vocab", "vocabulary"])
    add(["position"], ["pos", "position", "positions", "positional", "posn"])
    add(
      ["type"],
      ["type", "types", "segment", "seg", "token type", "token types", "tok type", "segments"])
    add(["class"], ["cls token", "class token", "class embedding"])
    add(["head"], ["head"])
    add(
      ["head", "lm", "out"],
      [
        "lm head", "unembed", "logits", "embed out", "emb out", "output embedding", "unembedding",
        "vocab proj",
      ])
    add(["mlm", "head"], ["mlm head", "mlm"])
    add(["pooler"], ["pool", "pooler", "pooling"])
    add(["classifier"], ["classifier", "classification head", "class head", "cls head"])
    add(["qa"], ["qa", "span", "qa outputs", "squad"])
    add(["router"], ["router", "switch"])
    add(["expert"], ["expert", "experts", "exp"])
    add(["shared"], ["shared"])
    add(["encoder"], ["encoder", "enc", "src", "source"])
    add(["decoder"], ["decoder", "dec", "tgt", "target"])
    add(["text"], ["text", "txt", "language"])
    add(["vision"], ["vision", "visual", "image", "img", "picture"])
    add(["relative"], ["rel", "relative", "rel pos"])
    add(["sinks"], ["sink", "sinks"])
    add([], ["blocks", "block", "blk", "layer", "layers", "l", "h", "model", "transformer", "net"])
    return all
  }()
}
