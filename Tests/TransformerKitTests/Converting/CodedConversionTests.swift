import Codecs
import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// What codecs read goes on as it is stored, or as plain numbers, and never as something between.
@Suite struct CodedConversionTests {
  private let source = fixture("codecs/fp8")
  private let decoded = fixture("codecs/fp8/dequantized")

  private func convert(
    to path: FilePath, isFolder: Bool = false, dialect: String? = nil, dtype: DType? = nil,
    dequantizes: Bool = false, allowsLoss: Bool = false
  ) throws -> Conversion {
    let target = Conversion.Target(
      path, isFolder: isFolder, dialect: dialect, allowsMismatch: true, dtype: dtype,
      dequantizes: dequantizes,
      allowsLoss: allowsLoss, isVerified: dialect != nil)
    let conversion = try Conversion(Checkpoint.open(source), to: target)
    try conversion.run()
    return conversion
  }

  @Test func `a coded model computes what the framework computes from the plain one`() throws {
    #expect(try Model(source).check(golden("codecs/fp8")).isVerified)
  }

  @Test func `a group that nothing cuts is written as it is stored`() throws {
    let folder = ScratchFolder()
    let path = folder.path.appending("out")
    let conversion = try convert(to: path, isFolder: true, dialect: "huggingface")
    #expect(conversion.coded.count == 13)
    let (a, b) = (try Checkpoint.open(source).tensors, try Checkpoint.open(path).tensors)
    #expect(a.count == b.count)
    for tensor in a.tensors {
      let other = try #require(b[tensor.name])
      #expect(other.dtype == tensor.dtype && other.shape == tensor.shape)
      #expect(try other.bytes.read(0..<other.byteCount) == tensor.bytes.read(0..<tensor.byteCount))
    }
    #expect(readFile(path.appending("config.json")) == readFile(source.appending("config.json")))
  }

  @Test func `what would be cut is refused, and what allows it is said`() throws {
    let folder = ScratchFolder()
    let error = #expect(throws: CheckpointError.self) {
      try convert(to: folder.path.appending("m.npz"), dialect: "google-bert")
    }
    #expect(error?.category == .refused && error?.problem.text.contains("fp8-blocks") == true)
    #expect(error?.advice == "--dequantize writes plain weights" && error?.details.count == 13)
    #expect(folder.names.isEmpty)
  }

  @Test(arguments: [nil, "huggingface", "google-bert"])
  func `plain numbers are those that were decoded`(_ dialect: String?) throws {
    let folder = ScratchFolder()
    let path = folder.path.appending("out")
    _ = try convert(to: path, isFolder: true, dialect: dialect, dequantizes: true)
    let model = try Model(path)
    #expect(model.plain.coded.isEmpty)
    #expect(model.checkpoint.config?.value["quantization_config"] == nil)
    let report = try compare(Model(decoded), model, precision: Float.self)
    #expect(report.verdict == .identical && report.configDifferences.isEmpty)
  }

  /// One of each maker's forms, what is transposed and what is not.
  static let quantised = [
    "gptq/symmetric", "gptq/act_order", "gptq/asymmetric", "gptq/two_bits", "gptq/three_bits",
    "gptq/eight_bits", "awq/gemm", "awq/gemv", "compressed_tensors/four_bits",
    "compressed_tensors/three_bits", "compressed_tensors/five_bits", "compressed_tensors/bytes",
    "compressed_tensors/fp8_groups", "compressed_tensors/fp8_blocks", "bitsandbytes/nf4",
    "bitsandbytes/fp4", "bitsandbytes/eight_bits", "nvfp4/compressed_tensors", "nvfp4/mxfp4",
    "nvfp4/modelopt", "mlx/four_bits", "mlx/three_bits", "mlx/eight_bits", "mlx/mxfp4", "mlx/mxfp8",
    "mlx/nvfp4", "torchao/int8", "torchao/int4", "torchao/int3", "torchao/float8",
    "torchao/packed_int4", "nvfp4/mxfp6", "compressed_tensors/mxfp8", "sparse/bitmask",
    "sparse/two_four",
  ]

  @Test(arguments: quantised)
  func `a quantised model computes what its maker's numbers do, and goes on as it is or plain`(
    _ name: String
  ) throws {
    let model = try Model(fixture("codecs/\(name)"))
    #expect(try model.check(golden("codecs/\(name)")).isVerified)
    #expect(model.unknownKeys.isEmpty && !model.plain.coded.isEmpty)
    #expect(try check(fixture("codecs/\(name)")).faults.isEmpty)
    let scratch = ScratchFolder()
    for dequantizes in [false, true] {
      let path = scratch.path.appending(dequantizes ? "plain" : "coded")
      let target = Conversion.Target(
        path, isFolder: true, dialect: "huggingface", dequantizes: dequantizes)
      try Conversion(model.checkpoint, to: target).run()
      let written = try Model(path)
      #expect(written.plain.coded.count == (dequantizes ? 0 : model.plain.coded.count))
      for key in model.plain.configKeys {
        #expect((written.checkpoint.config?.value[key] == nil) == dequantizes)
      }
      #expect(try compare(model, written, precision: Float.self).verdict == .identical)
      if dequantizes { continue }
      for tensor in model.checkpoint.tensors.tensors {
        let other = try #require(written.checkpoint.tensors[tensor.name])
        #expect(other.dtype == tensor.dtype && other.shape == tensor.shape)
        #expect(try SHA256.digest(of: other) == SHA256.digest(of: tensor))
      }
    }
  }

  @Test func `a part that is missing or misshapen is a fault of the file, with its name`() throws {
    let source = try Checkpoint.open(fixture("codecs/gptq/symmetric"))
    let config = try #require(source.config?.value)
    let scratch = ScratchFolder()
    let part = "model.layers.1.mlp.up_proj.qzeros"
    for (number, isMissing) in [true, false].enumerated() {
      let tensors = source.tensors.tensors.compactMap { tensor -> Tensor? in
        guard tensor.name.text == part else { return tensor }
        if isMissing { return nil }
        return Tensor(tensor.name, .i32, [1, 1], bytes: [0, 0, 0, 0])
      }
      let path = scratch.path.appending("\(number).safetensors")
      try CheckpointWriter(destination: path, format: .safetensors)
        .write(tensors: tensors, config: Array(config.text().utf8))
      let faults = try check(path).faults
      #expect(faults.count == 1)
      let named = faults.first?.tensor?.text ?? ""
      #expect(named == part.replacing("qzeros", with: isMissing ? "qweight" : "qzeros"))
    }
  }

  @Test func `scales are not cast beside their codes`() throws {
    let folder = ScratchFolder()
    for dialect in [nil, "huggingface"] {
      let error = #expect(throws: CheckpointError.self) {
        try convert(
          to: folder.path.appending("m.npz"), dialect: dialect, dtype: .bf16, allowsLoss: true)
      }
      #expect(error?.category == .refused && error?.advice == "--dequantize casts plain weights")
    }
    let path = folder.path.appending("out")
    _ = try convert(to: path, isFolder: true, dtype: .bf16, dequantizes: true, allowsLoss: true)
    let report = try compare(Model(source), Model(path), precision: Float.self)
    #expect(report.verdict == .cast(.bf16))
  }

  @Test func `a certificate names the codec, and is held to it`() throws {
    let (a, b) = (try Model(source), try Model(decoded))
    let report = try compare(a, b, precision: Float.self)
    #expect(report.verdict == .identical)
    let certificate = try #require(
      try Certificate(
        report, a, b, probe: Certificate.Probe(inputs: nil), precision: .f32, toolVersion: "x"))
    #expect(certificate.a.codecs == ["fp8-blocks"] && certificate.b.codecs.isEmpty)
    #expect(certificate.text.contains("\"codecs\": ["))
    let read = try Certificate.decode(Array(certificate.text.utf8))
    #expect(read.certificate == certificate)
    #expect(try read.check(a, b).holds)
    // With the models exchanged it is another claim.
    let claims = try read.check(b, a).claims
    #expect(claims.contains { $0.subject == "A codecs" && !$0.holds })
  }
}
