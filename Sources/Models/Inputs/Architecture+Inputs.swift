import Kernels
public import TensorCore

/// How many positions the built-in probe has, if the model has as many.
let usualProbeLength = 512

extension Architecture {
  /// Checks inputs against their declaration and fills in what may be left out.
  ///
  /// - Throws: `CheckpointError` with every fault.
  public func prepare(_ inputs: ModelInputs) throws(CheckpointError) -> ModelInputs {
    try InputReader(inputs, self.inputs).checked(faults)
  }

  /// Inputs that show as many mistakes as inputs can: long, padded, ids from the whole vocabulary.
  ///
  /// - Parameter longest: how many positions they have at most.
  public func probe(longest: Int) -> ModelInputs {
    var maker = ProbeMaker()
    let isOneRow = inputs.contains { $0.onlyOneRow != nil }
    let length = min(longest, inputs.compactMap(\.positionLimit).min() ?? longest)
    let extents = ProbeMaker.Extents(
      batch: isOneRow ? 1 : 2, length: length, decoderLength: max(min(1, length), length / 2))
    return completing(maker.probe(inputs, extents))
  }

  /// Random ids and numbers without padding, as long as asked, whether the model takes that much or not.
  ///
  /// - Parameter decoderLength: the length of what a decoder beside an encoder reads.
  public func sample(batch: Int, length: Int, decoderLength: Int) -> ModelInputs {
    var maker = ProbeMaker()
    return maker.sample(
      inputs,
      ProbeMaker.Extents(batch: batch, length: length, decoderLength: decoderLength))
  }

  /// The built-in probe: long enough to show mistakes in positions.
  public var probe: ModelInputs { probe(longest: usualProbeLength) }

  /// A probe for models that are known to be the same.
  public var shortProbe: ModelInputs { probe(longest: 64) }
}
