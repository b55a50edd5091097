import Codecs
import Containers
import TensorCore
import TestSupport
import Testing

/// What mlx makes of numbers in its mode `affine` is made again, bit for bit; and what is another is counted and named.
@Suite struct MLXAffineTests {
  static let cases: [String] = {
    let names = (try? tensors().map(\.name.text)) ?? []
    return names.filter { $0.hasSuffix(".weight") }.map { String($0.dropLast(7)) }.sorted()
  }()

  private static func tensors() throws -> [Tensor] {
    try Checkpoint.open(fixture("codecs/mlx/affine.safetensors")).tensors.tensors
  }

  /// The codes of a case, some of whose parts are changed, and what came of comparing them with the matrix.
  private func compare(
    _ name: String, _ changes: [String: (inout [UInt8]) -> Void] = [:]
  ) throws -> (finding: QuantizationFinding, repetition: CodeRepetition, cause: CodeCause?) {
    let all = try Self.tensors()
    let parts = try all.filter { $0.name.text.hasPrefix("\(name).") }.map { part in
      var bytes = try part.bytes.read(0..<part.byteCount)
      let last = String(part.name.text.split(separator: ".").last ?? "")
      changes[last]?(&bytes)
      return Tensor(TensorName("m.\(last)"), part.dtype, part.shape, bytes: bytes)
    }
    let numbers = name.split(separator: ".").compactMap { Int($0) }
    let settings: JSONValue = [
      "quantization": ["bits": .number(numbers[0]), "group_size": .number(numbers[1])]
    ]
    let coded = try #require(PlainTable(TensorTable(parts), config: settings).coded.first)
    let matrix = try #require(all.first { $0.name == "matrix" })
    let finding = try coded.finding(of: matrix)
    return (
      finding, try #require(coded.repetition(in: finding)),
      try coded.cause(of: matrix, in: finding)
    )
  }

  @Test(arguments: cases)
  func `codes, scales and biases are those that mlx makes`(_ name: String) throws {
    let (finding, repetition, cause) = try compare(name)
    #expect(finding.wrong == 0 && repetition.isEqual && cause == nil)
    #expect(repetition.maker == "mlx affine" && repetition.elements == 4 * 384)
    #expect(finding.relativeError > 0)
  }

  @Test func `there are cases of all bits, groups and types`() {
    let parts = Self.cases.map { $0.split(separator: ".").map(String.init) }
    #expect(Set(parts.map { $0[0] }) == ["F16", "BF16", "F32"])
    #expect(Set(parts.map { $0[1] }) == ["1", "2", "3", "4", "5", "6", "8"])
    #expect(Set(parts.map { $0[2] }) == ["32", "64", "128"] && parts.count > 25)
  }

  @Test(arguments: ["BF16.8.64", "F16.4.32", "F32.8.128"])
  func `a code that is off by one is found, also where its neighbour is near enough`(
    _ name: String
  ) throws {
    let one = try compare(name, ["weight": { $0[3] = $0[3] & 15 == 15 ? $0[3] - 1 : $0[3] + 1 }])
    #expect(one.finding.wrong == 1 && one.repetition.codes == 1)
    #expect(one.finding.firstWrong == (name == "F16.4.32" ? 6 : 3))
    #expect(one.cause == .codes(1) || one.cause == .codes(-1))
    // Twos are no neighbours.
    let two = try compare(name, ["weight": { $0[3] ^= 2 }])
    #expect(two.finding.wrong == 1 && two.cause == nil)
  }

  @Test(arguments: ["BF16.8.64", "F32.8.128"])
  func `codes that are all too small by one are named`(_ name: String) throws {
    let all = try compare(name, ["weight": { $0 = $0.map { $0 == 0 ? 0 : $0 - 1 } }])
    #expect(all.finding.wrong > 700 && all.cause == .codes(-1))
    #expect(all.repetition.scales == 0 && all.repetition.biases == 0)
  }

  @Test(arguments: ["BF16.4.32", "F16.4.64", "F32.8.32"])
  func `a scale of another group is named, and biases with the other sign`(
    _ name: String
  ) throws {
    let width = name.hasPrefix("F32") ? 4 : 2
    // Of small numbers, and of those that are a thousand times as large: in groups of 32 the seventh and tenth, of 64 the
    // third and the fifth.
    let (small, large) = name.contains("64") ? (2, 4) : (0, 9)
    let scale = try compare(
      name,
      [
        "scales": { bytes in
          for byte in 0..<width { bytes[small * width + byte] = bytes[large * width + byte] }
        }
      ])
    #expect(scale.finding.wrong > 0 && scale.cause == .otherGroups)
    #expect(scale.repetition.scales == 1 && scale.repetition.codes == 0)
    let biases = try compare(
      name,
      [
        "biases": { bytes in
          for last in stride(from: width - 1, to: bytes.count, by: width) { bytes[last] ^= 0x80 }
        }
      ])
    #expect(biases.finding.wrong > 700 && biases.cause == .biasSigns)
  }

  @Test func `scales of another formula leave it to the codes, and are counted`() throws {
    // The last bit of one scale.
    let other = try compare("BF16.4.32", ["scales": { $0[0] ^= 1 }])
    #expect(other.finding.wrong == 0 && other.cause == nil)
    #expect(other.repetition.scales == 1 && other.repetition.codes == 0)
    #expect(!other.repetition.isEqual)
    #expect(
      other.repetition.text == "0 of 1536 codes, 1 of 48 scales and 0 of 48 biases")
  }

  @Test func `a graphics processor rounds halves up, and takes 0 for the largest`() {
    let numbers: [Float] = [-3, -2.5, -2, -0.5]
    let graphics = AffineGroup(numbers[...], bits: 2, by: .graphics)
    #expect(graphics.scale == 1 && graphics.bias == -3)
    #expect(numbers.map(graphics.code) == [0, 1, 1, 3])
    let processor = AffineGroup(numbers[...], bits: 2, by: .processor)
    #expect(processor.bias == -3 && processor.scale == 3 / 4)
    #expect(numbers.map(processor.code) == [0, 1, 1, 3])
    let halves: [Float] = [-3, -2.5, 0, -0.5]
    #expect(
      halves.map(AffineGroup(halves[...], bits: 2, by: .processor).code) == [0, 0, 3, 2])
    #expect(halves.map(AffineGroup(halves[...], bits: 2, by: .graphics).code) == [0, 1, 3, 3])
  }

  @Test func `numbers that are not finite are no mlx's`() throws {
    let parts = AffineCodes(
      codes: [0, 0], scales: [.nan], biases: [.nan], groupSize: 2, bits: 2, dtype: .f32)
    let found = parts.differences(from: [.nan, 1], start: 0, by: .processor)
    #expect(found.codes == 2)
  }
}
