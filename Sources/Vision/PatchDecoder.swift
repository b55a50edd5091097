import Kernels
public import Models
import TensorCore

/// What makes pixels of what an encoder made of some of a picture's patches: blocks of their own width, which see a learned
/// token in place of those that were left out. He et al.: "Masked Autoencoders Are Scalable Vision Learners", arXiv
/// 2111.06377, §3.
public struct PatchDecoderForm: Sendable, Equatable {
  /// The width of its stream.
  public var width: Int
  /// Its blocks in order.
  public var blocks: [BlockForm]
}

extension ImageEncoderForm {
  /// `logits`: `[batch, patches, height × width × channels of a patch]`
  func decoding<Scalar: ComputeScalar>(by decoder: PatchDecoderForm) -> [Stage<Scalar>] {
    let (state, tokens) = ("decoded", embedding.patches + 1)
    let embeddings = Stage<Scalar>("decoder.embeddings", work: work) {
      scope throws(CheckpointError) in
      let scope = scope.module("decoder", .sequence).module("embeddings", .embedding)
      let projection: Linear<Scalar> = try Linear(
        scope.module("projection", .linear), in: width, out: decoder.width)
      let token = try scope.module("mask", .embedding).weight(
        "weight", [1, decoder.width], .embedding)
      let position = try scope.module("position", .embedding).weight(
        "weight", [tokens, decoder.width], .embedding)
      return { states throws(CheckpointError) in
        let seen = projection(states["normalised"])
        let all = embedding.order(states.inputs)?.restored(seen, filling: token) ?? seen
        let isUsual = embedding.grid(of: states.inputs) == embedding.grid
        let placed = isUsual ? position : stretched(position, to: all.shape[1])
        states[state] = addBroadcasting(all, placed.reshaped([1] + placed.shape))
      }
    }
    let blocks: [Stage<Scalar>] = decoder.blocks.indices.map { layer in
      Stage("decoder.blocks.\(layer)", work: work) { scope throws(CheckpointError) in
        let block = try decoder.blocks[layer].load(
          scope.module("decoder", .sequence).module("blocks", .sequence)
            .module("\(layer)", .block),
          width: decoder.width)
        return { states throws(CheckpointError) in
          states[state] = try block(states[state], &states)
        }
      }
    }
    let pixels = embedding.channels * embedding.patch[0] * embedding.patch[1]
    let head = Stage<Scalar>(
      "decoder.prediction", outputs: [.final("logits")], work: work
    ) { scope throws(CheckpointError) in
      let scope = scope.module("decoder", .sequence)
      let norm = try Norm(scope, "norm", norm, width: decoder.width)
      let prediction: Linear<Scalar> = try Linear(
        scope.module("prediction", .linear), in: decoder.width, out: pixels)
      return { states throws(CheckpointError) in
        let logits = prediction(norm(states[state]))
        states["logits"] = split(logits, axis: 1, sizes: [1, logits.shape[1] - 1])[1]
      }
    }
    return [embeddings] + blocks + [head]
  }

  /// Positions `[1 + patches, width]` of another number of patches, the first as it is: those of patches as one row, whatever
  /// the picture's rows are, by cubic convolution, as transformers has it.
  private func stretched<Scalar: ComputeScalar>(
    _ position: NDArray<Scalar>, to tokens: Int
  ) -> NDArray<Scalar> {
    let parts = split(position, axis: 0, sizes: [1, position.shape[0] - 1])
    let row = resized(
      parts[1].reshaped([1] + parts[1].shape), rows: 1, columns: tokens - 1, isSmoothed: false)
    return join([parts[0], row.reshaped([tokens - 1, position.width])], axis: 0)
  }
}
