import Codecs
import Containers
import Kernels
import Models
import Synchronization
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A fact that is not in the id must change no output, whoever forgot it.
@Suite struct FactTests {
  /// Other values of a fact: by its kind, and what other fixtures say under its key.
  private static func otherValues(of fact: ConfigFact, in name: String) -> [JSONValue] {
    let values: [JSONValue]
    switch fact.kind {
    case .flag: values = [true, false]
    case .count(let range, _):
      let number = fact.value.int ?? 3
      values = [number + 1, number - 1, number / 2, number < 1 << 30 ? 2 * number : number]
        .filter(range.contains).map { .number($0) }
    case .number:
      let number = fact.value.double ?? 1
      values = [.double(2 * number + 1e-3), .double(number / 2)]
    case .choice(let names): values = names.map { .string($0) }
    case .choices(let names):
      let count = fact.value.elements?.count ?? 1
      values = names.map { .array(Array(repeating: .string($0), count: count)) }
    case .numbers:
      values = [.array((fact.value.elements ?? []).map { .double(2 * ($0.double ?? 1)) })]
    case .tokens: values = [.null, 1, 2, [3], [1, 2]]
    case .modelClass(let names): values = names.map { [.string($0)] }
    case .other: values = []
    }
    let others = saidElsewhere[family(of: name), default: [:]][fact.key] ?? []
    return (values + others).filter { $0 != fact.value }
  }

  private static func family(of name: String) -> String { String(name.prefix { $0 != "/" }) }

  /// What the configs of a family's fixtures say under a key.
  private static let saidElsewhere: [String: [String: [JSONValue]]] = {
    var values: [String: [String: [JSONValue]]] = [:]
    for name in goldenCases {
      for member in (try? openModel(name).graph.config.members) ?? [] {
        if values[family(of: name)]?[member.key]?.contains(member.value) != true {
          values[family(of: name), default: [:]][member.key, default: []].append(member.value)
        }
      }
    }
    return values
  }()

  /// All outputs in double precision, or `nil` if the model does not take the inputs.
  private func outputs(of graph: WeightGraph, _ inputs: ModelInputs) -> [NamedArray<Double>]? {
    guard var pass = try? ForwardPass<Double>(graph, inputs: inputs) else { return nil }
    return try? pass.run(hiddenStates: true)
  }

  private func isSame(_ a: [NamedArray<Double>]?, _ b: [NamedArray<Double>]?) -> Bool {
    guard let a, let b, a.map(\.name) == b.map(\.name) else { return false }
    return zip(a, b).allSatisfy { x, y in
      x.array.shape == y.array.shape
        && zip(x.array.elements, y.array.elements).allSatisfy { $0 == $1 || $0.isNaN && $1.isNaN }
    }
  }

  private static let seen = Mutex<Set<String>>([])

  /// Whether no fixture before has the same facts, flags and choices: those of other dialects are the same models.
  private static func isNew(_ graph: WeightGraph) -> Bool {
    let facts = graph.facts.map { fact in
      switch fact.kind {
      case .flag, .choice, .modelClass: "\(fact.key) \(fact.bearing) \(fact.value.text())"
      default: "\(fact.key) \(fact.bearing)"
      }
    }.sorted()
    let all = [type(of: graph.architecture).name, graph.architecture.head] + facts
    return seen.withLock { $0.insert(all.joined(separator: "\n")).inserted }
  }

  @Test(arguments: tellingCases)
  func `a fact that is turned gives another id, or the same outputs`(_ name: String) throws {
    let model = try openModel(name)
    let graph = model.graph
    guard Self.isNew(graph) else { return }
    let (id, probe) = (try ModelID(graph).digest, graph.architecture.shortProbe)
    let right = outputs(of: graph, probe)
    var (others, same) = (0, 0)
    for fact in graph.facts {
      for value in Self.otherValues(of: fact, in: name) {
        let config = graph.config.setting(fact.path, to: value)
        guard let turned = try? graph.understood(with: config, model.plain.tensors) else {
          continue
        }
        if try ModelID(turned).digest != id {
          others += 1
        } else {
          same += 1
          #expect(isSame(outputs(of: turned, probe), right), "\(fact.key) \(value.text())")
        }
      }
    }
    // Heads and an activation at least; and what decides how a text goes on, or a tie, where there is any such.
    let mayBeSame = graph.facts.contains {
      $0.bearing == .nothing && !Self.otherValues(of: $0, in: name).isEmpty
    }
    #expect(others >= 3 && (same >= 1 || !mayBeSame))
  }

  @Test(arguments: goldenCases)
  func `names in the id are different ones, and every key of a fixture is known`(
    _ name: String
  ) throws {
    let model = try openModel(name)
    let names = model.graph.mathematics.map(\.key)
    #expect(Set(names).count == names.count)
    #expect(names.contains("head"))
    #expect(model.unknownKeys == [])
  }

  @Test func `a key that nobody knows is named, wherever it is`() throws {
    var variant = try Variant("base")
    variant["rope_parameters"] = ["rope_theta": 1]
    variant["pruned_heads"] = ["0": [1]]
    variant["future"] = .null
    #expect(try Set(variant.model().graph.unknownKeys) == ["rope_parameters", "pruned_heads"])
  }

  /// The rows of docs/model-id.md, from what the fixtures' models have read.
  private func rows() throws -> [String] {
    var names: [String: [String: Set<String>]] = [:]
    for name in goldenCases {
      let graph = try openModel(name).graph
      let architecture = type(of: graph.architecture).name
      let heads = graph.mathematics.map(\.key)
      names[architecture, default: [:]][graph.architecture.head, default: []].formUnion(heads)
    }
    return names.sorted { $0.key < $1.key }.map { architecture, heads in
      let common = heads.values.reduce(heads.values.first ?? []) { $0.intersection($1) }
      let own = Set(heads.values.flatMap(\.self)).subtracting(common)
      func quoted(_ names: [String]) -> String {
        names.sorted().map { "`\($0)`" }.joined(separator: ", ")
      }
      let special = own.sorted().map { fact in
        "`\(fact)` of \(quoted(heads.filter { $0.value.contains(fact) }.map(\.key)))"
      }
      return "| \(architecture) | \(([quoted(Array(common))] + special).joined(separator: "; ")) |"
    }
  }

  /// With RECORD in the environment the table is written.
  @Test func `docs list the facts of each architecture`() throws {
    let path = fixture().removingLastComponent().appending("docs/model-id.md")
    let page = String(decoding: readFile(path), as: UTF8.self)
    let head = "| architecture | `config` keys |\n|---|---|\n"
    let start = try #require(page.firstRange(of: head)).upperBound
    let end = page[start...].firstRange(of: "\n\n")?.lowerBound ?? page.endIndex
    let table = try rows().joined(separator: "\n")
    if unsafe getenv("RECORD") != nil {
      let text = page[..<start] + table + (page[end...].isEmpty ? "\n" : page[end...])
      return writeFile(Array(text.utf8), to: path)
    }
    let lines = Set(page[start..<end].split(separator: "\n"))
    for row in table.split(separator: "\n") {
      #expect(lines.contains(row), "docs/model-id.md lacks: \(row)")
    }
  }
}
