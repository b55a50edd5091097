import Kernels
import Models

extension ModelInputs {
  /// The inputs without the positions at their ends that are padding in every row; all of them where a row has
  /// nothing but padding, or no mask is given. Every array ends with the axis of positions.
  var withoutCommonPadding: ModelInputs {
    guard let mask = mask("attention_mask") else { return self }
    var longest = 0
    for row in 0..<mask.rows {
      let allowed = mask.row(row)
      guard let last = allowed.lastIndex(of: true) else { return self }
      longest = max(longest, last - allowed.startIndex + 1)
    }
    var shorter = self
    shorter.arrays = arrays.mapValues { array in
      NDArray(
        shape: array.shape.dropLast() + [longest],
        elements: (0..<array.rows).flatMap { array.row($0).prefix(longest) })
    }
    return shorter
  }
}
