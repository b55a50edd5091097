/// How a tensor lies divided among the parts of a model that several processes hold.
public enum Division: Sendable, Equatable {
  /// Each part has as much of an axis.
  case along(axis: Int)
  /// Every part has all of it.
  case repeated
}
