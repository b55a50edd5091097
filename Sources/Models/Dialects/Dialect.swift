package import TensorCore

/// How one ecosystem names and lays out the weights of one architecture: a table of invertible rules.
///
/// Adding one is a file in its family's folder, and its name among the family's dialects.
public struct Dialect: Sendable {
  /// The name on the command line: `huggingface`.
  public let name: String
  /// The name that says which form is meant, if there are several: `t5x-scanned`.
  public var fullName: String { variant.map { "\(name)-\($0)" } ?? name }
  /// The architecture's name.
  public let architecture: String
  /// Which of the ecosystem's forms this is, if it has several; the family's first one is written.
  public let variant: String?
  /// What each stored tensor is made of.
  package private(set) var rules: [Rule]
  /// The models inside the one that a config describes, whose rules are those of their own dialects.
  private var parts: (@Sendable (JSONValue) -> [DialectPart])?
  /// Prefixes that may stand before a stored name, or be missing there.
  let prefixes: [OptionalPrefix]
  /// Endings that other versions of the ecosystem wrote, and what the rules call them.
  private(set) var otherEndings: [(other: String, usual: String)]
  /// What names may begin with instead of what they begin with in the rules.
  private(set) var otherBeginnings: [(other: String, usual: String)]
  /// Weights that a model may be stored without.
  let omissible: OmissibleWeights?
  /// Tensors that files hold and nobody reads, with the reason; `{i}` is any layer's number.
  let unread: [(stored: String, reason: String)]
  /// The ecosystem's own config file, if it has one.
  package let nativeConfig: NativeConfig?
  /// What the ecosystem's own code computes whatever a config says.
  let limits: [Limit]
  /// Stored names that show the dialect. One that is there suffices.
  let evidence: [Evidence]
  /// What the ecosystem's own programs read, if that is another container than safetensors.
  let ownFiles: OwnFiles?
  /// What the ecosystem's programs look for in a folder, by container: how the file with the weights is called.
  let fileNames: [String: String]
  /// How tensors lie divided among the parts of a model, by their name, their shape there and the config; `nil`
  /// for those that are not known.
  let division: @Sendable (String, [Int], JSONValue?) -> Division?

  /// Files of an ecosystem.
  package struct OwnFiles: Sendable {
    /// The program: `llama.cpp`.
    let program: String
    /// What it reads, with the name that the container has, or would have, on our command line.
    let files: String
    let container: String
    /// Whether the container is nobody else's.
    var isExclusive: Bool
    /// Which tensors it wants in single precision, by name and number of extents.
    var isSingle: @Sendable (String, Int) -> Bool

    /// Describes files.
    package init(
      program: String, files: String, container: String, isExclusive: Bool = true,
      isSingle: @escaping @Sendable (String, Int) -> Bool = { _, _ in false }
    ) {
      self.program = program
      self.files = files
      self.container = container
      self.isExclusive = isExclusive
      self.isSingle = isSingle
    }
  }

  package init(
    name: String, architecture: String, variant: String? = nil, rules: [[Rule]],
    parts: (@Sendable (JSONValue) -> [DialectPart])? = nil, prefixes: [OptionalPrefix] = [],
    otherEndings: [(other: String, usual: String)] = [],
    otherBeginnings: [(other: String, usual: String)] = [],
    omissible: OmissibleWeights? = nil, unread: [(stored: String, reason: String)] = [],
    nativeConfig: NativeConfig? = nil, limits: [Limit] = [],
    evidence: [Evidence], ownFiles: OwnFiles? = nil, fileNames: [String: String] = [:],
    division: @escaping @Sendable (String, [Int], JSONValue?) -> Division? = { _, _, _ in nil }
  ) {
    self.name = name
    self.architecture = architecture
    self.variant = variant
    self.rules = rules.flatMap(\.self)
    self.parts = parts
    self.prefixes = prefixes
    self.otherEndings = otherEndings
    self.otherBeginnings = otherBeginnings
    self.omissible = omissible
    self.unread = unread
    self.nativeConfig = nativeConfig
    self.limits = limits
    self.evidence = evidence
    self.ownFiles = ownFiles
    self.fileNames = fileNames
    self.division = division
  }

  /// Whether the ecosystem's own program wants a tensor in single precision in this container.
  func isSingle(_ tensor: TensorName, rank: Int, in container: String) -> Bool {
    ownFiles.map { $0.container == container && $0.isSingle(tensor.text, rank) } ?? false
  }

  /// The same dialect with the rules of the models inside the one that a config describes.
  func filled(for config: JSONValue) -> Dialect {
    guard let found = parts?(config) else { return self }
    var dialect = self
    dialect.parts = nil
    dialect.rules += found.flatMap(\.rules)
    dialect.otherEndings += found.flatMap(\.dialect.otherEndings)
    dialect.otherBeginnings = found.flatMap(\.otherBeginnings) + otherBeginnings
    return dialect
  }

  /// The same dialect with other rules.
  package func replacing(rules: [Rule]) -> Dialect {
    var dialect = self
    dialect.rules = rules
    return dialect
  }
}

extension Dialect.OwnFiles {
  /// GGUF, as llama.cpp reads it: vectors, normalisations and what is added to words are in single precision
  /// (conversion/base.py, `prepare_tensors`).
  package static let gguf = Dialect.OwnFiles(
    program: "llama.cpp", files: "GGUF files", container: "gguf",
    isSingle: { name, rank in
      let names = [
        "_norm.weight", "ffn_gate_inp.weight", "position_embd.weight", "token_types.weight",
      ]
      return rank < 2 || names.contains { name.hasSuffix($0) }
    })

  /// TensorFlow's checkpoints.
  package static func tensorFlow(_ program: String) -> Dialect.OwnFiles {
    Dialect.OwnFiles(program: program, files: "TensorFlow checkpoints", container: "tensorflow")
  }
}

/// One line of a dialect's table: a stored tensor, and the weights it is made of.
///
/// `{i}` stands for a layer's number, `{e}` for an expert's, the same on both sides.
package struct Rule: Sendable {
  /// The stored name.
  package var stored: String
  /// What it is made of. The first layout is written; the others are read too, and told apart by
  /// the stored shape.
  package var layouts: [Layout]
  /// The rule holds only for models that have this weight,
  var onlyWith: String?
  /// and only for those that have not this one;
  var onlyWithout: String?
  /// likewise the dimensions that a model must have,
  var onlyHaving: String?
  /// and must not have.
  var onlyLacking: String?
  /// A tied weight is written all the same: always, or unless this other weight is tied.
  var writesTie: Rule.TieWriting = .never
  /// More rows than the model has are accepted if they are zero.
  var mayBePadded = false
  /// Other stored names that hold the same: read if the tensor is missing, else they must equal it.
  var copies: [String] = []
  /// Whether the copies are written, too.
  var writesCopies = false

  /// When a tensor is written although its weights are tied to others.
  package enum TieWriting: Sendable {
    case never
    case always
    case unlessTied(String)
  }
}

extension [Rule] {
  /// A module, or a weight, under another name: the same for itself, its `weight` and its `bias`.
  package static func rename(
    _ stored: String, _ path: String, writesTie: Rule.TieWriting = .never, mayBePadded: Bool = false
  ) -> [Rule] {
    ["", ".weight", ".bias"].map { ending in
      Rule(
        stored: stored + ending, layouts: [.weight(path + ending)], writesTie: writesTie,
        mayBePadded: mayBePadded)
    }
  }

  /// A stored tensor of any layout.
  package static func tensor(
    _ stored: String, _ layouts: Layout..., writesTie: Rule.TieWriting = .never,
    mayBePadded: Bool = false, copies: [String] = [], writesCopies: Bool = false
  ) -> [Rule] {
    [
      Rule(
        stored: stored, layouts: layouts, writesTie: writesTie, mayBePadded: mayBePadded,
        copies: copies, writesCopies: writesCopies)
    ]
  }

  /// The same rules, for models that have the weight `path`.
  package static func with(_ path: String, _ rules: [Rule]...) -> [Rule] {
    rules.flatMap(\.self).map { rule in
      var rule = rule
      rule.onlyWith = path
      return rule
    }
  }

  /// The same rules, for models that do not have the weight `path`.
  package static func without(_ path: String, _ rules: [Rule]...) -> [Rule] {
    rules.flatMap(\.self).map { rule in
      var rule = rule
      rule.onlyWithout = path
      return rule
    }
  }
}

extension [Rule] {
  /// The same rules, for models that have the dimension `name`: for what no weight shows.
  package static func having(_ name: String, _ rules: [Rule]...) -> [Rule] {
    rules.flatMap(\.self).map { rule in
      var rule = rule
      rule.onlyHaving = name
      return rule
    }
  }

  /// The same rules, for models that do not have the dimension `name`.
  package static func lacking(_ name: String, _ rules: [Rule]...) -> [Rule] {
    rules.flatMap(\.self).map { rule in
      var rule = rule
      rule.onlyLacking = name
      return rule
    }
  }
}

/// A prefix of stored names that files have or have not.
package struct OptionalPrefix: Sendable {
  let text: String
  /// Whether it is written for a model's head.
  let isWritten: @Sendable (_ head: String) -> Bool
  /// Whether it is part of the rules' names; otherwise it may stand before any of them.
  var isInRules: Bool

  /// Describes a prefix.
  package init(
    text: String, isWritten: @escaping @Sendable (_ head: String) -> Bool, isInRules: Bool = true
  ) {
    self.text = text
    self.isWritten = isWritten
    self.isInRules = isInRules
  }
}

/// A sign of a dialect.
package struct Evidence: Sendable {
  /// A stored name, with any optional prefix; `{i}` is any layer's number.
  let stored: String
  /// What the tensor's shape must be like.
  var shape: @Sendable ([Int]) -> Bool
  /// Whether the name must be spelled so: without its prefix it is that of other architectures, too.
  var isWhole: Bool
  /// Stored names that must not be there: of others that have all the names of this one.
  var lacking: [String]

  /// Describes a sign.
  package init(
    stored: String, shape: @escaping @Sendable ([Int]) -> Bool = { _ in true },
    isWhole: Bool = false, lacking: [String] = []
  ) {
    self.stored = stored
    self.shape = shape
    self.isWhole = isWhole
    self.lacking = lacking
  }

  /// The name alone.
  package static func name(_ stored: String) -> Evidence {
    Evidence(stored: stored)
  }

  /// The name where others are not there.
  package static func name(_ stored: String, without lacking: String...) -> Evidence {
    Evidence(stored: stored, lacking: lacking)
  }

  /// The name with its prefix, where others are not there.
  package static func wholeName(_ stored: String, without lacking: String...) -> Evidence {
    Evidence(stored: stored, isWhole: true, lacking: lacking)
  }
}

/// Weights that a model may be stored without, all of them or none, and what they are then.
package struct OmissibleWeights: Sendable {
  let roles: Set<WeightRole>
  let origin: WeightOrigin
  /// Those of no role that have no place at all.
  var paths: Set<String> = []

  /// A model may have no bias at all: then all are zero.
  package static let biases = OmissibleWeights(roles: [.bias, .normBias], origin: .zeros)

  /// Weights that are never stored, and zero.
  package static func zeros(_ paths: String...) -> OmissibleWeights {
    OmissibleWeights(roles: [], origin: .zeros, paths: Set(paths))
  }
}

extension Dialect {
  /// The name under which a stored tensor is written for a model's head.
  func writtenName(_ stored: String, head: String) -> String {
    var name = stored
    for prefix in prefixes {
      if prefix.isInRules {
        if !prefix.isWritten(head), name.hasPrefix(prefix.text) {
          name = String(name.dropFirst(prefix.text.count))
        }
      } else if prefix.isWritten(head) {
        name = prefix.text + name
      }
    }
    return name
  }

  /// Why a tensor of that name is left out, if nobody reads it.
  func reason(forUnread name: String) -> String? {
    if unread.isEmpty { return nil }
    let parts = name.split(separator: ".").map { Int($0) == nil ? String($0) : "{i}" }
    let open = TensorName(parts.joined(separator: "."))
    return unread.first { rule in
      spellings(of: rule.stored).contains { $0 == open || isName(name, inLayersOf: $0.text) }
    }?.reason
  }

  /// Every spelling of a stored name that is read, the usual one first.
  func spellings(of stored: String) -> [TensorName] {
    var names = [stored]
    for prefix in prefixes {
      names += names.map {
        $0.hasPrefix(prefix.text) ? String($0.dropFirst(prefix.text.count)) : prefix.text + $0
      }
    }
    for beginning in otherBeginnings {
      names += names.filter { $0.hasPrefix(beginning.usual) }
        .map { beginning.other + $0.dropFirst(beginning.usual.count) }
    }
    for ending in otherEndings {
      names += names.filter { $0.hasSuffix(ending.usual) }
        .map { $0.dropLast(ending.usual.count) + ending.other }
    }
    return names.map { TensorName($0) }
  }

  /// Whether the tensors are those of this dialect.
  func isShown(by tensors: NumberedNames) -> Bool {
    evidence.contains { evidence in
      if evidence.lacking.contains(where: { tensors.table[TensorName($0)] != nil }) { return false }
      let names = evidence.isWhole ? [TensorName(evidence.stored)] : spellings(of: evidence.stored)
      return names.contains { tensors.contain($0, evidence.shape) }
    }
  }
}

/// Names of modules: those of a dialect, and the canonical ones.
package typealias ModuleNames = KeyValuePairs<String, String>
