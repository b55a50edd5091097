internal import Containers
public import Kernels
public import Models
internal import Pictures
public import SystemPackage
public import TensorCore
internal import Tokenizers

/// What reads pictures for a model, and the file that says so.
public struct FoundPictureProcessor: Sendable {
  /// What it does.
  public let processor: PictureProcessor
  /// The file, as it is printed.
  public let file: String

  package init(processor: PictureProcessor, file: String) {
    self.processor = processor
    self.file = file
  }

  /// Numbers that `pixel_values` are made of: `[3, height, width]`.
  ///
  /// What transformers computes with Pillow and numpy, bit for bit, where the processor resizes whole numbers of 8 bits.
  func numbers(_ picture: Picture) throws(CheckpointError) -> NDArray<Double> {
    if processor.rescalesFirst { return try floatNumbers(picture) }
    var picture = picture
    if let size = try size(of: picture) {
      picture = picture.resized(width: size.width, height: size.height, by: try filter)
    }
    if let crop = processor.crop { picture = picture.cropped(width: crop[1], height: crop[0]) }
    let tables = (0..<3).map { color in (0...255).map { number($0, color) } }
    return planes(height: picture.height, width: picture.width) { pixel, color in
      tables[color][Int(picture.pixels[3 * pixel + color])]
    }
  }

  /// A pixel in single precision, multiplied in double precision before, as numpy does it.
  private func number(_ value: Int, _ color: Int) -> Double {
    let scaled = Float(processor.factor.map { Double(value) * $0 } ?? Double(value))
    return Double(normalized(scaled, color))
  }

  private func normalized(_ value: Float, _ color: Int) -> Float {
    guard let normalization = processor.normalization else { return value }
    return (value - Float(normalization.mean[color])) / Float(normalization.deviation[color])
  }

  /// Numbers that are multiplied before they are resized: single precision there, of which the sums' order is not followed.
  private func floatNumbers(_ picture: Picture) throws(CheckpointError) -> NDArray<Double> {
    let values = picture.pixels.map { value in
      processor.factor.map { Double(Float(value) * Float($0)) } ?? Double(value)
    }
    guard processor.crop == nil else {
      throw CheckpointError(.unsupported("\(processor.name) with do_center_crop is not supported"))
    }
    guard let size = try size(of: picture) else {
      return planes(height: picture.height, width: picture.width) { pixel, color in
        Double(normalized(Float(values[3 * pixel + color]), color))
      }
    }
    let resized = resizedNumbers(
      values, height: picture.height, width: picture.width, channels: 3, toHeight: size.height,
      width: size.width, by: try filter)
    return planes(height: size.height, width: size.width) { pixel, color in
      Double(normalized(Float(resized[3 * pixel + color]), color))
    }
  }

  private func planes(
    height: Int, width: Int, _ number: (Int, Int) -> Double
  ) -> NDArray<Double> {
    var elements: [Double] = []
    elements.reserveCapacity(3 * height * width)
    for color in 0..<3 {
      for pixel in 0..<height * width { elements.append(number(pixel, color)) }
    }
    return NDArray(shape: [3, height, width], elements: elements)
  }

  /// The size that a picture is given, which is as large as a picture may be.
  private func size(of picture: Picture) throws(CheckpointError) -> (height: Int, width: Int)? {
    guard let size = processor.size else { return nil }
    let extents = size.extents(height: picture.height, width: picture.width)
    do throws(CheckpointError) {
      try Picture.require(width: extents.width, height: extents.height)
    } catch {
      throw CheckpointError(
        .refused(
          "is \(picture.height) pixels high and \(picture.width) wide; \(file) makes it"
            + " \(extents.height) × \(extents.width)"))
    }
    return extents
  }

  private var filter: Resampling {
    get throws(CheckpointError) {
      guard let filter = Resampling(rawValue: processor.resampling) else {
        throw CheckpointError(.unsupported("resample \(processor.resampling)"), file: file)
      }
      return filter
    }
  }
}

extension Model {
  /// What the files beside the weights say of pictures: `image_processor` of processor_config.json, else
  /// preprocessor_config.json, which is also transformers' order.
  ///
  /// - Throws: `CheckpointError` that names the file: missing if there is none, unsupported if it names a class that is not
  ///   known.
  public func pictureProcessor() throws(CheckpointError) -> FoundPictureProcessor {
    let (name, settings) = try pictureSettings()
    do throws(CheckpointError) {
      let className = PictureProcessor.className(in: settings)
      let architecture = type(of: graph.architecture).name
      guard let usual = graph.families.processor(named: className, for: architecture) else {
        let known = graph.families.flatMap(\.processors).map(\.name).sorted()
        throw CheckpointError(
          .unsupported(
            (className.map { "the image processor \(escaped($0))" } ?? "names no image processor,"
              + " and the usual one of the architecture") + " is not known"),
          advice: "known are \(known.joined(separator: ", "))")
      }
      return FoundPictureProcessor(processor: try usual.reading(settings), file: name)
    } catch {
      throw error.inFile(name)
    }
  }

  private func pictureSettings() throws(CheckpointError) -> (file: String, settings: JSONValue) {
    let (joint, own) = ("processor_config.json", "preprocessor_config.json")
    if let settings = try checkpoint.companionJSON(joint)?["image_processor"] {
      return (checkpoint.companionName(joint), settings)
    }
    if let settings = try checkpoint.companionJSON(own) {
      return (checkpoint.companionName(own), settings)
    }
    throw CheckpointError(
      .missing("no \(own) lies beside the weights: it says how a picture is read"),
      file: displayed(checkpoint.path),
      advice: "put the model's own there, or pass pixel_values with --inputs")
  }

  /// Pictures as an input of the model.
  ///
  /// - Parameter files: JPEG, PNG or WebP; after its processor, all are equally large.
  /// - Throws: `CheckpointError` that names the picture, or the processor's file.
  public func inputs(
    pictures files: [FilePath], _ found: FoundPictureProcessor
  ) throws(CheckpointError) -> ModelInputs {
    guard graph.inputs.contains(where: { $0.name == Self.pixels }) else {
      throw CheckpointError(
        .unsupported("the class \(graph.architecture.head) reads no pictures"),
        file: displayed(checkpoint.path))
    }
    var shape: [Int] = []
    var elements: [Double] = []
    let list = found.processor.size?.list
    guard (list != nil) == graph.inputs.contains(where: { $0.name == Self.grids }) else {
      throw CheckpointError(
        .unsupported(
          "the class \(graph.architecture.head) does not read what \(found.processor.name) makes"),
        file: found.file)
    }
    // Sizes and counts are of 16 bits each.
    if let list, list.size * list.size * list.most > Picture.mostPixels {
      throw CheckpointError(
        .limitExceeded(
          "the number of pixels in all patches", limit: Picture.mostPixels,
          found: list.size * list.size * list.most), file: found.file)
    }
    var (masks, grids): ([Int], [Int]) = ([], [])
    for file in files {
      do throws(CheckpointError) {
        let bytes = try SmallFile.read(file, limit: Picture.largestFile)
        var numbers = try found.numbers(Picture(decoding: bytes))
        if let list {
          let grid = numbers.shape.dropFirst().map { $0 / list.size }
          let own = grid[0] * grid[1]
          guard own <= list.most else {
            throw CheckpointError(
              .refused("becomes \(own) patches; at most \(list.most) are listed"))
          }
          grids += grid
          masks += (0..<list.most).map { $0 < own ? 1 : 0 }
          numbers = numbers.listed(list.size, most: list.most)
        }
        guard shape.isEmpty || shape == numbers.shape else {
          throw CheckpointError(
            .refused(
              "becomes \(describe(shape: numbers.shape)), and the picture before it"
                + " \(describe(shape: shape)): pictures of one run are equally large"))
        }
        shape = numbers.shape
        elements += numbers.elements
      } catch {
        throw error.inFile(displayed(file))
      }
    }
    var inputs = ModelInputs(
      [:], numbers: [Self.pixels: NDArray(shape: [files.count] + shape, elements: elements)])
    if let list {
      inputs["pixel_attention_mask"] = NDArray(shape: [files.count, list.most], elements: masks)
      inputs[Self.grids] = NDArray(shape: [files.count, 2], elements: grids)
    }
    return inputs
  }

  private static let pixels = "pixel_values"
  /// Rows and columns of pictures that are lists of patches.
  private static let grids = "spatial_shapes"

  /// Texts that are compared with pictures, equally long: as long as the model wants them, or as the longest.
  ///
  /// - Throws: `CheckpointError`: refused if one is shorter, and no token is there to fill it up.
  public func inputs(
    texts: [String], _ found: FoundTokenizer
  ) throws(CheckpointError) -> ModelInputs {
    try requireTexts()
    let length = graph.architecture.matching?.textLength
    // Where padding stands for a text, it was seen in training, too: there is no mask.
    return try inputs(
      batch: texts.map { ($0, nil) }, length: length ?? 0,
      without: length == nil ? [] : ["attention_mask"], found)
  }

  /// A text with pictures in it: each token that stands for one, as often as the model reads vectors of a picture.
  ///
  /// What transformers' processors write into the text, and its tokenizers read as tokens then, is here put in place of the
  /// token that is read.
  ///
  /// - Parameters:
  ///   - token: of the model.
  ///   - pictures: of which as many are given.
  /// - Throws: `CheckpointError`: refused if the text has the token more often, or less.
  public func inputs(
    _ text: String, _ token: PictureToken, pictures: ModelInputs, _ found: FoundTokenizer
  ) throws(CheckpointError) -> ModelInputs {
    let read = try inputs(text, found)
    guard let ids = read["input_ids"]?.elements else { return read }
    let given = pictures.numbers[Self.pixels]?.shape.first ?? 0
    let places = ids.count { $0 == token.id }
    guard places == given else {
      let word = found.tokenizer.word(token.id).map { escaped($0) } ?? "token \(token.id)"
      throw CheckpointError(
        .refused(
          "the text has \(word) \(places == 1 ? "once" : "\(places) times"), and"
            + " \(given == 1 ? "one picture is" : "\(given) pictures are") given"),
        advice: "write \(word) into the text where each picture stands")
    }
    var inputs = pictures
    for (name, array) in read.arrays {
      let elements = zip(ids, array.elements).flatMap { id, element in
        Array(repeating: element, count: id == token.id ? token.count : 1)
      }
      inputs[name] = NDArray(shape: [1, elements.count], elements: elements)
    }
    return inputs
  }

  /// Fails if the model compares no texts with pictures.
  public func requireTexts() throws(CheckpointError) {
    guard graph.architecture.matching == nil else { return }
    throw CheckpointError(
      .unsupported("the class \(graph.architecture.head) compares no texts with pictures"),
      file: displayed(checkpoint.path))
  }
}

extension Model {
  /// What the model finds likeliest in pictures: labels, or one of the texts that they were compared with.
  ///
  /// - Parameters:
  ///   - texts: those that were given.
  ///   - count: how many choices are given for each picture.
  /// - Returns: one for each picture; nothing if the model says nothing of labels or texts.
  public func likeliest<Scalar: ComputeScalar>(
    _ outputs: [NamedArray<Scalar>], pictures: [String], texts: [String], count: Int
  ) -> [Likeliest] {
    let name = texts.isEmpty ? "logits" : "logits_per_image"
    guard let scores = outputs.first(where: { $0.name == name })?.array, scores.shape.count == 2,
      scores.shape[0] == pictures.count
    else { return [] }
    let labels = graph.config["id2label"]
    let isOfEach = graph.architecture.matching?.isOfEach ?? false
    return pictures.indices.map { picture in
      Likeliest(
        output: name, place: nil, picture: pictures[picture],
        choices: choices(scores.row(picture), count, isOfEach: isOfEach && !texts.isEmpty) { id in
          texts.isEmpty ? labels?["\(id)"]?.string ?? "\(id)" : texts[id]
        })
    }
  }
}

extension NDArray<Double> {
  /// `[colors, height, width]` as patches row by row, each of its numbers row by row and pixel by pixel, and zeros behind them:
  /// `[most, size · size · colors]`.
  fileprivate func listed(_ size: Int, most: Int) -> NDArray<Double> {
    let (colors, height, width) = (shape[0], shape[1], shape[2])
    let length = size * size * colors
    var found: [Double] = []
    found.reserveCapacity(most * length)
    for top in stride(from: 0, to: height, by: size) {
      for left in stride(from: 0, to: width, by: size) {
        for row in top..<top + size {
          for place in row * width + left..<row * width + left + size {
            for color in 0..<colors { found.append(elements[color * height * width + place]) }
          }
        }
      }
    }
    found += Array(repeating: 0, count: most * length - found.count)
    return NDArray(shape: [most, length], elements: found)
  }
}
