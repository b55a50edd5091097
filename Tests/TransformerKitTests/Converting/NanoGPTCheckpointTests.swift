import Containers
import Families
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// A checkpoint of nanoGPT says what its model is made of, as nanoGPT's own train.py writes it.
@Suite struct NanoGPTCheckpointTests {
  private let own = fixture("gpt2/nanogpt_training_state/pytorch_model.bin")
  private let options = OpenOptions(recognition: RecognitionOptions(dropsTrainingState: true))

  @Test func `what is written is what nanoGPT has written of the same model`() throws {
    let scratch = ScratchFolder()
    let target = scratch.path.appending("ckpt.pt")
    let source = fixture("gpt2/nanogpt/huggingface")
    try Conversion(
      Checkpoint.open(source), to: Conversion.Target(target, dialect: "nanogpt")
    ).run()
    // Alone, without the config beside it.
    let alone = scratch.makeFolder("alone").appending("ckpt.pt")
    writeFile(readFile(target), to: alone)
    let (written, theirs) = (try Checkpoint.open(alone), try Checkpoint.open(own))
    #expect(written.strippedPrefix?.text == "model." && theirs.strippedPrefix?.text == "model.")
    #expect(written.others.isEmpty)
    #expect(theirs.others.allSatisfy { !$0.name.hasPrefix("model_args") })
    #expect(try arguments(of: written) == arguments(of: theirs))
    #expect(try arguments(of: theirs).contains("block_size: 20"))
    for tensor in written.tensors.tensors {
      let other = try #require(theirs.tensors[tensor.name])
      #expect(tensor.dtype == other.dtype && tensor.shape == other.shape, "\(tensor.name)")
      #expect(
        try tensor.bytes.read(0..<tensor.byteCount) == other.bytes.read(0..<other.byteCount))
    }
    let digest = try ModelID(Model(source).graph).digest
    #expect(try ModelID(Model(alone).graph).digest == digest)
    #expect(try ModelID(Model(theirs, options: options).graph).digest == digest)
  }

  private func arguments(of checkpoint: Checkpoint) throws -> [String] {
    let members = try #require(checkpoint.config?.value.members)
    return members.map { "\($0.key): \($0.value.text())" }.sorted()
  }

  @Test func `no model is said to be made of anything where nanoGPT's names are not`() throws {
    let scratch = ScratchFolder()
    let target = scratch.path.appending("x.pt")
    try Conversion(
      Checkpoint.open(fixture("gpt2/nanogpt/huggingface")), to: Conversion.Target(target)
    ).run()
    #expect(try Checkpoint.open(target).strippedPrefix == nil)
  }
}
