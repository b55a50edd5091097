import ArgumentParser
import CommandSupport
import Containers
import SystemPackage
import TensorCore
import TransformerKit

struct Show: Verb {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Print values of a tensor, draw it, or write it to a file.",
    discussion: """
      A slice has a range for each axis, as in numpy: 0:2,: or -1 or 3:4,0:8. Without one, the \
      first elements of each axis are shown; with -o, the whole tensor is written. Of a known model \
      a canonical path, as tfinspect tree shows it, names a weight in its canonical layout.

      With --picture, what is best looked at is drawn, as on the page of tfinspect report: filters of \
      patches, how alike positions are, and the bands of a sound; of one tensor, or of all if none is \
      named. In colours where the terminal has them (24 bits if COLORTERM says so, 256 if TERM does), \
      else in shades; as wide as the terminal, or 80 characters.

      Examples:
        tfinspect show model.safetensors pooler.dense.bias
        tfinspect show bert-base/ embeddings.LayerNorm.weight --slice 0:4
        tfinspect show model.npz pooler.dense.weight --slice 0:2,: --json
        tfinspect show bert-base/ pooler.dense.weight -o pooler.npy
        tfinspect show vit/ --picture
      """)

  @Argument(help: "The checkpoint: a file, a shard index, a folder, or an address.")
  var source: FilePath

  @Argument(help: "The tensor's name in the file, or a canonical path.")
  var tensor: String?

  @Flag(help: "Draw the tensor, or all that is best looked at.")
  var picture = false

  @Option(
    help: ArgumentHelp("A range for each axis, separated by commas: 0:2,:", valueName: "ranges"))
  var slice: String?

  @Option(
    name: [.short, .long],
    help: ArgumentHelp(
      "Write the values to a file instead: .npy, or another container by its extension.",
      valueName: "file"))
  var output: FilePath?

  @Flag(name: [.short, .long], help: "Replace an existing output file.")
  var force = false

  @OptionGroup var sourceOptions: SourceOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    if tensor == nil && !picture { throw ValidationError("Missing expected argument '<tensor>'") }
    if picture && (slice != nil || output != nil || common.json) {
      throw ValidationError("--picture goes without --slice, --output and --json")
    }
  }

  func perform() throws -> ExitStatus {
    let checkpoint = try Checkpoint.open(source, options: sourceOptions.options)
    common.explain(checkpoint)
    if picture { return try draw(checkpoint) }
    guard let tensor else { return .success }
    return try show(tensor, of: checkpoint)
  }

  private func draw(_ checkpoint: Checkpoint) throws -> ExitStatus {
    let columns = max(1, outputWidth ?? 80)
    let patterns = try Patterns(
      of: checkpoint, options: sourceOptions.options, only: tensor, room: columns)
    for (number, pattern) in patterns.all.enumerated() {
      if number > 0 { standardOutput("") }
      standardOutput(lines: pattern.lines(columns: columns, isTitled: !common.quiet))
    }
    return .success
  }

  private func show(_ tensor: String, of checkpoint: Checkpoint) throws -> ExitStatus {
    let tensor = try checkpoint.tensor(named: tensor, options: sourceOptions.options)
    let chosen = try slice.map { try Slice.ranges($0, of: tensor.shape) }
    if let output { return try write(tensor, chosen, of: checkpoint, to: output) }
    let ranges = chosen ?? beginning(of: tensor)
    let values = try tensor.values(in: ranges)
    if common.json {
      let bounds: [JSONValue] = ranges.map { [.number($0.lowerBound), .number($0.upperBound)] }
      let report: JSONValue = [
        "schema": "tfinspect.show/1", "name": .string(tensor.name.text),
        "dtype": .string(tensor.dtype.name),
        "shape": .array(tensor.shape.map { .number($0) }), "slice": .array(bounds),
        "values": values.isEmpty ? [] : nested(values.map(\.json)[...], shape: ranges.shape),
      ]
      standardOutput(report.text(pretty: true))
      return .success
    }
    if !common.quiet {
      let part = ranges.shape == tensor.shape ? "" : ", \(excerpt(ranges))"
      let text =
        "\(escaped(tensor.name.text))  \(tensor.dtype) \(describe(shape: tensor.shape))\(part)"
      standardOutput(lines: wrapped(text, width: outputWidth))
    }
    if !values.isEmpty { printRows(values.map(\.text), ranges) }
    return .success
  }

  private func write(
    _ tensor: Tensor, _ ranges: [Range<Int>]?, of checkpoint: Checkpoint, to file: FilePath
  ) throws -> ExitStatus {
    let part = try ranges.map { try tensor.part($0) } ?? tensor
    let format = try ContainerFormat.written(at: file) ?? .npy
    try CheckpointWriter(
      destination: file, format: format, overwrite: force, sources: checkpoint.allFiles
    ).write(tensors: [part])
    if common.json {
      let report: JSONValue = [
        "schema": "tfinspect.show/1", "name": .string(tensor.name.text),
        "dtype": .string(part.dtype.name), "shape": part.shape.json,
        "file": .string(displayed(file)),
      ]
      standardOutput(report.text(pretty: true))
    } else if common.quiet {
      standardOutput(escaped(displayed(file)))
    } else {
      standardOutput(
        "\(escaped(displayed(file)))  \(part.dtype) \(describe(shape: part.shape))")
    }
    return .success
  }

  /// At most eight elements of the last axes, and one of the others.
  private func beginning(of tensor: Tensor) -> [Range<Int>] {
    let rank = tensor.shape.count
    return tensor.shape.enumerated().map { axis, extent in
      0..<min(extent, axis >= rank - 2 ? 8 : 1)
    }
  }

  private func excerpt(_ ranges: [Range<Int>]) -> String {
    "showing [" + ranges.map { "\($0.lowerBound):\($0.upperBound)" }.joined(separator: ", ") + "]"
  }

  /// One line for each row of the last axis, aligned; where that is too wide for the terminal, some columns
  /// after the other.
  private func printRows(_ cells: [String], _ ranges: [Range<Int>]) {
    let columns = ranges.last ?? 0..<1
    let widest = cells.reduce(1) { max($0, $1.count) }
    let room = outputWidth.map { max(1, ($0 + 2) / (widest + 2)) } ?? columns.count
    for first in stride(from: 0, to: columns.count, by: room) {
      let part = first..<min(first + room, columns.count)
      if room < columns.count {
        let start = columns.lowerBound
        standardOutput("columns \(start + part.lowerBound):\(start + part.upperBound)")
      }
      var table = Table(part.map { _ in ("", .right) })
      for row in stride(from: 0, to: cells.count, by: columns.count) {
        table.add(Array(cells[row + part.lowerBound..<row + part.upperBound]))
      }
      standardOutput(lines: table.lines(headings: false, width: nil))
    }
  }

  private func nested(_ values: ArraySlice<JSONValue>, shape: [Int]) -> JSONValue {
    guard let extent = shape.first else { return values.first ?? .null }
    let size = extent == 0 ? 0 : values.count / extent
    return .array(
      (0..<extent).map { index in
        let start = values.startIndex + index * size
        return nested(values[start..<start + size], shape: Array(shape.dropFirst()))
      })
  }
}

extension [Range<Int>] {
  fileprivate var shape: [Int] { map(\.count) }
}
