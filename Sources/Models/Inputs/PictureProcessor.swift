public import TensorCore

/// What one of Hugging Face's image processors does to a picture before a model reads it: a class with its defaults, of
/// which a `preprocessor_config.json` changes some.
public struct PictureProcessor: Sendable, Equatable {
  /// The name of the class, without `Fast`.
  public let name: String
  /// The size that a picture is given first; `nil` if it keeps its own.
  public var size: PictureSize?
  /// The height and width of what is then cut out of its middle; `nil` if all of it stays.
  public var crop: [Int]?
  /// How it is resized, by Pillow's number.
  public var resampling: Int
  /// What each pixel is multiplied by; `nil` if it keeps its value.
  public var factor: Double? = 1 / 255
  /// What is subtracted from red, green and blue then, and by what they are divided; `nil` if they stay as they are.
  public var normalization: Normalization?
  /// Whether pixels are multiplied before the picture is resized, and so are no whole numbers of 8 bits there.
  public var rescalesFirst = false
  /// Whether a single number is the height and width, and not that of the shorter edge.
  private let isSquare: Bool
  /// What holds where it is asked for, and not said.
  private let usual: (size: PictureSize, crop: [Int], normalization: Normalization)

  /// `(pixel - mean) / deviation`, for each of three colours.
  public struct Normalization: Sendable, Equatable {
    public var mean: [Double]
    public var deviation: [Double]

    package init(mean: [Double], deviation: [Double]) {
      self.mean = mean
      self.deviation = deviation
    }

    /// To from -1 to 1.
    package static let half = Normalization(
      mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5])
    /// Of the pictures of ImageNet.
    package static let imageNet = Normalization(
      mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225])
    /// Of the pictures that texts and pictures were first compared with (arXiv 2103.00020).
    package static let pairs = Normalization(
      mean: [0.48145466, 0.4578275, 0.40821073], deviation: [0.26862954, 0.26130258, 0.27577711])
  }

  /// A class with its defaults.
  ///
  /// - Parameters:
  ///   - crop: `nil` if the class cuts nothing out; a file that says so all the same gets 224 × 224.
  ///   - isSquare: `nil` if as `size` is.
  package init(
    _ name: String, size: PictureSize, crop: [Int]? = nil, resampling: Int,
    _ normalization: Normalization, isSquare: Bool? = nil, rescalesFirst: Bool = false
  ) {
    self.name = name
    (self.size, self.crop) = (size, crop)
    self.resampling = resampling
    self.normalization = normalization
    self.rescalesFirst = rescalesFirst
    if let isSquare {
      self.isSquare = isSquare
    } else if case .exact = size {
      self.isSquare = true
    } else {
      self.isSquare = false
    }
    usual = (size, crop ?? [224, 224], normalization)
  }

  public static func == (one: PictureProcessor, other: PictureProcessor) -> Bool {
    one.name == other.name && one.size == other.size && one.crop == other.crop
      && one.resampling == other.resampling && one.factor == other.factor
      && one.normalization == other.normalization && one.rescalesFirst == other.rescalesFirst
  }
}

/// How large a picture becomes.
public enum PictureSize: Sendable, Equatable {
  /// That high and wide.
  case exact(height: Int, width: Int)
  /// The shorter edge as long as that, and the other one in proportion, but no longer than `longest`.
  case shorterEdge(Int, longest: Int?)
  /// As large as fits into that in proportion.
  case within(height: Int, width: Int)
  /// In proportion, nearly, as many square patches of that size as there may be, whole ones in both directions.
  case patches(Int, most: Int)

  /// The height and width of a picture that is so high and wide now, as transformers computes them.
  public func extents(height: Int, width: Int) -> (height: Int, width: Int) {
    func scaled(_ size: Double, _ long: Int, _ short: Int) -> Int {
      let length = size * Double(long) / Double(short)
      return length < 1e9 ? Int(length) : .max
    }
    switch self {
    case .exact(let rows, let columns): return (rows, columns)
    case .shorterEdge(let size, nil):
      let other = scaled(Double(size), max(height, width), min(height, width))
      return width <= height ? (other, size) : (size, other)
    case .shorterEdge(let size, let longest?):
      let (short, long) = (Double(min(height, width)), Double(max(height, width)))
      var (size, exact) = (size, Double(size))
      if long / short * exact > Double(longest) {
        exact = Double(longest) * short / long
        size = Int(exact.rounded(.toNearestOrEven))
      }
      if min(height, width) == size { return (height, width) }
      return width < height
        ? (scaled(exact, height, width), size) : (size, scaled(exact, width, height))
    case .within(let rows, let columns):
      let factor = min(Double(rows) / Double(height), Double(columns) / Double(width))
      return (Int(Double(height) * factor), Int(Double(width) * factor))
    case .patches(let size, let most):
      func scaled(_ scale: Double, _ length: Int) -> Int {
        max(size, Int((Double(length) * scale / Double(size)).rounded(.up)) * size)
      }
      // By halves, up to a difference that transformers takes, too.
      let least = 1e-5
      var (low, high) = (least / 10, 100.0)
      while high - low >= least {
        let scale = (low + high) / 2
        let (rows, columns) = (scaled(scale, height) / size, scaled(scale, width) / size)
        let (count, overflow) = rows.multipliedReportingOverflow(by: columns)
        if !overflow && count <= most { low = scale } else { high = scale }
      }
      return (scaled(low, height), scaled(low, width))
    }
  }

  /// The size of patches and how many are listed, where pictures are lists of them.
  public var list: (size: Int, most: Int)? {
    if case .patches(let size, let most) = self { (size, most) } else { nil }
  }
}

extension PictureProcessor {
  /// The name of the class that a file says, without what tells versions and implementations of it apart; `nil` if it
  /// says none.
  public static func className(in settings: JSONValue) -> String? {
    guard
      var name = (settings["image_processor_type"] ?? settings["feature_extractor_type"])?.string
    else { return nil }
    for ending in ["Fast", "Pil"] where name.hasSuffix(ending) { name.removeLast(ending.count) }
    let former = "FeatureExtractor"
    return name.hasSuffix(former) ? name.dropLast(former.count) + "ImageProcessor" : name
  }

  /// The same class with what a file says. What is null there is as in the class.
  ///
  /// - Throws: `CheckpointError`: malformed if a value cannot be, unsupported if it asks for what is not done here.
  public func reading(_ settings: JSONValue) throws(CheckpointError) -> PictureProcessor {
    var processor = self
    if let list = usual.size.list { return try reading(settings, list) }
    let square = try Self.flag("default_to_square", settings) ?? isSquare
    let size = try Self.size("size", settings, isSquare: square) ?? usual.size
    let resizes = try Self.flag("do_resize", settings) ?? (self.size != nil)
    processor.size = resizes ? size : nil
    let crops = try Self.flag("do_center_crop", settings) ?? (crop != nil)
    var crop = usual.crop
    if let given = try Self.size("crop_size", settings, isSquare: true) {
      guard case .exact(let height, let width) = given else {
        throw Self.fault("crop_size", settings, "a height and a width")
      }
      crop = [height, width]
    }
    processor.crop = crops ? crop : nil
    try processor.readColors(settings)
    if try Self.flag("do_pad", settings) == true {
      throw CheckpointError(.unsupported("do_pad is true: pictures are not padded"))
    }
    return processor
  }

  /// The same of a class that lists patches: the size of them, and how many there may be.
  private func reading(
    _ settings: JSONValue, _ list: (size: Int, most: Int)
  ) throws(CheckpointError) -> PictureProcessor {
    func count(_ key: String, _ usual: Int) throws(CheckpointError) -> Int {
      guard let value = settings[key], value != .null else { return usual }
      guard let count = value.int, (1...65536).contains(count) else {
        throw Self.fault(key, settings, "from 1 to 65536")
      }
      return count
    }
    var processor = self
    processor.size = .patches(
      try count("patch_size", list.size), most: try count("max_num_patches", list.most))
    if try Self.flag("do_resize", settings) == false {
      throw CheckpointError(.unsupported("do_resize is false: patches are whole where it is true"))
    }
    try processor.readColors(settings)
    return processor
  }

  /// How pixels become numbers.
  private mutating func readColors(_ settings: JSONValue) throws(CheckpointError) {
    if let number = settings["resample"], number != .null {
      guard let number = number.int, (0...5).contains(number) else {
        throw Self.fault("resample", settings, "one of Pillow's filters, 0 to 5")
      }
      resampling = number
    }
    if try Self.flag("do_rescale", settings) == false {
      factor = nil
    } else if let value = settings["rescale_factor"], value != .null {
      guard let number = value.double, number.isFinite else {
        throw Self.fault("rescale_factor", settings, "a number")
      }
      factor = number
    }
    var normal = usual.normalization
    if let mean = try Self.colors("image_mean", settings) { normal.mean = mean }
    if let deviation = try Self.colors("image_std", settings) {
      guard !deviation.contains(0) else { throw Self.fault("image_std", settings, "no zero") }
      normal.deviation = deviation
    }
    let normalizes = try Self.flag("do_normalize", settings) ?? (normalization != nil)
    normalization = normalizes ? normal : nil
  }

  private static func fault(
    _ key: String, _ settings: JSONValue, _ rule: String
  ) -> CheckpointError {
    CheckpointError(
      .malformed("\(key) must be \(rule), is \((settings[key] ?? .null).text())"))
  }

  private static func flag(
    _ key: String, _ settings: JSONValue
  ) throws(CheckpointError) -> Bool? {
    guard let value = settings[key], value != .null else { return nil }
    guard let flag = value.bool else { throw fault(key, settings, "true or false") }
    return flag
  }

  /// A number for each colour; one number is that of all three.
  private static func colors(
    _ key: String, _ settings: JSONValue
  ) throws(CheckpointError) -> [Double]? {
    guard let value = settings[key], value != .null else { return nil }
    let numbers =
      value.elements.map { $0.compactMap(\.double) } ?? value.double.map { [$0, $0, $0] } ?? []
    guard numbers.count == 3, value.elements?.count ?? 3 == 3, numbers.allSatisfy(\.isFinite) else {
      throw fault(key, settings, "a number or three")
    }
    return numbers
  }

  private static func size(
    _ key: String, _ settings: JSONValue, isSquare: Bool
  ) throws(CheckpointError) -> PictureSize? {
    guard let value = settings[key], value != .null else { return nil }
    func edge(_ value: JSONValue?) throws(CheckpointError) -> Int? {
      guard let value, value != .null else { return nil }
      guard let edge = value.int, (1...65536).contains(edge) else {
        throw fault(key, settings, "from 1 to 65536 pixels")
      }
      return edge
    }
    if let list = value.elements {
      guard list.count == 2, let height = try edge(list[0]), let width = try edge(list[1]) else {
        throw fault(key, settings, "a height and a width")
      }
      return .exact(height: height, width: width)
    }
    guard value.members != nil else {
      return try edge(value).map {
        isSquare ? .exact(height: $0, width: $0) : .shorterEdge($0, longest: nil)
      }
    }
    if let height = try edge(value["height"]), let width = try edge(value["width"]) {
      return .exact(height: height, width: width)
    }
    if let shorter = try edge(value["shortest_edge"]) {
      return .shorterEdge(shorter, longest: try edge(value["longest_edge"]))
    }
    if let height = try edge(value["max_height"]), let width = try edge(value["max_width"]) {
      return .within(height: height, width: width)
    }
    throw fault(key, settings, "a height and a width, or a shortest_edge")
  }
}
