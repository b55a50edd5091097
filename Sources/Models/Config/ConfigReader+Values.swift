import TensorCore

extension ConfigReader {
  /// An integer that counts something, under its name or another one that the framework accepts. What may
  /// be null is an `optionalCount`.
  ///
  /// - Parameters:
  ///   - limit: the largest that is believed.
  ///   - usual: values that models have, if outputs depend on it and it is not a small number.
  public mutating func count(
    _ key: String, or alias: String? = nil, default standard: Int, limit: Int = largestExtent,
    minimum: Int = 1, usual: [Int] = [], on bearing: ConfigFact.Bearing = .outputs
  ) -> Int {
    anyCount(
      key, or: alias, default: standard, range: minimum...limit, usual: usual, on: bearing,
      mayBeNull: false) ?? standard
  }

  /// An integer that counts something, and that may be absent or null.
  public mutating func optionalCount(
    _ key: String, or alias: String? = nil, default standard: Int? = nil,
    limit: Int = largestExtent, minimum: Int = 1, usual: [Int] = [],
    on bearing: ConfigFact.Bearing = .outputs
  ) -> Int? {
    anyCount(
      key, or: alias, default: standard, range: minimum...limit, usual: usual, on: bearing,
      mayBeNull: true)
  }

  private mutating func anyCount(
    _ key: String, or alias: String?, default standard: Int?, range: ClosedRange<Int>, usual: [Int],
    on bearing: ConfigFact.Bearing, mayBeNull: Bool
  ) -> Int? {
    let read = { (reader: inout ConfigReader, key: String) -> Int? in
      reader.fact(
        key, .count(range, usual: usual), on: bearing, default: standard, mayBeNull: mayBeNull,
        json: { $0.map { .number($0) } ?? .null }
      ) { value in
        guard let number = value.int else {
          return .fault("must be an integer, is \(value.text())")
        }
        guard range.contains(number) else {
          return .fault("must be from \(range.lowerBound) to \(range.upperBound), is \(number)")
        }
        return .value(number)
      }
    }
    guard let alias, has(alias) else { return read(&self, key) }
    let other = read(&self, alias)
    guard has(key) else { return other }
    forget(alias)
    let value = read(&self, key)
    if let value, let other, value != other {
      reject("\(key) is \(value), but \(alias), which is the same, is \(other)")
    }
    return value
  }

  /// A number that is positive, or zero. What may be null is an `optionalPositive`.
  ///
  /// - Parameter usual: values that models have.
  public mutating func positive(
    _ key: String, default standard: Double, usual: [Double] = [],
    on bearing: ConfigFact.Bearing = .outputs
  ) -> Double {
    anyPositive(key, default: standard, usual: usual, on: bearing, mayBeNull: false) ?? standard
  }

  /// A number that is positive, or zero, and that may be absent or null.
  public mutating func optionalPositive(
    _ key: String, default standard: Double? = nil, usual: [Double] = [],
    on bearing: ConfigFact.Bearing = .outputs
  ) -> Double? {
    anyPositive(key, default: standard, usual: usual, on: bearing, mayBeNull: true)
  }

  private mutating func anyPositive(
    _ key: String, default standard: Double?, usual: [Double], on bearing: ConfigFact.Bearing,
    mayBeNull: Bool
  ) -> Double? {
    fact(
      key, .number(usual: usual), on: bearing, default: standard, mayBeNull: mayBeNull,
      json: { $0.map { .double($0) } ?? .null }
    ) { value in
      guard let number = value.double, number.isFinite, number >= 0 else {
        return .fault("must be a number that is not negative, is \(value.text())")
      }
      return .value(number)
    }
  }

  /// What keeps a normalisation from dividing by zero.
  public mutating func epsilon(_ key: String, default standard: Double) -> Double {
    positive(
      key, default: standard, usual: [1e-12, 1e-8, 1e-6, 1e-5, 1e-3], on: .outputs(as: "epsilon"))
  }

  /// Positive numbers, as many as asked.
  public mutating func numbers(
    _ key: String, count: Int, on bearing: ConfigFact.Bearing = .outputs
  ) -> [Double]? {
    fact(
      key, .numbers, on: bearing, default: [Double]?.none, mayBeNull: true,
      json: { $0.map { .array($0.map { .double($0) }) } ?? .null }
    ) { value in
      let numbers = (value.elements ?? []).compactMap(\.double).filter { $0.isFinite && $0 > 0 }
      guard let elements = value.elements, numbers.count == elements.count, numbers.count == count
      else { return .fault("must be a list of \(count) positive numbers") }
      return .value(numbers)
    }
  }

  /// Integers, at least one.
  package mutating func counts(
    _ key: String, default standard: [Int], limit: Int, minimum: Int = 1,
    on bearing: ConfigFact.Bearing
  ) -> [Int] {
    fact(
      key, .other, on: bearing, default: standard, json: { .array($0.map { .number($0) }) }
    ) { value in
      let numbers = (value.elements ?? []).compactMap(\.int).filter {
        (minimum...limit).contains($0)
      }
      guard let elements = value.elements, !elements.isEmpty, numbers.count == elements.count else {
        return .fault("must be a list of integers from \(minimum) to \(limit)")
      }
      return .value(numbers)
    }
  }

  /// A truth value.
  ///
  /// - Parameters:
  ///   - names: what the model's id says for false and true, if not that.
  ///   - mayBeNull: whether null, too, means the default.
  public mutating func flag(
    _ key: String, default standard: Bool, on bearing: ConfigFact.Bearing = .outputs,
    named names: (no: String, yes: String)? = nil, mayBeNull: Bool = false
  ) -> Bool {
    fact(
      key, .flag, on: bearing, default: standard, mayBeNull: mayBeNull, json: { .bool($0) },
      text: names.map { names in { $0 ? names.yes : names.no } }
    ) { value in
      value.bool.map { .value($0) } ?? .fault("must be true or false, is \(value.text())")
    }
  }

  /// A text that decides nothing by itself.
  public mutating func text(_ key: String) -> String? {
    fact(
      key, .other, on: .nothing, default: String?.none, mayBeNull: true,
      json: { $0.map { .string($0) } ?? .null }
    ) { value in
      value.string.map { .value($0) } ?? .fault("must be a string, is \(value.text())")
    }
  }

  /// One of several names.
  ///
  /// - Parameter aliases: other names for some of them, and names that mean another one here.
  public mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ key: String, or alias: String? = nil, default standard: Choice,
    aliases: [String: Choice] = [:], on bearing: ConfigFact.Bearing = .outputs
  ) -> Choice {
    let names = Choice.allCases.map(\.rawValue)
    let isOther = alias.map { has($0) && !has(key) } ?? false
    if let alias, !isOther { overrule(alias, by: [key]) }
    let key = isOther ? alias ?? key : key
    let place = named(key)
    return fact(
      key, .choice(names), on: bearing, default: standard, json: { .string($0.rawValue) }
    ) { value in
      guard let name = value.string else { return .fault("must be a string, is \(value.text())") }
      if let choice = aliases[name] ?? Choice(rawValue: name) { return .value(choice) }
      return .unsupported(unknownName(name, at: place, known: names))
    }
  }

  /// One of several names for each of what is listed, layers for example.
  ///
  /// - Parameters:
  ///   - count: how many there must be.
  ///   - standard: what holds where the key is absent or null.
  public mutating func choices<Choice: RawRepresentable<String> & CaseIterable>(
    _ key: String, of: Choice.Type, count: Int, default standard: [Choice]? = nil,
    on bearing: ConfigFact.Bearing = .outputs
  ) -> [Choice]? {
    let names = Choice.allCases.map(\.rawValue)
    let place = named(key)
    return fact(
      key, .choices(names), on: bearing, default: standard, mayBeNull: true,
      json: { $0.map { .array($0.map { .string($0.rawValue) }) } ?? .null }
    ) { value in
      guard let elements = value.elements, elements.count == count else {
        return .fault("must be a list of \(count) names, is \(value.text())")
      }
      var choices: [Choice] = []
      for element in elements {
        guard let name = element.string else {
          return .fault("must be a list of \(count) names, has \(element.text())")
        }
        guard let choice = Choice(rawValue: name) else {
          return .unsupported(unknownName(name, at: place, known: names))
        }
        choices.append(choice)
      }
      return .value(choices)
    }
  }

  /// The one value of a key that is supported.
  public mutating func require(_ key: String, _ only: String) {
    let place = named(key)
    _ = fact(key, .choice([only]), on: .nothing, default: only, json: { .string($0) }) { value in
      guard let name = value.string else { return .fault("must be a string, is \(value.text())") }
      return name == only
        ? .value(name) : .unsupported("\(place) \"\(name)\" is not supported; \"\(only)\" is")
    }
  }

  /// The one truth value of a key that is supported.
  ///
  /// - Parameters:
  ///   - sentence: what is said of the other one, if not just that it is not supported.
  ///   - mayBeNull: whether null means the same.
  public mutating func require(
    _ key: String, _ only: Bool, otherwise sentence: String? = nil, mayBeNull: Bool = false
  ) {
    let place = named(key)
    _ = fact(
      key, .flag, on: .nothing, default: only, mayBeNull: mayBeNull, json: { .bool($0) }
    ) { value in
      guard let flag = value.bool else {
        return .fault("must be true or false, is \(value.text())")
      }
      return flag == only
        ? .value(flag) : .unsupported(sentence ?? "\(place) \(flag) is not supported")
    }
  }
}

extension ConfigReader {
  /// Rejects a width that heads do not divide.
  package mutating func rejectUndivided(
    _ width: Int, _ key: String, by heads: Int, _ headsKey: String
  ) {
    // Defaults that stand in for faulty values would only bring more faults.
    guard faults.isEmpty, !width.isMultiple(of: heads) else { return }
    reject("\(key) \(width) is not a multiple of \(headsKey) \(heads)")
  }
}

/// That a name is none of those that a key may have.
func unknownName(_ name: String, at place: String, known: [String]) -> String {
  let near = nearestName(to: name, among: known).map { "; did you mean \($0)?" }
  return "\(place) \"\(name)\" is not known"
    + (near ?? "; known are \(known.joined(separator: ", "))")
}
