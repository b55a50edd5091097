public import Containers
import Models
import Pictures
import Sounds
public import TensorCore

/// What of a model's weights is best looked at: filters of patches, positions beside each other, and the bands of frequencies
/// that a sound is divided into.
public struct Patterns: Sendable {
  /// A picture of some of them.
  public struct Pattern: Sendable {
    /// What is drawn.
    public enum Kind: Sendable, Equatable {
      /// The first `shown` of `count` filters of patches, red, green and blue from the first three channels.
      case filters(shown: Int, count: Int, size: [Int], channels: Int)
      /// How alike the vectors of positions are: of each `step`-th.
      case positions(count: Int, step: Int)
      /// Filters of bands at frequencies from 0 Hz to so many.
      case bands(count: Int, hertz: Int)
    }

    /// The tensor's name, or the file that says what is drawn.
    public let name: String
    public let kind: Kind
    /// In pixels.
    public let width: Int
    public let height: Int
    /// Red, green and blue of each, row by row.
    public var pixels: [UInt8] { picture.pixels }
    /// The picture as a file.
    public var png: [UInt8] { picture.png }

    private let picture: Picture
  }

  /// The pictures, those of weights in their order.
  public let all: [Pattern]

  /// The most pictures there are.
  public static let most = 8
  /// The most filters that are drawn, and how many stand beside each other at most.
  fileprivate static let (mostFilters, mostColumns) = (128, 16)
  /// How many rows of pixels filters take where the width is given, about.
  private static let usualHeight = 96
  /// The most positions that are compared.
  static let mostPositions = 160
  /// The most numbers in a filter's row or column, and
  private static let largestFilter = 64
  /// in the vector of a position.
  private static let longestVector = 1 << 16

  /// Draws what there is.
  ///
  /// - Parameters:
  ///   - model: the model, if it is known: weights are looked at in their canonical layout then.
  ///   - tensors: the stored ones that are shown.
  ///   - chosen: the name in the files, or the canonical path, of the only one that is; all if `nil`.
  ///   - room: how many pixels wide filters stand beside each other; as many as usual if `nil`.
  /// - Throws: `CheckpointError` when bytes cannot be read.
  init(
    _ model: Model?, _ tensors: [Tensor], only chosen: String? = nil, room: Int? = nil
  ) throws(CheckpointError) {
    var found: [Pattern] = []
    for (name, path, isPosition, tensor) in Self.weights(of: model, tensors) {
      guard found.count < Self.most, tensor.dtype.isComputable, !tensor.dtype.isBlock,
        chosen == nil || chosen == name || chosen == path
      else { continue }
      let picture =
        try isPosition ? Self.positions(name, tensor) : Self.filters(name, tensor, room: room)
      if let picture { found.append(picture) }
    }
    if chosen == nil, found.count < Self.most, let model, let bands = Self.bands(of: model) {
      found.append(bands)
    }
    all = found
  }

  /// Draws what a page about a checkpoint shows.
  ///
  /// - Parameters:
  ///   - name: the only tensor that is drawn, by its name in the files or its canonical path; all if `nil`.
  ///   - room: how many pixels wide filters stand beside each other.
  /// - Throws: `CheckpointError` when bytes cannot be read, or if there is nothing to draw.
  public init(
    of checkpoint: Checkpoint, options: OpenOptions, only name: String?, room: Int
  ) throws(CheckpointError) {
    let (model, _) = ModelReport.understood(checkpoint, options)
    if let name { _ = try checkpoint.tensor(named: name, options: options) }
    try self.init(model, checkpoint.tensors.tensors, only: name, room: room)
    guard all.isEmpty else { return }
    throw CheckpointError(
      .unsupported(
        "nothing to draw: neither filters of patches, nor a table of positions"
          + (name == nil ? ", nor the bands of a sound" : "")),
      tensor: name.map { TensorName($0) }, advice: "without --picture, values are printed")
  }

  /// What may be drawn, under the names of the files and the canonical paths.
  private static func weights(
    of model: Model?, _ tensors: [Tensor]
  ) -> [(name: String, path: String?, isPosition: Bool, tensor: Tensor)] {
    guard let graph = model?.graph else {
      return tensors.map { ($0.name.text, nil, isPosition($0.name.text), $0) }
    }
    let shown = Set(tensors.map(\.name))
    return graph.slots.compactMap { slot in
      guard graph.ties[slot.path] == nil, let tensor = graph.tensor(at: slot.path),
        shown.contains(tensor.name)
      else { return nil }
      let parts = slot.path.split(separator: ".").suffix(2)
      return (
        tensor.name.text, slot.path, slot.role == .embedding && parts.first == "position", tensor
      )
    }
  }

  /// Whether a tensor of an unknown model is usually a table of positions.
  private static func isPosition(_ name: String) -> Bool {
    [
      "position_embeddings.weight", "position_embedding.weight", "position_embeddings",
      "embed_positions.weight", "pos_embed", "wpe.weight",
    ].contains { name.hasSuffix($0) }
  }

  // MARK: Filters

  /// Each filter from its least number, which is dark, to its largest.
  private static func filters(
    _ name: String, _ tensor: Tensor, room: Int?
  ) throws(CheckpointError) -> Pattern? {
    let shape = tensor.shape
    guard shape.count == 4, shape[0] > 0, (1...4).contains(shape[1]),
      (4...largestFilter).contains(shape[2]), (4...largestFilter).contains(shape[3])
    else { return nil }
    let (channels, rows, columns) = (shape[1], shape[2], shape[3])
    let size = channels * rows * columns
    let beside = room.map { min(max(1, ($0 + 1) / (columns + 1)), mostColumns) } ?? mostColumns
    let below = room == nil ? mostFilters : max(1, usualHeight / (rows + 1))
    let shown = min(shape[0], mostFilters, beside * below)
    var sheet = Sheet(count: shown, beside: beside, rows: rows, columns: columns)
    let values = try tensor.doubles(0..<shown * size)
    for filter in 0..<shown {
      let own = values[filter * size..<(filter + 1) * size]
      let finite = own.filter(\.isFinite)
      guard let least = finite.min(), let largest = finite.max() else { continue }
      sheet.draw(filter) { row, column in
        (0..<3).map { colour in
          let channel = channels < 3 ? 0 : colour
          let value = own[own.startIndex + (channel * rows + row) * columns + column]
          return level(value, from: least, to: largest)
        }
      }
    }
    return Pattern(
      name: name,
      kind: .filters(shown: shown, count: shape[0], size: [rows, columns], channels: channels),
      picture: sheet.picture)
  }

  /// From 0 to 255; what is not finite is dark, and a filter of one number grey.
  private static func level(_ value: Double, from least: Double, to largest: Double) -> UInt8 {
    guard value.isFinite else { return 0 }
    guard largest > least else { return 128 }
    // Halved, since the largest difference may be too large for a number.
    let share = (value / 2 - least / 2) / (largest / 2 - least / 2)
    return UInt8((255 * min(1, max(0, share))).rounded())
  }

  // MARK: Positions

  /// The cosine between the vectors of two positions: blue −1, white 0, orange 1.
  private static func positions(
    _ name: String, _ tensor: Tensor
  ) throws(CheckpointError) -> Pattern? {
    let shape = tensor.shape.drop { $0 == 1 }
    guard shape.count == 2, let count = shape.first, let width = shape.last, count >= 4,
      (2...longestVector).contains(width)
    else { return nil }
    let step = (count + mostPositions - 1) / mostPositions
    var vectors: [[Double]] = []
    for position in stride(from: 0, to: count, by: step) {
      let vector = try tensor.doubles(position * width..<(position + 1) * width)
      let largest = vector.map(\.magnitude).max() ?? 0
      let scaled = largest > 0 ? vector.map { $0 / largest } : vector
      let length = scaled.reduce(0) { $0 + $1 * $1 }.squareRoot()
      vectors.append(length > 0 ? scaled.map { $0 / length } : scaled)
    }
    var pixels: [UInt8] = []
    pixels.reserveCapacity(3 * vectors.count * vectors.count)
    for one in vectors {
      for other in vectors {
        pixels += colour(ofCosine: zip(one, other).reduce(0) { $0 + $1.0 * $1.1 })
      }
    }
    return Pattern(
      name: name, kind: .positions(count: count, step: step),
      picture: Picture(width: vectors.count, height: vectors.count, of: pixels))
  }

  private static let (orange, blue): ([Double], [Double]) = ([217, 95, 2], [31, 95, 153])

  private static func colour(ofCosine cosine: Double) -> [UInt8] {
    guard cosine.isFinite else { return [0, 0, 0] }
    let share = min(1, cosine.magnitude)
    return (cosine > 0 ? orange : blue).map { UInt8((255 + share * ($0 - 255)).rounded()) }
  }

  // MARK: Bands

  /// The filters that make bands of a sound's frequencies, as the files beside the model say; the lowest band at the bottom.
  private static func bands(of model: Model) -> Pattern? {
    guard let found = try? model.soundProcessor() else { return nil }
    guard let filters = filters(of: found.processor) else { return nil }
    let (count, frequencies) = (filters.bands, filters.frequencies)
    let values = filters.values
    let most = values.max() ?? 0
    guard most > 0 else { return nil }
    let pixels = (0..<count).reversed().flatMap { band in
      (0..<frequencies).flatMap { frequency in
        let share = min(1, values[band * frequencies + frequency] / most)
        return blue.map { UInt8((255 + share * ($0 - 255)).rounded()) }
      }
    }
    return Pattern(
      name: found.file.split(separator: "/").last.map(String.init) ?? found.file,
      kind: .bands(count: count, hertz: found.processor.rate / 2),
      picture: Picture(width: frequencies, height: count, of: pixels))
  }

  private static func filters(of processor: SoundProcessor) -> MelFilters? {
    func filters(_ bands: Int, _ length: Int) -> MelFilters {
      MelFilters(bands: bands, frequencies: length / 2 + 1, rate: processor.rate)
    }
    return switch processor.kind {
    case .logMel(let bands, let window, _, _): filters(bands, window)
    case .normalizedLogMel(let form): filters(form.bands, form.length)
    case .stackedLogMel(let form):
      MelFilters(
        kaldi: form.bands, frequencies: StackedLogMel.length / 2 + 1, rate: processor.rate)
    case .samples: nil
    }
  }
}

extension Patterns.Pattern {
  fileprivate init(name: String, kind: Kind, picture: Picture) {
    (self.name, self.kind, self.picture) = (name, kind, picture)
    (width, height) = (picture.width, picture.height)
  }
}

/// Small pictures of one size in rows, with a pixel of grey between them.
private struct Sheet {
  private let beside: Int
  private let (rows, columns): (Int, Int)
  private let (width, height): (Int, Int)
  private var pixels: [UInt8]

  init(count: Int, beside: Int, rows: Int, columns: Int) {
    (self.beside, self.rows, self.columns) = (beside, rows, columns)
    width = min(count, beside) * (columns + 1) - 1
    height = (count + beside - 1) / beside * (rows + 1) - 1
    pixels = Array(repeating: 128, count: 3 * width * height)
  }

  /// Draws the picture of that number: red, green and blue of each row and column.
  mutating func draw(_ number: Int, _ colour: (_ row: Int, _ column: Int) -> [UInt8]) {
    let top = number / beside * (rows + 1)
    let left = number % beside * (columns + 1)
    for row in 0..<rows {
      for column in 0..<columns {
        let place = 3 * ((top + row) * width + left + column)
        pixels.replaceSubrange(place..<place + 3, with: colour(row, column))
      }
    }
  }

  var picture: Picture { Picture(width: width, height: height, of: pixels) }
}
