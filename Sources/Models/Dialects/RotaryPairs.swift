extension [Rule] {
  /// A projection to queries or keys whose heads are stored in rotary pairs: neighbours are turned
  /// together, where canonically the two halves of a head are.
  static func inRotaryPairs(
    _ stored: String, _ path: String, parts: [String] = ["weight", "bias"]
  ) -> [Rule] {
    parts.flatMap { part in
      [Rule].tensor(
        "\(stored).\(part)",
        .interleavedHeads(.weight("\(path).\(part)"), axis: 0, size: "head_size"))
    }
  }
}
