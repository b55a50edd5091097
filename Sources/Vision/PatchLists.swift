import Kernels
import Models
import TensorCore

/// Pictures that are read as lists of patches.
enum PatchLists {
  /// Which patches are no padding, and
  static let mask = "pixel_attention_mask"
  /// how many of them stand above each other and side by side.
  static let grids = "spatial_shapes"
}

extension ImageEncoderForm {
  /// The mask of lists, as blocks ask for it.
  package static let maskOfLists = PatchLists.mask

  /// `[batch, patches, numbers]`, with the mask and the grids.
  func listInputs(batch: InputSlot.Axis) -> [InputSlot] {
    let numbers = embedding.channels * embedding.patch[0] * embedding.patch[1]
    return [
      .numbers("pixel_values", [batch, .patches, .size(numbers)]),
      .mask(PatchLists.mask, over: .patches, batch: batch), .grids(PatchLists.grids, batch: batch),
    ]
  }

  /// Which patches count, if some are padding.
  func counted(_ inputs: ModelInputs) -> NDArray<Bool>? {
    embedding.isOfLists ? inputs.mask(PatchLists.mask) : nil
  }

  /// The mean of the patches' states that count: `[batch, patches, width]` to `[batch, width]`.
  func meanOfCounted<Scalar: ComputeScalar>(
    _ x: NDArray<Scalar>, _ mask: NDArray<Bool>
  ) -> NDArray<Scalar> {
    let width = x.width
    var elements: [Scalar] = []
    for picture in 0..<mask.rows {
      var sum = [Scalar](repeating: 0, count: width)
      let allowed = Array(mask.row(picture))
      for place in allowed.indices where allowed[place] {
        let start = (picture * allowed.count + place) * width
        for index in 0..<width { sum[index] += x.elements[start + index] }
      }
      let count = Scalar(allowed.count { $0 })
      elements += sum.map { $0 / count }
    }
    return NDArray(shape: [mask.rows, width], elements: elements)
  }
}
