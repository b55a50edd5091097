public import Kernels
import TensorCore

/// What an architecture knows about its rotary positions beside what the rotary settings say.
public struct RotaryDefaults: Sendable {
  /// The base, where the config does not say it.
  public var theta = 10_000.0
  /// How much of a head is rotated, where the config does not say it.
  public var fraction = 1.0
  /// The size of a head.
  public var headSize: Int
  /// The number of positions, where the config does not say it.
  public var positions: Int
  /// The key of the number of positions.
  public var positionsKey = "max_position_embeddings"
  /// The keys of the base and of the fraction where they stand beside the settings; `nil` if it does not.
  public var thetaKey: String? = RotaryDefaults.theta
  public var fractionKey = RotaryDefaults.fraction
  /// The number of positions of the training, where the config does not say it beside the settings: then
  /// what they say of it is not read. `nil` if they may.
  public var trained: Int?
  /// What kinds of scaling were called before, and are called now.
  public var formerNames: [String: String] = [:]

  /// Defaults.
  public init(
    theta: Double = 10_000, fraction: Double = 1, headSize: Int, positions: Int,
    positionsKey: String = "max_position_embeddings", thetaKey: String? = RotaryDefaults.theta,
    fractionKey: String = RotaryDefaults.fraction, trained: Int? = nil,
    formerNames: [String: String] = [:]
  ) {
    (self.theta, self.fraction, self.headSize) = (theta, fraction, headSize)
    (self.positions, self.positionsKey) = (positions, positionsKey)
    (self.thetaKey, self.fractionKey) = (thetaKey, fractionKey)
    (self.trained, self.formerNames) = (trained, formerNames)
  }

  /// The key of the base in the settings, and in the model's id.
  public static let theta = "rope_theta"
  /// The key of the fraction in the settings, and in the model's id.
  public static let fraction = "partial_rotary_factor"
}

extension ConfigReader {
  /// The settings of rotary positions that hold in all layers.
  ///
  /// transformers 4 writes `rope_theta` and, if there is one, `rope_scaling` with a `type` or
  /// `rope_type`; transformers 5 writes all of it into `rope_parameters`. What stands in the object goes
  /// before what stands beside it (modeling_rope_utils.py: `convert_rope_params_to_dict`).
  public mutating func rotary(_ defaults: RotaryDefaults) -> RotarySettings {
    rotary(in: [rotaryObject], defaults)
  }

  /// The settings of rotary positions by type of layer, `full_attention`: those of the type if
  /// `rope_parameters` has some for any type, else the same for all. A type that has none where another
  /// one has some has no rotary positions.
  public mutating func rotary(
    _ defaults: RotaryDefaults, layerTypes: [String]
  ) -> [String: RotarySettings] {
    let object = rotaryObject
    let own = within(object) { reader in layerTypes.filter { reader.has($0) } }
    if own.isEmpty {
      let settings = rotary(in: [object], defaults)
      return Dictionary(layerTypes.map { ($0, settings) }) { first, _ in first }
    }
    return Dictionary(
      own.map { ($0, rotary(in: [object, $0], defaults, layerType: $0)) }
    ) { first, _ in first }
  }

  /// The settings of rotary positions of one type of layer where each type has its own: those under the
  /// type's name in `rope_parameters`. transformers 4 has bases beside them, each type's under a key of its own
  /// (`thetaKey`), and a `rope_scaling` that is only for layers that see all keys.
  ///
  /// - Parameter isUsed: whether there is a layer of the type. If not, nothing depends on its settings.
  package mutating func rotary(
    _ defaults: RotaryDefaults, of type: LayerType, isUsed: Bool
  ) -> RotarySettings {
    let isOlder = type == .full && rotaryObject == "rope_scaling"
    let settings = "rope_parameters"
    let isBoth = within(settings) { $0.has(type.rawValue) } && isOlder
    if isBoth { reject("rope_scaling and \(settings).\(type.rawValue) are both there") }
    guard isUsed else {
      disregard([defaults.thetaKey].compactMap(\.self) + (isOlder ? ["rope_scaling"] : []))
      return RotarySettings(size: defaults.headSize, base: defaults.theta)
    }
    return rotary(
      in: isOlder ? ["rope_scaling"] : [settings, type.rawValue], defaults,
      layerType: type.rawValue, hasOwnBase: true)
  }

  /// The object that has the settings: an older one goes first, unless it is empty.
  package var rotaryObject: String {
    let older = present("rope_scaling")
    return older == nil || older == [:] ? "rope_parameters" : "rope_scaling"
  }

  private mutating func rotary(
    in path: [String], _ defaults: RotaryDefaults, layerType: String? = nil,
    hasOwnBase: Bool = false
  ) -> RotarySettings {
    if present("rope_scaling") == [:] { disregard(["rope_scaling"]) }
    var place = RotaryPlace(path: path, layerType: layerType, hasOwnBase: hasOwnBase)
    let base = place.positive(
      RotaryDefaults.theta, beside: defaults.thetaKey, default: defaults.theta,
      usual: [1e4, 5e5, 1e6], &self)
    if base == 0 { reject("rope_theta must not be 0") }
    let fraction = place.positive(
      RotaryDefaults.fraction, beside: defaults.fractionKey, default: defaults.fraction,
      usual: [0.25, 0.4, 0.5, 0.75, 1], &self)
    let kind: RotaryKind = within(path) { reader in
      reader.choice(
        "rope_type", or: "type", default: .default,
        aliases: defaults.formerNames.compactMapValues { RotaryKind(rawValue: $0) },
        on: place.named("rope_type"))
    }
    // As Python's `int` does it.
    let part = (Double(defaults.headSize) * min(fraction, 1)).rounded(.towardZero)
    let size = kind == .proportional ? defaults.headSize : Int(part)
    guard fraction <= 1, size > 0, RotarySettings(size: size).turned <= defaults.headSize,
      size.isMultiple(of: 2) || kind.allowsOdd
    else {
      reject("partial_rotary_factor \(fraction) is not possible with heads of \(defaults.headSize)")
      return RotarySettings(size: 0, base: base)
    }
    place.trained = kind.readsTrained ? trained(place, defaults) : 1
    let scaling = scaling(kind, place, size: size, fraction: fraction, defaults)
    return RotarySettings(size: size, base: base, scaling: scaling)
  }

  private mutating func scaling(
    _ kind: RotaryKind, _ place: RotaryPlace, size: Int, fraction: Double,
    _ defaults: RotaryDefaults
  ) -> RotaryScaling {
    switch kind {
    case .default: return .none
    case .linear: return .linear(factor: factor(place))
    case .dynamic: return .dynamic(factor: factor(place), longest: positions(defaults))
    case .llama3:
      let (low, high) = within(place.path) { reader in
        (
          reader.needed("low_freq_factor", place.named("low_freq_factor")),
          reader.needed("high_freq_factor", place.named("high_freq_factor"))
        )
      }
      let areThere = within(place.path) { $0.has("low_freq_factor") && $0.has("high_freq_factor") }
      if areThere, high <= low {
        reject("high_freq_factor \(high) is not above low_freq_factor \(low)")
      }
      return .llama3(
        factor: factor(place), lowFrequency: low, highFrequency: high, trained: place.trained)
    case .yarn: return .yarn(yarn(place, defaults))
    case .longrope:
      return .longRoPE(longRoPE(place, pairs: RotarySettings(size: size).pairs, defaults))
    case .proportional:
      let factor = within(place.path) {
        $0.positive("factor", default: 1, usual: usualFactors, on: place.named("factor"))
      }
      if factor == 0 { reject("factor must not be 0") }
      return .proportional(factor: factor, turned: Int(fraction * Double(size)) / 2)
    }
  }

  /// The number of positions of the training. What stands beside the settings goes first, unless they are
  /// those of a type of layer.
  private mutating func trained(_ place: RotaryPlace, _ defaults: RotaryDefaults) -> Int {
    let key = "original_max_position_embeddings"
    let usual = [2048, 4096, 8192, 32768]
    if place.layerType == nil, has(key) || defaults.trained != nil {
      within(place.path) { $0.disregard([key]) }
      return count(key, default: defaults.trained ?? 0, usual: usual)
    }
    if within(place.path, { $0.has(key) }) {
      return within(place.path) {
        $0.count(key, default: 0, usual: usual, on: place.named(key))
      }
    }
    return positions(defaults)
  }

  /// The number of positions of the model, on which outputs depend here.
  private mutating func positions(_ defaults: RotaryDefaults) -> Int {
    count(defaults.positionsKey, default: defaults.positions, usual: [2048, 4096, 8192, 32768])
  }

  /// The factor by which texts may be longer, which must be there.
  private mutating func factor(_ place: RotaryPlace) -> Double {
    within(place.path) { $0.needed("factor", place.named("factor")) }
  }

  /// The factor; if it is not there, how much longer the model's texts are than those of the training.
  private mutating func factor(_ place: RotaryPlace, orFrom defaults: RotaryDefaults) -> Double {
    let factor = within(place.path) {
      $0.optionalPositive("factor", usual: usualFactors, on: place.named("factor"))
    }
    return factor ?? Double(positions(defaults)) / Double(place.trained)
  }

  private mutating func yarn(_ place: RotaryPlace, _ defaults: RotaryDefaults) -> YaRN {
    let factor = factor(place, orFrom: defaults)
    return within(place.path) { reader in
      func number(_ key: String, _ reader: inout ConfigReader) -> Double? {
        reader.optionalPositive(key, on: place.named(key))
      }
      return YaRN(
        factor: factor, trained: place.trained,
        attentionFactor: number("attention_factor", &reader),
        betaFast: number("beta_fast", &reader), betaSlow: number("beta_slow", &reader),
        mscale: number("mscale", &reader),
        mscaleAllDimensions: number("mscale_all_dim", &reader),
        // Hugging Face looks for it beside the types of layers only.
        truncates: place.layerType != nil || reader.flag("truncate", default: true))
    }
  }

  private mutating func longRoPE(
    _ place: RotaryPlace, pairs: Int, _ defaults: RotaryDefaults
  ) -> LongRoPE {
    let factor = factor(place, orFrom: defaults)
    return within(place.path) { reader in
      let lists = ["short_factor", "long_factor"].map { key -> [Double] in
        if !reader.has(key) { reader.reject("\(reader.named(key)) is missing") }
        return reader.numbers(key, count: pairs, on: place.named(key)) ?? []
      }
      return LongRoPE(
        short: lists[0], long: lists[1], factor: factor, trained: place.trained,
        attentionFactor: reader.optionalPositive(
          "attention_factor", on: place.named("attention_factor")))
    }
  }

  /// A positive number that must be there.
  private mutating func needed(_ key: String, _ bearing: ConfigFact.Bearing) -> Double {
    if !has(key) { reject("\(named(key)) is missing") }
    let value = positive(key, default: 1, usual: usualFactors, on: bearing)
    if value == 0 { reject("\(named(key)) must not be 0") }
    return value
  }

  /// Reads what is in an object inside of objects.
  mutating func within<Value>(
    _ path: [String], _ read: (inout ConfigReader) -> Value
  ) -> Value {
    guard let first = path.first else { return read(&self) }
    return within(first) { $0.within(Array(path.dropFirst()), read) }
  }
}

private let usualFactors = [1.0, 2, 4, 8, 16, 32]

/// The kinds of scaling by the names that configs have for them.
private enum RotaryKind: String, CaseIterable {
  case `default`
  case linear
  case dynamic
  case llama3
  case yarn
  case longrope
  case proportional

  /// Whether the number of positions of the training is part of it.
  var readsTrained: Bool { self == .llama3 || self == .yarn || self == .longrope }

  /// Whether an odd count of numbers can be turned, which is one more then: what is by pair in transformers
  /// has as many pairs as half the count, rounded down, and fails.
  var allowsOdd: Bool { self != .yarn && self != .proportional }
}

/// Where settings of rotary positions stand, and for what.
private struct RotaryPlace {
  let path: [String]
  let layerType: String?
  /// Whether a base beside the settings is that of the type alone. Else several types may share it.
  let hasOwnBase: Bool
  /// The number of positions of the training.
  var trained = 1

  init(path: [String], layerType: String?, hasOwnBase: Bool) {
    (self.path, self.layerType, self.hasOwnBase) = (path, layerType, hasOwnBase)
  }

  /// A fact's name in the model's id, which does not show where the config says it.
  func named(_ key: String) -> ConfigFact.Bearing {
    .outputs(as: layerType.map { "\($0).\(key)" } ?? key)
  }

  /// A number that stands in the settings, or beside them, there perhaps under another key.
  func positive(
    _ key: String, beside other: String?, default standard: Double, usual: [Double],
    _ reader: inout ConfigReader
  ) -> Double {
    guard let other, !reader.within(path, { $0.has(key) || $0.holdsNull(key) }) else {
      if let other { reader.overrule(other, by: path + [key]) }
      return reader.within(path) {
        $0.positive(key, default: standard, usual: usual, on: named(key))
      }
    }
    let bearing =
      hasOwnBase && key == RotaryDefaults.theta ? named(key) : ConfigFact.Bearing.outputs(as: key)
    guard other == RotaryDefaults.fraction, reader.isNull(other) else {
      return reader.positive(other, default: standard, usual: usual, on: bearing)
    }
    // A null there is the whole, whatever holds where nothing is said.
    return reader.optionalPositive(other, default: 1, usual: usual, on: bearing) ?? 1
  }
}
