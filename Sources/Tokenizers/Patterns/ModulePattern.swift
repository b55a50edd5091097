package import TensorCore

/// A regular expression for the end of a path of names: it must match whole names, from some name on to the last.
///
/// PEFT's `rank_pattern` and `alpha_pattern` are read so: `q_proj`, `layers\.0\.mlp\..*`.
package struct ModulePattern: Sendable {
  private let pattern: Pattern

  /// - Throws: `CheckpointError`: unsupported, with the place in the pattern.
  package init(_ expression: String) throws(CheckpointError) {
    pattern = try Pattern("^(?:.*\\.)?(?:\(expression))$", dialect: .fancyRegex)
  }

  /// - Throws: `CheckpointError`: refused if the pattern takes too many steps.
  package func matches(_ name: String) throws(CheckpointError) -> Bool {
    let bytes = Array(name.utf8)
    var isFound = false
    try pattern.visitMatches(in: bytes, 0..<bytes.count) { match in
      isFound = isFound || match == 0..<bytes.count
    }
    return isFound
  }
}
