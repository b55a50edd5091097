public import Kernels
public import Models
import TensorCore

/// What a Swin is made of.
struct SwinForm: Sendable, Equatable {
  let channels: Int
  /// The picture's height and width, and a patch's, in pixels.
  let image: [Int], patch: [Int]
  /// Whether learned vectors are added to patches.
  let hasPositions: Bool
  /// Of the layers' normalisations, and the last one.
  let epsilon: Double
  let isSecond: Bool
  let head: ImageHeadForm
  let levels: [SwinLevel]

  /// The normalisation of embeddings, and before patches are merged, has the framework's epsilon.
  private static let usualNorm = NormForm.layer(epsilon: 1e-5)

  private var norm: NormForm { .layer(epsilon: epsilon) }
  fileprivate var first: SwinLevel? { levels.first }
}

extension SwinForm {
  /// A level for pictures `[batch, channels, height, width]` of any size. What is left over is filled up.
  fileprivate func level(_ index: Int, of pictures: [Int]?) -> SwinLevel {
    var level = levels[index]
    guard let pictures, pictures.count == 4 else { return level }
    let grid = zip(pictures.suffix(2), patch).map { extent, patch in
      (0..<index).reduce((extent + patch - 1) / patch) { count, _ in (count + 1) / 2 }
    }
    (level.rows, level.columns) = (grid[0], grid[1])
    // The second version's windows are those of the config's size.
    if !isSecond { level.isShifted = min(grid[0], grid[1]) > level.window }
    return level
  }

  fileprivate func level(_ index: Int, of inputs: ModelInputs) -> SwinLevel {
    level(index, of: inputs.numbers["pixel_values"]?.shape)
  }

  /// Whether there is one size only: a head makes a square of pixels, or a table that is not as high as wide is added.
  fileprivate var isFixed: Bool {
    head.task == .maskedImage || hasPositions && first?.rows != first?.columns
  }

  /// The least height or width of pictures of which each level has a whole window. The second version fills them up.
  fileprivate func least(_ patch: Int) -> Int {
    guard !isSecond else { return 1 }
    let rows = levels.enumerated().map { ($1.window - 1) << $0 + 1 }.max() ?? 1
    return hasPositions ? rows * patch : (rows - 1) * patch + 1
  }
}

/// Blocks of patches of one size, which the authors call a stage.
struct SwinLevel: Sendable, Equatable {
  let width: Int
  let depth: Int
  let heads: Int
  /// How many patches there are above each other, and side by side.
  var rows: Int, columns: Int
  /// How many patches a window is high and wide.
  var window: Int
  let hidden: Int
  let hasBias: Bool
  let activation: Activation
  /// How large windows were when the network of places was trained; 0 for as large as they are.
  let trained: Int
  /// Whether every other block has shifted windows.
  var isShifted = false

  var patches: Int { rows * columns }

  func grid(_ block: Int) -> WindowGrid {
    WindowGrid(
      rows: rows, columns: columns, window: window,
      shift: isShifted && block % 2 == 1 ? window / 2 : 0)
  }
}

extension Swin {
  public var inputs: [InputSlot] {
    let extents: [InputSlot.Axis] =
      form.isFixed
      ? [.size(form.image[0]), .size(form.image[1])]
      : [
        .height(least: form.least(form.patch[0]), usual: form.image[0]),
        .width(least: form.least(form.patch[1]), usual: form.image[1]),
      ]
    let pixels = InputSlot.numbers("pixel_values", [.batch, .size(form.channels)] + extents)
    guard form.head.task == .maskedImage, let first = form.first else { return [pixels] }
    return [pixels, .types("bool_masked_pos", below: 2, axes: [.batch, .size(first.patches)])]
  }

  public func stages<Scalar: ComputeScalar>(_: Scalar.Type) -> [Stage<Scalar>] {
    form.stages()
  }

  public func faults(in inputs: ModelInputs) -> [String] {
    guard form.hasPositions, let pictures = inputs.numbers["pixel_values"]?.shape,
      !zip(pictures.suffix(2), form.patch).allSatisfy({ $0.isMultiple(of: $1) })
    else { return [] }
    return [
      "pixel_values is \(describe(shape: pictures)), must be of whole patches,"
        + " \(form.patch[0]) pixels high and \(form.patch[1]) wide, which positions are added to"
    ]
  }
}

extension SwinForm {
  fileprivate func stages<Scalar: ComputeScalar>() -> [Stage<Scalar>] {
    var found: [Stage<Scalar>] = [embeddings()]
    for (index, stage) in levels.enumerated() {
      let isLast = index == levels.count - 1
      for block in 0..<stage.depth {
        let ends = isLast && block == stage.depth - 1
        found.append(
          self.block(
            stage, index, block, outputs: ends ? [.hidden(index + 1, from: "hidden")] : []))
      }
      if !isLast { found.append(merging(stage, index)) }
    }
    return found + [finish()] + headStages()
  }

  /// All patches of all pictures in windows.
  private func work(_ index: Int) -> @Sendable (ModelInputs) -> StageWork {
    { inputs in
      let batch = inputs.numbers["pixel_values"]?.shape.first ?? 1
      let level = level(index, of: inputs)
      return StageWork(positions: batch * level.patches, length: level.window * level.window)
    }
  }

  /// `hidden`: `[batch, patches, width]`
  private func embeddings<Scalar: ComputeScalar>() -> Stage<Scalar> {
    guard let first else { return Stage("embeddings") { _ in { _ in } } }
    return Stage(
      "embeddings", outputs: [.hidden(0, from: "hidden")], work: work(0)
    ) { scope throws(CheckpointError) in
      let scope = scope.module("embeddings", .embedding)
      let projection = scope.module("patch", .linear)
      let weight = try projection.weight("weight", [first.width, channels] + patch, .linear)
      let bias = try projection.weight("bias", [first.width], .bias)
      let norm = try Norm(scope, "norm", Self.usualNorm, width: first.width)
      let mask =
        head.task == .maskedImage
        ? try scope.module("mask", .embedding).weight("weight", [1, first.width], .embedding) : nil
      let position =
        hasPositions
        ? try scope.module("position", .embedding).weight(
          "weight", [first.patches, first.width], .embedding) : nil
      return { states throws(CheckpointError) in
        let pixels = states.inputs.numbers("pixel_values", as: Scalar.self)
        let (batch, own) = (pixels.shape[0], level(0, of: pixels.shape))
        // What makes no whole patch is filled up with zeros.
        let rows = convolve(
          pixels, weight: weight, bias: bias,
          vertical: ConvolutionAxis(
            stride: patch[0], after: own.rows * patch[0] - pixels.shape[2]),
          horizontal: ConvolutionAxis(
            stride: patch[1], after: own.columns * patch[1] - pixels.shape[3]))
        var x = norm(permute(rows.reshaped([batch, own.width, own.patches]), [0, 2, 1]))
        if let mask { x = masked(x, by: mask, states.inputs.required("bool_masked_pos")) }
        if let position {
          x = addBroadcasting(x, placed(position, of: own).reshaped([1] + x.shape.dropFirst()))
        }
        states["hidden"] = x
      }
    }
  }

  /// Positions `[patches, width]`, those of a grid of another size by cubic convolution.
  private func placed<Scalar: ComputeScalar>(
    _ position: NDArray<Scalar>, of own: SwinLevel
  ) -> NDArray<Scalar> {
    guard let first, (first.rows, first.columns) != (own.rows, own.columns) else { return position }
    return resized(
      position.reshaped([first.rows, first.columns, own.width]), rows: own.rows,
      columns: own.columns, isSmoothed: false)
  }

  private func block<Scalar: ComputeScalar>(
    _ stage: SwinLevel, _ index: Int, _ block: Int, outputs: [StageOutput]
  ) -> Stage<Scalar> {
    Stage(
      "encoder.stages.\(index).blocks.\(block)", outputs: outputs, work: work(index)
    ) { scope throws(CheckpointError) in
      let scope = scope.module("encoder", .sequence).module("stages", .sequence)
        .module("\(index)", .sequence).module("blocks", .sequence).module("\(block)", .block)
      func norm(_ name: String) throws(CheckpointError) -> Norm<Scalar> {
        try Norm(
          scope, isSecond ? name + "_post_norm" : name + "_norm", self.norm, width: stage.width)
      }
      let attentionNorm = try norm("attention")
      let attention = try WindowAttention(
        scope.module("attention", .attention), width: stage.width, heads: stage.heads,
        window: stage.window, hasBias: stage.hasBias,
        isSecond ? .network(trained: stage.trained) : .table)
      let feedForwardNorm = try norm("feed_forward")
      let feedForward = try FeedForward(
        scope.module("feed_forward", .feedForward), width: stage.width, hidden: stage.hidden,
        activation: stage.activation)
      return { states throws(CheckpointError) in
        let grid = level(index, of: states.inputs).grid(block)
        // The second version's code adds it twice.
        let mask = grid.mask(Scalar(isSecond ? -200 : -100))
        let x = states["hidden"]
        let read = isSecond ? x : attentionNorm(x)
        let attended = grid.joined(attention(grid.windows(of: read), mask: mask))
        let y = add(x, isSecond ? attentionNorm(attended) : attended)
        states["hidden"] =
          isSecond
          ? add(y, feedForwardNorm(feedForward(y))) : feedForward(feedForwardNorm(y), adding: y)
      }
    }
  }

  /// Four neighbours become one, twice as wide. arXiv 2103.14030, §3.1.
  private func merging<Scalar: ComputeScalar>(_ stage: SwinLevel, _ index: Int) -> Stage<Scalar> {
    Stage(
      "encoder.stages.\(index).merging", outputs: [.hidden(index + 1, from: "hidden")],
      work: work(index)
    ) { scope throws(CheckpointError) in
      let scope = scope.module("encoder", .sequence).module("stages", .sequence)
        .module("\(index)", .sequence).module("merging", .sequence)
      let (wide, result) = (4 * stage.width, 2 * stage.width)
      let norm = try Norm(
        scope, "norm", Self.usualNorm, width: isSecond ? result : wide)
      let reduction: Linear<Scalar> = try Linear(
        scope.module("reduction", .linear), in: wide, out: result, bias: false)
      return { states throws(CheckpointError) in
        let x = neighbours(of: states["hidden"], level(index, of: states.inputs))
        states["hidden"] = isSecond ? norm(reduction(x)) : reduction(norm(x))
      }
    }
  }

  /// `[batch, patches / 4, 4 × width]`: of each square the upper left one, the one below it, and then both to the right;
  /// zeros where there is none.
  private func neighbours<Scalar: ComputeScalar>(
    of x: NDArray<Scalar>, _ stage: SwinLevel
  ) -> NDArray<Scalar> {
    let (rows, columns) = ((stage.rows + 1) / 2, (stage.columns + 1) / 2)
    var elements: [Scalar] = []
    elements.reserveCapacity(x.shape[0] * rows * columns * 4 * stage.width)
    for picture in 0..<x.shape[0] {
      for row in 0..<rows {
        for column in 0..<columns {
          for (below, right) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
            let (y, x2) = (2 * row + below, 2 * column + right)
            if y < stage.rows, x2 < stage.columns {
              elements += x.row((picture * stage.rows + y) * stage.columns + x2)
            } else {
              elements += repeatElement(0, count: stage.width)
            }
          }
        }
      }
    }
    return NDArray(shape: [x.shape[0], rows * columns, 4 * stage.width], elements: elements)
  }

  private func finish<Scalar: ComputeScalar>() -> Stage<Scalar> {
    guard let last = levels.last else { return Stage("encoder.norm") { _ in { _ in } } }
    let isBase = head.task == .base
    let outputs: [StageOutput] =
      isBase
      ? [.final("last_hidden_state", from: "normalised"), .final("pooler_output", from: "pooled")]
      : []
    return Stage("encoder.norm", outputs: outputs, work: work(levels.count - 1)) {
      scope throws(CheckpointError) in
      let norm = try Norm(scope.module("encoder", .sequence), "norm", self.norm, width: last.width)
      return { states throws(CheckpointError) in
        let x: NDArray<Scalar> = norm(states["hidden"])
        states["normalised"] = x
        states["pooled"] = meanOfPositions(x)
      }
    }
  }

  private func headStages<Scalar: ComputeScalar>() -> [Stage<Scalar>] {
    guard let last = levels.last else { return [] }
    switch head.task {
    case .classification:
      return [
        Stage("classifier", outputs: [.final("logits")]) { scope throws(CheckpointError) in
          let classifier: Linear<Scalar> = try Linear(
            scope.module("classifier", .linear), in: last.width, out: head.labels)
          return { states throws(CheckpointError) in
            states["logits"] = classifier(states["pooled"])
          }
        }
      ]
    case .maskedImage:
      return [
        PictureHead(
          width: last.width, channels: channels, grid: [last.rows, last.columns], side: head.stride
        ).stage(work: work(levels.count - 1)) { $0["normalised"] }
      ]
    default: return []
    }
  }
}
