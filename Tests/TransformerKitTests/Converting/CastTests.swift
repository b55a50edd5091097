import Containers
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// Casting a checkpoint: counted, refused when it loses something, and what the verifier accepts.
@Suite struct CastTests {
  private let scratch = ScratchFolder()

  private func convert(
    _ source: FilePath, _ name: String, _ edit: (inout Conversion.Target) -> Void = { _ in }
  ) throws -> Conversion {
    var target = Conversion.Target(scratch.path.appending(name))
    edit(&target)
    let conversion = try Conversion(Checkpoint.open(source), to: target)
    try conversion.run()
    return conversion
  }

  @Test func `a lossy cast is refused and leaves nothing`() throws {
    let error = #expect(throws: CheckpointError.self) {
      try convert(fixture("bert/base"), "out.safetensors") { $0.dtype = .bf16 }
    }
    #expect(error?.category == .refused)
    #expect(error?.advice?.contains("--allow-lossy") == true)
    #expect(scratch.names == [])
  }

  @Test(arguments: [DType.bf16, .f16])
  func `a cast that was allowed is what the verifier calls one`(_ dtype: DType) throws {
    let conversion = try convert(fixture("bert/base"), "out.npz") {
      ($0.dtype, $0.allowsLoss, $0.isVerified) = (dtype, true, true)
    }
    #expect(conversion.casts.count == 39)
    #expect(conversion.casts.allSatisfy { $0.rounded > 0 && $0.count >= $0.rounded })
    let limit = dtype == .bf16 ? 0x1p-8 : 0x1p-11
    for cast in conversion.casts where cast.becameSubnormal == 0 {
      #expect(cast.largestRelativeError > 0 && cast.largestRelativeError <= limit)
    }
    let (a, b) = (try openModel("bert/base"), try Model(scratch.path.appending("out.npz")))
    #expect(try compare(a, b).verdict == .cast(dtype))
  }

  @Test func `widening loses nothing and needs no leave`() throws {
    let conversion = try convert(fixture("bert/bf16"), "out.safetensors") {
      ($0.dtype, $0.isVerified) = (.f32, true)
    }
    #expect(conversion.casts.allSatisfy { !$0.isLossy && $0.largestRelativeError == 0 })
  }

  @Test(arguments: [DType.bf16, .f16])
  func `a GGUF file has vectors in F32 and is still what the verifier calls a cast`(
    _ dtype: DType
  ) throws {
    _ = try convert(fixture("llama/base"), "bf16.safetensors") {
      ($0.dtype, $0.allowsLoss) = (.bf16, true)
    }
    let conversion = try convert(scratch.path.appending("bf16.safetensors"), "out.gguf") {
      ($0.dialect, $0.dtype, $0.allowsLoss, $0.isVerified) = ("gguf", dtype, true, true)
    }
    #expect(Set(conversion.casts.map(\.to)) == (dtype == .f16 ? [.f16, .f32] : [.f32]))
  }

  @Test func `every element falls into the right class`() throws {
    let cases: [(Float, KeyPath<CastLedger, Int>?)] = [
      (1, nil), (-0.0, nil), (.infinity, nil), (65504, nil), (0x1p-24, nil),
      (1.0001, \.rounded), (65519, \.rounded), (65520, \.overflowed), (-1e38, \.overflowed),
      (1.1 * 0x1p-20, \.becameSubnormal), (0x1p-25, \.becameZero), (1e-30, \.becameZero),
      (.nan, \.nan),
    ]
    for (value, place) in cases {
      let bytes = (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) }
      let tensor = Tensor(name: "x", dtype: .f32, shape: [1], bytes: ByteArray(bytes))
      let path = scratch.path.appending("one.safetensors")
      try CheckpointWriter(destination: path, format: .safetensors, overwrite: true)
        .write(tensors: [tensor])
      let target = Conversion.Target(
        scratch.path.appending("half.npz"), dtype: .f16, allowsLoss: true, overwrite: true)
      let ledger = try #require(Conversion(Checkpoint.open(path), to: target).casts.first)
      let classes = [
        ledger.rounded, ledger.overflowed, ledger.becameSubnormal, ledger.becameZero, ledger.nan,
      ]
      #expect(classes.reduce(0, +) == (place == nil ? 0 : 1), "\(value)")
      if let place { #expect(ledger[keyPath: place] == 1, "\(value)") }
    }
  }

  @Test func `the bytes are those of the nearest half, at any offset`() throws {
    let model = try openModel("bert/base")
    let tensor = try #require(model.checkpoint.tensors["pooler.dense.weight"])
    _ = try convert(fixture("bert/base"), "half.safetensors") {
      ($0.dtype, $0.allowsLoss) = (.f16, true)
    }
    let half = try #require(
      Checkpoint.open(scratch.path.appending("half.safetensors")).tensors[tensor.name])
    let expected = try tensor.bytes.read(0..<tensor.byteCount)
    let bytes = try half.bytes.read(0..<half.byteCount)
    for index in 0..<tensor.elementCount {
      let bits = (0..<4).reduce(UInt32(0)) { $0 | UInt32(expected[4 * index + $1]) << (8 * $1) }
      let code = UInt16(bytes[2 * index]) | UInt16(bytes[2 * index + 1]) << 8
      #expect(code == Float16(Float(bitPattern: bits)).bitPattern)
    }
  }
}

/// The config.json of a cast model: frameworks load weights as it says.
@Suite struct CastConfigTests {
  private let scratch = ScratchFolder()

  private func written(_ config: String, _ dtype: DType) throws -> (String, [ConfigChange]) {
    let folder = scratch.makeFolder("source")
    writeFile(
      readFile(fixture("bert/base/model.safetensors")), to: folder.appending("model.safetensors"))
    writeFile(Array(config.utf8), to: folder.appending("config.json"))
    let target = scratch.path.appending("out.safetensors")
    let conversion = try Conversion(
      Checkpoint.open(folder),
      to: Conversion.Target(target, dtype: dtype, allowsLoss: true, overwrite: true))
    try conversion.run()
    let bytes = readFile(scratch.path.appending("out.safetensors.config.json"))
    return (String(decoding: bytes, as: UTF8.self), conversion.configChanges)
  }

  @Test(
    arguments: [
      (#"{"dtype": "float32"}"#, DType.bf16, #"{"dtype": "bfloat16"}"#, ["dtype"]),
      (#"{"torch_dtype" :"float32"}"#, .f16, #"{"torch_dtype" :"float16"}"#, ["torch_dtype"]),
      (
        #"{"dtype": "float32", "torch_dtype": "bfloat16", "x": 1e-12}"#, .bf16,
        #"{"dtype": "bfloat16", "torch_dtype": "bfloat16", "x": 1e-12}"#, ["dtype"]
      ),
      (
        #"{"text_config": {"dtype":"float16"}, "dtype":"float16"}"#, .f32,
        #"{"text_config": {"dtype":"float32"}, "dtype":"float32"}"#, ["dtype"]
      ),
      (#"{"a": "dtype", "dtype": "auto"}"#, .bf16, #"{"a": "dtype", "dtype": "auto"}"#, []),
      (
        #"{"a": "say \"dtype\": \"float32\"", "dtype2": "float32"}"#, .bf16,
        #"{"a": "say \"dtype\": \"float32\"", "dtype2": "float32"}"#, []
      ),
      ("{}", .bf16, "{}", []),
    ] as [(String, DType, String, [String])])
  func `the type in it follows, and nothing else`(
    _ config: String, _ dtype: DType, _ expected: String, _ keys: [String]
  ) throws {
    let (text, changes) = try written(config, dtype)
    #expect(text == expected && changes.map(\.key) == keys)
  }
}
