public import Kernels
public import Models
import TensorCore

/// An architecture that is an encoder of pictures: it reads its config into a description, and everything else
/// follows from that.
///
/// Outputs, inputs and heads are those of Hugging Face's (transformers 5.x). A picture has the size that the config
/// says, or another one where positions can be had for it, as with transformers' `interpolate_pos_encoding`.
public protocol ImageEncoder: Architecture {
  /// The names of its classes.
  static var classes: [(name: String, head: ImageHead)] { get }

  /// What it is made of.
  var form: ImageEncoderForm { get }
}

extension ImageEncoder {
  public var head: String {
    Self.classes.first { $0.head == form.head.task }?.name ?? Self.name
  }

  public var dimensions: [String: Int] { form.blocks.first?.attention.shape.dimensions ?? [:] }

  public var hiddenWidth: Int? { form.width }

  public func stages<Scalar: ComputeScalar>(_: Scalar.Type) -> [Stage<Scalar>] { form.stages() }

  public var inputs: [InputSlot] { form.inputs() }

  public func faults(in inputs: ModelInputs) -> [String] {
    guard let pictures = inputs.numbers["pixel_values"]?.shape, pictures.count == 4,
      !form.embedding.isOfLists
    else { return [] }
    return form.embedding.faults(of: pictures, in: inputs)
      + (form.decoder == nil ? [] : form.embedding.remainders(of: pictures))
  }
}

extension ImageEmbeddingForm {
  /// What does not fit pictures `[batch, channels, height, width]` of that size.
  fileprivate func faults(of pictures: [Int], in inputs: ModelInputs) -> [String] {
    let grid = grid(of: pictures)
    var faults: [String] = []
    if grid != self.grid,
      inputs["bool_masked_pos"]?.elements.contains(where: { $0 != 0 }) == true
    {
      faults.append("bool_masked_pos is for pictures of the size that the config says")
    }
    if let noise = inputs.numbers[PatchOrder.input]?.shape, noise.last != grid.reduce(1, *) {
      faults.append(
        "\(PatchOrder.input) has \(noise.last ?? 0) numbers for each picture, must have"
          + " \(grid.reduce(1, *)), one for each patch")
    }
    return faults
  }

  /// Pixels that are in no patch.
  fileprivate func remainders(of pictures: [Int]) -> [String] {
    zip(pictures.suffix(2), patch).allSatisfy { $0.isMultiple(of: $1) }
      ? []
      : [
        "pixel_values is \(describe(shape: pictures)), must be of whole patches,"
          + " \(patch[0]) pixels high and \(patch[1]) wide"
      ]
  }
}

extension ImageEncoderForm {
  /// The forward pass in order.
  package func stages<Scalar: ComputeScalar>() -> [Stage<Scalar>] {
    [embeddings()] + sharedPlaces() + blocks.indices.map(block) + [finish()] + headStages()
      + passengerStages()
  }

  /// What the encoder reads.
  ///
  /// - Parameters:
  ///   - batch: the axis of the pictures.
  ///   - isFixed: whether they have the size that the config says.
  package func inputs(batch: InputSlot.Axis = .batch, isFixed: Bool = false) -> [InputSlot] {
    if embedding.isOfLists { return listInputs(batch: batch) }
    let (image, patch) = (embedding.image, embedding.patch)
    let extents: [InputSlot.Axis] =
      isFixed || embedding.otherSizes == .none
      ? [.size(image[0]), .size(image[1])]
      : [.height(least: patch[0], usual: image[0]), .width(least: patch[1], usual: image[1])]
    let pixels = InputSlot.numbers(
      "pixel_values", [batch, .size(embedding.channels)] + extents)
    if case .leavingOut = embedding.masking {
      return [
        pixels, .optionalNumbers(PatchOrder.input, [batch, .places(usual: embedding.patches)]),
      ]
    }
    guard embedding.masking == .token else { return [pixels] }
    return [
      pixels,
      .types("bool_masked_pos", below: 2, axes: [batch, .size(embedding.patches)]),
    ]
  }

  /// All tokens of all pictures.
  var work: @Sendable (ModelInputs) -> StageWork {
    let (embedding, usual) = (embedding, embedding.tokens)
    return { inputs in
      guard let pictures = inputs.numbers["pixel_values"]?.shape,
        pictures.count == (embedding.isOfLists ? 3 : 4)
      else {
        return StageWork(positions: usual, length: usual)
      }
      let tokens = embedding.leading + embedding.grid(of: pictures).reduce(1, *)
      return StageWork(positions: pictures[0] * tokens, length: tokens)
    }
  }

  /// The same, with the table of the angles that it leaves.
  private var embeddingWork: @Sendable (ModelInputs) -> StageWork {
    let (work, size) = (work, embedding.rotary?.size ?? 0)
    return { inputs in
      var work = work(inputs)
      // Of what fits: a config may say more than can be multiplied.
      work.leaves = work.length * size
      return work
    }
  }

  fileprivate func embeddings<Scalar: ComputeScalar>() -> Stage<Scalar> {
    var outputs = [StageOutput.hidden(0, from: "hidden")]
    if case .leavingOut = embedding.masking { outputs.append(.final("mask")) }
    return Stage("embeddings", outputs: outputs, work: embeddingWork) {
      scope throws(CheckpointError) in
      let loaded = try embedding.load(scope.module("embeddings", .embedding), width: width)
      return { states throws(CheckpointError) in
        states["hidden"] = loaded(states.inputs)  // [batch, tokens, width]
        if let order = embedding.order(states.inputs) { states["mask"] = order.mask() }
        if let rotary = embedding.rotary {
          states[SelfAttentionForm.rotaryState(0)] = rotary.table(
            grid: embedding.grid(of: states.inputs), leading: embedding.leading, of: Scalar.self)
        }
      }
    }
  }

  fileprivate func block<Scalar: ComputeScalar>(_ layer: Int) -> Stage<Scalar> {
    Stage(
      "encoder.blocks.\(layer)", outputs: [.hidden(layer + 1, from: "hidden")], work: work
    ) { scope throws(CheckpointError) in
      let scope = scope.module("encoder", .sequence).module("blocks", .sequence)
        .module("\(layer)", .block)
      let own =
        placeBias?.isOfBlocks == true
        ? try placeTable(scope.module("position_bias", .embedding), blocks[layer]) : nil
      let block = try blocks[layer].load(scope, width: width)
      return { states throws(CheckpointError) in
        if let own = own?.biases(of: embedding.grid(of: states.inputs)) {
          let shared = placeBias?.isShared == true ? states[Self.sharedPlaces] : nil
          states[SelfAttentionForm.pairBiasState] = shared.map { add(own, $0) } ?? own
        }
        states["hidden"] = try block(states["hidden"], &states)
      }
    }
  }

  private static let sharedPlaces = "shared_places"

  /// What all blocks add to their scores for places, if they do.
  fileprivate func sharedPlaces<Scalar: ComputeScalar>() -> [Stage<Scalar>] {
    guard let placeBias, placeBias.isShared, let first = blocks.first else { return [] }
    let (work, heads) = (work, first.attention.shape.heads)
    return [
      Stage(
        "encoder.position_bias",
        work: { inputs in
          var work = work(inputs)
          work.leaves = 2 * heads * work.length * work.length
          return work
        }
      ) { scope throws(CheckpointError) in
        let scope = scope.module("encoder", .sequence).module("position_bias", .embedding)
        let table = try placeTable(scope, first)
        return { states throws(CheckpointError) in
          let biases = table.biases(of: embedding.grid(of: states.inputs))
          states[Self.sharedPlaces] = biases
          states[SelfAttentionForm.pairBiasState] = biases
        }
      }
    ]
  }

  private func placeTable<Scalar: ComputeScalar>(
    _ scope: WeightScope<Scalar>, _ block: BlockForm
  ) throws(CheckpointError) -> PlaceTable<Scalar> {
    try PlaceTable(scope, grid: embedding.grid, heads: block.attention.shape.heads)
  }

  /// The normalisation after the last block, unless it is the pooler's. Hidden states are those before it.
  fileprivate func finish<Scalar: ComputeScalar>() -> Stage<Scalar> {
    let outputs: [StageOutput] =
      head.givesStates ? [.final("last_hidden_state", from: "normalised")] : []
    return Stage("encoder.norm", outputs: outputs, work: work) { scope throws(CheckpointError) in
      guard !normsPooled else {
        return { states throws(CheckpointError) in states["normalised"] = states["hidden"] }
      }
      let norm = try Norm(scope.module("encoder", .sequence), "norm", norm, width: width)
      return { states throws(CheckpointError) in states["normalised"] = norm(states["hidden"]) }
    }
  }
}

/// Embeddings with their weights.
private struct ImageEmbedding<Scalar: ComputeScalar> {
  let form: ImageEmbeddingForm
  let weight: NDArray<Scalar>
  let bias: NDArray<Scalar>?
  let norm: Norm<Scalar>?
  let leading: [NDArray<Scalar>]
  let position: NDArray<Scalar>?
  let mask: NDArray<Scalar>?

  /// `[batch, tokens, width]`
  func callAsFunction(_ inputs: ModelInputs) -> NDArray<Scalar> {
    norm.applied(to: tokens(inputs))
  }

  private func tokens(_ inputs: ModelInputs) -> NDArray<Scalar> {
    let pixels = inputs.numbers("pixel_values", as: Scalar.self)
    if form.isOfLists { return listed(pixels, grids: inputs.required(PatchLists.grids)) }
    let batch = pixels.shape[0]
    let width = weight.shape[0]
    let grid = form.grid(of: pixels.shape)
    let isUsual = grid == form.grid
    let rows = convolve(
      pixels, weight: weight, bias: bias, vertical: ConvolutionAxis(stride: form.patch[0]),
      horizontal: ConvolutionAxis(stride: form.patch[1]))
    // [batch, width, rows, columns] to [batch, patches, width]
    var patches = permute(
      rows.reshaped([batch, width, grid[0] * grid[1]]), [0, 2, 1])
    if let mask, isUsual { patches = masked(patches, by: mask, inputs.required("bool_masked_pos")) }
    let tokens = leading.map { token in
      NDArray(
        shape: [batch, token.shape[0], width],
        elements: (0..<batch).flatMap { _ in token.elements })
    }
    guard let position else { return join(tokens + [patches], axis: 1) }
    // Positions are those of class tokens, then of patches.
    let positions = position.reshaped([1, position.shape[0], width])
    let parts = split(
      positions, axis: 1, sizes: [form.classTokens, form.patches])
    var placed: [NDArray<Scalar>] = []
    if form.classTokens > 0 {
      let classes = join(Array(tokens.prefix(form.classTokens)), axis: 1)
      placed.append(addBroadcasting(classes, parts[0]))
    }
    placed += tokens.dropFirst(form.classTokens)
    let atPlaces = addBroadcasting(patches, isUsual ? parts[1] : resized(parts[1], to: grid))
    placed.append(form.order(inputs).map { $0.kept(of: atPlaces) } ?? atPlaces)
    return join(placed, axis: 1)
  }
}

extension ImageEmbedding {
  /// `[batch, patches, numbers]` to `[batch, patches, width]`
  private func listed(_ pixels: NDArray<Scalar>, grids: NDArray<Int>) -> NDArray<Scalar> {
    let patches = project(pixels, by: Projection(weight: weight, bias: bias))
    guard let position else { return patches }
    let (count, width) = (pixels.shape[1], position.width)
    var elements: [Scalar] = []
    elements.reserveCapacity(patches.elements.count)
    for picture in 0..<grids.rows {
      let grid = Array(grids.row(picture))
      let own = Kernels.resized(
        position.reshaped(form.grid + [width]), rows: grid[0], columns: grid[1],
        isSmoothed: true, isLinear: true
      ).elements
      elements += own
      for _ in grid[0] * grid[1]..<count { elements += own.prefix(width) }
    }
    return add(patches, NDArray(shape: patches.shape, elements: elements))
  }

  /// Positions `[1, patches, width]` of a grid of another size.
  private func resized(_ positions: NDArray<Scalar>, to grid: [Int]) -> NDArray<Scalar> {
    guard case .resized(let isSmoothed) = form.otherSizes else { return positions }
    let width = positions.width
    return Kernels.resized(
      positions.reshaped(form.grid + [width]), rows: grid[0], columns: grid[1],
      isSmoothed: isSmoothed
    ).reshaped([1, grid[0] * grid[1], width])
  }
}

/// Patches, with a token in place of those that are masked.
///
/// - Parameters:
///   - patches: `[batch, patches, width]`
///   - token: `[1, width]`
///   - masks: `[batch, patches]`
func masked<Scalar: ComputeScalar>(
  _ patches: NDArray<Scalar>, by token: NDArray<Scalar>, _ masks: NDArray<Int>
) -> NDArray<Scalar> {
  let isMasked = masks.elements.map { $0 != 0 }
  let kept = NDArray(shape: masks.shape + [1], elements: isMasked.map { Scalar($0 ? 0 : 1) })
  let taken = NDArray(shape: masks.shape + [1], elements: isMasked.map { Scalar($0 ? 1 : 0) })
  return add(
    multiplyBroadcasting(patches, kept),
    multiplyBroadcasting(token.reshaped([1] + token.shape), taken))
}

extension ImageEmbeddingForm {
  fileprivate func load<Scalar: ComputeScalar>(
    _ scope: WeightScope<Scalar>, width: Int
  ) throws(CheckpointError) -> ImageEmbedding<Scalar> {
    let projection = scope.module("patch", .linear)
    let numbers = isOfLists ? [channels * patch[0] * patch[1]] : [channels] + patch
    let weight = try projection.weight("weight", [width] + numbers, .linear)
    let bias = hasBias ? try projection.weight("bias", [width], .bias) : nil
    if mayHoldPlaces {
      scope.constant("position_ids", [classTokens + patches], .positions)
    }
    func token(_ name: String, rows: Int = 1) throws(CheckpointError) -> NDArray<Scalar> {
      try scope.module(name, .embedding).weight("weight", [rows, width], .embedding)
    }
    var leading: [NDArray<Scalar>] = []
    for name in ["class", "distillation"].prefix(classTokens) { leading.append(try token(name)) }
    if let registers {
      let tokens = try token("registers", rows: registers)
      if registers > 0 { leading.append(tokens) }
    }
    let position = hasPositions ? try token("position", rows: classTokens + patches) : nil
    let norm = try norm.map { norm throws(CheckpointError) in
      try Norm(scope, "norm", norm, width: width)
    }
    let mask: NDArray<Scalar>?
    switch masking {
    case .none, .leavingOut: mask = nil
    case .token: mask = try token("mask")
    case .unread:
      mask = nil
      _ = try scope.module("mask", .embedding, isUnused: true).weight(
        "weight", [1, width], .embedding, origin: .passenger)
    }
    return ImageEmbedding(
      form: self, weight: weight, bias: bias, norm: norm, leading: leading, position: position,
      mask: mask)
  }
}
