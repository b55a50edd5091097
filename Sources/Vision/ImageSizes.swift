package import Kernels
package import Models
import TensorCore

/// The extents of an encoder of pictures, and what its config calls as most of them do.
package struct ImageSizes {
  package var width: Int
  package var layers: Int
  package var heads: Int
  package var channels: Int
  package var image: [Int]
  package var patch: [Int]
  package var hasBias: Bool
  package var activation: Activation
  package var norm: NormForm

  /// What stands for what a config does not say.
  package struct Defaults {
    let width: Int
    let heads: Int
    let epsilon: Double
    let patch: Int
    let activation: Activation
    /// Whether a config says that queries, keys and values have a bias; else they have.
    let saysBias: Bool

    /// What most have, unless told otherwise.
    package init(
      width: Int = 768, heads: Int = 12, epsilon: Double = 1e-12, patch: Int = 16,
      activation: Activation = .gelu, saysBias: Bool = true
    ) {
      (self.width, self.heads) = (width, heads)
      self.epsilon = epsilon
      self.patch = patch
      self.activation = activation
      self.saysBias = saysBias
    }
  }

  /// How many numbers a head has.
  package var headSize: Int { max(1, width / heads) }

  /// What becomes of a table of positions that has as many rows as columns, which is all that transformers resizes.
  package func resizing(isSmoothed: Bool = false) -> OtherSizes {
    image[0] / patch[0] == image[1] / patch[1] ? .resized(isSmoothed: isSmoothed) : .none
  }

  /// Blocks whose attention sees all of a picture.
  package func blocks(_ feedForward: FeedForwardForm, isScaled: Bool = false) -> [BlockForm] {
    var block = BlockForm(
      attention: SelfAttentionForm(
        shape: AttentionShape(heads: heads, headSize: headSize), hasBias: hasBias, seesAhead: true),
      feedForward: feedForward, norm: norm)
    block.isScaled = isScaled
    // Of a text beside the picture.
    block.attention.mask = "pixel_mask"
    return Array(repeating: block, count: layers)
  }
}

extension ConfigReader {
  /// The extents of an encoder under the keys that most configs have for them.
  ///
  /// - Parameter side: how many patches high and wide pictures are, where their size is not said.
  package mutating func imageSizes(
    _ usual: ImageSizes.Defaults, side: Int? = nil
  ) -> ImageSizes {
    if usual.saysBias { disregard(["attention_probs_dropout_prob", "hidden_dropout_prob"]) }
    let patch = extents("patch_size", default: usual.patch, on: .weights)
    let image =
      side.map { side in patch.map { $0 * side } }
      ?? extents("image_size", default: 224, on: .outputs(as: "image"))
    let sizes = ImageSizes(
      width: count("hidden_size", default: usual.width, on: .weights),
      layers: count(
        "num_hidden_layers", default: 12, limit: Self.mostLayers, minimum: 0, on: .weights),
      heads: count("num_attention_heads", default: usual.heads, on: .outputs(as: "heads")),
      channels: count("num_channels", default: 3, limit: 1 << 20, on: .weights),
      image: image, patch: patch,
      hasBias: usual.saysBias ? flag("qkv_bias", default: true, on: .weights) : true,
      activation: activation("hidden_act", default: usual.activation),
      norm: .layer(epsilon: epsilon("layer_norm_eps", default: usual.epsilon)))
    rejectUndivided(sizes.width, "hidden_size", by: sizes.heads, "num_attention_heads")
    if faults.isEmpty, zip(sizes.image, sizes.patch).contains(where: { $0 < $1 }) {
      reject("image_size is smaller than patch_size: there is no patch")
    }
    return sizes
  }

  /// A height and a width: a number that is both, or a list of two.
  mutating func extents(
    _ key: String, default standard: Int, on bearing: ConfigFact.Bearing
  ) -> [Int] {
    fact(
      key, .other, on: bearing, default: [standard, standard],
      json: { $0[0] == $0[1] ? .number($0[0]) : .array($0.map { .number($0) }) }
    ) { value in
      let extents = value.elements.map { $0.map(\.int) } ?? [value.int, value.int]
      let known = extents.compactMap { $0 }.filter { (1...Self.largestPicture).contains($0) }
      guard known.count == 2, extents.count == 2 else {
        return .fault(
          "must be an integer from 1 to \(Self.largestPicture), or a list of two, is"
            + " \(value.text())")
      }
      return .value(known)
    }
  }

  /// The largest height or width of a picture that is believed, in pixels.
  private static var largestPicture: Int { 1 << 16 }

  /// Refuses pictures that are not as high as wide, for whose positions there is no table.
  package mutating func refuseUnlessSquare(_ sizes: ImageSizes) {
    guard faults.isEmpty, sizes.image[0] != sizes.image[1] || sizes.patch[0] != sizes.patch[1]
    else {
      return
    }
    refuse("pictures or patches that are not as high as wide are not supported")
  }

  /// The head, by the class that the config names, or by the weights.
  package mutating func imageHead(
    _ classes: [(name: String, head: ImageHead)], isStored: (String) -> Bool
  ) -> ImageHeadForm {
    let labels = labelCount()
    return ImageHeadForm(
      task: head(classes) { ImageHead(isStored: isStored) }, labels: labels)
  }
}
