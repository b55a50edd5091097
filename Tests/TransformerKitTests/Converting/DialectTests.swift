import Codecs
import Containers
import Families
import Kernels
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// Fixtures that other ecosystems' own code made.
private let foreignCases = goldenCases.filter { name in
  [
    "google", "openai", "nanogpt", "t5x", "mesh", "meta", "gguf", "fused", "flax", "tensorflow",
    "litgpt", "mlx", "fairseq", "marian_npz", "timm", "openclip", "modules", "deit_modules",
    "registers_modules", "ggml", "encoder_layer", "nemo", "original", "ct2_", "zihangdai",
    "flash_", "rotary_halves",
  ].contains { name.contains("/\($0)") }
}

private let options = OpenOptions(recognition: RecognitionOptions(dropsTrainingState: true))

/// Every dialect that has a place for a model's weights, and back.
@Suite struct DialectTests {
  @Test func `the fixtures are there`() {
    #expect(goldenCases.count >= 80)
    #expect(foreignCases.count >= 20)
    let shown = Set(
      foreignCases.compactMap { try? Model(fixture($0), options: options).graph.dialect.fullName })
    let all = Set(Family.all.dialects.map(\.fullName)).subtracting(["huggingface"])
    #expect(shown == all)
  }

  @Test(arguments: foreignCases)
  func `a file by its ecosystem's own code computes what transformers does`(
    _ name: String
  ) throws {
    let model = try Model(fixture(name), options: options)
    let golden = try Golden(fixture(name).appending("golden.npz"))
    #expect(golden.precision == .exactF64)
    let report = try model.check(golden, tolerance: 1e-11)
    #expect(report.isVerified, "\(report.lines.filter { !$0.isWithin }.map(\.name))")
  }

  @Test(arguments: tellingCases)
  func `through every dialect and back, bit for bit and with the same id`(_ name: String) throws {
    let graph = try Model(fixture(name), options: options).graph
    let id = try ModelID(graph).digest
    var count = 0
    for dialect in Family.all.dialects where dialect.architecture == graph.dialect.architecture {
      guard let tensors = try translated(graph, to: dialect) else { continue }
      let table = try TensorTable(tensors)
      let type = type(of: graph.architecture)
      let back = try WeightGraph(
        table, config: graph.completedConfig, as: type, in: dialect, options: RecognitionOptions())
      #expect(back.dropped.filter { !$0.reason.hasPrefix("equal to") }.isEmpty)
      #expect(try ModelID(back).digest == id, "\(dialect.fullName)")
      // And it is recognised without being told.
      let recognised = try WeightGraph(
        table, config: graph.completedConfig)
      #expect(recognised.dialect.fullName == dialect.fullName)
      count += 1
    }
    // Its own dialect, at least, holds it.
    #expect(count >= 1)
  }

  /// The model's tensors in a dialect, or `nil` if it is refused for want of a place.
  private func translated(_ graph: WeightGraph, to dialect: Dialect) throws -> [Tensor]? {
    do {
      return try graph.translated(to: dialect.fullName).map(\.tensor)
    } catch {
      #expect(error.category == .refused)
      #expect(!error.details.isEmpty)
      #expect(
        error.details.allSatisfy { line in
          ["no place", "impossible", "not exact"].contains { line.hasPrefix($0) }
        })
      return nil
    }
  }

  // MARK: Wrong rules

  /// A table with a mistake in it, which a golden by the original code must catch.
  enum Mistake: String, CaseIterable {
    case notTransposed
    case queryAndKey
    case keyAndValue
    case headsPermuted
    case layersOffByOne
    case normsExchanged
    case wrongTie
  }

  @Test(arguments: foreignCases, Mistake.allCases)
  func `a golden catches a wrong rule`(_ name: String, _ mistake: Mistake) throws {
    let checkpoint = try Checkpoint.open(fixture(name), options: options)
    let model = try Model(checkpoint, options: options)
    let dialect = model.graph.dialect
    guard let wrong = damaged(dialect, mistake, model.graph) else { return }
    let config = try #require(checkpoint.config?.value)
    let graph: WeightGraph
    do {
      graph = try WeightGraph(
        model.plain.tensors, config: config, as: type(of: model.graph.architecture), in: wrong,
        options: options.recognition)
    } catch {
      #expect(error.category == .refused)  // caught on shapes or names already
      return
    }
    // A mistake that moves nothing in this model (one layer, one square of one) is none.
    let isVisible = try ModelID(graph).digest != ModelID(model.graph).digest
    guard isVisible else { return }
    let golden = try Golden(fixture(name).appending("golden.npz"))
    var pass = try ForwardPass<Double>(graph, inputs: golden.inputs)
    let outputs = try pass.run(hiddenStates: true)
    let worst = golden.outputs.map { expected in
      outputs.first { $0.name == expected.name }
        .map { Deviation($0.name, $0.array, from: expected.array).relative } ?? .infinity
    }
    #expect((worst.max() ?? 0) > 1e-6, "\(name), \(mistake)")
  }

  private func damaged(
    _ dialect: Dialect, _ mistake: Mistake, _ graph: WeightGraph
  ) -> Dialect? {
    let stack = dialect.architecture == "gpt2" ? "decoder" : "encoder"
    let attention = "\(stack).blocks.{i}.attention."
    func changed(_ edit: (Layout) -> Layout) -> Dialect {
      dialect.replacing(
        rules: dialect.rules.map { rule in
          var rule = rule
          rule.layouts = rule.layouts.map(edit)
          return rule
        })
    }
    switch mistake {
    case .notTransposed:
      return changed { layout in
        layout.paths == [attention + "output.weight"]
          ? layout.withoutTransposition ?? .transposed(layout) : layout
      }
    case .queryAndKey: return changed { $0.exchanging(attention + "query", attention + "key") }
    case .keyAndValue: return changed { $0.exchanging(attention + "key", attention + "value") }
    case .headsPermuted:
      return changed { layout in
        layout.mapped { path in
          path == attention + "value.weight"
            ? .interleavedHeads(.weight(path), axis: 0, size: "head_size") : .weight(path)
        }
      }
    case .layersOffByOne:
      return changed { $0.exchanging("\(stack).blocks.0.", "\(stack).blocks.1.", all: true) }
    case .normsExchanged:
      return changed {
        $0.exchanging(
          "\(stack).blocks.{i}.attention_norm.", "\(stack).blocks.{i}.feed_forward_norm.",
          all: true)
      }
    case .wrongTie:
      let hasHead = graph.slots.contains { $0.path == "lm_head.weight" }
      guard hasHead, graph.ties["lm_head.weight"] == nil else { return nil }
      // As if the head were the embedding.
      return dialect.replacing(
        rules: dialect.rules.filter { !$0.layouts[0].paths.contains("lm_head.weight") })
    }
  }
}

extension Layout {
  /// The layout with each weight replaced.
  fileprivate func mapped(_ edit: (String) -> Layout) -> Layout {
    switch self {
    case .weight(let path): edit(path)
    case .transposed(let inner): .transposed(inner.mapped(edit))
    case .joined(let parts, let axis): .joined(parts.map { $0.mapped(edit) }, axis: axis)
    case .permuted(let inner, let axes): .permuted(inner.mapped(edit), axes: axes)
    case .stacked(let inner, let hole, let axis):
      .stacked(inner.mapped(edit), over: hole, axis: axis)
    case .repeated(let inner, let axis): .repeated(inner.mapped(edit), axis: axis)
    case .unit(let inner, let axis): .unit(inner.mapped(edit), axis: axis)
    case .divided(let inner, let axis, let name):
      .divided(inner.mapped(edit), axis: axis, inner: name)
    case .merged(let inner, let axis): .merged(inner.mapped(edit), axis: axis)
    case .plus(let inner, let number): .plus(inner.mapped(edit), number)
    case .withoutLast(let inner, let axis): .withoutLast(inner.mapped(edit), axis: axis)
    case .withoutFirst(let inner, let name): .withoutFirst(inner.mapped(edit), rows: name)
    case .withZeros(let inner, let part, let count):
      .withZeros(inner.mapped(edit), part: part, of: count)
    case .interleavedHeads(let inner, let axis, let name):
      .interleavedHeads(inner.mapped(edit), axis: axis, size: name)
    }
  }

  /// With the paths that begin with `a` and `b` exchanged.
  fileprivate func exchanging(_ a: String, _ b: String, all: Bool = false) -> Layout {
    mapped { path in
      for (from, to) in [(a, b), (b, a)] where path.hasPrefix(from) {
        let rest = path.dropFirst(from.count)
        if all || rest.hasPrefix(".") { return .weight(to + rest) }
      }
      return .weight(path)
    }
  }

  /// Without its outermost transposition, if it has one.
  fileprivate var withoutTransposition: Layout? {
    switch self {
    case .transposed(let inner): inner
    case .unit(let inner, let axis): inner.withoutTransposition.map { .unit($0, axis: axis) }
    case .stacked(let inner, let hole, let axis):
      inner.withoutTransposition.map { .stacked($0, over: hole, axis: axis) }
    case .divided(let inner, let axis, let name):
      inner.withoutTransposition.map { .divided($0, axis: axis, inner: name) }
    default: nil
    }
  }
}
