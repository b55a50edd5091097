package import TensorCore

/// A module that is declared with its stage, and whose weights are read when it is used: one of many, of
/// which a pass may need few.
///
/// Nothing of it is in memory afterwards, unless the weights of all stages stay there.
public struct Deferred<Module> {
  private let load: () throws(CheckpointError) -> Module
  private let kept: Kept?

  /// The module, once it was read, where weights stay in memory.
  private final class Kept {
    var module: Module?
  }

  init(keeps: Bool, _ load: @escaping () throws(CheckpointError) -> Module) {
    self.load = load
    kept = keeps ? Kept() : nil
  }

  /// The module.
  ///
  /// - Throws: `CheckpointError` when the bytes of its weights cannot be read.
  package func callAsFunction() throws(CheckpointError) -> Module {
    if let module = kept?.module { return module }
    let module = try load()
    kept?.module = module
    return module
  }
}

extension WeightScope {
  /// A module whose weights are declared now and read when it is used.
  ///
  /// - Parameter load: asks the scope for weights; runs again for each use.
  package func deferred<Module>(
    _ load: @escaping (WeightScope) throws(CheckpointError) -> Module
  ) -> Deferred<Module> {
    let scope = readingLater
    // Declaring reads nothing, so nothing can fail.
    if visitor.entersDeferred { _ = try? load(scope) }
    return Deferred(keeps: resident != nil) { () throws(CheckpointError) in try load(scope) }
  }
}
