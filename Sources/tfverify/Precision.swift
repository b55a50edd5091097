import ArgumentParser

/// What to compute in.
enum Precision: String, ExpressibleByArgument, CaseIterable {
  case f32
  case f64
}
