import TensorCore

extension ConfigReader {
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
}
