package import TensorCore

/// A regular expression that a name must begin with, as Python's `re.match` has it: the rest of the name may be anything.
///
/// compressed-tensors' `ignore` and `targets` are read so: `re:.*lm_head`, `re:model\.layers\.[0-3]\.`.
package struct PrefixPattern: Sendable {
  private let pattern: Pattern

  /// - Throws: `CheckpointError`: unsupported, with the place in the pattern.
  package init(_ expression: String) throws(CheckpointError) {
    pattern = try Pattern(expression, dialect: .fancyRegex)
  }

  /// - Parameter steps: the steps that are left, of which those that are taken are taken off.
  /// - Throws: `CheckpointError`: refused if the pattern takes more.
  package func matches(_ name: String, steps: inout Int) throws(CheckpointError) -> Bool {
    try pattern.startsMatch(in: Array(name.utf8), steps: &steps)
  }
}
