import Models
import TensorCore
import TestSupport
import Testing

/// What trainers write beside the weights, by their names.
@Suite struct TrainingStateTests {
  /// Weights of which the names below are slots.
  private static let weights = [
    "bert/embeddings/word_embeddings", "model/h0/attn/c_attn/w", "decoder/layers_0/mlp/wi/kernel",
    "h.0.attn.c_attn.weight", "decoder/block_000/layer_000/SelfAttention/v",
  ]

  private static let table: TensorTable = {
    let tensors = weights.map { Tensor(TensorName($0), [1], values: [0]) }
    return (try? TensorTable(tensors)) ?? TensorTable()
  }()

  @Test(
    arguments: [
      // TensorFlow 1
      "global_step", "beta1_power", "beta2_power", "training/beta1_power", "loss_scale",
      "good_steps",
      "bert/embeddings/word_embeddings/Adam", "bert/embeddings/word_embeddings/Adam_1",
      "bert/embeddings/word_embeddings/adam_m", "bert/embeddings/word_embeddings/adam_v",
      "bert/embeddings/word_embeddings/AdamWeightDecayOptimizer",
      "bert/embeddings/word_embeddings/AdamWeightDecayOptimizer_1",
      "bert/embeddings/word_embeddings/LAMB", "bert/embeddings/word_embeddings/LAMB_1",
      "model/h0/attn/c_attn/w/Momentum", "model/h0/attn/c_attn/w/momentum",
      "model/h0/attn/c_attn/w/vr", "model/h0/attn/c_attn/w/vc", "model/h0/attn/c_attn/w/v",
      "model/h0/attn/c_attn/w/m",
      // TensorFlow 2, Keras
      "save_counter", "optimizer/iter", "optimizer/bert/embeddings/word_embeddings/m",
      // Mesh TensorFlow
      "decoder/block_000/layer_000/SelfAttention/v_slot_vr",
      "decoder/block_000/layer_000/SelfAttention/v_slot_vc", "shared/embedding_slot_v",
      // T5X
      "state/step", "state/param_states/decoder/layers_0/mlp/wi/kernel/v_row",
      // optax
      "opt_state/0/mu/decoder/layers_0/mlp/wi/kernel", "opt_state/0/count",
      "mu/decoder/layers_0/mlp/wi/kernel", "nu/decoder/layers_0/mlp/wi/kernel",
      "decoder/layers_0/mlp/wi/kernel/v_row", "decoder/layers_0/mlp/wi/kernel/v_col",
      // PyTorch
      "step", "h.0.attn.c_attn.weight.exp_avg", "h.0.attn.c_attn.weight.exp_avg_sq",
      "h.0.attn.c_attn.weight.momentum_buffer", "optimizer.state.0.exp_avg",
      "lr_scheduler.last_epoch",
    ])
  func `a name is training state`(_ name: String) {
    #expect(isTrainingState(name, in: Self.table))
  }

  @Test(
    arguments: [
      "decoder/block_001/layer_000/SelfAttention/v", "h.1.attn.v", "mu/other/kernel", "m", "v",
      "nu",
      "encoder.mu.weight", "momentum", "bert/embeddings/word_embeddings_1", "steps", "adam.weight",
      "stepper.weight", "loss.weight",
    ])
  func `a name that only looks like one is not`(_ name: String) {
    #expect(!isTrainingState(name, in: Self.table))
  }

  @Test func `every ecosystem has names of its own`() {
    #expect(
      TrainingState.all.map(\.ecosystem).count == Set(TrainingState.all.map(\.ecosystem)).count)
    for state in TrainingState.all {
      #expect(!state.names.isEmpty || !state.endings.isEmpty || !state.prefixes.isEmpty)
    }
  }
}
