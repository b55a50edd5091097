import TensorCore

/// What a PNG says of its pixels: the chunk IHDR (11.2.1).
struct PNGHeader {
  let width: Int
  let height: Int
  /// How many bits a number has.
  let depth: Int
  let kind: Kind
  private let isInterlaced: Bool

  /// What the numbers of a pixel are.
  enum Kind: Int {
    case grey = 0
    case color = 2
    case palette = 3
    case greyAlpha = 4
    case colorAlpha = 6

    /// How many there are.
    var count: Int {
      switch self {
      case .grey, .palette: 1
      case .greyAlpha: 2
      case .color: 3
      case .colorAlpha: 4
      }
    }

    fileprivate var depths: [Int] {
      switch self {
      case .grey: [1, 2, 4, 8, 16]
      case .palette: [1, 2, 4, 8]
      case .color, .greyAlpha, .colorAlpha: [8, 16]
      }
    }
  }

  init(_ data: PictureBytes) throws(CheckpointError) {
    guard data.bytes.count == 13, let width = data.big(0, 4), let height = data.big(4, 4),
      let depth = data.big(8, 1), let type = data.big(9, 1), let kind = Kind(rawValue: type),
      kind.depths.contains(depth), data.big(10, 2) == 0, let interlacing = data.big(12, 1),
      interlacing < 2
    else {
      throw CheckpointError(.malformed("the header of the PNG has values that there are not"))
    }
    try Picture.require(width: width, height: height)
    self.width = width
    self.height = height
    self.depth = depth
    self.kind = kind
    isInterlaced = interlacing == 1
  }

  /// A picture that is a part of all rows and columns (8.2).
  struct Pass {
    let left: Int
    let top: Int
    let columnStep: Int
    let rowStep: Int
    let width: Int
    let height: Int
    /// Where its rows begin among those of all passes, without the filters' bytes.
    let offset: Int
  }

  /// The passes that have pixels, in order.
  var passes: [Pass] {
    let steps: [(left: Int, top: Int, columns: Int, rows: Int)] =
      isInterlaced
      ? [
        (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
        (0, 1, 1, 2),
      ] : [(0, 0, 1, 1)]
    var passes: [Pass] = []
    var offset = 0
    for step in steps where step.left < width && step.top < height {
      let columns = (width - step.left + step.columns - 1) / step.columns
      let rows = (height - step.top + step.rows - 1) / step.rows
      passes.append(
        Pass(
          left: step.left, top: step.top, columnStep: step.columns, rowStep: step.rows,
          width: columns, height: rows, offset: offset))
      offset += rows * bytes(inRowOf: columns)
    }
    return passes
  }

  /// How many bytes a row of so many pixels has.
  func bytes(inRowOf pixels: Int) -> Int { (pixels * depth * kind.count + 7) / 8 }

  /// How far filters look back (9.2).
  var bytesOfPixel: Int { max(1, depth * kind.count / 8) }
}
