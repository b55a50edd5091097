import TensorCore

extension ConfigReader {
  /// The id of a special token; `null` says that there is none.
  public mutating func token(
    _ key: String, default standard: Int?, on bearing: ConfigFact.Bearing
  ) -> Int? {
    let ids = tokens(key, default: standard.map { [$0] } ?? [], on: bearing, none: "null")
    if ids.count > 1 { reject("\(named(key)) must be one id, is \(present(key)?.text() ?? "")") }
    return ids.first
  }

  /// Beyond what any vocabulary has, and few enough to count on from.
  private static let largestID = 1 << 40

  /// The ids of special tokens: one, or a list; `null` says that there are none.
  ///
  /// - Parameter none: what the model's id says for none.
  public mutating func tokens(
    _ key: String, default standard: [Int], on bearing: ConfigFact.Bearing, none: String = ""
  ) -> [Int] {
    let isNone = isNull(key)
    return fact(
      key, .tokens, on: bearing, default: isNone ? [] : standard, mayBeNull: true,
      json: { $0.isEmpty ? .null : .array($0.map { .number($0) }) },
      text: { $0.isEmpty ? none : $0.map(String.init).joined(separator: ",") }
    ) { value in
      let elements = value.elements ?? [value]
      let ids = elements.compactMap(\.int)
      guard ids.count == elements.count else {
        return .fault("must be an id or a list of ids, is \(value.text())")
      }
      guard ids.allSatisfy({ $0.magnitude <= Self.largestID }) else {
        return .fault("has an id beyond 2^40, is \(value.text())")
      }
      return .value(ids)
    }
  }
}
