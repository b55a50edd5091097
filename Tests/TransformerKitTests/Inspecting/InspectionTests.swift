import Containers
import Models
import TensorCore
import TestSupport
import Testing
import TransformerKit

@Suite struct NameTreeTests {
  private func tree(_ names: [String], shape: (String) -> [Int] = { _ in [2] }) -> NameTree {
    NameTree(
      names.map { name in
        let shape = shape(name)
        return Tensor(
          TensorName(name), shape, values: [Float](repeating: 1, count: shape.reduce(1, *)))
      })
  }

  @Test func `layers that are alike are drawn once`() {
    let names = (0..<12).flatMap { ["model.layers.\($0).w", "model.layers.\($0).b"] } + ["head"]
    let tree = tree(names)
    #expect(tree.children.map(\.name) == ["model", "head"])
    let layers = tree.children[0].children[0]
    #expect(layers.children.map(\.name) == ["0…11"] && layers.children[0].count == 12)
    #expect(layers.elementCount == 48 && layers.children[0].oneElementCount == 4)
    #expect(tree.elementCount == 50)
  }

  @Test func `layers are in the order of their numbers, whatever the file's is`() {
    let tree = tree((0..<12).map(String.init).sorted().map { "h.\($0)" } + ["h.x"])
    #expect(tree.children[0].children.map(\.name) == ["0…11", "x"])
  }

  @Test func `layers that differ are drawn each, and numbers inside of names count`() {
    let tree = tree(["a/layer_0/w", "a/layer_1/w", "a/layer_2/w"]) { $0.contains("1") ? [3] : [2] }
    #expect(tree.children[0].children.map(\.name) == ["layer_0", "layer_1", "layer_2"])
  }

  @Test func `a name that goes on is a tensor and a folder`() {
    let tree = tree(["a", "a.b"])
    #expect(tree.children[0].tensor != nil && tree.children[0].children.map(\.name) == ["b"])
  }
}

@Suite struct ModelSummaryTests {
  @Test func `parameters are those of the parts`() throws {
    for name in ["bert/masked_lm", "gpt2/lm", "t5/model"] {
      let graph = try Model(fixture(name)).graph
      let summary = ModelSummary(graph)
      #expect(summary.parts.reduce(0) { $0 + $1.parameters } == graph.parameterCount)
      #expect(summary.parts.contains { $0.blocks > 1 })
    }
  }

  /// GPT-2 of the fixture: 2 layers of width 24; T5: a decoder of 2 layers with 4 heads of 8.
  @Test func `keys and values are counted`() throws {
    let gpt2 = try Model(fixture("gpt2/lm"))
    let config = try #require(gpt2.checkpoint.config?.value)
    let layers = try #require(config["n_layer"]?.int)
    let width = try #require(config["n_embd"]?.int)
    #expect(ModelSummary(gpt2.graph).cache?.perToken == 2 * layers * width * 4)
    #expect(ModelSummary(gpt2.graph).cache?.perEncoderToken == 0)
    let t5 = try Model(fixture("t5/model"))
    let other = try #require(t5.checkpoint.config?.value)
    let blocks = try #require(other["num_decoder_layers"]?.int ?? other["num_layers"]?.int)
    let inner = try #require(other["num_heads"]?.int) * (other["d_kv"]?.int ?? 0)
    if let cache = ModelSummary(t5.graph).cache {
      #expect(cache.perToken == 2 * blocks * inner * 4 && cache.perEncoderToken == cache.perToken)
    }
    #expect(try ModelSummary(Model(fixture("bert/base")).graph).cache == nil)
  }

  /// Two layers of 4 heads of 8 that share 2, with a window of 3, in bf16.
  @Test func `layers with a window keep no more than it`() throws {
    let summary = try ModelSummary(Model(fixture("llama/mistral")).graph)
    #expect(summary.cache?.perToken == 2 * 2 * 2 * 8 * 2)
    #expect(summary.cache?.perThousandTokens == 3 * 2 * 2 * 2 * 8 * 2)
    #expect(summary.attention.count == 1 && summary.attention[0].count == 2)
    #expect(summary.attention[0].shape.window == 3 && summary.positions == 32)
    let mixed = try ModelSummary(Model(fixture("llama/qwen2_windows")).graph)
    #expect(
      mixed.attention.map(\.shape.window) == [nil, 3] && mixed.attention.map(\.count) == [1, 2])
  }
}

@Suite struct PartTests {
  @Test(arguments: [DType.u8, .f16, .f32, .i64])
  func `a part has the elements of the slice`(_ dtype: DType) throws {
    let width = dtype.bitWidth / 8
    let tensor = Tensor(
      "x", dtype, [4, 3, 5], bytes: (0..<60 * width).map { UInt8(truncatingIfNeeded: $0 * 7) })
    for text in ["1:3,:,2:4", "2", ":,1,:", "0:0", "3,2,4", "1:1,:,:"] {
      let ranges = try Slice.ranges(text, of: tensor.shape)
      let part = try tensor.part(ranges)
      let bytes = try part.bytes.read(0..<part.byteCount)
      let values = (0..<part.elementCount).map { dtype.element(at: $0, of: bytes) }
      // As text, because NaN is not equal to itself.
      #expect(try "\(values)" == "\(tensor.values(in: ranges))", "\(text)")
      #expect(part.shape == ranges.map(\.count))
    }
  }
}
