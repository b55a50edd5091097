import Kernels
import Models
import TensorCore

extension Dialect {
  /// GPT-NeoX as LitGPT stores it.
  static let litGPTGPTNeoX: [Dialect] = litGPT(
    GPTNeoX.self,
    feedForward: ["mlp.fc": "feed_forward.up", "mlp.proj": "feed_forward.down"],
    limits: [
      .activation("gelu", "gelu_new"), .rotaryScaling(GPTNeoX.self, known: []),
      .evenRotaryPart(GPTNeoX.self), .gptNeoXHasBiases,
    ],
    config: { model in
      let block = model.form.blocks.first
      let isParallel = block?.arrangement == .parallel(sharesNorm: false)
      return [
        .init("norm_class_name", "LayerNorm"), .init("mlp_class_name", "GptNeoxMLP"),
        .init("bias", true), .init("parallel_residual", .bool(isParallel)),
        .init("gelu_approximate", block?.feedForward.activation == .gelu ? "none" : "tanh"),
      ]
    })
}
