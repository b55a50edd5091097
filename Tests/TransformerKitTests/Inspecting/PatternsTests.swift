import Containers
import Pictures
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// Pictures of weights: known numbers give known pixels.
@Suite struct PatternsTests {
  private let scratch = ScratchFolder()

  private func patterns(_ tensors: [Tensor]) throws -> [Patterns.Pattern] {
    let path = scratch.path.appending("model.safetensors")
    try CheckpointWriter(destination: path, format: .safetensors, overwrite: true, sources: [])
      .write(tensors: tensors)
    return try ModelReport(Checkpoint.open(path)).patterns.all
  }

  private func tensor(_ name: String, _ shape: [Int], _ values: [Float]) -> Tensor {
    Tensor(
      name: TensorName(name), dtype: .f32, shape: shape,
      bytes: ByteArray(values.flatMap { littleEndian($0.bitPattern) }))
  }

  /// Red, green and blue of a pixel.
  private func pixel(_ picture: Picture, _ x: Int, _ y: Int) -> [UInt8] {
    let place = 3 * (y * picture.width + x)
    return Array(picture.pixels[place..<place + 3])
  }

  @Test
  func `a filter has red, green and blue of its channels, from its least to its largest number`()
    throws
  {
    // Two filters of 4 × 5: the first has channels of −1, 0 and 3 but for one number, the second is constant.
    var values = [Float](repeating: 0, count: 2 * 3 * 20)
    for place in 0..<20 { (values[place], values[40 + place]) = (-1, 3) }
    values[20 + 7] = 1  // green of row 1, column 2
    for place in 60..<120 { values[place] = 5 }
    let found = try patterns([tensor("conv.weight", [2, 3, 4, 5], values)])
    #expect(found.map(\.kind) == [.filters(shown: 2, count: 2, size: [4, 5], channels: 3)])
    let picture = try Picture(decoding: found[0].png)
    #expect([picture.width, picture.height] == [11, 4])
    #expect([found[0].width, found[0].height] == [11, 4])
    #expect(pixel(picture, 0, 0) == [0, 64, 255])
    #expect(pixel(picture, 2, 1) == [0, 128, 255])
    #expect(pixel(picture, 1, 2) == [0, 64, 255])
    // What is between two filters, and one of equal numbers, is grey.
    #expect(pixel(picture, 5, 0) == [128, 128, 128] && pixel(picture, 6, 3) == [128, 128, 128])
  }

  @Test func `filters of one channel are grey, stand in rows, and numbers that are none are dark`()
    throws
  {
    let count = 19
    var values = [Float](repeating: 0, count: count * 16)
    for filter in 0..<count { values[filter * 16 + 3] = 2 }  // row 0, column 3
    values[18 * 16] = .nan
    let found = try patterns([tensor("stem", [count, 1, 4, 4], values)])
    let picture = try Picture(decoding: found[0].png)
    // Sixteen beside each other, and three below.
    #expect([picture.width, picture.height] == [16 * 5 - 1, 9])
    for x in [3, 8, 78] { #expect(pixel(picture, x, 0) == [255, 255, 255]) }
    #expect(pixel(picture, 13, 5) == [255, 255, 255] && pixel(picture, 10, 5) == [0, 0, 0])
    #expect(pixel(picture, 40, 7) == [128, 128, 128])
  }

  @Test func `in a narrow room fewer filters stand beside each other, and not too many below`()
    throws
  {
    let values = (0..<100 * 64).map { Float($0 % 13) }
    let path = scratch.path.appending("narrow.safetensors")
    try CheckpointWriter(destination: path, format: .safetensors, overwrite: true, sources: [])
      .write(tensors: [tensor("stem", [100, 1, 8, 8], values)])
    func drawn(_ room: Int, _ name: String? = nil) throws -> Patterns.Pattern? {
      try Patterns(of: Checkpoint.open(path), options: OpenOptions(), only: name, room: room).all
        .first
    }
    let narrow = try #require(try drawn(40, "stem"))
    // 4 × 9 - 1 is 35 wide, 10 × 9 - 1 is 89 high.
    #expect([narrow.width, narrow.height] == [35, 89])
    #expect(narrow.kind == .filters(shown: 40, count: 100, size: [8, 8], channels: 1))
    #expect(try drawn(3)?.width == 8)
    #expect(try drawn(1000)?.width == 16 * 9 - 1)
    let error = #expect(throws: CheckpointError.self) { try drawn(40, "other") }
    #expect(error.map { "\($0)".contains("other") } == true)
  }

  @Test func `positions are compared by the cosines of their vectors`() throws {
    let rows: [[Float]] = [[1, 0], [2, 2], [0, 3], [-1, 0], [0, 0]]
    let found = try patterns([tensor("wpe.weight", [5, 2], rows.flatMap(\.self))])
    #expect(found.map(\.kind) == [.positions(count: 5, step: 1)])
    let picture = try Picture(decoding: found[0].png)
    #expect([picture.width, picture.height] == [5, 5])
    let (orange, blue): ([UInt8], [UInt8]) = ([217, 95, 2], [31, 95, 153])
    for place in 0..<4 { #expect(pixel(picture, place, place) == orange) }
    #expect(pixel(picture, 3, 0) == blue && pixel(picture, 0, 3) == blue)
    #expect(pixel(picture, 2, 0) == [255, 255, 255] && pixel(picture, 4, 4) == [255, 255, 255])
    // √½ on the way from white to orange.
    #expect(pixel(picture, 1, 0) == [228, 142, 76])
  }

  @Test func `of many positions every so many are compared`() throws {
    let values = (0..<400 * 2).map { Float($0 % 7) - 3 }
    let found = try patterns([tensor("m.embed_positions.weight", [400, 2], values)])
    #expect(found.map(\.kind) == [.positions(count: 400, step: 3)])
    #expect(found.map(\.width) == [134])
  }

  @Test func `other tensors are no pictures`() throws {
    let numbers = [Float](repeating: 1, count: 2048)
    #expect(
      try patterns([
        tensor("a", [8, 16, 4, 4], numbers), tensor("b", [2, 1, 2, 2], Array(numbers.prefix(8))),
        tensor("c", [1, 1, 1, 128], Array(numbers.prefix(128))),
        tensor("word.weight", [16, 4], Array(numbers.prefix(64))),
        tensor("wpe.weight", [3, 4], Array(numbers.prefix(12))),
      ]).isEmpty)
  }

  @Test func `bands of a sound are those of its feature extractor`() throws {
    let folder = scratch.makeFolder("sound")
    for file in ["config.json", "model.safetensors"] {
      writeFile(readFile(fixture("whisper/base/\(file)")), to: folder.appending(file))
    }
    let settings = #"{"feature_size": 5, "n_fft": 64, "sampling_rate": 16000}"#
    writeFile(Array(settings.utf8), to: folder.appending("preprocessor_config.json"))
    let found = try ModelReport(Checkpoint.open(folder)).patterns.all
    let bands = try #require(found.last)
    #expect(bands.kind == .bands(count: 5, hertz: 8000) && bands.name == "preprocessor_config.json")
    let picture = try Picture(decoding: bands.png)
    #expect([picture.width, picture.height] == [33, 5])
    // 0 Hz is in no band, and the lowest one, which is the narrowest, at the bottom has the largest number.
    let (white, blue): ([UInt8], [UInt8]) = ([255, 255, 255], [31, 95, 153])
    let rows = (0..<5).map { row in (0..<33).map { column in pixel(picture, column, row) } }
    #expect(rows.allSatisfy { $0[0] == white })
    #expect(rows[4].contains(blue))
    let widths = rows.map { row in row.count { $0 != white } }
    #expect(widths[0] > widths[4])
  }

  @Test func `bands of another scale begin above 0 Hz, and each has a number of nearly 1`() throws {
    let folder = scratch.makeFolder("rows")
    for file in ["config.json", "model.safetensors"] {
      writeFile(readFile(fixture("wav2vec2/bert_ctc/\(file)")), to: folder.appending(file))
    }
    let settings = #"{"feature_extractor_type": "SeamlessM4TFeatureExtractor", "num_mel_bins": 3}"#
    writeFile(Array(settings.utf8), to: folder.appending("preprocessor_config.json"))
    let bands = try #require(ModelReport(Checkpoint.open(folder)).patterns.all.last)
    #expect(bands.kind == .bands(count: 3, hertz: 8000))
    let picture = try Picture(decoding: bands.png)
    #expect([picture.width, picture.height] == [257, 3])
    #expect((0..<3).allSatisfy { pixel(picture, 0, $0) == [255, 255, 255] })
    // Each rises to the same height, and none has an area of one.
    for band in 0..<3 {
      #expect((0..<257).contains { pixel(picture, $0, band)[0] < 40 }, "\(band)")
    }
  }
}
