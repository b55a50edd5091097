import TensorCore

extension ConfigReader {
  /// The class that the checkpoint was saved from; if the config names none, the one that `shown` finds
  /// in the stored weights. An unknown one is refused.
  ///
  /// - Parameter aliases: other names of classes.
  public mutating func head<Head: RawRepresentable<String> & CaseIterable & Equatable>(
    aliases: [String: Head] = [:], shown: () -> Head
  ) -> Head {
    head(Head.allCases.map { ($0.rawValue, $0) }, aliases: aliases, shown: shown)
  }

  /// The head of the class that the config names, or the one that `shown` finds.
  ///
  /// - Parameters:
  ///   - classes: the classes' names, and what they are.
  ///   - aliases: other names of classes.
  public mutating func head<Head: Equatable>(
    _ classes: [(name: String, head: Head)], aliases: [String: Head] = [:], shown: () -> Head
  ) -> Head {
    if let givenClass, let given = classes.first(where: { $0.name == givenClass }) {
      disregard(["architectures"])
      return given.head
    }
    let names = classes.map(\.name)
    func name(of head: Head) -> String { classes.first { $0.head == head }?.name ?? "" }
    var unknown: String?
    let named = fact(
      "architectures", .modelClass(names), on: .outputs(as: "head"), default: Head?.none,
      mayBeNull: true,
      json: { [.string(name(of: $0 ?? shown()))] }
    ) { value in
      guard let given = value.elements, given.allSatisfy({ $0.string != nil }) else {
        return .fault("must be a list of strings, is \(value.text())")
      }
      guard let name = given.first?.string else { return .value(nil) }
      if let head = classes.first(where: { $0.name == name })?.head ?? aliases[name] {
        return .value(head)
      }
      unknown = name
      return .unsupported(
        "the class \"\(name)\" is not supported; supported are: "
          + names.joined(separator: ", "))
    }
    if let unknown { unknownClass = (unknown, nearestName(to: unknown, among: names)) }
    return named ?? shown()
  }

  /// The number of labels: `num_labels`, else the names in `id2label`, else what is usual, as transformers 5 does it.
  public mutating func labelCount(default standard: Int = 2) -> Int {
    let isCounted = present("num_labels") != nil
    let labels = fact(
      "id2label", .other, on: isCounted ? .nothing : .weights, default: Int?.none, mayBeNull: true,
      json: { $0.map { .number($0) } ?? .null }
    ) { value in
      guard let count = value.members?.count, count > 0 || isCounted else {
        return .fault("must be an object with a member for each label")
      }
      return .value(count)
    }
    disregard(["label2id"])
    guard let labels, !isCounted else {
      return optionalCount("num_labels", default: standard, on: .weights) ?? standard
    }
    disregard(["num_labels"])
    return labels
  }
}
