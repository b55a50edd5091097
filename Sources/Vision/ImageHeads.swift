import Kernels
import Models
import TensorCore

extension ImageEncoderForm {
  /// What stands behind the last normalisation.
  func headStages<Scalar: ComputeScalar>() -> [Stage<Scalar>] {
    switch head.task {
    case .base: pooler.map { [pooled(by: $0)] } ?? []
    case .classification:
      (head.summary == .pooled ? pooler.map { [pooled(by: $0)] } ?? [] : []) + [classifier()]
    case .classificationWithTeacher: [classifiers()]
    case .maskedImage: [reconstruction()]
    case .maskedWords: [words()]
    case .pretraining: decoder.map { decoding(by: $0) } ?? []
    case .projection: (pooler.map { [pooled(by: $0)] } ?? []) + [projected()]
    }
  }

  /// `pooler_output`
  private func pooled<Scalar: ComputeScalar>(by pooler: ImagePooler) -> Stage<Scalar> {
    let outputs: [StageOutput] = head.task == .base ? [.final("pooler_output")] : []
    return Stage("pooler", outputs: outputs, work: work) { scope throws(CheckpointError) in
      switch pooler {
      case .state:
        let norm = try pooledNorm(scope)
        return { states throws(CheckpointError) in
          // [batch, width]
          states["pooler_output"] = norm.applied(to: position(0, of: states["normalised"]))
        }
      case .meanOfPatches:
        let norm = try Norm(scope.module("pooler", .head), "norm", norm, width: width)
        return { states throws(CheckpointError) in
          states["pooler_output"] = norm(meanOfPatches(states["normalised"]))
        }
      case .dense(let output, let activation):
        let dense = try Linear(
          scope.module("pooler", .linear), in: width, out: output, activation: activation)
        return { states throws(CheckpointError) in
          states["pooler_output"] = dense(position(0, of: states["normalised"]))
        }
      case .attention(let shape, let feedForward):
        let pooler = try AttentionPooler(
          scope.module("pooler", .head), width: width, shape, feedForward, norm)
        return { states throws(CheckpointError) in
          states["pooler_output"] = pooler(
            states["normalised"], counted: counted(states.inputs), &states)
        }
      }
    }
  }

  /// The last normalisation, where it is that of what the pooler reads.
  private func pooledNorm<Scalar: ComputeScalar>(
    _ scope: WeightScope<Scalar>
  ) throws(CheckpointError) -> Norm<Scalar>? {
    normsPooled ? try Norm(scope.module("encoder", .sequence), "norm", norm, width: width) : nil
  }

  /// Layers that files have beside a head and no output depends on.
  func passengerStages<Scalar: ComputeScalar>() -> [Stage<Scalar>] {
    guard !head.givesStates, head.summary != .pooled, let pooler else { return [] }
    return [
      Stage("pooler", work: { _ in StageWork(positions: 0, length: 0) }) {
        scope throws(CheckpointError) in
        let scope = scope.passengers
        _ = try pooledNorm(scope)
        if case .attention(let shape, let feedForward) = pooler {
          _ = try AttentionPooler(
            scope.module("pooler", .head), width: width, shape, feedForward, norm)
        }
        return { _ throws(CheckpointError) in }
      }
    ]
  }

  /// `image_embeds`: a linear layer on what stands for a picture.
  private func projected<Scalar: ComputeScalar>() -> Stage<Scalar> {
    Stage("visual_projection", outputs: [.final("image_embeds")]) {
      scope throws(CheckpointError) in
      let projection = try Linear(
        scope.module("visual_projection", .linear), in: width, out: head.projection, bias: false)
      return { states throws(CheckpointError) in
        states["image_embeds"] = projection(states["pooler_output"])
      }
    }
  }

  /// `logits`: of the first token, the mean of the patches, or both.
  private func classifier<Scalar: ComputeScalar>() -> Stage<Scalar> {
    Stage("classifier", outputs: [.final("logits")]) { scope throws(CheckpointError) in
      let classifier = try Linear(
        scope.module("classifier", .linear),
        in: head.summary == .firstAndPatches ? 2 * width : width, out: head.labels)
      return { states throws(CheckpointError) in
        let x = states["normalised"]
        let summary: NDArray<Scalar> =
          switch head.summary {
          case .first: position(0, of: x)
          case .firstAndPatches: join([position(0, of: x), meanOfPatches(x)], axis: 1)
          case .patches:
            counted(states.inputs).map { meanOfCounted(x, $0) } ?? meanOfPatches(x)
          case .pooled: states["pooler_output"]
          }
        states["logits"] = classifier(summary)
      }
    }
  }

  /// `logits`: `[batch, patches, words]`, of the visual words that masked patches may be. Bao et al., arXiv 2106.08254,
  /// §2.3.
  private func words<Scalar: ComputeScalar>() -> Stage<Scalar> {
    Stage(
      "lm_head", outputs: [.final("logits")],
      work: { inputs in
        var work = work(inputs)
        // Of what fits: a config may say more than can be multiplied.
        let pictures = inputs.numbers["pixel_values"]?.shape.first ?? 1
        work.gives = pictures * embedding.grid(of: inputs).reduce(1, *) * head.words
        return work
      }
    ) { scope throws(CheckpointError) in
      let norm = try Norm(scope, "lm_head_norm", norm, width: width)
      let head: Linear<Scalar> = try Linear(
        scope.module("lm_head", .linear), in: width, out: head.words)
      return { states throws(CheckpointError) in
        states["logits"] = head(patches(of: norm(states["normalised"])))
      }
    }
  }

  /// `cls_logits`, `distillation_logits`, and their mean, `logits`.
  private func classifiers<Scalar: ComputeScalar>() -> Stage<Scalar> {
    let names = ["logits", "cls_logits", "distillation_logits"]
    return Stage("classifier", outputs: names.map { .final($0) }) {
      scope throws(CheckpointError) in
      let own = try Linear(scope.module("classifier", .linear), in: width, out: head.labels)
      let teacher = try Linear(
        scope.module("teacher_classifier", .linear), in: width, out: head.labels)
      return { states throws(CheckpointError) in
        let x = states["normalised"]
        let (first, second) = (own(position(0, of: x)), teacher(position(1, of: x)))
        states["cls_logits"] = first
        states["distillation_logits"] = second
        states["logits"] = scaled(add(first, second), by: 0.5)
      }
    }
  }

  private func reconstruction<Scalar: ComputeScalar>() -> Stage<Scalar> {
    PictureHead(
      width: width, channels: embedding.channels, grid: embedding.grid, side: head.stride
    ).stage(work: work) { patches(of: $0["normalised"]) }
  }

  /// `[batch, patches, width]`
  private func patches<Scalar: ComputeScalar>(of x: NDArray<Scalar>) -> NDArray<Scalar> {
    split(x, axis: 1, sizes: [embedding.leading, x.shape[1] - embedding.leading])[1]
  }

  /// `[batch, width]`
  private func meanOfPatches<Scalar: ComputeScalar>(_ x: NDArray<Scalar>) -> NDArray<Scalar> {
    meanOfPositions(patches(of: x))
  }
}

/// A head that makes a square of pixels of each patch.
struct PictureHead {
  /// Of a patch's vector.
  let width: Int
  /// How many numbers a pixel has.
  let channels: Int
  /// How many patches there are above each other, and side by side.
  let grid: [Int]
  /// How many pixels high and wide a square is.
  let side: Int

  /// `reconstruction`: `[batch, channels, height, width]`
  ///
  /// Shi et al., arXiv 1609.05158, §2.2, eq. 4: what a patch's channels become, row by row.
  func stage<Scalar: ComputeScalar>(
    work: @escaping @Sendable (ModelInputs) -> StageWork,
    _ patches: @escaping @Sendable (States<Scalar>) -> NDArray<Scalar>
  ) -> Stage<Scalar> {
    Stage(
      "picture_head", outputs: [.final("reconstruction")],
      work: { inputs in
        var work = work(inputs)
        // Of what fits: a config may say more than can be multiplied.
        let pictures = inputs.numbers["pixel_values"]?.shape.first ?? 1
        work.gives = pictures * grid[0] * grid[1] * channels * side * side
        return work
      }
    ) { scope throws(CheckpointError) in
      let head = try Linear(
        scope.module("picture_head", .linear), in: width, out: channels * side * side)
      return { states throws(CheckpointError) in
        // [batch, patches, channels × side × side]
        let pixels = head(patches(states))
        let batch = pixels.shape[0]
        let parts = pixels.reshaped([batch, grid[0], grid[1], channels, side, side])
        states["reconstruction"] = permute(parts, [0, 3, 1, 4, 2, 5])
          .reshaped([batch, channels, grid[0] * side, grid[1] * side])
      }
    }
  }
}
