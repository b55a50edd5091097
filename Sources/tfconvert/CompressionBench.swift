import ArgumentParser
import CommandSupport
import Containers
import Dispatch
import SystemPackage
import TensorCore
import TransformerKit

struct CompressionBench: Verb {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measure how small and how fast TFZ is, in memory, on the tensors of SRC.",
    usage: "tfconvert bench [<options>] <source>",
    discussion: """
      Everything is read into memory first; then the tensors are compressed into a TFZ file in \
      memory, and decompressed again into memory that is there, --repeat times. What comes back is \
      compared. Nothing is written. Rates count uncompressed bytes.

      Examples:
        tfconvert bench model.safetensors
        tfconvert bench model.safetensors --level 19 --repeat 1
        tfconvert bench bert-base/ -T 2 --json
      """)

  @Argument(help: "The checkpoint: a file, a shard index, a folder, or an address.")
  var source: FilePath

  @Option(help: ArgumentHelp("How hard to compress, from 1 to 19.", valueName: "1-19"))
  var level = 1

  @Option(help: ArgumentHelp("How often to measure.", valueName: "n"))
  var `repeat` = 5

  @OptionGroup var sourceOptions: SourceOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard TFZ.Options.levels.contains(level) else {
      throw ValidationError("--level is from 1 to 19")
    }
    guard `repeat` >= 1 else { throw ValidationError("--repeat is at least 1") }
  }

  func perform() throws -> ExitStatus {
    let checkpoint = try Checkpoint.open(source, options: sourceOptions.options)
    common.explain(checkpoint)
    var measurement = try Measurement(checkpoint)
    for _ in 0..<`repeat` { try measurement.measure(TFZ.Options(level: level)) }
    if common.json {
      standardOutput(measurement.json(level: level).text(pretty: true))
    } else if common.quiet {
      standardOutput("\(measurement.compressedSize)")
    } else {
      for line in measurement.lines { standardOutput(line) }
    }
    return .success
  }
}

/// How long compressing and decompressing took.
private struct Measurement {
  private let tensors: [Tensor]
  private let byteCount: Int
  private(set) var compressedSize = 0
  private var compression: [Double] = []
  private var decompression: [Double] = []
  /// Where tensors are decompressed to.
  private var output: [UInt8]

  init(_ checkpoint: Checkpoint) throws(CheckpointError) {
    var tensors: [Tensor] = []
    for tensor in checkpoint.tensors.tensors {
      let bytes = ByteArray(try tensor.bytes.read(0..<tensor.byteCount))
      tensors.append(
        Tensor(name: tensor.name, dtype: tensor.dtype, shape: tensor.shape, bytes: bytes))
    }
    self.tensors = tensors
    byteCount = tensors.reduce(0) { $0 + $1.byteCount }
    output = [UInt8](repeating: 0xA5, count: byteCount)
  }

  /// Measures once, and checks what comes back.
  mutating func measure(_ options: TFZ.Options) throws(CheckpointError) {
    var start = seconds()
    let file = try TFZ.encode(tensors, options: options)
    compression.append(seconds() - start)
    compressedSize = file.count
    start = seconds()
    var span = output.mutableSpan
    var buffer = unsafe span.mutableBytes
    try TFZ.read(TFZ.decode(file), into: &buffer)
    decompression.append(seconds() - start)
    var position = 0
    for tensor in tensors {
      let end = position + tensor.byteCount
      guard let original = tensor.bytes as? ByteArray,
        original.bytes.elementsEqual(output[position..<end])
      else { throw CheckpointError(.malformed("comes back different"), tensor: tensor.name) }
      position = end
    }
  }

  var lines: [String] {
    let tenths = byteCount == 0 ? 0 : (1000 * Double(compressedSize) / Double(byteCount)).rounded()
    return [
      "\(describe(bytes: byteCount)) to \(describe(bytes: compressedSize)), \(tenths / 10) %",
      "compression \(rate(compression)), decompression \(rate(decompression))",
    ]
  }

  /// The median rate.
  private func rate(_ times: [Double]) -> String {
    "\(describe(bytes: Int(Double(byteCount) / max(median(times), 1e-9))))/s"
  }

  func json(level: Int) -> JSONValue {
    [
      "schema": "tfconvert.bench/1", "level": .number(level), "threads": .number(Workers.count),
      "bytes": .number(byteCount), "compressed_bytes": .number(compressedSize),
      "compress_seconds": Self.summary(compression),
      "decompress_seconds": Self.summary(decompression),
    ]
  }

  private static func summary(_ times: [Double]) -> JSONValue {
    ["min": .number(times.min() ?? 0), "median": .number(median(times))]
  }
}

private func seconds() -> Double {
  Double(DispatchTime.now().uptimeNanoseconds) / 1e9
}
