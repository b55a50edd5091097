import Kernels
import Models

extension Dialect {
  /// The members as Apple's mlx-lm stores them (mlx_lm 0.32: models/mixtral.py, qwen2_moe.py, qwen3_moe.py,
  /// olmoe.py): under Hugging Face's names, the experts of a layer stacked, each of their matrices by itself.
  static let mlxMixtral: [Dialect] = [
    mlxMixtral(
      MixtralOfExperts.self, module: "block_sparse_moe", theta: 1e6,
      limits: [.headsAsWideAsStream(Mixtral<MixtralOfExperts>.self)]),
    mlxMixtral(Qwen2MoE.self, theta: 1e6, writesTie: .always, limits: .mlxQwen2MoE),
    mlxMixtral(
      Qwen3MoE.self, theta: nil,
      limits: [
        .of(Mixtral<Qwen3MoE>.self, "attention_bias") { model in
          model.form.blocks.contains(where: \.attention.hasBias)
            ? ("true in the config", "false") : nil
        }
      ]),
    mlxMixtral(
      OLMoE.self, theta: 10_000, scalings: ["linear"],
      limits: [
        .of(Mixtral<OLMoE>.self, "clip_qkv") { model in
          model.form.blocks.first?.attention.bound.map { ("\($0) in the config", "not known") }
        }
      ]),
  ]

  /// - Parameters:
  ///   - theta: the base of rotary positions where the config says none to mlx-lm, which fails then if `nil`.
  ///   - scalings: the ways to scale their frequencies that it knows.
  private static func mlxMixtral<Member: MixtralMember>(
    _ member: Member.Type, module: String = "mlp", theta: Double?, scalings: [String] = [],
    writesTie: Rule.TieWriting = .never, limits: [Limit]
  ) -> Dialect {
    let stored = "model.layers.{i}.\(module)."
    let block = "decoder.blocks.{i}.feed_forward."
    return Dialect(
      name: "mlx",
      architecture: member.name,
      rules: [
        mixtralDecoder("model."),
        .rename(stored + "gate", block + "router"),
        ["gate", "up", "down"].flatMap { part -> [Rule] in
          .tensor(
            "\(stored)switch_mlp.\(part)_proj.weight",
            .stacked(.weight("\(block)experts.{e}.\(part).weight"), over: "e", axis: 0))
        },
        .rename("lm_head", "lm_head", writesTie: writesTie),
      ],
      limits: [
        .fact("activation", "\(Activation.silu.rawValue)"),
        .noWindow(Mixtral<Member>.self),
        .rotaryScaling(Mixtral<Member>.self, known: scalings),
        .olderRotaryKeys(usual: theta),
        .headOfWords(Mixtral<Member>.self),
      ] + limits,
      evidence: [.name(stored + "switch_mlp.gate_proj.weight")])
  }
}

extension [Limit] {
  /// What qwen2_moe.py does not ask the config for.
  fileprivate static let mlxQwen2MoE: [Limit] = [
    .fact("norm_topk_prob", "false"),
    .headsAsWideAsStream(Mixtral<Qwen2MoE>.self),
    .of(Mixtral<Qwen2MoE>.self, "qkv_bias") { model in
      model.form.blocks.allSatisfy(\.attention.hasBias) ? nil : ("false in the config", "true")
    },
    Limit("a layer without experts") { graph in
      let path = "decoder.blocks."
      return graph.slots.contains {
        $0.path.hasPrefix(path) && $0.path.hasSuffix(".feed_forward.up.weight")
      } ? ("a part of the model", "none") : nil
    },
  ]
}
