import TensorCore

extension ConfigReader {
  /// An integer that counts something, under its name or another one that the framework accepts.
  mutating func count(
    _ key: String, or alias: String, default standard: Int, limit: Int = largestExtent,
    minimum: Int = 1
  ) -> Int {
    let absent = Int.min
    let other = count(alias, default: absent, limit: limit, minimum: minimum)
    let value = count(key, default: absent, limit: limit, minimum: minimum)
    if value != absent && other != absent && value != other {
      reject("\(key) is \(value), but \(alias), which is the same, is \(other)")
    }
    return value != absent ? value : other != absent ? other : standard
  }

  /// The id of a special token; `null` says that there is none.
  mutating func token(_ key: String, default standard: Int?) -> Int? {
    let ids = tokens(key, default: standard.map { [$0] } ?? [])
    if ids.count > 1 { reject("\(key) must be one id, is \(config[key]?.text() ?? "")") }
    return ids.first
  }

  /// The ids of special tokens: one, or a list; `null` says that there are none.
  mutating func tokens(_ key: String, default standard: [Int]) -> [Int] {
    guard let value = config[key] else { return standard }
    if value == .null { return [] }
    let elements = value.elements ?? [value]
    let ids = elements.compactMap(\.int)
    if ids.count != elements.count {
      reject("\(key) must be an id or a list of ids, is \(value.text())")
    }
    return ids
  }
}
