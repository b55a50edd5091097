import Codecs
import Containers
import TensorCore
import TestSupport
import Testing

/// What mlx quantises is refused by name.
@Suite struct MLXQuantizedTests {
  @Test func `what is quantised is said, and how`() throws {
    let checkpoint = try Checkpoint.open(fixture("codecs/mlx"))
    let error = #expect(throws: CheckpointError.self) {
      try PlainTable(checkpoint.tensors, config: checkpoint.config?.value)
    }
    #expect(
      error?.problem.text
        == "model.layers.0.self_attn.k_proj.weight and 1 more are quantised by mlx (4 bits, groups of"
        + " 32), which is not decoded")
    #expect(error?.category == .unsupported)
    let unsaid = #expect(throws: CheckpointError.self) {
      try PlainTable(checkpoint.tensors, config: nil)
    }
    #expect(unsaid?.problem.text.contains("by mlx, which") == true)
  }

  @Test func `integers without scales are no such thing`() throws {
    let checkpoint = try Checkpoint.open(fixture("codecs/mlx"))
    let alone = try TensorTable(
      checkpoint.tensors.tensors.filter { !$0.name.text.hasSuffix("scales") })
    #expect(try PlainTable(alone, config: nil).codecs.isEmpty)
  }
}
