package import TensorCore

/// How the trainers of one ecosystem name what they keep beside the weights: docs/dialects.md lists it.
package struct TrainingState: Sendable {
  /// Whose trainers.
  package let ecosystem: String
  /// Last parts of names.
  package var names: Set<String> = []
  /// Ends of last parts.
  package var endings: [String] = []
  /// Beginnings of whole names.
  package var prefixes: [String] = []
  /// Parts of names that say it only beside the name of a weight that is stored too, since weights may be
  /// called so: behind it (`kernel/v`), or before it (`mu/kernel`).
  package var slots: Set<String> = []

  /// What is known.
  package static let all = [
    TrainingState(
      ecosystem: "TensorFlow 1",
      names: [
        "global_step", "beta1_power", "beta2_power", "loss_scale", "current_loss_scale",
        "good_steps",
        "Adam", "Adam_1", "LAMB", "LAMB_1", "LAMBOptimizer", "LAMBOptimizer_1",
        "AdamWeightDecayOptimizer", "AdamWeightDecayOptimizer_1", "Momentum", "RMSProp",
        "RMSProp_1",
        "Adagrad", "Adadelta", "Adadelta_1", "Ftrl", "Ftrl_1",
        // Google's Adam with weight decay, and LAMB written after it.
        "adam_m", "adam_v", "lamb_m", "lamb_v",
      ],
      slots: ["momentum", "m", "v", "vr", "vc"]),
    TrainingState(
      ecosystem: "TensorFlow 2, Keras", names: ["save_counter"],
      prefixes: ["optimizer/", "_optimizer/"]),
    TrainingState(
      ecosystem: "Mesh TensorFlow", endings: ["_slot_vr", "_slot_vc", "_slot_v", "_slot_m"]),
    TrainingState(ecosystem: "Flax", names: ["step"], prefixes: ["state/"]),
    TrainingState(
      ecosystem: "optax", prefixes: ["opt_state/", "opt_state."],
      slots: ["mu", "nu", "trace", "v_row", "v_col"]),
    TrainingState(
      ecosystem: "PyTorch",
      names: [
        "step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq", "momentum_buffer", "square_avg",
        "best_val_loss",
      ],
      prefixes: [
        "optimizer.", "optimizer_state.", "optimizer_states.", "optimizer_state_dict.", "optim.",
        "lr_scheduler.", "lr_schedulers.", "scheduler.", "scaler.", "grad_scaler.", "callbacks.",
        "rng_state",
      ]),
  ]

  /// Whether a name is one of these.
  ///
  /// - Parameters:
  ///   - parts: what stands between its slashes and dots.
  ///   - isStored: whether there is a tensor of a name.
  fileprivate func contains(
    _ name: String, _ parts: [Substring], isStored: (String) -> Bool
  ) -> Bool {
    if prefixes.contains(where: name.hasPrefix) { return true }
    guard let last = parts.last else { return false }
    if names.contains(String(last)) || endings.contains(where: last.hasSuffix) { return true }
    if slots.contains(String(last)), isStored(String(name.dropLast(last.count + 1))) { return true }
    return parts.dropLast().contains { part in
      slots.contains(String(part)) && isStored(String(name[part.endIndex...].dropFirst()))
    }
  }
}

/// Whether a tensor is an optimiser's slot, a step counter or the like, by its name and those of the others.
package func isTrainingState(_ name: String, in table: TensorTable) -> Bool {
  let parts = name.split(omittingEmptySubsequences: false) { $0 == "/" || $0 == "." }
  return TrainingState.all.contains { state in
    state.contains(name, parts) { table[TensorName($0)] != nil }
  }
}
