import Containers
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

/// Whether everything is swept: every tensor of every fixture (Tools/sweep). Otherwise one fixture of
/// each dialect and head, and of its layers the first.
private let isExhaustive = unsafe getenv("TFKIT_SWEEP") != nil

/// Checkpoints with one thing wrong: every tensor's shape, and every integer of the config. Each ends in a
/// result or in a `CheckpointError`; nothing in a file is believed that would trap.
@Suite struct SweepTests {
  private static let subjects = SweptModel.all(isExhaustive: isExhaustive)

  @Test func `there is something of every dialect to sweep`() {
    #expect(Set(Self.subjects.map(\.dialect)) == Set(Family.all.dialects.map(\.fullName)))
  }

  @Test(arguments: subjects)
  func `no shape of a tensor is a trap`(_ model: SweptModel) throws {
    for index in model.chosenTensors {
      for shape in variants(of: model.tensors[index].shape) {
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

  @Test(arguments: subjects)
  func `no integer of the config is a trap`(_ model: SweptModel) throws {
    for (key, value) in model.integers {
      let wrong =
        [0, 1, -1, 2, value - 1, value + 1, -value, 2 * value, 1_000_000_007]
        + [31, 32, 61].flatMap { [1 << $0, 1 << $0 - 1] } + [.max, .min]
      for number in Set(wrong) where number != value {
        model.outcome(setting: key, to: number)
      }
    }
  }

  @Test func `numbers that only together are too large are refused`() throws {
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
  return Array(Set(variants)).filter { $0 != shape }
}

private func zeros(_ name: TensorName, _ shape: [Int], _ dtype: DType = .f32) -> Tensor {
  Tensor(
    name, dtype, shape, bytes: [UInt8](repeating: 0, count: dtype.byteCount(shape: shape) ?? 0))
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

  /// The fixtures that are models, or one for each dialect and head.
  static func all(isExhaustive: Bool) -> [SweptModel] {
    var seen: Set<String> = []
    return ["bert", "gpt2", "t5"].flatMap { family in
      fileNames(in: fixture(family)).map { "\(family)/\($0)" }
    }.compactMap { name in
      guard let checkpoint = try? Checkpoint.open(fixture(name)),
        let config = checkpoint.config?.value,
        let graph = try? WeightGraph(checkpoint.tensors, config: config, options: options),
        seen.insert("\(graph.dialect.fullName) \(graph.architecture.head)").inserted || isExhaustive
      else { return nil }
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

  /// The integers of the config.
  var integers: [(key: String, value: Int)] {
    (config.members ?? []).compactMap { member in member.value.int.map { (member.key, $0) } }
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

  @discardableResult
  func outcome(settings: [String: Int]) -> CheckpointError? {
    let kept = (config.members ?? []).filter { settings[$0.key] == nil }
    return use(
      tensors, .object(kept + settings.map { JSONValue.Member($0.key, .number($0.value)) }))
  }

  func outcome(setting key: String, to number: Int) {
    outcome(settings: [key: number])
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
      #expect(!error.description.isEmpty)
      return error
    }
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
