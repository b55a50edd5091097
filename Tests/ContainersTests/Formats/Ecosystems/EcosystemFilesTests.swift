import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// The formats whose files the scripts of `Tools/oracle` make with the ecosystems' own code.
let ecosystems = ["flax", "tensorflow", "onnx", "hdf5", "pickle", "ctranslate2"]

/// Files of these that must be read.
let ecosystemFixtures = ecosystems.flatMap { fixtures($0, "good") }.filter {
  $0.extension != "data"
}

/// What other ecosystems wrote is read as they read it, or refused for the reason that the file's name says.
@Suite struct EcosystemFilesTests {
  @Test(arguments: ecosystemFixtures) func `reads what is there`(_ path: FilePath) throws {
    let checkpoint = try Checkpoint.open(path)
    let stem = path.lastComponent?.string.prefix { $0 != "." } ?? ""
    let folder = path.removingLastComponent().removingLastComponent()
    #expect(checkpoint.format.name == folder.lastComponent?.string)
    let expected = try Checkpoint.open(folder.appending("expected/\(stem).safetensors"))
    let found = try checkpoint.tensors.tensors.map { try ReadTensor($0) }
    #expect(found.map(\.name).sorted() == expected.tensors.tensors.map(\.name).sorted())
    for tensor in found {
      let there = try ReadTensor(try #require(expected.tensors[tensor.name]))
      // safetensors has no complex numbers of double precision: there they are pairs.
      let (dtype, shape) =
        tensor.dtype == .c128 ? (.f64, tensor.shape + [2]) : (tensor.dtype, tensor.shape)
      #expect(dtype == there.dtype && shape == there.shape, "\(tensor.name)")
      #expect(tensor.bytes == there.bytes, "\(tensor.name)")
    }
    let asides = checkpoint.others.map { "\($0.name): \($0.what)" }.joined(separator: "\n")
    #expect(asides == expected.metadata?["asides"] ?? "")
  }

  @Test(arguments: ecosystemFixtures) func `can be written as another container`(
    _ path: FilePath
  ) throws {
    let checkpoint = try Checkpoint.open(path)
    let scratch = ScratchFolder()
    let target = scratch.path.appending("again.tfz")
    try CheckpointWriter(destination: target, format: .tfz, keepsOrder: checkpoint.keepsOrder)
      .write(tensors: checkpoint.tensors.tensors)
    let found = try readAll(path).sorted { $0.name < $1.name }
    #expect(try readAll(target).sorted { $0.name < $1.name } == found)
  }

  @Test(arguments: ecosystems) func `is read, and not written`(_ name: String) throws {
    let format = try #require(ContainerFormat.named(name))
    #expect(!format.isWritten && ContainerFormat.all.contains(format))
    #expect(!ContainerFormat.written.contains(format))
    let scratch = ScratchFolder()
    let target = scratch.path.appending("a.\(format.fileExtension)")
    let tensors = [Tensor("a", .u8, [1], [1])]
    for refused in [
      failure { try CheckpointWriter(destination: target, format: format).write(tensors: tensors) },
      failure { _ = try ContainerFormat.written(at: target) },
    ] {
      #expect(refused?.category == .unsupported)
      #expect(refused?.description.contains("\(name) files") == true, "\(refused as Any)")
    }
    #expect(scratch.names.isEmpty)
  }

  private func failure(_ body: () throws -> Void) -> CheckpointError? {
    do { try body() } catch { return error as? CheckpointError }
    return nil
  }
}
