import TensorCore

/// The types of layers by the names that configs have for them.
public enum LayerType: String, CaseIterable, Sendable {
  /// Queries see all keys before them.
  case full = "full_attention"
  /// Queries see a window of them.
  case sliding = "sliding_attention"
}

extension ConfigReader {
  /// `layer_types`, one for each layer; where they are not listed, `usual`.
  public mutating func layerTypes(usual: [LayerType]) -> [LayerType] {
    choices("layer_types", of: LayerType.self, count: usual.count, default: usual) ?? usual
  }

  /// `layer_types`; where they are not listed, one layer in so many sees all keys, the last of them each
  /// time: as many as `sliding_window_pattern` says, or `usual`. The list says all that outputs depend on.
  public mutating func layerTypes(_ layers: Int, oneFullIn usual: Int) -> [LayerType] {
    let pattern = count("sliding_window_pattern", default: usual, on: .nothing)
    return layerTypes(
      usual: (0..<layers).map { ($0 + 1).isMultiple(of: pattern) ? .full : .sliding })
  }

  /// How many keys a query sees, its own included, in layers with a window; null for all. What is
  /// mistaken is usually whether its own counts.
  ///
  /// - Parameter usual: where the key is absent.
  public mutating func window(_ usual: Int?, on bearing: ConfigFact.Bearing) -> Int? {
    let said = present("sliding_window")?.int ?? usual ?? 4096
    let own = min(max(said, 1), Self.largestExtent)
    let near = [own - 1, own + 1].filter { (1...Self.largestExtent).contains($0) }
    return optionalCount(
      "sliding_window", default: isNull("sliding_window") ? nil : usual, usual: near + [4096],
      on: bearing)
  }

  /// The window of each layer: `sliding_window` of those that slide, which must have one.
  ///
  /// - Parameter usual: the window where the key is absent.
  public mutating func windows(of types: [LayerType], _ usual: Int?) -> [Int?] {
    let slides = types.contains(.sliding)
    let window = window(usual, on: slides ? .outputs : .nothing)
    if slides && window == nil {
      reject("layers have sliding_attention, but sliding_window is null")
    }
    return types.map { $0 == .full ? nil : window }
  }
}
