import SystemPackage
import Containers
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// The names of the package flash_attn, which loads no file that lacks one of them.
@Suite struct FlashAttentionTests {
  private let scratch = ScratchFolder()

  @Test(arguments: goldenCases.filter { $0.contains("/flash_") })
  func `from transformers' names a file has what the package's own file has`(_ name: String) throws
  {
    let target = scratch.path.appending("model.safetensors")
    try Conversion(
      Checkpoint.open(fixture("\(name)/huggingface")),
      to: Conversion.Target(target, dialect: "flash-attn")
    ).run()
    let made = try Checkpoint.open(target).tensors
    let own = try Checkpoint.open(fixture(name)).tensors
    #expect(Set(made.tensors.map(\.name)) == Set(own.tensors.map(\.name)))
    for tensor in own.tensors {
      let bytes = try made[tensor.name].map { try $0.bytes.read(0..<$0.byteCount) }
      #expect(try bytes == tensor.bytes.read(0..<tensor.byteCount), "\(tensor.name)")
    }
  }
}
