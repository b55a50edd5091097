import ArgumentParser
import CommandSupport
import Models
import SystemPackage
import TensorCore
import TransformerKit

struct ForwardBench: Verb {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Time the forward pass in single precision.",
    discussion: """
      The weights are loaded, the pass runs once to warm up and then as often as asked, on random \
      ids without padding, with the model's own head. MATMUL is what matrix products alone take.
      With --decode a text of that length is continued token by token, keys and values being kept, \
      and the times are those of the tokens.

      Examples:
        tfverify bench bert-base/
        tfverify bench gpt2/ --length 512 --repeat 20
        tfverify bench gpt2/ --decode --repeat 100
        tfverify bench t5-base/ --batch 4 --decoder-length 32 --json
      """)

  @Argument(help: "The model.")
  var model: FilePath

  @Option(help: ArgumentHelp("The number of texts.", valueName: "n"))
  var batch = 1

  @Option(help: ArgumentHelp("The length of each text, in tokens.", valueName: "n"))
  var length = 128

  @Option(
    help: ArgumentHelp(
      "What the decoder beside an encoder reads, in tokens; as --length unless given.",
      valueName: "n"))
  var decoderLength: Int?

  @Flag(help: "Time the tokens that continue the texts, one after the other.")
  var decode = false

  @Option(help: ArgumentHelp("How often to run, or how many tokens to add.", valueName: "n"))
  var `repeat` = 10

  @OptionGroup var sourceOptions: SourceOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    let numbers = [
      ("--batch", batch), ("--length", length), ("--decoder-length", decoderLength ?? length),
      ("--repeat", `repeat`),
    ]
    for (name, number) in numbers where !(1...1 << 20).contains(number) {
      throw ValidationError("\(name) is from 1 to \(1 << 20)")
    }
  }

  func perform() throws -> ExitStatus {
    try prepareArithmetic()
    let model = try Model(model, options: sourceOptions.options)
    common.explain(model)
    let inputs = model.graph.architecture.sample(
      batch: batch, length: length, decoderLength: decoderLength ?? length)
    let benchmark = try benchmark(model, inputs)
    if common.json {
      standardOutput(json(benchmark, head: model.graph.architecture.head).text(pretty: true))
    } else if common.quiet {
      standardOutput(text(benchmark.median))
    } else {
      var table = Table([
        ("MODEL", .left), ("TOKENS", .right), ("MEDIAN", .right), ("MIN", .right),
        ("MATMUL", .right), ("PEAK MEMORY", .right),
      ])
      table.add([
        model.graph.architecture.head, "\(batch) × \(decode ? "1 after " : "")\(length)",
        text(benchmark.median) + " ms",
        text(benchmark.minimum) + " ms", text(benchmark.productMilliseconds) + " ms",
        describe(bytes: peakMemory()),
      ])
      for line in table.lines() { standardOutput(line) }
    }
    return .success
  }

  /// An error about the inputs is one about the options that they were made of.
  private func benchmark(_ model: Model, _ inputs: ModelInputs) throws -> Benchmark {
    do throws(CheckpointError) {
      return decode
        ? try Benchmark(decoding: model.graph, prompt: inputs, count: `repeat`)
        : try Benchmark(model.graph, inputs: inputs, count: `repeat`)
    } catch {
      guard error.category == .failed, error.file == nil, error.details.isEmpty else { throw error }
      throw CheckpointError(
        .malformed("\(error.problem.text): pass --length, or --decoder-length, with fewer tokens"))
    }
  }

  private func text(_ milliseconds: Double) -> String {
    let hundredths = Int((milliseconds * 100).rounded())
    let fraction = hundredths % 100
    return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction)"
  }

  private func json(_ benchmark: Benchmark, head: String) -> JSONValue {
    [
      "schema": "tfverify.bench/1", "head": .string(head), "batch": .number(batch),
      "length": .number(length), "decoder_length": .number(decoderLength ?? length),
      "decode": .bool(decode),
      "repeat": .number(`repeat`), "median_ms": .number(benchmark.median),
      "min_ms": .number(benchmark.minimum), "matmul_ms": .number(benchmark.productMilliseconds),
      "peak_rss_bytes": .number(peakMemory()),
      "times_ms": .array(benchmark.milliseconds.map { .number($0) }),
    ]
  }
}
