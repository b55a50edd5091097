public import TensorCore

/// What an architecture has read from the config: under which key, of what kind, what it says, and what
/// depends on it.
public struct ConfigFact: Sendable, Equatable {
  /// What kind of value it is, and so which other ones it could have.
  public enum Kind: Sendable, Equatable {
    /// An integer in a range; `usual` are values that models have.
    case count(ClosedRange<Int>, usual: [Int])
    /// A number; `usual` are values that models have.
    case number(usual: [Double])
    /// A truth value.
    case flag
    /// One of these names.
    case choice([String])
    /// A name for each layer, or whatever else is listed, from these.
    case choices([String])
    /// Numbers, one for each of what is listed.
    case numbers
    /// Ids of tokens: one or a list.
    case tokens
    /// The model's class, one of these.
    case modelClass([String])
    /// A text, or an object, that is none of the above.
    case other
  }

  /// What depends on it.
  public enum Bearing: Sendable, Equatable {
    /// Outputs do, and weights' shapes do not show it: it is part of the model's id, under a name of its
    /// own, or else under the key.
    case outputs(as: String?)
    /// Which weights there are, and their shapes: whoever has the weights has the fact.
    case weights
    /// No output does.
    case nothing

    /// Outputs depend on it, and shapes do not show it.
    public static var outputs: Bearing { .outputs(as: nil) }
  }

  /// The key, and before it those of the objects around it.
  public let path: [String]
  /// What kind of value it is.
  public let kind: Kind
  /// What depends on it.
  public let bearing: Bearing
  /// What the model takes it to be, with synonyms normalised: the config's value, or the default. `null`
  /// is none.
  public let value: JSONValue
  /// The value in the model's id.
  public let text: String
  /// Whether null means something: none, or the usual.
  public let mayBeNull: Bool
  /// What the models inside of which it is one are called in the id of the whole.
  public let models: [String]

  package init(
    _ path: [String], _ kind: Kind, _ bearing: Bearing, value: JSONValue, text: String? = nil,
    mayBeNull: Bool = false, models: [String] = []
  ) {
    self.path = path
    self.kind = kind
    self.bearing = bearing
    self.value = value
    self.mayBeNull = mayBeNull
    self.models = models
    self.text = text ?? Self.text(of: value)
  }

  /// The key as a person writes it: `rope_parameters.factor`.
  public var key: String { path.joined(separator: ".") }

  /// Its name in the model's id, if it is a part of that.
  public var name: String? {
    guard case .outputs(let name) = bearing, let own = name ?? path.last else { return nil }
    return (models + [own]).joined(separator: ".")
  }

  private static func text(of value: JSONValue) -> String {
    switch value {
    case .string(let text): text
    case .double(let number): "\(number)"
    case .array(let elements): elements.map(text(of:)).joined(separator: ",")
    default: value.text()
    }
  }
}

extension JSONValue {
  /// What stands under a path of keys.
  func value(at path: some Collection<String>) -> JSONValue? {
    path.reduce(JSONValue?.some(self)) { $0?[$1] }
  }

  /// The object with another value under a path of keys, at the end if there was none.
  package func setting(_ path: some Collection<String>, to value: JSONValue) -> JSONValue {
    guard let key = path.first else { return value }
    var members = members ?? []
    let changed = (self[key] ?? [:]).setting(path.dropFirst(), to: value)
    if let index = members.firstIndex(where: { $0.key == key }) {
      members[index] = Member(key, changed)
    } else {
      members.append(Member(key, changed))
    }
    return .object(members)
  }
}
