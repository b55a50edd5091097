import Kernels
import Models

/// Which patches of pictures an encoder sees, and in which order.
struct PatchOrder: Sendable {
  /// The input that patches are sorted by: `[batch, patches]`.
  static let input = "noise"

  /// For each picture its patches, the smallest number first.
  private let patches: [[Int]]
  /// How many of them are seen.
  private let count: Int

  /// - Parameters:
  ///   - noise: `[batch, patches]`; `nil` leaves nothing out, and patches where they are.
  ///   - share: how many are left out, of 1.
  init(_ noise: NDArray<Double>?, pictures: Int, patches: Int, without share: Double) {
    guard let noise else {
      self.patches = Array(repeating: Array(0..<patches), count: pictures)
      count = patches
      return
    }
    self.patches = (0..<pictures).map { picture in
      let row = Array(noise.row(picture))
      return row.indices.sorted { (row[$0], $0) < (row[$1], $1) }
    }
    count = Int(Double(patches) * (1 - share))
  }

  /// Those that are seen: `[batch, patches, width]` to `[batch, seen, width]`.
  func kept<Scalar: ComputeScalar>(of x: NDArray<Scalar>) -> NDArray<Scalar> {
    let elements = patches.enumerated().flatMap { picture, order in
      order.prefix(count).flatMap { x.row(picture * order.count + $0) }
    }
    return NDArray(shape: [patches.count, count, x.shape[2]], elements: elements)
  }

  /// The states of a class token and those that were seen, each at its place, and a token at the others:
  /// `[batch, 1 + seen, width]` to `[batch, 1 + patches, width]`.
  ///
  /// - Parameter token: `[1, width]`
  func restored<Scalar: ComputeScalar>(
    _ x: NDArray<Scalar>, filling token: NDArray<Scalar>
  ) -> NDArray<Scalar> {
    var elements: [Scalar] = []
    for (picture, order) in patches.enumerated() {
      var places = [Int](repeating: 0, count: order.count)
      for (place, patch) in order.enumerated() { places[patch] = place }
      elements += x.row(picture * (1 + count))
      for place in places {
        if place < count {
          elements += x.row(picture * (1 + count) + 1 + place)
        } else {
          elements += token.elements
        }
      }
    }
    let length = 1 + (patches.first?.count ?? 0)
    return NDArray(shape: [patches.count, length, x.shape[2]], elements: elements)
  }

  /// 1 for each patch that is left out, and 0 for the others: `[batch, patches]`.
  func mask<Scalar: ComputeScalar>() -> NDArray<Scalar> {
    let length = patches.first?.count ?? 0
    var elements = [Scalar](repeating: 0, count: patches.count * length)
    for (picture, order) in patches.enumerated() {
      for patch in order.dropFirst(count) { elements[picture * length + patch] = 1 }
    }
    return NDArray(shape: [patches.count, length], elements: elements)
  }
}

extension ImageEmbeddingForm {
  /// Which patches are seen, if some can be left out.
  func order(_ inputs: ModelInputs) -> PatchOrder? {
    guard case .leavingOut(let share) = masking else { return nil }
    return PatchOrder(
      inputs.numbers[PatchOrder.input], pictures: inputs.numbers["pixel_values"]?.shape.first ?? 0,
      patches: grid(of: inputs).reduce(1, *), without: share)
  }
}
