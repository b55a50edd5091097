import Kernels
public import Models
import TensorCore

/// What tells a member of the family from the other.
public protocol DeepSeekMember: Sendable {
  /// The name in `model_type`.
  static var name: String { get }
  /// What its classes' names begin with.
  static var className: String { get }
  /// What it has classes for.
  static var heads: [CausalHead] { get }
  /// What its config need not say.
  static var defaults: DeepSeekDefaults { get }
  /// What it has that the other has not.
  static func variant(_ config: inout ConfigReader) -> DeepSeekVariant
}

/// What the config of a member need not say, where they differ.
public struct DeepSeekDefaults: Sendable {
  var sizes: DeepSeekSizes
  var positions: Int
  var endTokens: [Int]
  /// How many tokens more blocks behind the last one predict.
  var furtherTokens = 0
}

/// What members differ in.
public struct DeepSeekVariant: Sendable, Equatable {
  var routing: Routing
  /// Which numbers of a head are turned together.
  var layout: RotaryLayout
  var attentionBias: Bool
  var feedForwardBias = false
}

/// DeepSeek-V2: arXiv 2405.04434.
public enum DeepSeekV2: DeepSeekMember {
  public static let name = "deepseek_v2"
  public static let className = "DeepseekV2"
  public static let heads: [CausalHead] = [.base, .languageModel, .sequenceClassification]
  public static let defaults = DeepSeekDefaults(
    sizes: DeepSeekSizes(
      vocabulary: 102_400, width: 4096, layers: 32, heads: 32, feedForward: 11008, expert: 1407,
      shared: 2, dense: 0),
    positions: 2048, endTokens: [2])

  /// How groups are chosen by the names that configs have for it.
  private enum Method: String, CaseIterable {
    case greedy
    case groups = "group_limited_greedy"
  }

  public static func variant(_ config: inout ConfigReader) -> DeepSeekVariant {
    config.require("scoring_func", "softmax")
    config.require(
      "norm_topk_prob", false,
      otherwise: "norm_topk_prob true is not supported for \(name): transformers ignores it")
    // Null, as the framework has it by default, chooses none, and fails there.
    if config.isNull("num_experts_per_tok") || !config.has("num_experts_per_tok") {
      config.reject("num_experts_per_tok is missing")
    }
    let experts = config.expertCount("n_routed_experts", or: "num_experts", default: 64)
    let active = config.activeExperts(default: 1)
    let method = config.choice("topk_method", default: Method.greedy)
    let groups = config.expertGroups(
      usual: nil, of: experts, active: active, summed: 1, areUsed: method == .groups)
    return DeepSeekVariant(
      routing: Routing(
        experts: experts, active: active, scoring: .softmax, groups: groups,
        scale: config.positive("routed_scaling_factor", default: 1, usual: [1, 2.5, 16])),
      layout: .pairs,
      attentionBias: config.flag("attention_bias", default: false, on: .weights),
      feedForwardBias: config.flag("mlp_bias", default: false, on: .weights))
  }
}

/// DeepSeek-V3 and R1: arXiv 2412.19437, 2501.12948.
public enum DeepSeekV3: DeepSeekMember {
  public static let name = "deepseek_v3"
  public static let className = "DeepseekV3"
  public static let heads: [CausalHead] = [
    .base, .languageModel, .sequenceClassification, .tokenClassification,
  ]
  public static let defaults = DeepSeekDefaults(
    sizes: DeepSeekSizes(
      vocabulary: 129_280, width: 7168, layers: 61, heads: 128, feedForward: 18432, expert: 2048,
      shared: 1, dense: 3),
    positions: 4096, endTokens: [1], furtherTokens: 1)

  public static func variant(_ config: inout ConfigReader) -> DeepSeekVariant {
    config.require("scoring_func", "sigmoid")
    config.require("topk_method", "noaux_tc")
    let experts = config.expertCount("n_routed_experts", or: "num_local_experts", default: 256)
    let active = config.activeExperts(default: 8)
    let groups = config.expertGroups(
      usual: (8, 4), of: experts, active: active, summed: 2, areUsed: true)
    return DeepSeekVariant(
      routing: Routing(
        experts: experts, active: active, scoring: .sigmoid, hasChoiceBias: true, groups: groups,
        isNormalised: config.flag("norm_topk_prob", default: true),
        scale: config.positive("routed_scaling_factor", default: 2.5, usual: [1, 2.5, 16])),
      layout: config.flag("rope_interleave", default: true) ? .pairs : .halves,
      attentionBias: config.flag("attention_bias", default: false, on: .weights))
  }
}

extension ConfigReader {
  /// The groups of experts of which some are looked at, if not all.
  ///
  /// - Parameters:
  ///   - usual: how many groups, and how many of them, where the config does not say it.
  ///   - summed: how many of a group's scores are its own.
  fileprivate mutating func expertGroups(
    usual: (count: Int, chosen: Int)?, of experts: Int, active: Int, summed: Int, areUsed: Bool
  ) -> Routing.Groups? {
    let bearing: ConfigFact.Bearing = areUsed ? .outputs : .nothing
    guard
      let count = optionalCount("n_group", default: usual?.count, on: bearing),
      let chosen = optionalCount("topk_group", default: usual?.chosen, on: bearing)
    else {
      if areUsed { reject("n_group and topk_group are missing") }
      return nil
    }
    guard areUsed, faults.isEmpty else { return nil }
    if !experts.isMultiple(of: count) || chosen > count {
      reject(
        "\(experts) experts in \(count) groups, of which \(chosen) are chosen, is not possible")
    } else if experts / count < summed || active > chosen * (experts / count) {
      reject(
        "num_experts_per_tok \(active) are not to be had from \(chosen) groups of"
          + " \(experts / count) experts")
    }
    return chosen < count ? Routing.Groups(count: count, chosen: chosen, summed: summed) : nil
  }
}
