import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// Files that the original libraries wrote are read as these libraries read them.
@Suite struct GoodFilesTests {
  static let manifest = try? JSONValue(
    parsing: readFile(fixture("containers/manifest.json")), grammar: .strict)

  @Test func `every good file is in the manifest`() {
    let listed = Self.manifest?.members?.map(\.key).sorted()
    let there = ["npy", "npz", "safetensors"].flatMap { format in
      fixtures(format, "good").map { "\(format)/good/\($0.lastComponent?.string ?? "")" }
    }
    #expect(listed == there.sorted())
  }

  @Test(arguments: goodFixtures) func `reads what is there`(_ path: FilePath) throws {
    let format = path.removingLastComponent().removingLastComponent().lastComponent?.string ?? ""
    let name = path.lastComponent?.string ?? ""
    let expected = try #require(Self.manifest?["\(format)/good/\(name)"]?.elements)
    let found = try readAll(path)
    #expect(found.count == expected.count)
    for (tensor, facts) in zip(found, expected) {
      #expect(TensorName(facts["name"]?.string ?? "?") == tensor.name)
      #expect(facts["dtype"]?.string == tensor.dtype.name)
      #expect(facts["shape"]?.elements?.compactMap(\.int) == tensor.shape)
      if let count = facts["zeros"]?.int {
        #expect(tensor.bytes.count == count)
        #expect(tensor.bytes.count { $0 != 0 } == 0)
      } else {
        #expect(facts["bytes"]?.string == hexadecimal(tensor.bytes))
      }
    }
  }

  @Test(arguments: ["every_dtype", "no_tensors", "metadata_only", "shapes", "names"])
  func `safetensors is written as the reference implementation writes it`(
    _ name: String
  ) throws {
    let path = fixture("containers/safetensors/good/\(name).safetensors")
    let scratch = ScratchFolder()
    let checkpoint = try Checkpoint.open(path)
    let target = scratch.path.appending("again.safetensors")
    try CheckpointWriter(destination: target, format: .safetensors)
      .write(tensors: checkpoint.tensors.tensors, metadata: checkpoint.metadata)
    #expect(readFile(target) == readFile(path))
  }

  @Test(arguments: fixtures("npy", "good")) func `npy is written as numpy writes it`(
    _ path: FilePath
  ) throws {
    let name = path.stem ?? ""
    let isOther =
      name.hasPrefix("big_endian") || name.contains("fortran") || name.hasPrefix("version")
      || name == "python_2_longs" || name == "other_key_order" || name == "float8_e5m2"
    if isOther { return }
    let scratch = ScratchFolder()
    let target = scratch.path.appending("again.npy")
    try CheckpointWriter(destination: target, format: .npy)
      .write(tensors: Checkpoint.open(path).tensors.tensors)
    #expect(readFile(target) == readFile(path))
  }

  private func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef")
    return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
  }
}
