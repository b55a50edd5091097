import TensorCore

/// Which numbers of the config would have to be others for the tensors to fit: each is tried, and the one
/// that leaves the fewest faults is taken, until none is left or none helps; then whether they are those of another class.
struct MisfitCause {
  /// A number of the config, and what it would have to be.
  private struct Change {
    let path: [String]
    let value: JSONValue
    /// What the config says, as the beginning of a sentence's end: `where the config says 5`.
    let own: String

    var text: String { "\(path.joined(separator: ".")) \(value.text()), \(own)" }
  }

  /// How a config was tried.
  private struct Trial {
    let reader: ConfigReader
    let placing: Placing
  }

  private let table: TensorTable
  private let type: any Architecture.Type
  private let dialect: Dialect
  private let options: RecognitionOptions

  /// What the config should say, as a sentence; `nil` if nothing was found.
  private(set) var text: String?

  /// The most numbers that are wrong at once, and the most weights that are declared to find them.
  private static let mostChanges = 3
  private static let mostDeclared = 100_000
  /// The most names of which each is tried: activations are more, and no weight depends on them.
  private static let mostChoices = 4

  /// Looks for the cause.
  ///
  /// - Parameters:
  ///   - reader: what was read from the config.
  ///   - placing: the tensors, held against it in vain.
  /// - Throws: `CheckpointError` if a tensor cannot be read.
  init(
    _ reader: ConfigReader, _ placing: Placing, _ table: TensorTable,
    as type: any Architecture.Type, in dialect: Dialect, options: RecognitionOptions
  ) throws(CheckpointError) {
    (self.table, self.type, self.dialect, self.options) = (table, type, dialect, options)
    if let doubtful = reader.doubtfulKeys.first {
      text = "in the config \(doubtful.text)"
      return
    }
    var (best, changes) = (Trial(reader: reader, placing: placing), [Change]())
    var budget = Self.mostDeclared
    while changes.count < Self.mostChanges, !best.placing.faults.isEmpty {
      var better: (Trial, Change)?
      for change in candidates(for: best) {
        budget -= best.placing.slotCount
        let config = best.reader.config.setting(change.path, to: change.value)
        guard budget > 0, let trial = try trial(config),
          trial.placing.faults.count < (better?.0 ?? best).placing.faults.count
        else { continue }
        better = (trial, change)
      }
      guard let better else { break }
      best = better.0
      changes.append(better.1)
    }
    if !best.placing.faults.isEmpty, let fitting = try fittingClasses(reader, placing) {
      text = fitting
    } else {
      text = sentence(changes, placing.faults.count, best.placing.faults.count)
    }
  }

  /// The classes of which all tensors are, as a sentence; `nil` if there are none.
  private func fittingClasses(
    _ reader: ConfigReader, _ placing: Placing
  ) throws(CheckpointError) -> String? {
    guard !placing.missing.isEmpty || !placing.unexpected.isEmpty else { return nil }
    for fact in reader.facts where fact.path == ["architectures"] {
      guard case .modelClass(let names) = fact.kind else { continue }
      let own = fact.value.elements?.first?.string
      var fitting: [String] = []
      for name in names where name != own {
        guard placing.slotCount <= Self.mostDeclared / names.count else { return nil }
        let trial = try trial(reader.config.naming(class: name))
        if trial?.placing.faults.isEmpty == true { fitting.append(name) }
      }
      guard !fitting.isEmpty else { return nil }
      let isLost = placing.unexpected.isEmpty && placing.misshapen.isEmpty
      return "all tensors fit the class \(fitting.prefix(3).joined(separator: " or "))"
        + (isLost ? ", unless what is missing was lost" : "") + ": --class \(fitting[0])"
    }
    return nil
  }

  /// Tensors held against a config, which may be a wrong one.
  private func trial(_ config: JSONValue) throws(CheckpointError) -> Trial? {
    let reader: ConfigReader
    var placing: Placing
    do throws(CheckpointError) {
      let (found, model) = try read(config, table, as: type, in: dialect)
      placing = try Placing(
        table, dialect, model.declaration(), model, options: options, givesHints: false)
      reader = found
    } catch {
      return nil
    }
    do throws(CheckpointError) {
      try placing.place()
    } catch {
      guard error.category == .refused else { throw error }
    }
    return Trial(reader: reader, placing: placing)
  }

  private func sentence(_ changes: [Change], _ before: Int, _ after: Int) -> String? {
    // What leaves most of the faults explains nothing.
    if changes.isEmpty || after > before / 2 { return nil }
    let with = "with " + changes.map(\.text).joined(separator: ", and ")
    if after > 0 { return "\(with), \(after) of the \(before) faults are left" }
    // A head that was lost leaves the same tensors as one that is tied.
    let isTied = changes.contains { $0.path.last == "tie_word_embeddings" && $0.value == true }
    return "\(with), all tensors fit" + (isTied ? "; or the head was lost" : "")
  }

  // MARK: Candidates

  /// What may be wrong: a number of which a wrong extent is a multiple, so that the found one is as many
  /// times another, or which it is divided by; numbers of layers, where layers are missing or too many; and whether there are weights of a
  /// kind at all.
  private func candidates(for trial: Trial) -> [Change] {
    var found: [Change] = []
    func add(_ fact: ConfigFact, _ value: Int) {
      guard case .count(let range, _) = fact.kind, range.contains(value), value != fact.value.int
      else { return }
      add(fact, .number(value))
    }
    func add(_ fact: ConfigFact, _ value: JSONValue) {
      let change = self.change(of: fact, to: value, trial)
      if !found.contains(where: { $0.path == change.path && $0.value == value }) {
        found.append(change)
      }
    }
    let counts = trial.reader.facts.map(counting)
    // What the config does not say may be what another number stands in for.
    let unsaid = counts.filter { $0.mayBeNull && $0.value == .null && $0.bearing != .nothing }
    // What it does not say is off, and may have been lost; sooner that than that what it says is wrong.
    let off = counts.filter {
      trial.reader.config.value(at: $0.path) == nil && ($0.value.int ?? 1) <= 0
        && $0.bearing != .nothing
    }
    for (actual, wanted) in extents(of: trial.placing) {
      for fact in counts {
        guard let own = fact.value.int, own > 0 else { continue }
        if wanted.isMultiple(of: own), actual.isMultiple(of: wanted / own) {
          for fact in off + [fact] + unsaid { add(fact, actual / (wanted / own)) }
        }
        // What an extent is divided by: with more heads each is narrower.
        let (product, isTooLarge) = own.multipliedReportingOverflow(by: wanted)
        if !isTooLarge, product.isMultiple(of: actual) { add(fact, product / actual) }
      }
    }
    if !trial.placing.missing.isEmpty || !trial.placing.unexpected.isEmpty {
      // How many there are of something of which there are few, and what there are several kinds of.
      for fact in unsaid { for count in 1...2 { add(fact, count) } }
      for fact in trial.reader.facts {
        guard case .choice(let names) = fact.kind, names.count <= Self.mostChoices else { continue }
        for name in names where fact.value.string != name { add(fact, .string(name)) }
      }
    }
    for extent in unexpectedExtents(trial.placing) { for fact in unsaid { add(fact, extent) } }
    for fact in counts where fact.mayBeNull && fact.value != .null && fact.bearing == .weights {
      if !trial.placing.missing.isEmpty, !trial.placing.unexpected.isEmpty { add(fact, .null) }
    }
    for number in layerCounts(trial.placing) {
      for fact in counts where fact.countsLayers { add(fact, number) }
    }
    for fact in trial.reader.facts where fact.kind == .flag {
      if case .bool(let value) = fact.value { add(fact, .bool(!value)) }
    }
    return found
  }

  /// The fact as a number; what the names of labels say, `num_labels` does.
  private func counting(_ fact: ConfigFact) -> ConfigFact {
    guard fact.path.last == "id2label", fact.bearing == .weights else { return fact }
    return ConfigFact(
      fact.path.dropLast() + ["num_labels"], .count(1...ConfigReader.largestExtent, usual: []),
      .weights, value: fact.value)
  }

  private func change(of fact: ConfigFact, to value: JSONValue, _ trial: Trial) -> Change {
    let own = fact.value.text()
    let config = trial.reader.config
    let names = config.value(at: fact.path.dropLast() + ["id2label"])?.members
    let says: String
    if let given = config.value(at: fact.path), given != .null {
      says = "where the config says \(own)"
    } else if fact.path.last == "num_labels", names != nil {
      says = "where id2label has \(own)"
    } else if fact.value == .null {
      says = "where the config says \(config.value(at: fact.path) == nil ? "nothing" : own)"
    } else {
      says = "where the config says nothing and \(own) is assumed"
    }
    return Change(path: fact.path, value: value, own: says)
  }

  /// The extents that are wrong, found and wanted, each pair once, those of most tensors first.
  private func extents(of placing: Placing) -> [(Int, Int)] {
    var counts: [[Int]: Int] = [:]
    var order: [[Int]] = []
    for (found, wanted) in placing.misshapen where found.count == wanted.count {
      for (x, y) in zip(found, wanted) where x != y && x > 0 && y > 0 {
        if counts[[x, y]] == nil { order.append([x, y]) }
        counts[[x, y], default: 0] += 1
      }
    }
    return order.sorted { counts[$0, default: 0] > counts[$1, default: 0] }.map { ($0[0], $0[1]) }
  }

  /// The extents of tensors that are there for nothing, each once; of many the first.
  private func unexpectedExtents(_ placing: Placing) -> [Int] {
    var extents: [Int] = []
    for name in placing.unexpected.prefix(64) where extents.count < 8 {
      for extent in table[TensorName(name)]?.shape ?? [] where !extents.contains(extent) {
        extents.append(extent)
      }
    }
    return extents
  }

  /// How many layers there may be: up to the first of which something is missing, or to the last of which
  /// something is there for nothing.
  private func layerCounts(_ placing: Placing) -> [Int] {
    let missing = placing.missing.compactMap { layerNumber($0) }.min()
    let unexpected = placing.unexpected.compactMap { layerNumber($0) }.max().map { $0 + 1 }
    // No more layers than tensors; a model without any explains nothing.
    return [missing, unexpected].compactMap(\.self).filter { (1...table.count).contains($0) }
  }

  /// The first number in a name.
  private func layerNumber(_ name: String) -> Int? {
    name.split { !$0.isASCII || !$0.isLetter && !$0.isNumber }.lazy
      .compactMap { $0.utf8.count <= 6 ? Int($0) : nil }.first
  }
}

extension ConfigFact {
  /// Whether it is a number of layers.
  fileprivate var countsLayers: Bool {
    if case .count(let range, _) = kind {
      range.upperBound == ConfigReader.mostLayers
    } else {
      false
    }
  }
}

extension CheckpointError {
  /// The same, with what may be its cause.
  func explained(by cause: MisfitCause) -> CheckpointError {
    guard let text = cause.text else { return self }
    var error = self
    error.advice = [text, advice].compactMap(\.self).joined(separator: "; ")
    return error
  }
}
