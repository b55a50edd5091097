import Kernels
import Models

/// What tells a member of the family from the other.
protocol ToyMember: Sendable, Equatable {
  static var name: String { get }
  static var layout: RotaryLayout { get }
  static var isGated: Bool { get }
}

/// Neighbours are turned together.
enum ToyPairs: ToyMember {
  static let name = "toy_pairs"
  static let layout = RotaryLayout.pairs
  static let isGated = false
}

/// Halves are turned together, and the feed-forward network is gated.
enum ToyHalves: ToyMember {
  static let name = "toy_halves"
  static let layout = RotaryLayout.halves
  static let isGated = true
}
