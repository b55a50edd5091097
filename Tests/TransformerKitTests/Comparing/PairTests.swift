import Containers
import Kernels
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

extension PairReport.Verdict {
  var isDifferent: Bool {
    if case .different = self { true } else { false }
  }
}

@Suite struct PairTests {
  // MARK: Identical

  @Test(arguments: goldenCases) func `a model is identical to itself`(_ name: String) throws {
    let model = try openModel(name)
    let report = try compare(model, openModel(name))
    #expect(report.verdict == .identical && report.firstDivergence == nil)
    #expect(report.weights.allSatisfy { $0.relation == .identical })
    #expect(!report.outputs.isEmpty)
    let allIdentical = report.outputs.allSatisfy(\.isIdentical)
    #expect(allIdentical)
    #expect(report.weights.map(\.path) == model.graph.slots.map(\.path))
  }

  /// The length of the texts that two models ran on, as their outputs show it.
  private func length(of report: PairReport) -> Int? { report.outputs.first?.shape[1] }

  @Test(arguments: ["bert/long", "t5/v10"])
  func `one computation needs no long text, unless somebody asks`(_ name: String) throws {
    let model = try openModel(name)
    let (brief, whole) = try (
      compare(model, openModel(name), isBrief: true), compare(model, openModel(name))
    )
    #expect(brief.verdict == .identical && length(of: brief) == 64)
    let full = model.graph.architecture.probe["input_ids"]?.width
    #expect(whole.verdict == .identical && length(of: whole) == full && (full ?? 0) > 64)
    var inputs = model.graph.architecture.probe(longest: 9)
    let given = try compare(model, openModel(name), inputs: inputs, isBrief: true)
    #expect(length(of: given) == 9)
    inputs["input_ids"] = nil
    #expect(throws: CheckpointError.self) { try compare(model, model, inputs: inputs) }
  }

  @Test(arguments: ["hidden_act", "layer_norm_eps", "weight"])
  func `models that differ in anything run the whole probe`(_ change: String) throws {
    let original = try openModel("bert/long")
    var variant = try Variant("long")
    switch change {
    case "hidden_act": variant["hidden_act"] = "relu"
    case "layer_norm_eps": variant["layer_norm_eps"] = .number(1e-3)
    default:
      let name = "encoder.layer.0.output.dense.bias"
      let found = variant.tensors.map(\.name.text).first { $0.hasSuffix(name) } ?? name
      variant.set(found, floats: try variant.floats(found).map { $0 + 1 })
    }
    let report = try compare(original, try variant.model(), isBrief: true)
    #expect(report.verdict.isDifferent)
    #expect(length(of: report) == original.graph.architecture.probe["input_ids"]?.width)
  }

  @Test(arguments: ["gamma", "prefix", "order", "npz", "metadata", "unknown keys"])
  func `what only looks different is identical`(_ change: String) throws {
    let original = try openModel("bert/masked_lm")
    var variant = try Variant("masked_lm")
    let folder = ScratchFolder()
    var name = "model.safetensors"
    switch change {
    case "gamma":
      variant.renameAll {
        $0.replacing("LayerNorm.weight", with: "LayerNorm.gamma")
          .replacing("LayerNorm.bias", with: "LayerNorm.beta")
      }
    case "prefix": variant.renameAll { String($0.trimmingPrefix("bert.")) }
    case "order": variant.tensors.reverse()
    case "npz": name = "model.npz"
    case "metadata": variant.metadata = ["format": "np", "author": "somebody"]
    default: variant["torch_dtype"] = "float32"
    }
    let other = try Model(variant.write(to: folder, name: name))
    #expect(try compare(original, other).verdict == .identical)
    #expect(try compare(other, original, precision: Double.self).verdict == .identical)
    #expect(try ModelID(original.graph).digest == ModelID(other.graph).digest)
  }

  @Test func `shards are identical to one file`() throws {
    let variant = try Variant("sharded")
    let (one, many) = (try variant.model(), try openModel("bert/sharded"))
    #expect(one.checkpoint.files.count == 1 && many.checkpoint.files.count == 3)
    #expect(try compare(one, many).verdict == .identical)
  }

  @Test func `a stored copy of the tied head is identical to none`() throws {
    var variant = try Variant("masked_lm")
    let word = try variant.floats("bert.embeddings.word_embeddings.weight")
    variant.tensors.append(Tensor("cls.predictions.decoder.weight", [61, 24], values: word))
    #expect(try compare(openModel("bert/masked_lm"), variant.model()).verdict == .identical)
  }

  // MARK: Casts

  @Test(arguments: [DType.bf16, .f16])
  func `every weight rounded to nearest is a cast`(_ dtype: DType) throws {
    var variant = try Variant("pretraining")
    try variant.convert(to: dtype, dtype == .bf16 ? bfloat16 : float16)
    let report = try compare(openModel("bert/pretraining"), variant.model())
    #expect(report.verdict == .cast(dtype))
    #expect(report.weights.allSatisfy { $0.relation == .cast(from: .f32, to: dtype) })
    // The change of the outputs is reported, and is there.
    #expect(report.outputs.contains { $0.relative > 1e-4 && $0.relative < 0.1 })
  }

  @Test func `going back from a cast is a cast only if nothing was lost`() throws {
    var bf16 = try Variant("base")
    try bf16.convert(to: .bf16, bfloat16)
    let report = try compare(bf16.model(), openModel("bert/base"))
    #expect(report.verdict.isDifferent)
    let widened = try Variant("bf16")
    var single = widened
    single.tensors = try widened.tensors.map { tensor in
      let bytes = try tensor.bytes.read(0..<tensor.byteCount)
      let wide = stride(from: 0, to: bytes.count, by: 2)
        .flatMap { [0, 0, bytes[$0], bytes[$0 + 1]] as [UInt8] }
      return Tensor(tensor.name, .f32, tensor.shape, bytes: wide)
    }
    #expect(try compare(widened.model(), single.model()).verdict == .cast(.f32))
  }

  @Test func `a truncated cast is none`() throws {
    var variant = try Variant("base")
    try variant.convert(to: .bf16, truncatedBfloat16)
    let report = try compare(openModel("bert/base"), variant.model())
    #expect(report.verdict.isDifferent)
    let isCast = report.weights.contains { $0.relation == .cast(from: .f32, to: .bf16) }
    #expect(!isCast)
  }

  @Test(arguments: [0, 1, 2, 3] as [UInt64])
  func `a cast that is wrong in one element is none`(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var variant = try Variant("base")
    try variant.convert(to: .bf16, bfloat16)
    let tensor = try #require(variant.tensors.randomElement(using: &generator))
    var bytes = try variant.bytes(tensor.name.text)
    let element = Int.random(in: 0..<tensor.elementCount, using: &generator)
    bytes[element * 2] ^= 1
    variant.set(tensor.name.text, bytes: bytes)
    let report = try compare(openModel("bert/base"), variant.model())
    #expect(report.verdict.isDifferent)
    let odd = report.weights.filter { $0.relation != .cast(from: .f32, to: .bf16) }
    #expect(odd.map(\.relation) == [.different(count: 1, first: element)], "\(tensor.name)")
  }

  @Test func `a cast of some weights to one type is a cast, of others to another is none`() throws {
    let original = try openModel("bert/base")
    var (some, mixed) = (try Variant("base"), try Variant("base"))
    try some.convert(to: .bf16, bfloat16)
    some.tensors[0] = try Variant("base").tensors[0]
    #expect(try compare(original, some.model()).verdict == .cast(.bf16))
    try mixed.convert(to: .bf16, bfloat16)
    var half = try Variant("base")
    try half.convert(to: .f16, float16)
    mixed.tensors[0] = half.tensors[0]
    #expect(
      try compare(original, mixed.model()).verdict
        == .different("weights are cast to BF16 and F16, and not to one type"))
  }

  /// What a cast changes in the first stages does not hide where the mistake is.
  @Test func `a mistake beside a cast is found, and what is left without it`() throws {
    var variant = try Variant("base")
    try variant.transpose("encoder.layer.1.attention.self.query.weight")
    try variant.convert(to: .bf16, bfloat16)
    let report = try compare(openModel("bert/base"), variant.model())
    #expect(report.rest == .cast(.bf16))
    #expect(report.firstDivergence == "stage encoder.blocks.1")
    #expect(
      report.explanations.map(\.text) == [
        "encoder.blocks.1.attention.query.weight: transposed in B; undoing it leaves a cast to BF16"
      ])
  }

  @Test func `a cast with some weights in a type that has all numbers of the old one is a cast`()
    throws
  {
    let original = try openModel("bert/bf16")
    var mixed = try Variant("bf16")
    mixed.tensors = try mixed.tensors.map { tensor in
      let stored = try tensor.bytes.read(0..<tensor.byteCount)
      let isLong = tensor.shape.count == 1
      let bytes = stride(from: 0, to: stored.count, by: 2).flatMap { index -> [UInt8] in
        let bits = UInt32(stored[index]) << 16 | UInt32(stored[index + 1]) << 24
        return isLong ? littleEndian(bits) : littleEndian(float16(Float(bitPattern: bits)))
      }
      return Tensor(tensor.name, isLong ? .f32 : .f16, tensor.shape, bytes: bytes)
    }
    #expect(try compare(original, mixed.model()).verdict == .cast(.f16))
  }

  @Test(arguments: [("layer_norm_eps", JSONValue.double(1e-5)), ("hidden_act", "gelu_new")])
  func `a cast with another config is none`(_ key: String, _ value: JSONValue) throws {
    var variant = try Variant("base")
    try variant.convert(to: .bf16, bfloat16)
    variant[key] = value
    let report = try compare(openModel("bert/base"), variant.model())
    #expect(report.verdict.isDifferent)
    #expect(
      report.firstDivergence
        == (key == "hidden_act" ? "stage encoder.blocks.0" : "stage embeddings"))
  }

  // MARK: Different

  @Test(
    arguments: [
      ("layer_norm_eps", .double(1e-12), "stage embeddings"),
      ("layer_norm_eps", .double(0.0010001), "stage embeddings"),
      ("hidden_act", "gelu_new", "stage encoder.blocks.0"),
      ("hidden_act", "relu", "stage encoder.blocks.0"),
      ("is_decoder", true, "stage encoder.blocks.0"),
      ("num_attention_heads", 4, "stage encoder.blocks.0"),
    ] as [(String, JSONValue, String)])
  func `the same weights under another config are different`(
    _ key: String, _ value: JSONValue, _ stage: String
  ) throws {
    var variant = try Variant("base")
    variant[key] = value
    let original = try openModel("bert/base")
    let report = try compare(original, variant.model())
    #expect(report.verdict == .different(stage))
    #expect(report.weights.allSatisfy { $0.relation == .identical })
    #expect(report.firstDivergence == stage)
    #expect(try ModelID(original.graph).digest != ModelID(variant.model().graph).digest)
  }

  @Test func `tanh against erf in the pooler is no matter, in the head it is`() throws {
    // hidden_act is used in the masked LM head too.
    var variant = try Variant("masked_lm")
    variant["num_hidden_layers"] = 0
    variant.tensors.removeAll { $0.name.text.contains("encoder.layer") }
    let original = try variant.model()
    variant["hidden_act"] = "gelu_new"
    #expect(try compare(original, variant.model()).verdict == .different("stage mlm_head"))
  }

  @Test(arguments: ["pretraining", "masked_lm_untied", "token_classification", "f64", "bf16"])
  func `one flipped bit anywhere is different`(_ name: String) throws {
    let original = try openModel("bert/\(name)")
    let clean = try Variant(name)
    var generator = SeededGenerator(seed: 11)
    for tensor in clean.tensors {
      var variant = clean
      var bytes = try variant.bytes(tensor.name.text)
      let bit = Int.random(in: 0..<bytes.count * 8, using: &generator)
      bytes[bit / 8] ^= 1 << (bit % 8)
      variant.set(tensor.name.text, bytes: bytes)
      let other = try variant.model()
      let report = try compare(original, other)
      let place = "seed 11, \(tensor.name), bit \(bit)"
      #expect(report.verdict.isDifferent, "\(place)")
      let odd = report.weights.filter { $0.relation != .identical }.map(\.relation)
      // A tied weight shows under both of its paths.
      let element = bit / tensor.dtype.bitWidth
      #expect(
        !odd.isEmpty && odd.allSatisfy { $0 == .different(count: 1, first: element) }, "\(place)")
      #expect(try ModelID(original.graph).digest != ModelID(other.graph).digest, "\(place)")
    }
  }

  @Test func `the sign of a zero is a difference`() throws {
    let zeros = [Float](repeating: 0, count: 24)
    var (a, b) = (try Variant("base"), try Variant("base"))
    a.set("pooler.dense.bias", floats: zeros)
    b.set("pooler.dense.bias", floats: [-0.0] + zeros.dropFirst())
    let report = try compare(a.model(), b.model())
    #expect(report.verdict == .different("weight pooler.bias, seen in no output"))
    #expect(report.explanations.map(\.text).joined().contains("[0] is 0.0 in A and -0.0 in B"))
  }

  @Test func `the same NaN is identical, another is not`() throws {
    let zeros = [Float](repeating: 0, count: 24)
    var (a, b) = (try Variant("base"), try Variant("base"))
    a.set("pooler.dense.bias", floats: [.nan] + zeros.dropFirst())
    #expect(try compare(a.model(), a.model()).verdict == .identical)
    b.set("pooler.dense.bias", floats: [Float(bitPattern: 0x7FC0_0001)] + zeros.dropFirst())
    #expect(try compare(a.model(), b.model()).verdict.isDifferent)
  }

  @Test(arguments: ["eleven_layers", "base_no_pooler", "masked_lm", "long"])
  func `models of other sizes are compared, not refused`(_ name: String) throws {
    let (base, other) = (try openModel("bert/base"), try openModel("bert/\(name)"))
    #expect(try compare(base, other).verdict.isDifferent)
    #expect(try compare(other, base).verdict.isDifferent)
  }

  @Test func `a module that only one has is named`() throws {
    let report = try compare(openModel("bert/base"), openModel("bert/base_no_pooler"))
    let lacking = report.weights.filter { $0.relation == .onlyInA }.map(\.path)
    #expect(lacking == ["pooler.weight", "pooler.bias"])
  }

  @Test func `a smaller model that cannot take the inputs is different`() throws {
    // Ids beyond B's vocabulary: the fault is B's, and the comparison goes on without outputs.
    let report = try compare(openModel("bert/base"), openModel("bert/eleven_layers"))
    #expect(report.verdict.isDifferent && report.outputs.isEmpty)
    #expect(report.firstDivergence?.hasPrefix("inputs: B ") ?? false)
  }

  @Test func `inputs that A cannot take are an error`() throws {
    let model = try openModel("bert/base")
    let inputs = ModelInputs(["input_ids": NDArray(shape: [1, 1], elements: [61])])
    let error = #expect(throws: CheckpointError.self) {
      try compare(model, model, inputs: inputs)
    }
    #expect(error?.category == .failed)
  }

  /// A word that the probes do not have has another vector in B, and nobody has looked at the weights.
  @Test func `models that part on a text alone are different`() throws {
    let a = try Model(fixture("pairs/bert"))
    let text = try a.inputs("lighthouse keeper wrote letters", FoundTokenizer(a.checkpoint.path))
    let probes = [a.graph.probe, a.graph.probe(longest: 4)].flatMap {
      $0["input_ids"]?.elements ?? []
    }
    let word = try #require(text["input_ids"]?.elements.first { !probes.contains($0) })
    var variant = try Variant(of: "pairs/bert")
    let table = "bert.embeddings.word_embeddings.weight"
    var numbers = try variant.floats(table)
    numbers[16 * word] += 1
    variant.set(table, floats: numbers)
    // Too little to show, and yet not the same mathematics.
    variant["layer_norm_eps"] = .number(1.0000001e-12)
    let b = try variant.model()
    let same = try compare(a, a).weights
    let blind = try compare(a, b, weights: same)
    #expect(blind.verdict == .identical && blind.onText == nil)
    let report = try compare(a, b, readsText: true, weights: same)
    #expect(report.firstDivergence?.hasSuffix(", in a text") == true)
    #expect(report.verdict.isDifferent)
    let isSameOnProbe = report.outputs.allSatisfy(\.isIdentical)
    #expect(isSameOnProbe)
    #expect(report.onText?.outputs.contains { !$0.isIdentical } == true)
    #expect(try compare(a, a, readsText: true).onText == nil)
  }
}
