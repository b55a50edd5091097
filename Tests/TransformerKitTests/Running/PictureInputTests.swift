import Containers
import Families
import Kernels
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

private func json(_ path: FilePath) throws -> JSONValue {
  try JSONValue(parsing: readFile(path), grammar: .python)
}

/// The cases of Tools/oracle/picture_processors.py.
private let cases =
  (try? json(fixture("pictures/processors.json")).members ?? []) ?? []

/// Pictures from files as numbers, against what transformers makes of them.
@Suite struct PictureInputTests {
  @Test func `there are cases`() {
    #expect(cases.count > 15)
  }

  /// What a processor makes of a picture, `[1, 3, height, width]`.
  private func numbers(_ settings: JSONValue, _ picture: String) throws -> [Double] {
    try #require(inputs(settings, picture).numbers["pixel_values"]?.elements)
  }

  private func inputs(_ settings: JSONValue, _ picture: String) throws -> ModelInputs {
    let isOfLists = PictureProcessor.className(in: settings) == "Siglip2ImageProcessor"
    let model = try Model(fixture(isOfLists ? "siglip/siglip2_vision" : "vit/base"))
    let usual = try #require(
      Family.all.processor(
        named: PictureProcessor.className(in: settings),
        for: type(of: model.graph.architecture).name))
    let found = FoundPictureProcessor(
      processor: try usual.reading(settings), file: "preprocessor_config.json")
    return try model.inputs(pictures: [fixture("pictures/\(picture)")], found)
  }

  /// Lists of patches: which of them are no padding, and how many rows and columns there are.
  @Test(arguments: ["siglip2", "siglip2_turned", "siglip2_pixel"])
  func `masks and grids are transformers'`(_ name: String) throws {
    let one = try #require(cases.first { $0.key == name }).value
    let found = try inputs(#require(one["settings"]), #require(one["picture"]?.string))
    let table = try Checkpoint.open(fixture("pictures/processed.npz")).tensors
    for part in ["pixel_attention_mask", "spatial_shapes"] {
      let tensor = try #require(table[TensorName("\(name).\(part)")])
      let bytes = try tensor.bytes.read(0..<tensor.byteCount)
      let expected = (0..<tensor.elementCount).map { tensor.dtype.element(at: $0, of: bytes).int }
      #expect(found[part]?.elements == expected)
      #expect(found[part]?.shape == [1, expected.count])
    }
  }

  @Test
  func `a model reads no lists of patches that has no place for them, nor pictures as they are`()
    throws
  {
    for (model, settings) in [
      ("vit/base", #"{"image_processor_type": "Siglip2ImageProcessor"}"#),
      ("siglip/siglip2_vision", #"{"image_processor_type": "SiglipImageProcessor"}"#),
    ] {
      let scratch = ScratchFolder()
      let folder = scratch.makeFolder("model")
      for file in ["model.safetensors", "config.json"] {
        writeFile(readFile(fixture("\(model)/\(file)")), to: folder.appending(file))
      }
      writeFile(Array(settings.utf8), to: folder.appending("preprocessor_config.json"))
      let found = try Model(folder)
      let error = #expect(throws: CheckpointError.self) {
        _ = try found.inputs(pictures: [fixture("pictures/one.jpg")], found.pictureProcessor())
      }
      #expect(error?.description.contains("does not read what") == true, "\(error as Any)")
    }
  }

  private func floats(_ tensor: Tensor) throws -> [Float] {
    try #require(tensor.dtype == .f32)
    let bytes = try tensor.bytes.read(0..<tensor.byteCount)
    return stride(from: 0, to: bytes.count, by: 4).map { start in
      Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << (8 * $1) })
    }
  }

  @Test(arguments: cases.map(\.key))
  func `numbers are transformers'`(_ name: String) throws {
    let one = try #require(cases.first { $0.key == name }).value
    let settings = try #require(one["settings"])
    let picture = try #require(one["picture"]?.string)
    let found = try numbers(settings, picture)
    let table = try Checkpoint.open(fixture("pictures/processed.npz")).tensors
    let expected = try floats(#require(table[TensorName(name)]))
    #expect(found.count == expected.count)
    if settings["image_processor_type"] == "DINOv3ViTImageProcessor" {
      // Sums of single precision in another order.
      for (x, y) in zip(found, expected) { #expect(abs(x - Double(y)) < 2e-6) }
    } else {
      #expect(found.map { Float($0) } == expected)
    }
  }

  @Test(arguments: ["ViTFeatureExtractor", "ViTImageProcessorFast", "ViTImageProcessorPil"])
  func `a class is known under the names of all versions`(_ name: String) throws {
    let key = name.hasSuffix("Extractor") ? "feature_extractor_type" : "image_processor_type"
    let settings = JSONValue.object([.init(key, .string(name)), .init("size", 4)])
    #expect(PictureProcessor.className(in: settings) == "ViTImageProcessor")
    #expect(try numbers(settings, "one.jpg").count == 3 * 4 * 4)
    #expect(try numbers(["size": 4], "one.jpg").count == 3 * 4 * 4)
  }

  private func problem(_ settings: JSONValue, _ picture: String) -> String? {
    do {
      _ = try numbers(settings, picture)
      return nil
    } catch {
      return (error as? CheckpointError)?.description
    }
  }

  @Test func `settings that cannot be are named`() {
    let wrong: [(JSONValue, String)] = [
      (["size": 0], "size must be from 1 to 65536 pixels, is 0"),
      (
        ["size": ["height": 8]],
        #"size must be a height and a width, or a shortest_edge, is {"height":8}"#
      ),
      (["size": [1, 2, 3]], "size must be a height and a width, is [1,2,3]"),
      (
        ["crop_size": ["shortest_edge": 3]],
        #"crop_size must be a height and a width, is {"shortest_edge":3}"#
      ),
      (["resample": 6], "resample must be one of Pillow's filters, 0 to 5, is 6"),
      (["image_mean": [1, 2]], "image_mean must be a number or three, is [1,2]"),
      (["image_std": [1, 0, 1]], "image_std must be no zero, is [1,0,1]"),
      (["do_resize": 1], "do_resize must be true or false, is 1"),
      (["rescale_factor": "x"], #"rescale_factor must be a number, is "x""#),
      (["do_pad": true], "do_pad is true: pictures are not padded"),
      (
        ["image_processor_type": "Siglip2ImageProcessor", "max_num_patches": 0],
        "max_num_patches must be from 1 to 65536, is 0"
      ),
      (
        ["image_processor_type": "Siglip2ImageProcessor", "do_resize": false],
        "do_resize is false: patches are whole where it is true"
      ),
    ]
    for (settings, text) in wrong {
      #expect(
        problem(settings, "one.jpg")?.contains(text) == true,
        "\(problem(settings, "one.jpg") ?? "")")
    }
  }

  /// The text that Tools/oracle/llava_read.py has transformers' processor read.
  private func textWithPictures(_ text: String, _ count: Int = 1) throws -> ModelInputs {
    let model = try Model(fixture("llava/read"))
    let token = try #require(model.graph.architecture.pictureToken)
    let pictures = try model.inputs(
      pictures: Array(repeating: fixture("pictures/420.jpg"), count: count),
      try model.pictureProcessor())
    let tokenizer = try FoundTokenizer(fixture("llava/read"))
    return try model.inputs(text, token, pictures: pictures, tokenizer)
  }

  @Test func `a text with a picture becomes what transformers makes of it`() throws {
    let found = try textWithPictures("w3 <image> w5 w2")
    let expected = try ArrayFile(fixture("llava/read/golden.npz")).inputs()
    #expect(found.arrays == expected.arrays)
    #expect(found.numbers == expected.numbers)
  }

  @Test(arguments: [
    ("w3", 1, "has <image> 0 times, and one picture is given"),
    ("<image> w3", 2, "has <image> once, and 2 pictures are given"),
  ])
  func `a text has a token for each picture`(_ text: String, _ count: Int, _ expected: String) {
    let error = #expect(throws: CheckpointError.self) { try textWithPictures(text, count) }
    #expect(error?.description.contains(expected) == true)
  }

  /// A picture of one column that is to be 65 536 pixels wide in proportion.
  @Test func `a picture that would become huge is refused`() {
    #expect(
      problem(["size": ["shortest_edge": 65536]], "column.png")?.contains(
        "is 9 pixels high and 1 wide; preprocessor_config.json makes it 589824 × 65536") == true)
  }

  @Test func `pictures of one run are equally large`() throws {
    let model = try Model(fixture("vit/base"))
    let usual = try #require(Family.all.processor(named: "ViTImageProcessor", for: "vit"))
    let found = FoundPictureProcessor(
      processor: try usual.reading(["do_resize": false]), file: "preprocessor_config.json")
    #expect(throws: CheckpointError.self) {
      try model.inputs(
        pictures: ["444.jpg", "one.jpg"].map { fixture("pictures/\($0)") }, found)
    }
    let both = try model.inputs(
      pictures: ["444.jpg", "420.jpg"].map { fixture("pictures/\($0)") }, found)
    #expect(both.numbers["pixel_values"]?.shape == [2, 3, 17, 23])
  }
}
