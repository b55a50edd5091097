import Models
import TensorCore

/// A config that says something else than the weights were trained with.
let configMistakes: [Plant] =
  ["hidden_act", "activation_function", "dense_act_fn"].map { key in
    config("wrong activation", key, pair: "activation") { ground, old in
      let names = ["gelu", "gelu_new", "relu", "silu"].filter { .string($0) != old }
      return .string(names[ground.dice.below(names.count)])
    }
  }
  + ["layer_norm_eps", "layer_norm_epsilon"].map { key in
    config("wrong epsilon", key, pair: "epsilon") { ground, old in
      let values = [1e-12, 1e-6, 1e-5, 1e-3].filter { .double($0) != old }
      return .double(values[ground.dice.below(values.count)])
    }
  }
  + ["num_attention_heads", "n_head"].map { key in
    config("wrong number of heads", key, pair: "heads") { ground, old in
      guard let heads = old.int, let size = ground.graph.architecture.dimensions["head_size"] else {
        return nil
      }
      let others = (1...heads * size).filter { ($0 * 1) != heads && (heads * size) % $0 == 0 }
      return others.isEmpty ? nil : .number(others[ground.dice.below(others.count)])
    }
  }
  + [
    config("wrong mask", "is_decoder", pair: "causal", golden: "is_decoder") { _, old in
      .bool(old.bool != true)
    },
    config("score scale off", "scale_attn_weights", pair: "scale") { _, old in
      .bool(old.bool == false)
    },
    config("wrong buckets", "relative_attention_max_distance", pair: "distance") { ground, old in
      .number((old.int ?? 128) == 64 ? 128 : 64)
    },
  ]

private func config(
  _ kind: String, _ key: String, pair: String, golden: String? = nil,
  _ value: @escaping @Sendable (inout Ground, JSONValue) -> JSONValue?
) -> Plant {
  Plant({ $0.graph.config[key] == nil ? [] : [key] }) { ground, key in
    guard let old = ground.graph.config[key], let new = value(&ground, old), new != old else {
      return nil
    }
    var mutant = Mutant(kind, at: "config.\(key)")
    mutant.config[key] = new
    mutant.pair = [Mutant.Expected("config", pair)]
    mutant.golden = [Mutant.Expected("config", golden ?? key)]
    return mutant
  }
}
