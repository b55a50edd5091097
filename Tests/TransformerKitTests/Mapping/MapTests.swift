import Codecs
import Containers
import Models
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// What tensors are whose names are nobody's.
@Suite struct MapTests {
  /// How many tensors there were, have a place, and have a wrong one.
  private struct Count {
    var all = 0
    var mapped = 0
    var wrong: [String] = []

    static func += (a: inout Count, b: Count) {
      a.all += b.all
      a.mapped += b.mapped
      a.wrong += b.wrong
    }
  }

  private static let options: OpenOptions = {
    var options = OpenOptions()
    options.recognition.dropsTrainingState = true
    return options
  }()

  /// A case as a model whose names are its own, and what each tensor in it is.
  private func model(_ name: String) throws -> Model {
    let checkpoint = try Checkpoint.open(fixture(name), options: Self.options)
    return try Model(checkpoint, options: Self.options)
  }

  /// Random letters for each name, in another order.
  private func scrambled(
    _ checkpoint: Checkpoint, seed: UInt64
  ) throws -> (Checkpoint, [TensorName: TensorName]) {
    var random = SeededGenerator(seed: seed)
    var origins: [TensorName: TensorName] = [:]
    let tensors = checkpoint.tensors.tensors.shuffled(using: &random).map { tensor in
      let letters = (0..<10).map { _ in
        "abcdefghijklmnopqrstuvwxyz".randomElement(using: &random) ?? "a"
      }
      let name = TensorName(String(letters))
      origins[name] = tensor.name
      return tensor.renamed(name)
    }
    return (try checkpoint.replacing(tensors), origins)
  }

  @Test(arguments: familyFolders)
  func `scrambled names are found again by a base's content`(_ folder: String) throws {
    var count = Count()
    for name in tellingCases.filter({ $0.hasPrefix(folder.lowercased() + "/") }) {
      let base = try Checkpoint.open(fixture(name), options: Self.options)
      let (copy, origins) = try scrambled(base, seed: UInt64(name.utf8.count))
      let map = try NameMap(copy, base: base, options: Self.options)
      count += try compare(map, copy, origins, base, name)
    }
    #expect(count.wrong.isEmpty)
    // The same table of positions in encoder and decoder: nothing tells which is whose, so both stay open.
    let least = ["BART": 98, "OpenNMTTransformer": 97][folder] ?? 99
    #expect(
      count.mapped * 100 >= count.all * least, "\(folder): \(count.mapped) of \(count.all)")
  }

  private func compare(
    _ map: NameMap, _ copy: Checkpoint, _ origins: [TensorName: TensorName], _ base: Checkpoint,
    _ name: String
  ) throws -> Count {
    var count = Count(all: copy.tensors.count)
    let rules = map.rules.rules
    for tensor in copy.tensors.tensors {
      guard let to = rules.lazy.compactMap({ $0.name(for: tensor.name) }).first else { continue }
      count.mapped += 1
      let there = base.tensors[to]
      if origins[tensor.name] != to, try there.map({ try !sameBytes($0, tensor) }) ?? true {
        count.wrong.append("\(name): \(origins[tensor.name]?.text ?? "") is no \(to.text)")
      }
    }
    return count
  }

  private func sameBytes(_ a: Tensor, _ b: Tensor) throws -> Bool {
    try a.dtype == b.dtype && a.shape == b.shape && SHA256.digest(of: a) == SHA256.digest(of: b)
  }

  /// Small changes of all numbers, as of training.
  private func trained(_ tensor: Tensor) throws -> Tensor {
    guard tensor.dtype == .f32 else { return tensor }
    let bytes = try tensor.bytes.read(0..<tensor.byteCount)
    var random = SeededGenerator(seed: UInt64(tensor.elementCount))
    let values = (0..<tensor.elementCount).map { index in
      Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[4 * index + $1]) << (8 * $1) })
    }
    let size = (values.reduce(0) { $0 + $1 * $1 } / Float(max(1, values.count))).squareRoot()
    return Tensor(
      tensor.name, tensor.shape,
      values: values.map { $0 + 0.02 * size * Float.random(in: -1...1, using: &random) })
  }

  @Test(arguments: ["llama/lm", "bert/base", "gpt2/lm", "llama/qwen3"])
  func `scrambled names of a model that was trained on are found again`(_ name: String) throws {
    let base = try Checkpoint.open(fixture(name), options: Self.options)
    let (copy, origins) = try scrambled(base, seed: 3)
    let changed = try copy.replacing(copy.tensors.tensors.map { try trained($0) })
    let map = try NameMap(changed, base: base, options: Self.options)
    var mapped = 0
    for tensor in changed.tensors.tensors {
      let to = map.rules.rules.lazy.compactMap { $0.name(for: tensor.name) }.first
      if let to {
        #expect(to == origins[tensor.name])
        mapped += 1
      }
    }
    // Vectors of a dozen numbers are too short to tell much.
    #expect(mapped * 10 >= changed.tensors.count * 6, "\(mapped) of \(changed.tensors.count)")
  }

  @Test func `queries, keys and values of one shape stay open where names do not tell them`() throws
  {
    let base = try Checkpoint.open(fixture("bert/base"), options: Self.options)
    let rules = ["query=a", "key=b", "value=c"].map { pair -> NameRules.Rule? in
      let names = pair.split(separator: "=")
      return NameRules.Rule(renaming: "*.self.\(names[0]).*=*.self.\(names[1]).*")
    }
    let copy = try base.applying(NameRules(rules.compactMap(\.self)))
    let map = try NameMap(copy, base: nil, options: Self.options)
    #expect(!map.isComplete)
    #expect(Set(map.open.flatMap(\.tensors)) == Set(copy.nameChanges.compactMap(\.to)))
    let proof = try MapProof(map, copy, base: nil, golden: nil, options: Self.options)
    #expect(!proof.holds)
  }

  @Test func `a copy with exchanged axes is found by its base`() throws {
    let base = try Checkpoint.open(fixture("bert/base"), options: Self.options)
    let pattern = try #require(NamePattern("*.weight"))
    let name = try #require(NameTemplate("x.*", for: pattern))
    var rule = NameRules.Rule(pattern, name, isTransposed: true, origin: "")
    let matrices = base.tensors.tensors.filter { $0.shape.count == 2 }
    let table = try base.replacing(matrices).applying(NameRules([rule]))
    let map = try NameMap(table, base: base.replacing(matrices), options: Self.options)
    #expect(map.mappedCount == matrices.count)
    rule.isTransposed = false
    let areTurned = map.lines.allSatisfy { $0.isTransposed }
    #expect(areTurned)
    let back = try table.applying(map.rules)
    for matrix in matrices {
      let own = try #require(back.tensors[matrix.name])
      #expect(try sameBytes(own, matrix))
    }
  }

  /// Names that say of normalisations on which side of what they stand, in models that have them before and behind.
  @Test(arguments: [
    (
      "llama/lm", "model.layers.{i}.input_layernorm.*=l/{i}/pre_attention_norm.*",
      "model.layers.{i}.post_attention_layernorm.*=l/{i}/pre_ffn_norm.*"
    ),
    (
      "llama/lm", "model.layers.{i}.input_layernorm.*=l/{i}/first_norm.*",
      "model.layers.{i}.post_attention_layernorm.*=l/{i}/second_norm.*"
    ),
    (
      "llama/lm", "model.layers.{i}.input_layernorm.*=l/{i}/input_norm.*",
      "model.layers.{i}.post_attention_layernorm.*=l/{i}/post_attention_norm.*"
    ),
    (
      "roberta/base", "*layer.{i}.attention.output.LayerNorm.*=*layer.{i}.post_attention_ln.*",
      "*layer.{i}.output.LayerNorm.*=*layer.{i}.post_ffn_ln.*"
    ),
    (
      "bert/base", "*layer.{i}.attention.output.LayerNorm.*=*layer.{i}.ln1.*",
      "*layer.{i}.output.LayerNorm.*=*layer.{i}.ln2.*"
    ),
  ])
  func `normalisations are told by side and by order`(
    _ name: String, _ first: String, _ second: String
  ) throws {
    let base = try Checkpoint.open(fixture(name), options: Self.options)
    let rules = [first, second].compactMap { NameRules.Rule(renaming: $0) }
    let copy = try base.applying(NameRules(rules))
    let origins = Dictionary(
      uniqueKeysWithValues: copy.nameChanges.compactMap { change in
        change.to.map { ($0, change.from) }
      })
    #expect(origins.count >= 2)
    var options = OpenOptions()
    options.recognition.dialect = "huggingface"
    let map = try NameMap(copy, base: nil, options: options)
    #expect(map.isComplete)
    for (called, origin) in origins {
      #expect(map.rules.rules.lazy.compactMap { $0.name(for: called) }.first == origin)
    }
  }

  @Test func `directions and lengths are found by the shape of lengths`() throws {
    let base = try Checkpoint.open(fixture("wav2vec2/base"), options: Self.options)
    let pattern = "*parametrizations.weight.original{i}=*{i}"
    let copy = try base.applying(NameRules([try #require(NameRules.Rule(renaming: pattern))]))
    let changes = copy.nameChanges
    #expect(changes.count == 2)
    let map = try NameMap(copy, base: nil, options: OpenOptions())
    #expect(map.isComplete)
    for change in changes {
      let called = try #require(change.to)
      #expect(map.rules.rules.lazy.compactMap { $0.name(for: called) }.first == change.from)
    }
    // Of lengths alone nothing is known.
    let directions = try #require(changes.last?.to)
    let left = try copy.replacing(copy.tensors.tensors.filter { $0.name != directions })
    #expect(try !NameMap(left, base: nil, options: OpenOptions()).isComplete)
  }

  @Test func `fifty thousand names that say nothing are answered at once`() throws {
    let base = try Checkpoint.open(fixture("bert/base"), options: Self.options)
    let one = try #require(base.tensors.tensors.first)
    let many = try base.replacing((0..<50_000).map { one.renamed(TensorName("x\($0 * 7919)y")) })
    let start = ContinuousClock.now
    let map = try NameMap(many, base: nil, options: OpenOptions())
    #expect(map.mappedCount == 0 && !map.isComplete)
    #expect(ContinuousClock.now - start < .seconds(60))
  }

  @Test(arguments: HomeMadeNames.all)
  func `names of one's own are understood by a config alone`(_ names: HomeMadeNames) throws {
    var count = Count()
    var open: [String] = []
    var families: [String: Count] = [:]
    for name in tellingCases {
      let model = try model(name)
      let graph = model.graph
      // The config of these is what tensors of certain names say.
      if graph.dialect.name == "ctranslate2" { continue }
      var paths: [TensorName: [String]] = [:]
      for slot in graph.slots where graph.ties[slot.path] == nil && graph.sentenceStack == nil {
        for stored in graph.storedNames(at: slot.path) where model.plain.tensors[stored] != nil {
          paths[stored, default: []].append(slot.path)
        }
      }
      if paths.isEmpty { continue }
      var truth: [TensorName: [String]] = [:]
      let tensors = model.plain.tensors.tensors.compactMap { tensor -> Tensor? in
        guard let own = paths[tensor.name] else { return nil }
        let called = TensorName(names.name(of: own))
        truth[called] = own
        return tensor.renamed(called)
      }
      guard truth.count == tensors.count else { continue }
      let copy = try model.checkpoint.replacing(tensors)
      var options = OpenOptions()
      options.recognition.architecture = type(of: graph.architecture).name
      options.recognition.dialect = graph.dialect.fullName
      count.all += tensors.count
      // A config that leaves sizes to tensors of certain names says too little.
      guard let map = try? NameMap(copy, base: nil, options: options) else {
        open.append("\(name): all")
        continue
      }
      let found = try NameMapTruth(map, copy, graph, options)
      let family = String(name.prefix { $0 != "/" })
      families[family, default: Count()] += Count(all: tensors.count, mapped: found.paths.count)
      count.mapped += found.paths.count
      for (called, place) in found.paths where Set(truth[called] ?? []) != Set(place) {
        count.wrong.append("\(name): \(called) is no \(place)")
      }
      if found.paths.count < tensors.count {
        open.append("\(name): \(map.open.flatMap(\.tensors).prefix(8).map(\.text))")
      }
    }
    #expect(count.wrong.isEmpty)
    #expect(count.mapped * 100 >= count.all * 98, "\(open)")
    // Two networks alike in each block, which only a number tells from each other, may stay open.
    let least = ["parakeet": 79, "wav2vec2": 88]
    for (family, own) in families where own.mapped * 100 < own.all * (least[family] ?? 92) {
      Issue.record("\(family): \(own.mapped) of \(own.all)")
    }
  }
}

/// The weights that a map takes tensors for.
private struct NameMapTruth {
  private(set) var paths: [TensorName: [String]] = [:]

  init(_ map: NameMap, _ copy: Checkpoint, _ graph: WeightGraph, _ options: OpenOptions) throws {
    let places = Dictionary(
      map.places.map { ($0.name, $0.paths) }
    ) { first, _ in first }
    for tensor in copy.tensors.tensors {
      let name = map.rules.rules.lazy.compactMap { $0.name(for: tensor.name) }.first
      if let name { paths[tensor.name] = places[name] ?? [] }
    }
  }
}
