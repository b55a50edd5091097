import Models
import TensorCore

/// A mistake, planted in a model.
public struct Mutant: Sendable {
  /// A line of an explanation that would be right.
  public struct Expected: Sendable {
    let place: String
    let words: String

    init(_ place: String, _ words: String) { (self.place, self.words) = (place, words) }

    /// Whether a line says it. In a stack of one layer, `*` is that layer.
    func isSaid(by line: String) -> Bool {
      line.contains(words) && (line.contains(place) || line.contains(onlyLayer))
    }

    private var onlyLayer: String {
      place.split(separator: ".").map { $0 == "0" ? "*" : $0 }.joined(separator: ".")
    }
  }

  /// What it is: a row of the table.
  public let kind: String
  /// Where it is.
  public let place: String
  /// Whether it is one of the mistakes that the verifier is to explain.
  public let isListed: Bool
  /// What the comparison with the original may say of it.
  public var pair: [Expected] = []
  /// What the comparison with a golden may say of it; empty where outputs do not hold enough to say
  /// it, because something is lost.
  public var golden: [Expected] = []
  /// Why no output shows it, if none can.
  public var equivalence: String?
  /// Why it may be that no output shows it, if that depends on how much was changed.
  public var slack: String?
  /// The weights that are not what they were, in canonical layout.
  var weights: [String: Tensor] = [:]
  /// The places of the config that are not what they were.
  var config: [(path: [String], value: JSONValue)] = []

  init(_ kind: String, at place: String, isListed: Bool = true) {
    (self.kind, self.place, self.isListed) = (kind, place, isListed)
  }
}

/// What mistakes are planted in, and the dice that choose where.
struct Ground {
  let graph: WeightGraph
  var dice: Dice
  let paths: Set<String>
  /// What the layers declare to change no output.
  let symmetries: [Symmetry]

  init(_ graph: WeightGraph, seed: UInt64) {
    self.graph = graph
    dice = Dice(seed: seed)
    paths = Set(graph.slots.map(\.path))
    symmetries = graph.symmetries
  }

  /// The symmetry of that name that a module has.
  func symmetry(_ name: String, of module: String) -> Symmetry? {
    symmetries.first { $0.name == name && $0.module == module }
  }

  /// A weight's elements.
  func elements(_ path: String) throws -> Elements {
    guard let tensor = graph.tensor(at: path) else { preconditionFailure("no weight \(path)") }
    return try Elements(tensor)
  }

  func tensor(_ path: String) throws -> Tensor { try elements(path).tensor }

  func shape(_ path: String) -> [Int] { graph.tensor(at: path)?.shape ?? [] }

  /// Used weights of a role that have their own numbers.
  func slots(_ role: WeightRole) -> [WeightSlot] {
    graph.slots.filter { $0.role == role && !$0.isUnused && graph.ties[$0.path] == nil }
  }

  /// The modules that have all of the given parts: `encoder.blocks.0.attention`.
  func modules(with parts: String...) -> [String] {
    var stems: [String] = []
    for slot in graph.slots where !slot.isUnused {
      var path = slot.path[...]
      while let dot = path.lastIndex(of: ".") {
        path = path[..<dot]
        let stem = String(path)
        if !stems.contains(stem), parts.allSatisfy({ part in has("\(stem).\(part)") }) {
          stems.append(stem)
        }
      }
    }
    return stems
  }

  private func has(_ prefix: String) -> Bool {
    paths.contains(prefix) || paths.contains { $0.hasPrefix(prefix + ".") }
  }

  /// The weights in a module.
  func weights(in module: String) -> [String] {
    graph.slots.map(\.path).filter { $0.hasPrefix(module + ".") }
  }

  /// The numbers of layers by stack: `encoder.blocks`.
  var stacks: [(name: String, layers: Int)] {
    var names: [String] = []
    var layers: [String: Int] = [:]
    for path in graph.slots.map(\.path) {
      let parts = path.split(separator: ".")
      guard parts.count > 2, parts[1] == "blocks", let layer = Int(parts[2]) else { continue }
      let name = "\(parts[0]).blocks"
      if layers[name] == nil { names.append(name) }
      layers[name] = max(layers[name] ?? 0, layer + 1)
    }
    return names.map { ($0, layers[$0] ?? 0) }
  }
}

/// Random choices that are the same for the same seed.
struct Dice {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  /// SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }

  mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(max(1, limit))) }

  /// Up to `count` of the candidates, all different.
  mutating func choose<Element>(_ count: Int, of candidates: [Element]) -> [Element] {
    var (rest, chosen) = (candidates, [Element]())
    while chosen.count < count, !rest.isEmpty { chosen.append(rest.remove(at: below(rest.count))) }
    return chosen
  }
}
