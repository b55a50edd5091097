import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// Files of whisper.cpp's own converter.
private let files = ["ggml", "quantised_ggml"].map { fixture("whisper/\($0)/model.ggml") }

private let file = readFile(fixture("whisper/ggml/model.ggml"))

/// Where the filters of the first file end, and the words begin: behind eleven sizes and two extents of 5 × 201 numbers.
private let words = 4 + 11 * 4 + 8 + 5 * 201 * 4

/// The error that a file with other bytes at a place ends in.
private func error(replacing bytes: [UInt8], at place: Int) -> CheckpointError? {
  var changed = file
  changed.replaceSubrange(place..<place + bytes.count, with: bytes)
  return error(of: changed)
}

/// The error that a file of these bytes ends in.
private func error(of bytes: [UInt8], as format: ContainerFormat? = .ggml) -> CheckpointError? {
  let scratch = ScratchFolder()
  let path = scratch.write(bytes, to: "x.ggml")
  return withExtendedLifetime(scratch) { error(reading: path, as: format) }
}

private let minusOne: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF]
private let huge: [UInt8] = [0xFF, 0xFF, 0xFF, 0x7F]

/// whisper.cpp's files: what is read, what is refused, and that it is written again.
@Suite struct GGMLTests {
  @Test(arguments: files) func `what is read is written as the same bytes`(
    _ path: FilePath
  ) throws {
    let source = try Checkpoint.open(path)
    #expect(source.format == .ggml)
    let scratch = ScratchFolder()
    let target = scratch.path.appending("again.ggml")
    try CheckpointWriter(destination: target, format: .ggml, belongings: source.belongings)
      .write(tensors: source.tensors.tensors)
    #expect(readFile(target) == readFile(path))
  }

  @Test func `sizes, filters and words are known`() throws {
    let source = try Checkpoint.open(fixture("whisper/ggml/model.ggml"))
    let sizes = source.config?.value
    #expect(sizes?["n_vocab"]?.int == 41)
    #expect(sizes?["n_mels"]?.int == 5)
    #expect(source.others.map(\.name) == ["filters", "words"])
    #expect(source.belongings.ggml?.wordList == (0..<36).map { [UInt8(65 + $0)] })
    #expect(source.tensors.tensors.count == 11 + 15 + 24)
    let bias = try #require(source.tensors["encoder.conv1.bias"])
    #expect(bias.shape == [12, 1])
  }

  @Test(arguments: files) func `a file that is cut off anywhere is refused`(_ path: FilePath) {
    let bytes = readFile(path)
    let scratch = ScratchFolder()
    for count in bytes.indices where count % 7 == 0 || count < 64 || count > bytes.count - 300 {
      let cut = scratch.write(Array(bytes[..<count]), to: "cut.ggml")
      #expect(error(reading: cut, as: .ggml) != nil, "\(count)")
    }
  }

  @Test(arguments: files) func `flipped bits and replaced stretches do no harm`(
    _ path: FilePath
  ) {
    let bytes = readFile(path)
    let scratch = ScratchFolder()
    var random = SeededGenerator(seed: 5)
    for round in 0..<1500 {
      var damaged = bytes
      // Half of it where the sizes are.
      let places = round % 4 < 2 ? 56 : bytes.count
      if round.isMultiple(of: 2) {
        let bit = Int.random(in: 0..<8 * places, using: &random)
        damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      } else {
        let start = Int.random(in: 0..<places, using: &random)
        let fill: UInt8 = [0, 0xFF, 0x7F, 1].randomElement(using: &random) ?? 0
        for index in start..<min(bytes.count, start + Int.random(in: 1...9, using: &random)) {
          damaged[index] = fill
        }
      }
      let found = error(reading: scratch.write(damaged, to: "damaged.ggml"), as: .ggml)
      #expect(found?.description.contains("\n") != true)
    }
  }

  @Test func `sizes below zero and beyond the file are refused`() {
    #expect(
      error(replacing: minusOne, at: 4)?.description.contains("n_vocab is below zero") == true)
    // As many bands in both places: their filters end behind the file.
    var changed = file
    changed.replaceSubrange(40..<44, with: [0, 0, 1, 0])
    changed.replaceSubrange(48..<52, with: [0, 0, 1, 0])
    let bands = error(of: changed)
    #expect(bands?.description.contains("filters, and not") == true, "\(bands as Any)")
    changed.replaceSubrange(40..<44, with: [0, 16, 0, 0])
    changed.replaceSubrange(48..<52, with: [0, 16, 0, 0])
    let cut = error(of: changed)
    #expect(cut?.description.contains("truncated") == true, "\(cut as Any)")
  }

  @Test func `filters of another number than the bands are refused`() {
    #expect(
      error(replacing: [6], at: 48)?.description
        .contains("at byte 48: 6 × 201 filters, and not 5 × 201") == true)
    #expect(error(replacing: [202], at: 52)?.description.contains("5 × 202 filters") == true)
  }

  @Test func `words without end, below zero and longer than the file are refused`() {
    #expect(
      error(replacing: huge, at: words)?.description.contains("the number of words is 2147483647")
        == true)
    #expect(
      error(replacing: minusOne, at: words)?.description.contains("is below zero") == true)
    #expect(
      error(replacing: huge, at: words + 4)?.description
        .contains("the length of a word is 2147483647") == true)
    #expect(
      error(replacing: [0xFF, 0xFF, 0, 0], at: words + 4)?.description.contains("truncated") == true
    )
  }

  /// Where the first tensor begins.
  private var tensor: Int { words + 4 + 36 * 5 }

  @Test func `a tensor of too many extents, of an unknown type or beyond the end is refused`() {
    #expect(
      error(replacing: [5], at: tensor)?.description.contains("the number of extents is 5") == true)
    #expect(error(replacing: [200], at: tensor + 8)?.category == .unsupported)
    #expect(
      error(replacing: huge, at: tensor + 4)?.description.contains("the length of a name is")
        == true)
    #expect(
      error(replacing: minusOne, at: tensor + 12)?.description.contains("an extent is below zero")
        == true)
    #expect(error(replacing: huge, at: tensor + 12)?.description.contains("truncated") == true)
    #expect(
      error(replacing: huge + huge, at: tensor + 12)?.description
        .contains("no whole number of bytes") == true)
    // Blocks of 32 in rows of 12.
    #expect(
      error(replacing: [8], at: tensor + 8)?.description.contains("no whole number of bytes")
        == true)
  }

  @Test func `a name that is not UTF-8, or there twice, is refused`() {
    #expect(
      error(replacing: [0xFF], at: tensor + 20)?.description.contains("is not UTF-8") == true)
    let name = Array("encoder.conv1.bias".utf8)
    let other = Array("encoder.conv2.bias".utf8)
    guard let place = file.indices.first(where: { file[$0...].starts(with: other) }) else { return }
    #expect(error(replacing: name, at: place)?.problem == .duplicate)
  }

  @Test func `fewer tensors than the sizes say are refused`() {
    #expect(
      error(replacing: [2], at: 4 + 4 * 4)?.description
        .contains("has 50 tensors, and by its sizes 65") == true)
  }

  @Test func `files of other programs behind the same number are known and not read`() {
    var changed = file
    changed[52] = 80
    let found = error(of: changed, as: nil)
    #expect(found?.category == .unsupported)
    #expect(found?.description.contains("is a GGML file, which is not read") == true)
  }

  // MARK: Writing

  private func refusal(_ change: (inout [Tensor]) -> Void, head: Bool = true) throws
    -> CheckpointError?
  {
    let source = try Checkpoint.open(fixture("whisper/ggml/model.ggml"))
    var tensors = source.tensors.tensors
    change(&tensors)
    let scratch = ScratchFolder()
    defer { withExtendedLifetime(scratch) {} }
    do {
      _ = try CheckpointWriter(
        destination: scratch.path.appending("x.ggml"), format: .ggml,
        belongings: head ? source.belongings : Belongings()
      ).plan(tensors: tensors)
      return nil
    } catch {
      return error
    }
  }

  private func retyped(_ tensor: Tensor, _ dtype: DType) -> Tensor {
    Tensor(
      name: tensor.name, dtype: dtype, shape: tensor.shape,
      bytes: ByteArray([UInt8](repeating: 0, count: dtype.byteCount(shape: tensor.shape) ?? 0)))
  }

  @Test func `what whisper.cpp would not read is not written`() throws {
    #expect(try refusal { _ in } == nil)
    #expect(try refusal({ _ in }, head: false)?.category == .refused)
    #expect(
      try refusal { $0.removeLast() }?.description.contains("49 tensors, and by the sizes 50")
        == true)
    func change(_ name: TensorName, to dtype: DType) throws -> String {
      let error = try refusal { tensors in
        tensors = tensors.map { $0.name == name ? retyped($0, dtype) : $0 }
      }
      return error?.description ?? ""
    }
    #expect(
      try change("decoder.token_embedding.weight", to: .f32)
        .contains("matrices of one type, and not of F16 and F32"))
    #expect(try change("encoder.conv1.weight", to: .f32).contains("has it in F16"))
    #expect(try change("encoder.conv1.bias", to: .f16).contains("has it in F32"))
    #expect(try change("encoder.positional_embedding", to: .f16).contains("has it in F32"))
    #expect(try change("encoder.ln_post.weight", to: .f16).contains("has it in F32"))
    let all = try refusal { tensors in
      tensors = tensors.map { $0.dtype == .f16 ? retyped($0, .bf16) : $0 }
    }
    #expect(all?.description.contains("whisper.cpp has no files of BF16") == true)
  }
}
