import CommandSupport
import Kernels
import TensorCore
import TransformerKit

/// The statistics of a checkpoint as text and as JSON.
struct StatisticsReport {
  let statistics: [TensorStatistics]
  let options: StatisticsOptions

  /// Bars of a histogram: they fit beside the numbers, fewer on a narrow terminal.
  static func bars(forWidth width: Int?) -> Int { width ?? .max < 100 ? 16 : 24 }

  // MARK: Text

  /// A table; then the largest elements, if they were asked for.
  func lines(isQuiet: Bool) -> [String] {
    let columns = columns
    var table = Table([("NAME", .left)] + columns.map { ($0.heading, $0.alignment) })
    for tensor in statistics {
      table.add([escaped(tensor.name.text)] + columns.map { $0.cell(tensor) })
    }
    var lines = table.lines(headings: !isQuiet, width: outputWidth)
    if options.largest > 0 { lines += [""] + largestLines }
    return lines
  }

  private struct Column {
    let heading: String
    var alignment = Table.Alignment.right
    let cell: (TensorStatistics) -> String
  }

  private var columns: [Column] {
    var columns = [
      Column(heading: "DTYPE", alignment: .left) { $0.dtype.name },
      Column(heading: "SHAPE", alignment: .left) { describe(shape: $0.shape) },
      Column(heading: "MIN") { $0.minimum?.shortText ?? "-" },
      Column(heading: "MAX") { $0.maximum?.shortText ?? "-" },
      Column(heading: "MEAN") { $0.mean?.shortText ?? "-" },
      Column(heading: "STD") { $0.deviation.map { describe(number: $0) } ?? "-" },
      Column(heading: "NORM") { describe(number: $0.norm) },
    ]
    let counts: [(String, (TensorStatistics) -> Int)] = [
      ("ZEROS", \.zeros), ("SUBNORMAL", \.subnormals), ("NAN", \.nan), ("INF", \.infinite),
    ]
    for (heading, count) in counts where statistics.contains(where: { count($0) > 0 }) {
      columns.append(Column(heading: heading) { count($0) == 0 ? "-" : "\(count($0))" })
    }
    for (index, part) in options.quantiles.enumerated() {
      columns.append(
        Column(heading: "Q\(part)") { tensor in
          index < tensor.quantiles.count ? describe(number: tensor.quantiles[index]) : "-"
        })
    }
    if options.bars != nil {
      columns.append(
        Column(heading: "HISTOGRAM", alignment: .left) { tensor in
          tensor.histogram.map { "|" + describe(bars: $0.counts) + "|" } ?? ""
        })
    }
    return columns
  }

  private var largestLines: [String] {
    var table = Table([("LARGEST", .left), ("INDEX", .left), ("VALUE", .right)])
    for tensor in statistics {
      for (number, entry) in tensor.largest.enumerated() {
        table.add([
          number == 0 ? escaped(tensor.name.text) : "",
          describe(shape: position(of: entry.index, in: tensor.shape)),
          entry.integer.map(String.init) ?? describe(number: entry.value, digits: 6),
        ])
      }
    }
    return table.lines(width: outputWidth)
  }

  /// The index of element `number` in C order.
  private func position(of number: Int, in shape: [Int]) -> [Int] {
    var (rest, index) = (number, [Int]())
    for extent in shape.reversed() {
      index.insert(rest % extent, at: 0)
      rest /= extent
    }
    return index
  }

  // MARK: JSON

  var json: JSONValue {
    ["schema": "tfinspect.stats/1", "tensors": .array(statistics.map(json))]
  }

  private func json(_ tensor: TensorStatistics) -> JSONValue {
    var members: [(String, JSONValue)] = [
      ("name", .string(tensor.name.text)), ("dtype", .string(tensor.dtype.name)),
      ("shape", tensor.shape.json), ("count", .number(tensor.count)),
      ("min", tensor.minimum?.json ?? .null), ("max", tensor.maximum?.json ?? .null),
      ("mean", tensor.mean?.json ?? .null), ("std", tensor.deviation.map { .number($0) } ?? .null),
      ("norm", .number(tensor.norm)), ("zeros", .number(tensor.zeros)),
      ("subnormals", .number(tensor.subnormals)), ("nan", .number(tensor.nan)),
      ("inf", .number(tensor.infinite)),
    ]
    if !options.quantiles.isEmpty {
      let quantiles = zip(options.quantiles, tensor.quantiles).map { part, value -> JSONValue in
        ["q": .number(part), "value": .number(value)]
      }
      members.append(("quantiles", .array(quantiles)))
      members.append(("quantile_error", .number(tensor.quantileError)))
    }
    if options.bars != nil { members.append(("histogram", histogram(tensor))) }
    if options.largest > 0 {
      let largest = tensor.largest.map { entry -> JSONValue in
        [
          "index": position(of: entry.index, in: tensor.shape).json,
          "value": entry.integer.flatMap(exact) ?? .number(entry.value),
        ]
      }
      members.append(("top", .array(largest)))
    }
    return .object(members.map { JSONValue.Member($0.0, $0.1) })
  }

  /// An integer as it is, if it is one of 64 bits.
  private func exact(_ value: Int128) -> JSONValue? {
    Int64(exactly: value).map { .int($0) } ?? UInt64(exactly: value).map { .uint($0) }
  }

  private func histogram(_ tensor: TensorStatistics) -> JSONValue {
    guard let histogram = tensor.histogram else { return .null }
    return [
      "min": .number(histogram.range.lowerBound), "max": .number(histogram.range.upperBound),
      "counts": histogram.counts.json,
    ]
  }
}
