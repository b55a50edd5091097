public import Kernels
public import Models
import TensorCore
import Vision

extension LLaVA {
  public func stages<Scalar: ComputeScalar>(_: Scalar.Type) -> [Stage<Scalar>] {
    guard let pictures, let width else { return [] }
    let seen: [Stage<Scalar>] = seeing(pictures) + [projector(pictures, width)]
    guard let text else { return seen }
    let writing: [Stage<Scalar>] = text.stages(Scalar.self).map { $0.inside("text") }
    return seen + writing.prefix(1).map(\.silent)
      + [merging(outputs: writing.first?.outputs ?? [], text)] + writing.dropFirst()
  }

  /// The encoder up to the last state that is read. Of the rest files have the weights.
  private func seeing<Scalar: ComputeScalar>(_ encoder: any ImageEncoder) -> [Stage<Scalar>] {
    var count = 0
    let last = features.layers.max() ?? 0
    return encoder.stages(Scalar.self).map { stage in
      guard count <= last else { return stage.unread(inside: "vision") }
      let inner: Stage<Scalar> = stage.inside("vision") { _ in nil }.onlyOnce
      guard let hidden = stage.outputs.first(where: \.isHiddenState) else {
        return inner.onlyWith(numbers: Self.pixels)
      }
      let (layer, state) = (count, "vision." + hidden.state)
      count += 1
      guard features.layers.contains(layer) else { return inner.onlyWith(numbers: Self.pixels) }
      return inner.followed { $0[Self.kept(layer)] = $0[state] }.onlyWith(numbers: Self.pixels)
    }
  }

  private static var pixels: String { "pixel_values" }

  private static func kept(_ layer: Int) -> String { "vision_layer.\(layer)" }

  /// `image_hidden_states` `[pictures × features, width]`: a network of two layers on states of the encoder beside each
  /// other.
  private func projector<Scalar: ComputeScalar>(
    _ encoder: any ImageEncoder, _ output: Int
  ) -> Stage<Scalar> {
    let input = encoder.form.width
    let (tokens, features) = (encoder.form.embedding.tokens, features)
    let work: @Sendable (ModelInputs) -> StageWork = { inputs in
      let pictures = inputs.numbers[Self.pixels]?.shape.first ?? 0
      return StageWork(positions: pictures * tokens, length: tokens)
    }
    return Stage(
      "projector", outputs: [.final("image_hidden_states")], runsOnce: true, work: work
    ) { scope throws(CheckpointError) in
      let network = try FeedForward(
        scope.module("projector", .feedForward), width: output, hidden: output,
        activation: features.activation, bias: features.hasBias,
        from: input * features.layers.count)
      return { states throws(CheckpointError) in
        // [pictures, tokens, width × layers]
        var seen = join(features.layers.map { states[Self.kept($0)] }, axis: 2)
        if features.leavesFirst { seen = split(seen, axis: 1, sizes: [1, tokens - 1])[1] }
        let found = network(seen)
        states["image_hidden_states"] = found.reshaped([found.rows, output])
      }
    }.onlyWith(numbers: Self.pixels)
  }

  /// The words of a text with pictures in the places of their tokens, in order.
  private func merging<Scalar: ComputeScalar>(
    outputs: [StageOutput], _ text: any Architecture
  ) -> Stage<Scalar> {
    let words = "text." + (text.wordVectors ?? "")
    return Stage("text.pictures", outputs: outputs, runsOnce: true) { _ throws(CheckpointError) in
      { states throws(CheckpointError) in
        guard states.isSet("image_hidden_states") else { return }
        let pictures = states["image_hidden_states"]
        var merged = states[words]
        let ids = states.inputs.required("input_ids").elements
        for (row, place) in ids.indices.filter({ ids[$0] == token }).enumerated() {
          let first = place * merged.width
          merged.elements.replaceSubrange(
            first..<first + merged.width, with: pictures.row(row))
        }
        states[words] = merged
      }
    }
  }

  public var inputs: [InputSlot] {
    guard let text else { return pictures?.form.inputs(isFixed: true) ?? [] }
    let seen = pictures?.form.inputs(batch: .pictures, isFixed: true) ?? []
    return text.inputs + seen.map(\.optional)
  }

  public func faults(in inputs: ModelInputs) -> [String] {
    let found = text?.faults(in: inputs) ?? []
    guard let pictures = inputs.numbers[Self.pixels]?.shape.first,
      let ids = inputs["input_ids"]?.elements
    else { return found }
    let (needed, places) = (pictures * features.count, ids.count { $0 == token })
    guard needed != places else { return found }
    return found + [
      "pixel_values are \(pictures) times \(features.count) vectors, input_ids has the token"
        + " \(token) \(places) times"
    ]
  }

  /// A picture in each text, behind the first tokens.
  public func completing(_ inputs: ModelInputs) -> ModelInputs {
    var inputs = text?.completing(inputs) ?? inputs
    guard let pixels = inputs.numbers[Self.pixels], let words = text?.words(of: "input_ids"),
      let ids = inputs["input_ids"]
    else { return inputs }
    let (rows, size) = (min(ids.rows, pixels.shape.first ?? 0), pixels.elements.count)
    let one = size / max(1, pixels.shape.first ?? 1)
    inputs.numbers[Self.pixels] = NDArray(
      shape: [rows] + pixels.shape.dropFirst(), elements: Array(pixels.elements[..<(rows * one)]))
    for (name, inserted) in [("input_ids", token), ("attention_mask", 1)] {
      guard let array = inputs[name] else { continue }
      let elements = (0..<array.rows).flatMap { row -> [Int] in
        // A word that is no picture in place of one that is.
        let own = array.row(row).map {
          name == "input_ids" && $0 == token ? (token + 1) % words : $0
        }
        let place = min(row + 1, own.count)
        let all = Array(repeating: inserted, count: features.count)
        return own[..<place] + all + own[place...]
      }
      inputs[name] = NDArray(
        shape: [array.rows, array.width + features.count], elements: elements)
    }
    return inputs
  }
}
