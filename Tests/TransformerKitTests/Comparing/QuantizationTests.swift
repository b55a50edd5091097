import Codecs
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

/// Files that ggml quantised are known as what they were made of, quantised; and one code that is another is found.
@Suite struct QuantizationTests {
  static let types: [DType] = [
    .q80, .q40, .q41, .q50, .q51, .q2k, .q3k, .q4k, .q5k, .q6k, .mxfp4, .nvfp4, .iq4nl, .iq4xs,
    .tq20,
  ]

  private func file(_ name: String) -> FilePath {
    fixture("containers/gguf/quantised/\(name).gguf")
  }

  private func original() throws -> Model { try Model(fixture("containers/gguf/quantised/source")) }

  @Test(arguments: types)
  func `blocks that ggml made are proven`(_ type: DType) throws {
    let report = try compare(original(), Model(file(type.name)), precision: Float.self)
    #expect(report.verdict == .quantized([type]))
    let errors = report.weights.compactMap(\.relation.quantizationError)
    #expect(errors.count >= 6)
    #expect(errors.allSatisfy { $0 > 0 && $0 < 1 })
  }

  @Test func `several types are all named`() throws {
    let report = try compare(original(), Model(file("mixed")), precision: Float.self)
    guard case .quantized(let types) = report.verdict else {
      Issue.record("\(report.verdict)")
      return
    }
    #expect(Set(types) == [.q4k, .q6k])
  }

  @Test func `of a type whose codes are chosen by weights nothing is proven`() throws {
    let report = try compare(original(), Model(file("IQ3_S")), precision: Float.self)
    guard case .different = report.verdict else {
      Issue.record("\(report.verdict)")
      return
    }
    let unproven = report.weights.filter {
      if case .unproven(.iq3s, let error) = $0.relation { error > 0 && error < 0.7 } else { false }
    }
    #expect(unproven.count >= 6)
  }

  @Test(arguments: types)
  func `one code that is another is found`(_ type: DType) throws {
    let encoding = type.encoding
    // The last codes of a block; scales stand before or behind them.
    let place: Int
    switch type {
    case .q2k: place = 79
    case .q3k: place = 95
    case .q6k: place = 127
    case .tq20: place = 63
    default: place = encoding.bytesPerBlock - 1
    }
    let name = "blk.0.ffn_up.weight"
    let block = 3 * 256 / encoding.elementsPerBlock
    let scratch = ScratchFolder()
    let model = try changed(type, name, in: scratch) { bytes in
      // Of two codes in a byte one becomes its neighbour. Codes of three have no fourth.
      let index = block * encoding.bytesPerBlock + place
      bytes[index] = type == .tq20 && bytes[index] & 3 == 2 ? bytes[index] & 0xFC : bytes[index] ^ 1
      if type == .tq20, bytes[index] & 3 == 3 { bytes[index] ^= 2 }
    }
    let report = try compare(original(), model, precision: Float.self)
    let wrong = report.weights.compactMap { weight -> Misquantized? in
      if case .misquantized(let fault) = weight.relation { fault } else { nil }
    }
    #expect(wrong.count == 1)
    let fault = try #require(wrong.first)
    #expect(fault.tensor == TensorName(name))
    #expect(fault.count == 1)
    let elements = block * encoding.elementsPerBlock..<(block + 1) * encoding.elementsPerBlock
    #expect(elements.contains(fault.first))
    #expect(report.verdict.isDifferent(naming: "feed_forward.up"))
  }

  @Test(arguments: [DType.q80, .q4k, .q6k, .mxfp4])
  func `a tensor of another model, and a block without a scale, are found`(_ type: DType) throws {
    let other = try Model(file(type.name)).checkpoint.tensors["blk.0.ffn_gate.weight"]
    let bytes = try #require(other).bytes
    let strange = try bytes.read(0..<bytes.count)
    let scratch = ScratchFolder()
    for change in [
      { (target: inout [UInt8]) in target = strange },
      { (target: inout [UInt8]) in
        for place in 0..<type.encoding.bytesPerBlock { target[place] = 0 }
      },
    ] {
      let model = try changed(type, "blk.0.ffn_up.weight", in: scratch, change)
      let report = try compare(original(), model, precision: Float.self)
      #expect(report.verdict.isDifferent(naming: "feed_forward.up"))
    }
  }

  @Test(arguments: [DType.q4k, .mxfp4, .iq4nl])
  func `a number that is none is in no block`(_ type: DType) throws {
    let name = TensorName("model.layers.0.mlp.up_proj.weight")
    let numbers = try #require(original().checkpoint.tensors[name])
    let blocks = try #require(
      Checkpoint.open(file(type.name)).tensors["blk.0.ffn_up.weight"])
    let elements = 0..<numbers.elementCount
    #expect(try blocks.quantizationFinding(of: numbers, elements).wrong == 0)
    #expect(numbers.dtype == .bf16)
    for number in [Float.nan, .infinity] {
      var bytes = try numbers.bytes.read(0..<numbers.byteCount)
      let bits = number.bitPattern >> 16
      for place in 0..<2 { bytes[2 * 300 + place] = UInt8(truncatingIfNeeded: bits >> (8 * place)) }
      let strange = Tensor(name: name, dtype: .bf16, shape: numbers.shape, bytes: ByteArray(bytes))
      #expect(try blocks.quantizationFinding(of: strange, elements).firstWrong == 300)
    }
  }

  @Test func `next tokens differ as two whole tables of probabilities do`() throws {
    let (a, b) = (try original(), try Model(file("Q2_K")))
    let report = try compare(a, b, precision: Float.self)
    let inputs = a.graph.architecture.probe
    func logits(_ model: Model) throws -> NDArray<Float> {
      var pass = try ForwardPass<Float>(model.graph, inputs: inputs)
      while let result = try pass.advance() {
        if let found = result.outputs.first(where: { $0.name == "logits" }) {
          return try found.value.array()
        }
      }
      throw CheckpointError(.malformed("no logits"))
    }
    let (x, y) = (try logits(a), try logits(b))
    let mask = inputs["attention_mask"]?.elements
    var (divergences, same): ([Double], Int) = ([], 0)
    for row in 0..<x.rows where mask?[row] ?? 1 != 0 {
      func probabilities(_ array: NDArray<Float>) -> [Double] {
        let scores = array.elements[row * array.width..<(row + 1) * array.width].map { Double($0) }
        let weights = scores.map { exp($0 - (scores.max() ?? 0)) }
        return weights.map { $0 / weights.reduce(0, +) }
      }
      let (p, q) = (probabilities(x), probabilities(y))
      divergences.append(zip(p, q).reduce(0) { $0 + $1.0 * log($1.0 / $1.1) })
      if p.firstIndex(of: p.max() ?? 0) == q.firstIndex(of: q.max() ?? 0) { same += 1 }
    }
    let tokens = try #require(report.tokens)
    #expect(tokens.places == divergences.count)
    #expect(tokens.sameTokens == same)
    let mean = divergences.reduce(0, +) / Double(divergences.count)
    #expect(mean > 0)
    #expect(abs(tokens.meanDivergence - mean) < 1e-9)
    #expect(abs(tokens.largestDivergence - (divergences.max() ?? 0)) < 1e-9)
  }

  @Test func `what is written quantised is verified while it is written`() throws {
    let scratch = ScratchFolder()
    let target = Conversion.Target(
      scratch.path.appending("m.gguf"), dialect: "gguf", dtype: .q80, allowsLoss: true,
      isVerified: true)
    let source = try Checkpoint.open(fixture("containers/gguf/quantised/source"))
    let outcome = try Conversion(source, to: target).run()
    #expect(outcome.verdict == .quantized([.q80]))
  }

  /// The model of a type's file with one tensor's bytes changed.
  private func changed(
    _ type: DType, _ name: String, in scratch: ScratchFolder, _ change: (inout [UInt8]) -> Void
  ) throws -> Model {
    let checkpoint = try Checkpoint.open(file(type.name))
    let tensors = try checkpoint.tensors.tensors.map { tensor in
      guard tensor.name == TensorName(name) else { return tensor }
      var bytes = try tensor.bytes.read(0..<tensor.byteCount)
      change(&bytes)
      return Tensor(
        name: tensor.name, dtype: tensor.dtype, shape: tensor.shape, bytes: ByteArray(bytes))
    }
    let path = scratch.path.appending("changed\(scratch.names.count).gguf")
    try CheckpointWriter(destination: path, format: .gguf, belongings: checkpoint.belongings)
      .write(tensors: tensors)
    return try Model(path)
  }
}

extension PairReport.Verdict {
  fileprivate func isDifferent(naming part: String) -> Bool {
    if case .different(let text) = self { text.contains(part) } else { false }
  }
}
