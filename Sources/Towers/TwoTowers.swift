public import Encoders
public import Kernels
public import Models
import TensorCore
public import Vision

/// A model of two: an encoder of texts and one of pictures, whose results are compared, each with each. Or the encoder
/// of pictures alone, which classifies them.
///
/// Radford et al.: "Learning Transferable Visual Models From Natural Language Supervision", arXiv 2103.00020, §2.3.
/// Names of outputs are those of Hugging Face's classes (5.x).
public struct TwoTowersForm: Sendable, Equatable {
  /// The encoder of texts; `nil` where pictures are classified.
  public var text: EncoderForm?
  /// The encoder of pictures.
  public var pictures: ImageEncoderForm
  /// How texts and pictures are compared.
  public var comparison: Comparison

  /// How what stands for a text and what stands for a picture are compared: by the cosine of the angle between them,
  /// times `exp(scale)`, and more.
  public struct Comparison: Sendable, Equatable {
    /// The width of what linear layers make of both before; `nil` if there are none.
    public var projection: Int?
    /// Whether a learned number is added. Zhai et al., arXiv 2303.15343, §3.2.
    public var hasBias: Bool
  }
}

/// An architecture that is two towers.
public protocol TwoTowers: Architecture {
  /// What it is made of.
  var form: TwoTowersForm { get }
}

extension TwoTowers {
  public func stages<Scalar: ComputeScalar>(_: Scalar.Type) -> [Stage<Scalar>] { form.stages() }

  public var inputs: [InputSlot] {
    guard let text = form.text else { return form.pictures.inputs() }
    return text.inputs + form.pictures.inputs(batch: .pictures)
  }

  /// Where the last of a text's states stands for it, that is the last one that there can be.
  public var matching: PictureMatching? {
    guard let text = form.text else { return nil }
    let isLast = text.summary?.pooling == .last
    return PictureMatching(
      isOfEach: form.comparison.hasBias,
      textLength: isLast ? text.embedding.positions?.rows : nil)
  }

  public func completing(_ inputs: ModelInputs) -> ModelInputs {
    form.text?.completing(inputs) ?? inputs
  }
}

extension TwoTowersForm {
  fileprivate func stages<Scalar: ComputeScalar>() -> [Stage<Scalar>] {
    guard let text else { return pictures.stages().map { $0.inside("vision") } }
    let own = comparison.projection == nil
    func inside(_ stage: Stage<Scalar>, _ model: String) -> Stage<Scalar> {
      stage.inside(model) { output in
        output.name == "pooler_output" && !own ? nil : "\(model)_model_output.\(output.name)"
      }
    }
    return text.stages().map { inside($0, "text") } + pictures.stages().map { inside($0, "vision") }
      + [
        projection("text", "text_projection", width: text.width),
        projection("vision", "visual_projection", width: pictures.width),
      ].compactMap(\.self) + [compared()]
  }

  /// What a linear layer makes of a tower's result.
  private func projection<Scalar: ComputeScalar>(
    _ tower: String, _ name: String, width: Int
  ) -> Stage<Scalar>? {
    guard let output = comparison.projection else { return nil }
    let state = tower + ".features"
    return Stage(
      name, outputs: [.final("\(tower)_model_output.pooler_output", from: state)], work: work
    ) { scope throws(CheckpointError) in
      let projection = try Linear(scope.module(name, .linear), in: width, out: output, bias: false)
      return { states throws(CheckpointError) in
        states[state] = projection(states["\(tower).pooler_output"])
      }
    }
  }

  /// `logits_per_image` `[pictures, texts]`, the same the other way round, and what was compared.
  private func compared<Scalar: ComputeScalar>() -> Stage<Scalar> {
    let names = ["logits_per_image", "logits_per_text", "text_embeds", "image_embeds"]
    let feature = comparison.projection == nil ? "pooler_output" : "features"
    return Stage("similarity", outputs: names.map { .final($0) }, work: work) {
      scope throws(CheckpointError) in
      let scope = scope.module("similarity", .head)
      // The first models' factor is a number, those with an addend have lists of one.
      let shape = comparison.hasBias ? [1] : []
      let scale = try scope.weight("scale", shape, .bias)
      let bias = comparison.hasBias ? try scope.weight("bias", shape, .bias) : nil
      return { states throws(CheckpointError) in
        let texts = normalised(states["text." + feature])
        let images = normalised(states["vision." + feature])
        let cosines = batchedProduct(texts, images, isTransposed: true)
        let factor = scale.elements.first.map { Scalar.exp($0) } ?? 1
        let addend = bias?.elements.first ?? 0
        let scores = NDArray(
          shape: cosines.shape, elements: cosines.elements.map { $0 * factor + addend })
        states["text_embeds"] = texts
        states["image_embeds"] = images
        states["logits_per_text"] = scores
        states["logits_per_image"] = permute(scores, [1, 0])
      }
    }
  }

  /// A row for each text or picture; what is compared is as wide as what is projected.
  private var work: @Sendable (ModelInputs) -> StageWork {
    { inputs in
      let texts = inputs["input_ids"]?.rows ?? 1
      let images = inputs.numbers["pixel_values"]?.shape.first ?? 1
      var work = StageWork(positions: texts + images, length: 1)
      work.gives = 2 * texts * images
      return work
    }
  }
}

/// Rows of length 1.
private func normalised<Scalar: ComputeScalar>(_ x: NDArray<Scalar>) -> NDArray<Scalar> {
  let elements = (0..<x.rows).flatMap { row -> [Scalar] in
    let row = x.row(row)
    let length = row.reduce(Scalar(0)) { $0 + $1 * $1 }.squareRoot()
    return row.map { $0 / length }
  }
  return NDArray(shape: x.shape, elements: elements)
}
