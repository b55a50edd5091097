import Containers
import Families
import Kernels
import Models
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

/// The families of which everything is swept, every tensor of every fixture: `all`, or some of them between
/// commas (Tools/sweep). Without it one fixture of each architecture, of each dialect of a family and of each
/// head, of its layers the first, and of what may stand in a place some.
private let sweptWhole: String? = unsafe getenv("TFKIT_SWEEP").map { unsafe String(cString: $0) }
private let isExhaustive = sweptWhole != nil

/// Whether fixtures of a family are swept at all.
private func isSwept(_ family: String) -> Bool {
  guard let sweptWhole, sweptWhole != "all" else { return true }
  return sweptWhole.split(separator: ",").contains { $0 == family }
}

/// Checkpoints with one thing wrong: every tensor's shape, and every number of the config. Each ends in a
/// result or in a `CheckpointError`; nothing in a file is believed that would trap.
@Suite struct SweepTests {
  private static let subjects = SweptModel.all(isExhaustive: isExhaustive)

  @Test(.enabled(if: sweptWhole ?? "all" == "all"))
  func `there is something of every dialect to sweep`() {
    #expect(Set(Self.subjects.map(\.dialect)) == Set(Family.all.dialects.map(\.fullName)))
  }

  /// Of the shapes that a tensor may have every other, in the next tensor the others.
  @Test(arguments: subjects)
  func `no shape of a tensor is a trap`(_ model: SweptModel) throws {
    for (place, index) in model.chosenTensors.enumerated() {
      for (offset, shape) in variants(of: model.tensors[index].shape).enumerated()
      where isExhaustive || (place + offset) % 2 == 0 {
        model.outcome(replacing: [index: shape])
      }
    }
  }

  @Test(arguments: subjects)
  func `no shapes of two tied tensors are a trap`(_ model: SweptModel) throws {
    for (own, other) in model.tiedTensors {
      for shape in variants(of: own.shape) + [own.shape] {
        for otherShape in variants(of: other.shape) + [other.shape] {
          model.outcome(with: [zeros(own.name, shape), zeros(other.name, otherShape)])
        }
      }
    }
  }

  /// Of the numbers that may stand in a place every sixteenth, others in the next place.
  @Test(arguments: subjects)
  func `no number of the config is a trap`(_ model: SweptModel) {
    for (index, (place, value)) in model.config.numbers.enumerated() {
      for (offset, wrong) in wrongNumbers(for: value).enumerated()
      where isExhaustive || (index + offset) % 16 == 0 {
        model.outcome(setting: place, to: wrong)
      }
    }
  }

  /// Explaining why a model differs believes nothing, either. Of every 25 numbers one is tried, and of those that are
  /// accepted the first and each fourth.
  @Test(arguments: subjects)
  func `no verb traps on a config that is wrong and accepted`(_ model: SweptModel) throws {
    let wrong = model.config.numbers.flatMap { place, value in
      wrongNumbers(for: value).map { model.config.setting(place[...], to: $0) }
    }
    let tried = wrong.indices.filter { isExhaustive || $0 % 25 == 0 }.map { wrong[$0] }
    for (offset, config) in tried.filter(model.accepts).enumerated()
    where isExhaustive || offset % 4 == 0 {
      try model.useVerbs(on: config)
    }
  }

  @Test(.enabled(if: isSwept("gpt2")))
  func `numbers that only together are too large are refused`() throws {
    let model = try #require(Self.subjects.first { $0.dialect == "nanogpt" })
    let fault = model.outcome(settings: ["n_embd": 1 << 31, "n_inner": 1 << 31, "n_head": 1])
    #expect(fault?.category == .failed)
    #expect(fault?.description.contains("2^56") == true)
  }
}

/// Shapes that differ from `shape` in one thing: an extent, their order, the rank.
private func variants(of shape: [Int]) -> [[Int]] {
  var variants: [[Int]] = [
    shape + [1], [1] + shape, Array(shape.dropFirst()), Array(shape.dropLast()),
  ]
  for axis in shape.indices {
    for extent in [shape[axis] - 1, shape[axis] + 1, 0] where extent >= 0 {
      var variant = shape
      variant[axis] = extent
      variants.append(variant)
    }
  }
  variants.append(shape.reversed())
  return Set(variants).filter { $0 != shape }.sorted { $0.lexicographicallyPrecedes($1) }
}

/// What may stand where `value` does: near it, at the ends of types, beyond what is believed.
private func wrongNumbers(for value: JSONValue) -> [JSONValue] {
  guard let number = value.int else {
    let own = value.double ?? 0
    let wrong = [0, -1, 1, .leastNonzeroMagnitude, 1e308, 2 * own].filter { $0 != own }
    return wrong.map { .double($0) } + [.number(.max), .number(0)]
  }
  let wrong =
    [0, 1, -1, 2, 1_000_000_007]
    + [
      number.subtractingReportingOverflow(1), number.addingReportingOverflow(1),
      number.multipliedReportingOverflow(by: -1), number.multipliedReportingOverflow(by: 2),
    ].map(\.partialValue)
    + [31, 32, 61].flatMap { [1 << $0, 1 << $0 - 1] } + [.max, .min]
  return Set(wrong).sorted().filter { $0 != number }.map { .number($0) }
    + [.double(0.5), .uint(.max)]
}

private func zeros(_ name: TensorName, _ shape: [Int], _ dtype: DType = .f32) -> Tensor {
  Tensor(
    name, dtype, shape, bytes: [UInt8](repeating: 0, count: dtype.byteCount(shape: shape) ?? 0))
}

extension JSONValue {
  /// The numbers in it, in objects and lists too, and where they are.
  fileprivate var numbers: [(place: [String], value: JSONValue)] {
    if double != nil { return [([], self)] }
    return parts.flatMap { part in
      part.value.numbers.map { (place: [part.key] + $0.place, value: $0.value) }
    }
  }

  /// The same with another value somewhere.
  fileprivate func setting(_ place: ArraySlice<String>, to value: JSONValue) -> JSONValue {
    guard let key = place.first else { return value }
    let changed = parts.map { part in
      part.key == key
        ? Member(key, part.value.setting(place.dropFirst(), to: value)) : part
    }
    if elements != nil { return .array(changed.map(\.value)) }
    return .object(parts.contains { $0.key == key } ? changed : changed + [Member(key, value)])
  }

  /// The members of an object; the elements of a list, with their places as keys.
  private var parts: [Member] {
    members ?? (elements ?? []).enumerated().map { Member("\($0)", $1) }
  }
}

/// A fixture whose tensors and config are changed in memory.
struct SweptModel: Sendable, CustomTestStringConvertible {
  let name: String
  let tensors: [Tensor]
  let config: JSONValue
  let graph: WeightGraph

  var testDescription: String { name }
  var dialect: String { graph.dialect.fullName }

  private static let options = RecognitionOptions(dropsTrainingState: true)

  /// The fixtures that are models, or one of each architecture, each dialect of a family, and each head.
  static func all(isExhaustive: Bool) -> [SweptModel] {
    var seen: Set<String> = []
    return familyFolders.map { $0.lowercased() }.filter(isSwept).flatMap { family in
      fileNames(in: fixture(family)).map { "\(family)/\($0)" }
    }.compactMap { name in
      guard let checkpoint = try? Checkpoint.open(fixture(name), options: OpenOptions()),
        let config = checkpoint.config?.value,
        let graph = try? WeightGraph(checkpoint.tensors, config: config, options: options)
      else { return nil }
      let family = String(name.prefix { $0 != "/" })
      let ending = graph.architecture.stages(Float.self).last?.name ?? ""
      let isNew = [
        type(of: graph.architecture).name, "\(family) \(graph.dialect.fullName)", "head \(ending)",
      ].filter { seen.insert($0).inserted }
      guard !isNew.isEmpty || isExhaustive else { return nil }
      return SweptModel(
        name: name, tensors: checkpoint.tensors.tensors, config: config, graph: graph)
    }
  }

  /// All tensors, or those of the first layers.
  var chosenTensors: [Int] {
    var seen: Set<String> = []
    return tensors.indices.filter { index in
      let kind = tensors[index].name.text.map { $0.isNumber ? "#" : $0 }
      return seen.insert(String(kind)).inserted || isExhaustive
    }
  }

  /// Both tensors of every tie, whether they are stored or not.
  var tiedTensors: [(Tensor, Tensor)] {
    let forms = StoredForms(
      graph.dialect, slots: graph.slots, dimensions: graph.architecture.dimensions)
    func stored(_ path: String) -> Tensor? {
      forms.forms.first { $0.forms[0].pieces.map(\.path) == [path] }
        .map { zeros(TensorName($0.name), $0.forms[0].shape) }
    }
    return graph.slots.compactMap { slot in
      guard let tie = slot.tie, let own = stored(slot.path), let other = stored(tie) else {
        return nil
      }
      return (own, other)
    }
  }

  // MARK: Outcomes

  func outcome(replacing shapes: [Int: [Int]]) {
    var tensors = tensors
    for (index, shape) in shapes {
      let tensor = tensors[index]
      guard let count = tensor.dtype.byteCount(shape: shape) else { continue }
      tensors[index] = Tensor(
        tensor.name, tensor.dtype, shape, bytes: [UInt8](repeating: 0, count: count))
    }
    use(tensors, config)
  }

  /// With other tensors in place of those of the same weights.
  func outcome(with others: [Tensor]) {
    let names = Set(others.map(\.name))
    use(tensors.filter { !names.contains($0.name) } + others, config)
  }

  /// With another number in its config.
  func outcome(setting place: [String], to number: JSONValue) {
    use(tensors, config.setting(place[...], to: number))
  }

  /// With other numbers in its config.
  @discardableResult
  func outcome(settings: [String: Int]) -> CheckpointError? {
    let changed = settings.reduce(config) { $0.setting([$1.key], to: .number($1.value)) }
    return use(tensors, changed)
  }

  /// Does with a changed checkpoint what the commands do; a trap would end the test.
  ///
  /// - Returns: the error in which understanding it ended.
  @discardableResult
  private func use(_ tensors: [Tensor], _ config: JSONValue) -> CheckpointError? {
    do throws(CheckpointError) {
      let table = try TensorTable(tensors)
      let changed = try WeightGraph(table, config: config, options: Self.options)
      run(changed)
      return nil
    } catch {
      // The testing library remembers every expectation, and here are millions of them.
      if error.description.isEmpty { Issue.record("an error without words") }
      return error
    }
  }

  /// Whether the tensors are understood with another config.
  func accepts(_ config: JSONValue) -> Bool {
    guard let table = try? TensorTable(tensors) else { return false }
    return (try? WeightGraph(table, config: config, options: Self.options)) != nil
  }

  /// Compares, explains and checks the files as they are with another config.
  func useVerbs(on config: JSONValue) throws {
    let scratch = ScratchFolder()
    let path = scratch.write(Array(config.text(pretty: true).utf8), to: "config.json")
    let options = OpenOptions(config: path, recognition: Self.options)
    let original = try Model(fixture(name), options: OpenOptions(recognition: Self.options))
    let changed = try Model(fixture(name), options: options)
    _ = try? compare(original, changed)
    _ = try? compare(changed, original)
    _ = try? diff(original.checkpoint, changed.checkpoint, open: options)
    _ = try? check(fixture(name), options: options)
    _ = try? ModelID(changed.graph)
    if let golden = try? Golden(fixture("\(name)/golden.npz")) { _ = try? changed.check(golden) }
  }

  private func run(_ changed: WeightGraph) {
    for dialect in Family.all.dialects where dialect.architecture == changed.dialect.architecture {
      _ = try? changed.translated(to: dialect.fullName)
    }
    _ = changed.parameterCount
    _ = changed.rules
    _ = ModelSummary(changed)
    let architecture = changed.architecture
    let inputs = architecture.sample(batch: 1, length: 4, decoderLength: 3)
    if var pass = try? ForwardPass<Float>(changed, inputs: inputs) {
      _ = try? pass.run(hiddenStates: true)
    }
    if var pass = try? ForwardPass<Float>(changed, inputs: architecture.probe(longest: 8)) {
      _ = try? pass.run(hiddenStates: false)
    }
  }
}
