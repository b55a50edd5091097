public import TensorCore

/// Reads a config.json key by key, keeps what it read, and collects everything that is wrong with it.
///
/// Every call reads one fact, returns it, and records it: the model's id, the mistakes that are tried when
/// outputs differ, and the mistakes that are planted to measure the verifier all come from `facts`, so
/// that none can be forgotten. A key that nobody read is listed in `unknownKeys`, unless the architecture
/// said that no output depends on it.
public struct ConfigReader {
  /// The largest extent, number of layers or number of heads that is believed.
  public static let largestExtent = 1 << 31

  /// The most layers that are believed: each is declared before a weight is looked at.
  public static let mostLayers = 10_000

  private(set) var config: JSONValue
  /// What was read, in that order; what was read twice once.
  public private(set) var facts: [ConfigFact] = []
  /// What is wrong, a line each.
  public private(set) var faults: [String] = []
  /// What is right but not supported.
  public private(set) var unsupported: [String] = []
  /// The keys of the objects in which is being read.
  private var scope: [String] = []
  /// The models inside of which is being read: the keys of the objects that describe them, and what they are
  /// called in the id of the whole.
  private var models: [(key: String, name: String)] = []
  /// The class that a model inside another one has, whatever its config says.
  private(set) var givenClass: String?
  private var known: Set<[String]> = []
  /// The keys that are null and were read as what cannot be, and those of which somebody asked whether they are.
  private var nulls: Set<[String]> = [], meaningfulNulls: Set<[String]> = []
  /// The keys that are null although that means nothing.
  var meaninglessNulls: Set<[String]> { nulls.subtracting(meaningfulNulls) }
  /// The keys that are not read since another one, which says otherwise, goes before them.
  private(set) var overruled: [(path: [String], by: [String])] = []
  /// The class, if it is none that we know, and the one that is spelled nearly like it.
  var unknownClass: (name: String, near: String?)?

  /// Reads from `config`.
  public init(_ config: JSONValue) {
    self.config = config
    if config.members == nil { faults.append("it is not an object") }
  }

  /// The key's value in the present object, unless it is absent or null.
  package func present(_ key: String) -> JSONValue? {
    guard let value = stored(key), value != .null else { return nil }
    return value
  }

  /// The key's value in the present object, null included, unless it is absent.
  private func stored(_ key: String) -> JSONValue? { config.value(at: scope)?[key] }

  /// The key as a person writes it.
  func named(_ key: String) -> String { (scope + [key]).joined(separator: ".") }

  /// Whether the key is there with the value `null`, in the present object. Whoever asks gives it a meaning.
  public mutating func isNull(_ key: String) -> Bool {
    meaningfulNulls.insert(scope + [key])
    return stored(key) == .null
  }

  /// The same, asked without giving it a meaning.
  func holdsNull(_ key: String) -> Bool { stored(key) == .null }

  /// Reads what is in the object `key`, if there is one; else everything in it is absent.
  public mutating func within<Value>(
    _ key: String, _ read: (inout ConfigReader) -> Value
  ) -> Value {
    if let value = present(key), value.members == nil {
      faults.append("\(named(key)) must be an object, is \(value.text())")
    }
    known.insert(scope + [key])
    scope.append(key)
    defer { scope.removeLast() }
    return read(&self)
  }

  /// Reads the object `key` as the config of a model inside this one.
  ///
  /// - Parameters:
  ///   - name: what stands before its facts' names in the id of the whole; the key if `nil`.
  ///   - className: the class that it has, whatever its config says; `nil` if it has none of its own.
  package mutating func withinModel<Value>(
    _ key: String, named name: String? = nil, as className: String? = nil,
    _ read: (inout ConfigReader) -> Value
  ) -> Value {
    let outer = (models, givenClass)
    defer { (models, givenClass) = outer }
    models.append((key, name ?? key))
    givenClass = className
    return within(key) { reader in
      reader.disregardCommonKeys()
      return read(&reader)
    }
  }

  /// A sentence about the model inside of which is being read.
  private func ofModel(_ sentence: String) -> String {
    models.isEmpty ? sentence : models.map(\.key).joined(separator: ".") + ": " + sentence
  }

  /// Goes on as if the config said what it does not say, and would be wrong to take for the usual.
  package mutating func assume(_ key: String, _ value: JSONValue) {
    guard scope.isEmpty, present(key) == nil, let members = config.members else { return }
    config = .object(members.filter { $0.key != key } + [JSONValue.Member(key, value)])
  }

  /// Says that no output depends on keys of the present object: settings of training and generation,
  /// names, and the like.
  public mutating func disregard(_ keys: [String]) {
    for key in keys { known.insert(scope + [key]) }
  }

  /// Says that a key of the present object is not read where another one is there.
  ///
  /// - Parameter other: where the other one is, in the present object.
  mutating func overrule(_ key: String, by other: [String]) {
    known.insert(scope + [key])
    guard let value = present(key), let chosen = config.value(at: scope + other), chosen != .null,
      chosen != value, chosen.double == nil || chosen.double != value.double
    else { return }
    overruled.append((scope + [key], scope + other))
  }

  /// What the value of a key was found to be.
  package enum Finding<Value> {
    case value(Value)
    /// It is broken, for that reason, which follows the key in a sentence.
    case fault(String)
    /// It is fine, and not supported, as the sentence says.
    case unsupported(String)
  }

  /// Reads a fact, and records it.
  ///
  /// - Parameters:
  ///   - standard: what holds where the key is absent or null.
  ///   - mayBeNull: whether null means something. Where it does not, it is one of the `doubtfulKeys`.
  ///   - json: what is recorded of a value.
  ///   - text: how the model's id says it, if otherwise than it is recorded.
  ///   - parse: what the key's value means.
  package mutating func fact<Value>(
    _ key: String, _ kind: ConfigFact.Kind, on bearing: ConfigFact.Bearing,
    default standard: Value, mayBeNull: Bool = false, json: (Value) -> JSONValue,
    text: ((Value) -> String)? = nil, parse: (JSONValue) -> Finding<Value>
  ) -> Value {
    var result = standard
    if !mayBeNull, stored(key) == .null { nulls.insert(scope + [key]) }
    if let value = present(key) {
      switch parse(value) {
      case .value(let value): result = value
      case .fault(let reason): faults.append("\(named(key)) \(reason)")
      case .unsupported(let sentence): unsupported.append(sentence)
      }
    }
    record(
      ConfigFact(
        scope + [key], kind, bearing, value: json(result), text: text.map { $0(result) },
        mayBeNull: mayBeNull, models: models.map(\.name)))
    return result
  }

  private mutating func record(_ fact: ConfigFact) {
    known.insert(fact.path)
    if let index = facts.firstIndex(where: { $0.path == fact.path }) {
      facts[index] = fact
    } else {
      facts.append(fact)
    }
  }

  /// Takes back what was recorded of a key of the present object.
  mutating func forget(_ key: String) {
    facts.removeAll { $0.path == scope + [key] }
  }

  /// Whether the key is there, in the present object; it counts as known from now on.
  package mutating func has(_ key: String) -> Bool {
    known.insert(scope + [key])
    return present(key) != nil
  }

  /// Records a fault that involves more than one key.
  public mutating func reject(_ reason: String) {
    faults.append(ofModel(reason + defaults(in: reason)))
  }

  /// Records something that is fine but that we cannot do.
  public mutating func refuse(_ reason: String) {
    unsupported.append(ofModel(reason + defaults(in: reason)))
  }

  /// Which of the values that a sentence names stand nowhere in the config.
  private func defaults(in sentence: String) -> String {
    facts.filter { fact in
      fact.path.dropLast() == scope[...] && present(fact.key) == nil
        && sentence.hasWords("\(fact.key) \(fact.value.text())")
    }
    .map { "; \($0.key) is not given, and \($0.value.text()) by default" }.joined()
  }

  /// The keys that nobody read and nobody said to be without effect, as a person writes them. Of an object
  /// of which nothing was read it is the object's.
  public var unknownKeys: [String] { unknownPaths.map { $0.joined(separator: ".") } }

  /// The same, as the keys of the objects around them and their own.
  var unknownPaths: [[String]] {
    var found: [[String]] = []
    func visit(_ value: JSONValue, _ path: [String]) {
      for member in value.members ?? [] where member.value != .null {
        let here = path + [member.key]
        if !known.contains(here) {
          found.append(here)
        } else if known.contains(where: { $0.count > here.count && $0.starts(with: here) }) {
          visit(member.value, here)
        }
      }
    }
    visit(config, [])
    return found
  }

  /// The objects in which something was asked for, and what was asked for in them, sorted.
  var askedPaths: [[String]] {
    let inside = known.filter { $0.count > 1 }
    return (Set(inside.map { Array($0.dropLast()) }).union(inside))
      .sorted { $0.lexicographicallyPrecedes($1) }
  }

  /// Fails if anything was wrong.
  ///
  /// - Throws: `CheckpointError`: malformed with every fault, else unsupported.
  public func check() throws(CheckpointError) {
    if !faults.isEmpty {
      // Settings of several types of layers may stand in one object, which is broken once.
      let faults = faults.distinct + doubtfulKeys.map(\.text)
      throw CheckpointError(
        .malformed(Self.sentence("config", faults)), details: faults.count > 1 ? faults : [])
    }
    if !unsupported.isEmpty {
      throw CheckpointError(
        .unsupported(Self.sentence("config", unsupported)),
        advice: unknownClass.map { unknown in
          (unknown.near.map { "did you mean \($0)? " } ?? "")
            + "--class NAME reads it as one of these, --allow-extra without what that has no place for"
        },
        details: unsupported.count > 1 ? unsupported : [])
    }
  }

  private static func sentence(_ subject: String, _ reasons: [String]) -> String {
    reasons.count == 1 ? "\(subject): \(reasons[0])" : "\(subject): \(reasons.count) faults"
  }
}

extension String {
  /// Whether it has these words, and not as a part of longer ones.
  fileprivate func hasWords(_ words: String) -> Bool {
    ranges(of: words).contains { range in
      let around = [self[..<range.lowerBound].last, self[range.upperBound...].first]
      return !around.compactMap { $0 }.contains { $0.isLetter || $0.isNumber || $0 == "_" }
    }
  }
}
