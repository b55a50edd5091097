import Containers
import Kernels
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

@Suite struct TensorRoleTests {
  private func roles(_ names: [String]) -> [TensorRole] {
    TensorRole.all(of: names.map { TensorName($0) })
  }

  @Test func `layers are the first number of a name`() {
    let roles = roles([
      "wte.weight", "block.10.layer.1.w", "block.2.layer.1.w", "block.2.layer.0.w",
      "block.10.layer.0.w",
    ])
    #expect(roles.map(\.pattern) == ["wte.weight", "block.*.layer.1.w", "block.*.layer.0.w"])
    #expect(roles[1].members.map(\.layer) == [2, 10] && roles[1].members.map(\.index) == [2, 1])
    #expect(roles[0].members.map(\.layer) == [nil])
  }

  @Test func `a number behind an underscore counts, one inside of a word does not`() {
    let roles = roles(["e/layer_0/k", "e/layer_1/k", "fc1.w", "fc2.w", "only.7.w"])
    #expect(roles.map(\.pattern) == ["e/layer_*/k", "fc1.w", "fc2.w", "only.7.w"])
  }

  @Test func `numbers that are no number, and names that are none`() {
    let names = ["h.99999999999999999999.w", "h.٣.w", "", ".", "h..w"]
    #expect(roles(names).map(\.name) == names)
  }
}

@Suite struct TreemapTests {
  @Test(arguments: [[5.0], [6, 6, 4, 3, 2, 2, 1], [1, 0, 0], [1e9, 1, 1e-9]])
  func `tiles have their share, and lie beside each other`(_ weights: [Double]) {
    let whole = Tile(x: 0.25, y: 0.5, width: 0.5, height: 0.25)
    let tiles = whole.squarified(weights, aspect: 2)
    let total = weights.reduce(0, +)
    #expect(tiles.count == weights.count)
    for (tile, weight) in zip(tiles, weights) {
      #expect(abs(tile.width * tile.height - 0.125 * weight / total) < 1e-12)
      #expect(tile.x > 0.25 - 1e-9 && tile.x + tile.width < 0.75 + 1e-9)
      #expect(tile.y > 0.5 - 1e-9 && tile.y + tile.height < 0.75 + 1e-9)
    }
    for (index, a) in tiles.enumerated() {
      for b in tiles[(index + 1)...] {
        let width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
        let height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
        #expect(width < 1e-9 || height < 1e-9)
      }
    }
  }

  /// The example of the paper: a rectangle of 6 by 4.
  @Test func `rows are as squarish as in the paper`() {
    let tiles = Tile.unit.squarified([6, 6, 4, 3, 2, 2, 1], aspect: 1.5)
    #expect(abs(tiles[0].width * 6 - 3) < 1e-12 && abs(tiles[0].height * 4 - 2) < 1e-12)
    #expect(abs(tiles[2].height * 4 - 7.0 / 3) < 1e-12 && abs(tiles[2].x * 6 - 3) < 1e-12)
  }

  @Test func `nothing is nowhere`() {
    #expect(Tile.unit.squarified([], aspect: 1).isEmpty)
    #expect(Tile.unit.squarified([0, 0], aspect: 1).allSatisfy { $0.width * $0.height == 0 })
  }
}

@Suite struct ModelReportTests {
  @Test(arguments: ["bert/base", "gpt2/lm", "t5/model"])
  func `a known model's parts have all its parameters`(_ name: String) throws {
    let report = try ModelReport(Checkpoint.open(fixture(name)))
    let graph = try #require(report.model?.graph)
    #expect(report.outline.parameters == graph.parameterCount)
    #expect(report.statistics.count == report.checkpoint.tensors.count)
    #expect(report.kinds.contains(.attention) && report.kinds.contains(.feedForward))
    #expect(report.check.faults.isEmpty)
    #expect(
      report.roles.flatMap { $0.members.map(\.index) }.sorted() == Array(report.kinds.indices))
  }

  @Test func `the norm of a matrix is that of its singular values`() throws {
    let report = try ModelReport(Checkpoint.open(fixture("bert/base")))
    #expect(report.spectra.count > 10)
    for role in report.spectra.roles {
      for spectrum in role.spectra {
        let tensor = report.statistics[spectrum.index]
        let square = spectrum.values.reduce(0) { $0 + $1 * $1 }
        #expect(spectrum.values.count == tensor.shape.min())
        #expect(abs(square.squareRoot() - tensor.norm) < 1e-12 * tensor.norm)
      }
    }
  }

  @Test func `numbers near the ends of double precision have spectra, NaN has none`() throws {
    func tensor(_ name: String, _ values: [Double]) -> Tensor {
      let bytes = values.flatMap { (value: Double) in littleEndian(value.bitPattern) }
      return Tensor(TensorName(name), .f64, [4, 4], bytes: bytes)
    }
    var diagonal = [Double](repeating: 0, count: 16)
    for place in 0..<4 { diagonal[5 * place] = Double(1 + place) }
    let scratch = ScratchFolder()
    let path = scratch.path.appending("x.safetensors")
    func scaled(_ factor: Double) -> [Double] { diagonal.map { (x: Double) in x * factor } }
    let tensors = [
      tensor("large", scaled(0x1p1020)), tensor("small", scaled(0x1p-1060)),
      tensor("zero", scaled(0)), tensor("nan", scaled(.nan)),
    ]
    try CheckpointWriter(destination: path, format: .safetensors, overwrite: false)
      .write(tensors: tensors)
    let spectra = try ModelReport(Checkpoint.open(path)).spectra
    #expect(spectra.notFinite == 1 && spectra.matrixCount == 4)
    let values = Dictionary(
      uniqueKeysWithValues: spectra.roles.map { ($0.role.name, $0.spectra[0].values) })
    let wanted: [Double] = [4, 3, 2, 1]
    let (large, small) = (
      wanted.map { (x: Double) in x * 0x1p1020 }, wanted.map { (x: Double) in x * 0x1p-1060 }
    )
    #expect(values["large"] == large && values["small"] == small)
    #expect(values["zero"] == [0, 0, 0, 0] as [Double])
  }

  @Test func `workers make no difference`() throws {
    func spectra(_ name: String, workers: Int) throws -> [[Double]] {
      try exclusively {
        Parallel.workers = workers
        defer { Parallel.workers = 0 }
        return try ModelReport(Checkpoint.open(fixture(name))).spectra.roles
          .flatMap { $0.spectra.map(\.values) }
      }
    }
    let one = try spectra("bert/base", workers: 1)
    #expect(try one == spectra("bert/base", workers: 3))
  }
}
