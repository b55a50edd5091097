import Pictures
import TestSupport
import Testing

/// Sizes of pictures, against what Pillow makes of them.
@Suite struct ResamplingTests {
  private static let sizes = [(9, 7), (31, 26), (23, 5), (2, 17), (1, 1), (30, 7), (19, 12)]

  @Test(arguments: Resampling.allCases)
  func `resized pictures are Pillow's`(_ filter: Resampling) throws {
    let picture = try Picture(decoding: readFile(fixture("pictures/lossless.webp")))
    #expect(picture.pixels == (try bytes("0", in: "resized.npz")).bytes)
    for (width, height) in Self.sizes {
      let resized = picture.resized(width: width, height: height, by: filter)
      let expected = try bytes("\(width)x\(height)/\(filter.rawValue)", in: "resized.npz")
      #expect(expected.shape == [resized.height, resized.width, 3])
      #expect(resized.pixels == expected.bytes, "\(width)x\(height)")
    }
  }
}
