import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// There is a certificate exactly when there is a target that it is about.
@Suite struct ConversionCertificateTests {
  private let scratch = ScratchFolder()

  private func convert(
    _ source: FilePath, to name: String, certificate: String, overwrite: Bool = false
  ) throws {
    let target = scratch.path.pushing(FilePath(name))
    try Conversion(
      Checkpoint.open(source),
      to: Conversion.Target(
        target, isFolder: target.extension == nil,
        certificate: scratch.path.pushing(FilePath(certificate)), overwrite: overwrite)
    ).run()
  }

  private func category(_ body: () throws -> Void) -> CheckpointError.Category? {
    #expect(throws: CheckpointError.self, performing: body)?.category
  }

  @Test func `what cannot be run is not certified, and not written`() throws {
    let source = scratch.path.appending("source.safetensors")
    try CheckpointWriter(destination: source, format: .safetensors)
      .write(tensors: [Tensor("x", [2], values: [1, 2])])
    #expect(category { try convert(source, to: "b.npz", certificate: "c.json") } == .unsupported)
    #expect(scratch.names == ["source.safetensors"])
  }

  @Test func `an existing certificate is replaced only when asked`() throws {
    scratch.write([1], to: "c.json")
    let source = fixture("bert/base")
    #expect(category { try convert(source, to: "b.npz", certificate: "c.json") } == .refused)
    #expect(scratch.names == ["c.json"] && readFile(scratch.path.appending("c.json")) == [1])
    try convert(source, to: "b.npz", certificate: "c.json", overwrite: true)
    _ = try Certificate.decode(readFile(scratch.path.appending("c.json")))
  }

  @Test func `a certificate has nowhere to go`() throws {
    let source = fixture("bert/base")
    #expect(category { try convert(source, to: "b.npz", certificate: "no/c.json") } == .failed)
    #expect(scratch.names == [])
  }

  @Test(arguments: ["b.npz", "./b.npz", "b.npz.config.json"])
  func `a certificate never takes the place of the target`(_ name: String) throws {
    let source = fixture("bert/base")
    for overwrite in [false, true] {
      let found = category {
        try convert(source, to: "b.npz", certificate: name, overwrite: overwrite)
      }
      #expect(found == .refused && scratch.names == [])
    }
  }

  @Test func `a certificate never takes the place of the source`() throws {
    let source = scratch.makeFolder("source")
    for file in ["config.json", "model.safetensors"] {
      writeFile(readFile(fixture("bert/base").appending(file)), to: source.appending(file))
    }
    for file in ["config.json", "model.safetensors"] {
      let found = category {
        try convert(source, to: "b.npz", certificate: "source/\(file)", overwrite: true)
      }
      #expect(found == .refused && scratch.names == ["source"])
    }
  }

  @Test func `a certificate may stand in the target's folder`() throws {
    for overwrite in [false, true] {
      try convert(
        fixture("bert/base"), to: "b", certificate: "b/certificate.json", overwrite: overwrite)
      let names = fileNames(in: scratch.path.appending("b"))
      #expect(names == ["certificate.json", "config.json", "model.safetensors"])
      #expect(scratch.names == ["b"])
    }
  }

  @Test func `no target, no certificate`() throws {
    scratch.write([1], to: "b.npz")
    #expect(
      category { try convert(fixture("bert/base"), to: "b.npz", certificate: "c.json") } == .refused
    )
    #expect(scratch.names == ["b.npz"])
  }
}
