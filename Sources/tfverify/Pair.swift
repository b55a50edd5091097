import ArgumentParser
import Codecs
import CommandSupport
import Containers
import Kernels
import Models
import SystemPackage
import TensorCore
import TransformerKit

struct Pair: Verb {
  static let configuration = CommandConfiguration(
    commandName: "pair",
    abstract: "Compare two models (what tfverify does without a verb).",
    discussion: """
      Weights are compared bit for bit under their canonical paths, and all outputs and states on \
      the same inputs. The verdict is one of
        identical            weights, outputs and states are the same, bit for bit
        B is A cast to TYPE  every weight is A's, rounded; nothing else differs
        B is A with N of M weights cast to TYPE
                             the same, and the others are A's as they are
        B is A quantised to TYPES
                             some weights of B are in blocks (GGUF), and each code is the nearest one \
      to A's number under its block's own scales; Q4_0 to Q8_0: the blocks that quantising A gives
        B is A quantised by CODECS
                             the same of codes with scales beside them: gptq, awq, compressed-tensors, \
      bitsandbytes, nvfp4
        different            anything else (exit code 1)

      Where a tokenizer that is read lies beside a model or is in its file, both are also run on a text, as A's tokenizer \
      (B's if A has none) makes tokens of it, unless weights and configs are the same. What the tokenizers do otherwise on \
      some texts is said, if both have files of one kind, and is no part of the verdict. With --inputs, --certificate or \
      --memory neither is done.

      Of weights in blocks the error is reported, and how the distributions of the next token differ: the \
      divergence of Kullback and Leibler, and how often the likeliest token is the same. What the IQ types of \
      GGUF hold cannot be proven, but for IQ4_NL and IQ4_XS; that is "different", with the error.

      Examples:
        tfverify bert-base/ bert.npz
        tfverify bert-base/ bert-bf16/ --inputs inputs.npz
        tfverify a.safetensors b.safetensors --config config.json -q
        tfverify bert-base/ bert.npz --certificate bert.intoto.json
        tfverify bert-base/ bert.npz -M 300MB
        tfverify base/ merged/ --merge lora/

      With --merge, A is the base with adapters (LoRA) in it, added as tfconvert does. Where no more than the \
      order of sums is between them (4 units of rounding of the largest number of a weight that an adapter \
      changes, and nothing elsewhere), the verdict is "B is A with the adapters merged, to rounding".

      A certificate says what was compared and proven, for `tfverify check`; it is written for every \
      verdict but "different", and "quantised by" a codec. Of many weights that differ by no known mistake the ten with the \
      largest |b - a| are listed; -v lists all.
      """)

  @Argument(help: "The first model.")
  var a: FilePath

  @Argument(help: "The second model.")
  var b: FilePath

  @Option(
    help: ArgumentHelp(
      "Add an adapter (LoRA, as PEFT writes it) to the first model; several in this order.",
      valueName: "adapter"))
  var merge: [FilePath] = []

  @Option(
    help: ArgumentHelp("Arrays to run on, instead of the built-in probe.", valueName: "npz"))
  var inputs: FilePath?

  @Option(help: "The precision of the forward pass: f32 or f64.")
  var precision = Precision.f32

  @Option(help: ArgumentHelp("Write a certificate of the verdict.", valueName: "file"))
  var certificate: FilePath?

  @Flag(name: [.short, .long], help: "Replace an existing certificate.")
  var force = false

  @OptionGroup var junit: JUnitOption
  @OptionGroup var sourceOptions: SourceOptions
  @OptionGroup var progressOptions: ProgressOptions
  @OptionGroup var memory: MemoryOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    if certificate != nil, !merge.isEmpty {
      throw ValidationError("a certificate is about two checkpoints; leave out --merge, or it")
    }
  }

  func perform() throws -> ExitStatus {
    try junit.reporting("pair", [a, b], about: b) {
      try prepareArithmetic()
      let (first, merged) = try openFirst()
      let second = try Model(b, options: sourceOptions.options)
      common.explain(first, listsExtras: true)
      common.explain(second, listsExtras: true)
      let extras = PairExtras(first, second)
      if !common.quiet, !common.verbose { for line in extras.lines { standardError(line) } }
      if certificate != nil { for model in [first, second] { try model.checkCanBeCertified() } }
      let file = certificateFile(first, second)
      try file?.check()
      let inputs = try inputs.map { try ArrayFile($0).inputs() }
      let readsText = inputs == nil && certificate == nil && memory.cap == nil
      let rounding = try merged.flatMap { try MergeRounding($0, first, second) }
      let report =
        switch precision {
        case .f32:
          try compare(first, second, inputs, readsText, Float.self, explains: rounding == nil)
        case .f64:
          try compare(first, second, inputs, readsText, Double.self, explains: rounding == nil)
        }
      var factor: MergeFactor?
      if let merged, case .different = report.verdict {
        factor = try MergeFactor.find(merged, first, second, options: sourceOptions.options)
      }
      let proof = merged.map { MergeProof($0, rounding, report, factor: factor) }
      let certified = try file.map { _ in try certify(report, first, second)?.text } ?? nil
      if let certified { try file?.write(certified) }
      PairOutput(
        report, first, second, leftOut: extras.names, proof: proof,
        tokenizerDifferences: readsText ? TokenizerDiff(first, second)?.differences ?? [] : []
      ).print(common, certificate: certified.map { _ in file?.path } ?? nil)
      if file != nil && certified == nil {
        let isDifferent = if case .different = report.verdict { true } else { false }
        standardError(
          isDifferent
            ? "no certificate: the models are different"
            : "no certificate: there is none of weights that are quantised by a codec")
      }
      if let proof, proof.holdsToRounding { return (.success, [proof.testCase]) }
      if case .different = report.verdict { return (.negative, report.testCases) }
      return (.success, report.testCases)
    }
  }

  /// The first model, with the adapters in it if there are some.
  private func openFirst() throws -> (Model, Merge?) {
    let options = sourceOptions.options
    guard !merge.isEmpty else { return (try Model(a, options: options), nil) }
    let merged = try Merge(
      merge.map { try Adapter($0) }, into: Checkpoint.open(a, options: options), options: options)
    return (try Model(merged.checkpoint, options: merged.options(options)), merged)
  }

  private func compare<Scalar: ComputeScalar>(
    _ first: Model, _ second: Model, _ inputs: ModelInputs?, _ readsText: Bool, _: Scalar.Type,
    explains: Bool
  ) throws -> PairReport {
    let needed = VerificationMemory(
      comparing: first.graph, second.graph, inputs: inputs, Scalar.self)
    let hasRoom = try memory.keep(needed, for: a)
    let (bar, progress) = progressOptions.weightProgress(common)
    let report = try TransformerKit.compare(
      first, second, inputs: inputs, readsText: readsText, precision: Scalar.self,
      isBrief: certificate == nil,
      explaining: hasRoom && explains, progress: progress)
    bar.finish()
    if !hasRoom, case .different = report.verdict {
      standardError("--memory leaves no room to look for causes")
    }
    return report
  }

  private func certificateFile(_ first: Model, _ second: Model) -> SmallFile? {
    certificate.map { path in
      SmallFile(
        path, replacing: force ? .anything : .nothing,
        sources: first.checkpoint.allFiles + second.checkpoint.allFiles
          + [inputs].compactMap(\.self))
    }
  }

  private func certify(
    _ report: PairReport, _ first: Model, _ second: Model
  ) throws -> Certificate? {
    try Certificate(
      report, first, second, probe: Certificate.Probe(inputs: inputs),
      precision: precision == .f32 ? .f32 : .f64, toolVersion: toolVersion)
  }
}
