import Codecs
package import Containers
import Models
import SystemPackage
package import TensorCore
import Tokenizers

/// What a derivative lacks of a base, or has otherwise, by meaning: whatever container, dialect and, where there is a
/// codec, quantisation either has. Values that training changes are no faults; what it does not do to them is.
package struct BaseCheck {
  private let base: Model
  private let checkpoint: Checkpoint
  private let graph: WeightGraph
  private let model: Model?
  package private(set) var faults: [CheckReport.Finding] = []
  package private(set) var notes: [CheckReport.Finding] = []

  /// Holds a checkpoint against a base.
  ///
  /// - Throws: `CheckpointError` when it is not recognised, or bytes cannot be read.
  package init(
    _ checkpoint: Checkpoint, against base: Model, options: OpenOptions
  ) throws(CheckpointError) {
    self.base = base
    self.checkpoint = checkpoint
    model = try? Model(checkpoint, options: options)
    if let model {
      graph = model.graph
    } else {
      let config = checkpoint.config?.value ?? base.checkpoint.config?.value ?? [:]
      let plain = try PlainTable(
        checkpoint.tensors, config: config, families: options.recognition.families)
      var recognition = options.recognition
      recognition.allowsExtra = true
      graph = try WeightGraph.partial(
        plain.tensors, config: config, options: recognition
      ).graph
    }
    checkArchitecture()
    checkLosses()
    try checkValues()
    checkConfig()
    checkGeneration()
    checkTokenizer()
  }

  private mutating func add(_ path: String?, _ text: String) {
    faults.append(
      CheckReport.Finding(group: .base, tensor: path.map { TensorName($0) }, text: text))
  }

  private mutating func note(_ path: String?, _ text: String) {
    notes.append(
      CheckReport.Finding(group: .base, tensor: path.map { TensorName($0) }, text: text))
  }

  // MARK: What there is

  private mutating func checkArchitecture() {
    let names = [graph, base.graph].map { type(of: $0.architecture).name }
    if names[0] != names[1] { note(nil, "is \(names[0]), and the base \(names[1])") }
    let heads = [graph, base.graph].map(\.architecture.head)
    if names[0] == names[1], heads[0] != heads[1] {
      note(nil, "is \(heads[0]), and the base \(heads[1])")
    }
  }

  /// Weights, and tensors beside the model, that the base has alone; and what the derivative has alone.
  private mutating func checkLosses() {
    // A model that is whole under another class has no place for the base's head.
    let isOtherClass =
      model != nil && type(of: graph.architecture).name == type(of: base.graph.architecture).name
      && graph.architecture.head != base.graph.architecture.head
    for slot in base.graph.slots where base.graph.ties[slot.path] == nil {
      guard let there = base.graph.tensor(at: slot.path) else { continue }
      guard let own = graph.tensor(at: slot.path) else {
        noteLoss(of: slot, there, isOtherClass: isOtherClass)
        continue
      }
      if own.shape != there.shape { noteShape(own, of: slot, there) }
    }
    let extras = base.graph.extras.map(\.name)
    if graph.dialect.fullName == base.graph.dialect.fullName {
      for name in extras where checkpoint.tensors[name] == nil {
        add(name.text, "is not there; the base has it beside the model")
      }
    }
    let known = Set(base.graph.slots.map(\.path))
    let added = graph.slots.filter { !known.contains($0.path) && graph.ties[$0.path] == nil }
    for slot in added.prefix(20) { note(slot.path, "is not in the base") }
    if added.count > 20 { note(nil, "\(added.count - 20) more weights are not in the base") }
  }

  private mutating func noteShape(_ own: Tensor, of slot: WeightSlot, _ there: Tensor) {
    let isVocabulary =
      slot.isReadByRows && own.shape.count == 2
      && own.shape.dropFirst() == there.shape.dropFirst()
    let text = "is \(describe(shape: own.shape)), in the base \(describe(shape: there.shape))"
    if isVocabulary { note(slot.path, text) } else { add(slot.path, text) }
  }

  private mutating func noteLoss(of slot: WeightSlot, _ there: Tensor, isOtherClass: Bool) {
    let stored = base.graph.storedName(at: slot.path)
    let isSameDialect = graph.dialect.fullName == base.graph.dialect.fullName
    if isSameDialect, let stored, let own = checkpoint.tensors[stored] {
      if own.shape == there.shape {
        add(slot.path, "is in the file, and no part of the model that its config describes")
      } else {
        noteShape(own, of: slot, there)
      }
    } else if isOtherClass, Self.block(of: slot.path) == nil {
      note(slot.path, "is not there, of the base's head")
    } else {
      add(slot.path, "is not there; the base has it, \(describe(shape: there.shape))")
    }
  }

  // MARK: Values

  private mutating func checkValues() throws(CheckpointError) {
    let quantized: [String: WeightRelation] =
      if let model { try QuantizedWeights(base.graph, model).relations() } else { [:] }
    let explainer = try Explainer(base.graph, graph)
    var counts = (same: 0, cast: 0, quantized: 0, changed: 0, unknown: 0)
    var unlike: [String] = []
    var unread: [StatedBytes] = []
    var mistakes = Mistakes()
    // Codes that are not those of the base's numbers.
    var misfits: [(path: String, text: String)] = []
    for slot in base.graph.slots where !mistakes.paths.contains(slot.path) {
      guard let x = base.graph.tensor(at: slot.path), let y = graph.tensor(at: slot.path),
        x.shape == y.shape, !isTiedInBoth(slot.path)
      else { continue }
      let coding = quantized[slot.path]
      switch coding {
      case .quantized, .coded:
        counts.quantized += 1
        continue
      case .miscoded(let fault) where fault.cause != nil:
        add(slot.path, fault.text)
        continue
      default: break
      }
      if x.dtype == y.dtype, let there = x.bytes.stated, y.bytes.stated?.isSame(as: there) == true {
        counts.same += 1
        unread.append(there)
        continue
      }
      switch try relation(of: y, to: x) {
      case .identical:
        counts.same += 1
        continue
      case .cast:
        counts.cast += 1
        continue
      default: break
      }
      if let mistake = try mistake(of: slot, x, y, explainer) {
        mistakes.add(mistake)
        continue
      }
      switch try likeness(of: slot, x, y) {
      case .mistake(let text): add(slot.path, text)
      case .trained:
        switch coding {
        case .unproven: counts.quantized += 1
        case .miscoded(let fault): misfits.append((slot.path, fault.text))
        case .misquantized(let fault): misfits.append((slot.path, fault.text))
        default: counts.changed += 1
        }
      case .unlike(let text):
        // Heads are made anew for another task, and biases are often 0 before training.
        if slot.role == .linear, Self.block(of: slot.path) != nil {
          add(slot.path, text)
        } else {
          unlike.append(slot.path)
        }
      case .unknown: counts.unknown += 1
      }
    }
    for mistake in mistakes.all { add(mistake.place, mistake.text) }
    // Where most are the base's, quantised, the others were not trained; corrections change them all.
    if misfits.count * 3 <= counts.quantized {
      for misfit in misfits {
        let text = misfit.text.replacing("A's", with: "the base's")
        add(misfit.path, "\(text); \(counts.quantized) weights are the base's, quantised")
      }
    } else {
      counts.changed += misfits.count
    }
    for file in UnreadFile.all(of: unread) {
      let tensors = file.tensors == 1 ? "1 tensor" : "\(file.tensors) tensors"
      note(
        nil,
        "not read of the base: \(file.name) (\(tensors), \(file.byteCount) bytes), the same here by the hub's SHA-256"
      )
    }
    let parts = [
      (counts.same, "the same"), (counts.cast, "cast"), (counts.quantized, "quantised"),
      (counts.changed, "changed"), (unlike.count, "unlike the base's"),
      (counts.unknown, "not compared"),
    ].filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
    if !parts.isEmpty { note(nil, "weights against the base's: \(parts.joined(separator: ", "))") }
    for path in unlike.prefix(20) {
      note(path, "is unlike the base's: made anew, or in an order that was not tried")
    }
    if unlike.count > 20 { note(nil, "\(unlike.count - 20) more weights are unlike the base's") }
  }

  /// What was done to a weight, alone or with others of its module, that training does not do.
  private func mistake(
    of slot: WeightSlot, _ x: Tensor, _ y: Tensor, _ explainer: Explainer
  ) throws(CheckpointError) -> Mistake? {
    let cause = try explainer.cause(of: slot.path)
    if case .tied(let other)? = cause {
      let text = "is tied to \(other), and in the base a weight of its own"
      return Mistake(slot.path, text)
    }
    if let cause, let text = cause.fault, !(cause.isPartConstant && slot.role == .embedding) {
      // Two that were exchanged are one mistake.
      let confusion = cause.confusion
      let partner = confusion.flatMap { $0.isExchange ? [$0.other] : nil } ?? []
      return Mistake(slot.path, text, [slot.path] + partner, other: confusion?.other)
    }
    if cause == nil, let (module, parts) = explainer.fusedParts(of: slot.path),
      let text = try explainer.fusion(in: module, of: parts)?.fault
    {
      return Mistake(module, text, parts)
    }
    if slot.role != .embedding, let count = try y.zerosAtEnd(insteadOf: x) {
      let text = "the last \(count) of \(y.elementCount) elements are 0, and the base's are not"
      return Mistake(slot.path, text)
    }
    return nil
  }

  private func isTiedInBoth(_ path: String) -> Bool {
    base.graph.ties[path] != nil && base.graph.ties[path] == graph.ties[path]
  }

  /// What a weight is to the base's that differs from it by no exact mistake.
  private enum Likeness {
    case mistake(String)
    case trained
    /// As if it had nothing to do with it, which the text says.
    case unlike(String)
    /// Values that cannot be computed with.
    case unknown
  }

  private func likeness(
    of slot: WeightSlot, _ x: Tensor, _ y: Tensor
  ) throws(CheckpointError) -> Likeness {
    guard x.dtype.isComputable, y.dtype.isComputable else { return .unknown }
    let (a, b) = (try ElementSample(x), try ElementSample(y))
    if !b.values.allSatisfy(\.isFinite), a.values.allSatisfy(\.isFinite) {
      return .mistake("has elements that are not finite; the base's are")
    }
    if b.isConstant, !a.isConstant, b.values.count > 1 {
      return .mistake("all elements are \(Float(b.mean)); the base's are not alike")
    }
    if slot.role == .normWeight {
      let (mean, deviation) = b.shift(from: a)
      if abs(abs(mean) - 1) < 0.1, deviation < 0.2 {
        return .mistake(
          mean > 0
            ? "about 1 more than the base's, as gains to which 1 was added twice"
            : "about 1 less than the base's, as gains of which the 1 was lost")
      }
    }
    let correlation = b.correlation(with: a)
    let factor = b.factor(over: a)
    if correlation < -0.5, b.values.count >= 64 {
      return .mistake("about \(Float((factor * 1000).rounded() / 1000)) times the base's")
    }
    if correlation > 0.98 || slot.role == .normWeight && b.values.count > 1, factor > 0 {
      let (_, deviation) = ElementSample(a.values.map { $0 * factor }).shift(from: b)
      let size = (b.values.reduce(0) { $0 + $1 * $1 } / Double(b.values.count)).squareRoot()
      if deviation < 0.1 * size, factor > 1.7 || factor < 0.6 {
        return .mistake("about \(Float((factor * 1000).rounded() / 1000)) times the base's")
      }
    }
    guard correlation < 0.5, b.values.count >= 64 else { return .trained }
    if let text = try confusion(of: slot, x, y, b, correlation) { return .mistake(text) }
    guard correlation <= 0.1 else { return .trained }
    let rounded = Float((correlation * 100).rounded() / 100)
    return .unlike(
      "is unlike the base's (correlation \(rounded)): made anew, or in an order that was not tried")
  }

  /// How else a weight that is not like the base's is like it, or like another one of the base.
  private func confusion(
    of slot: WeightSlot, _ x: Tensor, _ y: Tensor, _ own: ElementSample, _ correlation: Double
  ) throws(CheckpointError) -> String? {
    func isLike(_ tensor: Tensor) throws(CheckpointError) -> Bool {
      own.isTelling(own.correlation(with: try ElementSample(tensor)), next: max(0, correlation))
    }
    if x.shape.count == 2, x.shape[0] == x.shape[1], let turned = x.transposed(), try isLike(turned)
    {
      return "transposed, and not only that"
    }
    if let order = graph.headPart(ofWeight: slot.path)?.order, order.hasPairs, x.shape.count == 2,
      x.byteCount <= mostReorderedBytes
    {
      if try isLike(x.reordered(axis: 0) { order.interleaved($0) }) {
        return "rows of each head of \(order.size) interleaved, and not only that"
      }
      if try isLike(x.reordered(axis: 0) { order.split($0) }) {
        return "rows of each head of \(order.size) half-split, and not only that"
      }
    }
    // Of the same kind in other layers, and of other kinds in the same one.
    let kind = withoutNumbers(slot.path)
    let block = Self.block(of: slot.path)
    for other in base.graph.slots where other.path != slot.path && other.shape == slot.shape {
      guard
        withoutNumbers(other.path) == kind || block != nil && Self.block(of: other.path) == block,
        let tensor = base.graph.tensor(at: other.path), tensor.dtype.isComputable,
        try isLike(tensor)
      else { continue }
      return "like the base's \(other.path), and not like its own"
    }
    return nil
  }

  /// The beginning of a path up to its last number.
  private static func block(of path: String) -> String? {
    let parts = path.split(separator: ".")
    guard let last = parts.lastIndex(where: { Int($0) != nil }) else { return nil }
    return parts[...last].joined(separator: ".")
  }

  // MARK: Config

  /// Facts on which outputs depend: what the derivative's config has lost is a fault, what it says otherwise may be meant.
  private mutating func checkConfig() {
    let own = Dictionary(
      graph.facts.compactMap { fact in fact.name.map { ($0, fact) } }
    ) { first, _ in first }
    var isOther = false
    for fact in base.graph.facts {
      guard let name = fact.name, let mine = own[name], mine.text != fact.text else { continue }
      isOther = true
      let effect = ConfigEffect.text(of: fact.path.last ?? name)
      let isSaid = mine.path.reduce(JSONValue?.some(graph.config)) { $0?[$1] } != nil
      let isInBase = fact.path.reduce(JSONValue?.some(base.graph.config)) { $0?[$1] } != nil
      if !isSaid, isInBase {
        add(
          nil,
          "the config lost \(fact.key): \(mine.text) is taken, the base says \(fact.text); \(effect)"
        )
      } else {
        note(nil, "\(fact.key) is \(mine.text), in the base \(fact.text); \(effect)")
      }
    }
    for size in isOther ? otherCuts(graph, base.graph) : [] {
      note(
        nil,
        "\(size.key) is \(size.a), in the base \(size.b); weights of the same shapes are cut otherwise"
      )
    }
  }

  /// The tokens of generation_config.json: where a text begins and ends, and which are never or always there. What of
  /// them is other than in the base may be meant.
  private mutating func checkGeneration() {
    guard let there = try? SettingsFile(beside: base.checkpoint) else { return }
    guard let own = try? SettingsFile(beside: checkpoint) else {
      note(nil, "has no generation_config.json; the base has one")
      return
    }
    for key in Set(there.tokenKeys + own.tokenKeys).sorted() where own[key] != there[key] {
      let texts = [own, there].map { $0[key].map { escaped($0.text()) } ?? "not given" }
      note(nil, "generation: \(key) is \(texts[0]), in the base \(texts[1])")
    }
  }

  // MARK: Tokenizer

  private mutating func checkTokenizer() {
    guard let there = try? FoundTokenizer(base.checkpoint.path) else { return }
    guard let own = try? FoundTokenizer(checkpoint.path) else {
      note(nil, "has no tokenizer; the base has one")
      return
    }
    // A file of another kind, such as what is inside GGUF, may say less of how texts are made words.
    let withTexts =
      own.file.lastComponent == there.file.lastComponent && own.caveat == nil
      && there.caveat == nil
    let found = TokenizerDiff(own.tokenizer, there.tokenizer, withTexts: withTexts)
    if found.idCounts.a != found.idCounts.b {
      note(nil, "the tokenizer has \(found.idCounts.a) ids, the base's \(found.idCounts.b)")
    }
    if let first = found.otherWords.first {
      add(
        nil,
        "\(found.otherWords.count) ids of the tokenizer are other words than in the base, the first \(first)"
      )
    }
    guard let other = found.otherText else { return }
    let at = other.place.map { "token \($0) is \(other.a[$0]), in the base \(other.b[$0])" }
    add(
      nil,
      "the tokenizer makes other ids of \"\(escaped(other.text))\": "
        + (at ?? "\(other.a.count) tokens, in the base \(other.b.count)"))
  }
}

extension Cause {
  /// What is wrong, if training does not do it.
  fileprivate var fault: String? {
    switch self {
    case .tied, .untied, .rounded: return nil
    case .part(_, _, let cause): return cause.fault.map { _ in own }
    case .both(let first, let second):
      let parts = [first, second].compactMap(\.fault)
      return parts.isEmpty ? nil : parts.joined(separator: ", ")
    case .copied(let other): return "a copy of the base's \(other)"
    case .exchanged(let other): return "exchanged with \(other)"
    case .offset(1): return "exactly 1 more than the base's, as gains to which 1 was added twice"
    case .offset(-1): return "exactly 1 less than the base's, as gains of which the 1 was lost"
    case .offset(let amount): return "exactly \(amount) more than the base's"
    case .scaled(let factor): return "exactly \(factor) times the base's"
    default: return own
    }
  }

  /// Whether some rows or columns are the same everywhere, as those of padding may be.
  fileprivate var isPartConstant: Bool {
    if case .part(_, _, .constant) = self { true } else { false }
  }

  /// The words for B, of a derivative.
  private var own: String {
    text.replacing(" in B", with: "")
  }
}

/// What a fact of a config does.
enum ConfigEffect {
  /// What changes with it, by its key.
  static func text(of key: String) -> String {
    effects.first { effect in effect.words.contains { key.contains($0) } }?.text
      ?? "outputs depend on it"
  }

  private static let effects: [(words: [String], text: String)] = [
    (
      [
        "theta", "rope", "rotary", "original_max", "beta_fast", "beta_slow", "mscale",
        "freq_factor",
      ],
      "positions are turned at other speeds, which shows from the second token on"
    ),
    (["eps"], "normalisations divide by something else, which changes all outputs a little"),
    (["act", "gelu"], "another function stands between the matrices"),
    (
      ["window", "layer_types"], "other tokens are seen, which shows in texts longer than a window"
    ),
    (
      ["softcap", "cap"],
      "scores or logits are bent elsewhere, which may leave the likeliest token as it is"
    ),
    (["scal", "multiplier", "factor"], "what it multiplies is larger or smaller"),
    (
      ["topk", "top_k", "experts_per", "routed", "n_group"],
      "experts are chosen or weighed otherwise"
    ),
    (["tie"], "the head is another matrix"),
    (["norm"], "something is normalised otherwise"),
  ]
}

extension Tensor {
  /// How many elements at the end are 0 where another tensor's are not, as in a file that was given its length before
  /// it was filled; `nil` if they are few.
  fileprivate func zerosAtEnd(insteadOf other: Tensor) throws(CheckpointError) -> Int? {
    guard dtype.isComputable, other.dtype.isComputable, elementCount == other.elementCount else {
      return nil
    }
    let piece = 1 << 16
    var start = elementCount
    while start > 0 {
      let values = try doubles(max(0, start - piece)..<start)
      let zeros = values.reversed().prefix { $0 == 0 }.count
      start -= zeros
      if zeros < values.count { break }
    }
    let count = elementCount - start
    guard count >= 32, count < elementCount else { return nil }
    let there = try other.doubles(start..<min(elementCount, start + piece))
    return there.count(where: { $0 == 0 }) * 2 < there.count ? count : nil
  }
}
