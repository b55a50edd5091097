import ArgumentParser
import CommandSupport
import Containers
import SystemPackage
import TensorCore
import TransformerKit

struct Stats: Verb {
  static let configuration = CommandConfiguration(
    commandName: "stats",
    abstract: "Say what values each tensor has: extremes, mean, deviation, norm, special numbers.",
    discussion: """
      Each byte is read once. MIN to NORM are those of the finite elements; STD is that of a \
      population. Integers are added up exactly, other numbers with compensation. Columns that would \
      be zero everywhere are left out.

      Quantiles come from a sketch (DDSketch, VLDB 2019): at most 0.4 % of its value from an element \
      of rank q·(n - 1), rounded down; exactly that element for F16, BF16 and types of 8 bits. A histogram \
      has bars from MIN to MAX.

      Examples:
        tfinspect stats model.safetensors
        tfinspect stats bert-base/ --sort std --histogram
        tfinspect stats bert-base/ --quantiles 0.01,0.5,0.99 --top 3
      """)

  enum Order: String, ExpressibleByArgument, CaseIterable {
    case offset
    case name
    case size
    case min
    case max
    case mean
    case std
    case norm
    case zeros
    case subnormals
    case nan
    case inf
  }

  @Argument(help: "The checkpoint: a file, a shard index, a folder, or an address.")
  var source: FilePath

  @Option(
    help: ArgumentHelp(
      "The order: as stored, by name, or by a statistic, the largest first.", valueName: "order"))
  var sort = Order.offset

  @Flag(help: "Draw how the values are distributed.")
  var histogram = false

  @Option(
    help: ArgumentHelp(
      "Show the elements of the largest magnitude of each tensor, and where they are.",
      valueName: "n"))
  var top = 0

  @Option(
    help: ArgumentHelp(
      "Show quantiles, numbers from 0 to 1 separated by commas.", valueName: "list"))
  var quantiles: String?

  @OptionGroup var selection: SelectionOptions
  @OptionGroup var sourceOptions: SourceOptions
  @OptionGroup var progressOptions: ProgressOptions
  @OptionGroup var memory: MemoryOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard (0...1000).contains(top) else { throw ValidationError("--top must be from 0 to 1000") }
    _ = try parts()
  }

  private func parts() throws -> [Double] {
    try (quantiles?.split(separator: ",") ?? []).map { text in
      guard let part = Double(text.filter { $0 != " " }), (0...1).contains(part) else {
        throw ValidationError("--quantiles must be numbers from 0 to 1, \"\(text)\" is not")
      }
      return part
    }
  }

  func perform() throws -> ExitStatus {
    let checkpoint = try Checkpoint.open(source, options: sourceOptions.options)
      .choosing(selection.selection, options: sourceOptions.options)
    common.explain(checkpoint)
    try memory.keep(reading: checkpoint)
    let tensors = checkpoint.tensors.tensors
    let progress = progressOptions.progress(
      total: tensors.reduce(0) { $0 + $1.byteCount }, common)
    let bars = StatisticsReport.bars(forWidth: common.json ? nil : outputWidth)
    let options = StatisticsOptions(
      largest: top, quantiles: try parts(), bars: histogram ? bars : nil)
    let found = try statistics(of: tensors, options: options) { progress.update($0) }
    progress.finish()
    let report = StatisticsReport(statistics: sorted(found), options: options)
    if common.json {
      standardOutput(report.json.text(pretty: true))
    } else {
      standardOutput(lines: report.lines(isQuiet: common.quiet))
    }
    return .success
  }

  private func sorted(_ all: [TensorStatistics]) -> [TensorStatistics] {
    func descending(_ key: (TensorStatistics) -> Double?) -> [TensorStatistics] {
      all.sorted { (key($0) ?? -.infinity) > (key($1) ?? -.infinity) }
    }
    switch sort {
    case .offset: return all
    case .name: return all.sorted { isNaturallyBefore($0.name.text, $1.name.text) }
    case .size: return descending { Double($0.count * $0.dtype.bitWidth) }
    case .min: return descending { $0.minimum?.number }
    case .max: return descending { $0.maximum?.number }
    case .mean: return descending { $0.mean?.number }
    case .std: return descending { $0.deviation }
    case .norm: return descending { $0.norm }
    case .zeros: return descending { Double($0.zeros) }
    case .subnormals: return descending { Double($0.subnormals) }
    case .nan: return descending { Double($0.nan) }
    case .inf: return descending { Double($0.infinite) }
    }
  }
}

extension ElementValue {
  /// The value as a double, to sort by; of a complex number the real part.
  fileprivate var number: Double {
    switch self {
    case .bool(let value): Double(value)
    case .integer(let value): Double(value)
    case .unsigned(let value): Double(value)
    case .single(let value): Double(value)
    case .real(let value), .complex(let value, _): value
    }
  }
}
