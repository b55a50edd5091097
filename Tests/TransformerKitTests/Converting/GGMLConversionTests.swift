import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// Whisper to whisper.cpp's files and back, against those of whisper.cpp's own converter.
@Suite struct GGMLConversionTests {
  /// A model of Hugging Face's with a tokenizer of 36 words of one byte beside it, as the fixture's converter had it.
  private func source(in scratch: ScratchFolder, words: Bool = true) -> FilePath {
    let folder = scratch.makeFolder("source")
    for name in ["model.safetensors", "config.json"] {
      writeFile(
        readFile(fixture("whisper/ggml/huggingface/\(name)")), to: folder.appending(name))
    }
    guard words else { return folder }
    // Letters stand for themselves among GPT-2's characters, and bytes from 127 on for others.
    let list = (0..<36).map { "\"\(Unicode.Scalar(UInt8(65 + $0)))\": \($0)" }
      .map { $0 == "\"\\\": 27" ? "\"\\\\\": 27" : $0 }
    writeFile(
      Array("{\(list.joined(separator: ", "))}".utf8), to: folder.appending("vocab.json"))
    writeFile(Array("#version: 0.2\n".utf8), to: folder.appending("merges.txt"))
    return folder
  }

  private func convert(
    _ source: FilePath, to destination: FilePath, isFolder: Bool = false, dialect: String,
    dtype: DType? = nil, dequantizes: Bool = false, allowsLoss: Bool = false
  ) throws -> Conversion {
    let target = Conversion.Target(
      destination, isFolder: isFolder, dialect: dialect, dtype: dtype, dequantizes: dequantizes,
      allowsLoss: allowsLoss)
    let conversion = try Conversion(
      Checkpoint.open(source, options: OpenOptions()), to: target)
    try conversion.run()
    return conversion
  }

  private func contents(_ path: FilePath) throws -> [TensorName: (DType, [Int], [UInt8])] {
    var found: [TensorName: (DType, [Int], [UInt8])] = [:]
    for tensor in try Checkpoint.open(path).tensors.tensors {
      found[tensor.name] = (
        tensor.dtype, tensor.shape, try tensor.bytes.read(0..<tensor.bytes.count)
      )
    }
    return found
  }

  @Test func `what is written is what whisper.cpp's converter writes, but for the order`() throws {
    let scratch = ScratchFolder()
    let target = scratch.path.appending("model.ggml")
    _ = try convert(source(in: scratch), to: target, dialect: "whisper-cpp", dtype: .f16)
    let own = fixture("whisper/ggml/model.ggml")
    let (written, expected) = (readFile(target), readFile(own))
    // Sizes, the type, filters, words: bit for bit.
    let head = 4 + 11 * 4 + 8 + 5 * 201 * 4 + 4 + 36 * 5
    #expect(written.count == expected.count)
    #expect(written.prefix(head) == expected.prefix(head))
    let (found, there) = (try contents(target), try contents(own))
    #expect(found.count == there.count)
    for (name, tensor) in there {
      let other = try #require(found[name])
      #expect(other.0 == tensor.0 && other.1 == tensor.1 && other.2 == tensor.2, "\(name)")
    }
  }

  @Test func `in single precision all of it is`() throws {
    let scratch = ScratchFolder()
    let target = scratch.path.appending("model.ggml")
    _ = try convert(source(in: scratch), to: target, dialect: "whisper-cpp")
    #expect(Set(try contents(target).values.map(\.0)) == [.f32])
    #expect(readFile(target)[44] == 0)
    let back = scratch.path.appending("back")
    _ = try convert(target, to: back, isFolder: true, dialect: "huggingface")
    let (found, there) = (
      try contents(back), try contents(scratch.path.appending("source"))
    )
    #expect(found.count == there.count)
    for (name, tensor) in there { #expect(found[name]?.2 == tensor.2, "\(name)") }
  }

  @Test func `from OpenAI's file by way of both and back it is the same model`() throws {
    let scratch = ScratchFolder()
    let folder = source(in: scratch)
    let (usual, ggml) = (scratch.path.appending("usual"), scratch.path.appending("model.ggml"))
    _ = try convert(
      fixture("whisper/openai"), to: usual, isFolder: true, dialect: "huggingface")
    for name in ["vocab.json", "merges.txt"] {
      writeFile(readFile(folder.appending(name)), to: usual.appending(name))
    }
    _ = try convert(usual, to: ggml, dialect: "whisper-cpp")
    let back = scratch.path.appending("back")
    _ = try convert(ggml, to: back, isFolder: true, dialect: "openai")
    let source = try Model(fixture("whisper/openai"))
    #expect(try ModelID(Model(back).graph).digest == ModelID(source.graph).digest)
    #expect(try Model(ggml).check(golden("whisper/openai")).isVerified)
  }

  @Test(arguments: [DType.q80, .q40, .q41, .q50, .q51])
  func `blocks are written with their type and version, and vectors in single precision`(
    _ dtype: DType
  ) throws {
    let scratch = ScratchFolder()
    let plain = scratch.path.appending("plain.ggml")
    _ = try convert(
      fixture("whisper/quantised_ggml"), to: plain, dialect: "whisper-cpp", dtype: .f32,
      dequantizes: true)
    let target = scratch.path.appending("model.ggml")
    _ = try convert(
      plain, to: target, dialect: "whisper-cpp", dtype: dtype, allowsLoss: true)
    let found = try contents(target)
    #expect(found["decoder.token_embedding.weight"]?.0 == dtype)
    #expect(found["encoder.conv1.weight"]?.0 == .f16)
    #expect(found["encoder.conv1.bias"]?.0 == .f32)
    #expect(found["decoder.positional_embedding"]?.0 == .f32)
    #expect(found["decoder.ln.bias"]?.0 == .f32)
    let numbers: [DType: Int] = [.q80: 2007, .q40: 2002, .q41: 2003, .q50: 2008, .q51: 2009]
    let type = readFile(target)[44..<46]
    #expect(type.reversed().reduce(0) { $0 << 8 | Int($1) } == numbers[dtype])
  }

  @Test func `without a tokenizer, and with too many words, nothing is written`() throws {
    let scratch = ScratchFolder()
    let target = scratch.path.appending("model.ggml")
    let folder = source(in: scratch, words: false)
    let missing = #expect(throws: CheckpointError.self) {
      _ = try convert(folder, to: target, dialect: "whisper-cpp", dtype: .f16)
    }
    #expect(missing?.category == .refused)
    #expect(missing?.description.contains("none lies beside the weights") == true)
    let list = (0..<42).map { "\"\(Unicode.Scalar(UInt32(0x100 + $0)) ?? "?")\": \($0)" }
    writeFile(
      Array("{\(list.joined(separator: ", "))}".utf8), to: folder.appending("vocab.json"))
    writeFile(Array("#version: 0.2\n".utf8), to: folder.appending("merges.txt"))
    let many = #expect(throws: CheckpointError.self) {
      _ = try convert(folder, to: target, dialect: "whisper-cpp", dtype: .f16)
    }
    #expect(many?.description.contains("has 42 words, and the model 41 tokens") == true)
    #expect(scratch.names == ["source"])
  }
}
