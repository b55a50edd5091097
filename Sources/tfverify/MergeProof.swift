import CommandSupport
import Kernels
import TensorCore
import TransformerKit

/// What is said of a base with adapters in it and a model that should be that.
struct MergeProof {
  private let merge: Merge
  private let rounding: MergeRounding?
  private let report: PairReport
  /// How much of what the adapters add is in B, where that tells all that is wrong with it.
  let factor: MergeFactor?

  /// - Parameters:
  ///   - rounding: how far weights are apart, if it is no more than rounding.
  init(
    _ merge: Merge, _ rounding: MergeRounding?, _ report: PairReport, factor: MergeFactor?
  ) {
    (self.merge, self.rounding, self.report, self.factor) = (merge, rounding, report, factor)
  }

  /// Whether rounding is all that is between them, and not nothing.
  var holdsToRounding: Bool { verdict != nil }

  /// The verdict, if rounding is all that is between them.
  var verdict: String? {
    guard case .different = report.verdict, report.configDifferences.isEmpty, let rounding,
      rounding.rounded > 0
    else { return nil }
    return
      "B is A with the adapters merged, to rounding: \(describe(rounding.identical, "weight")) the same bits,"
      + " \(rounding.rounded) within \(describe(number: rounding.largest, digits: 2)) units of rounding of"
      + " the largest number"
  }

  /// What was merged, a line for each adapter.
  var lines: [String] {
    MergeText(merge).lines + merge.notes.map { "note: \(escaped($0))" }
      + (factor.map { [$0.text] } ?? [])
  }

  /// What is said only where adapters are merged.
  var members: [JSONValue.Member] {
    let bound = rounding.map { rounding -> JSONValue in
      [
        "identical": .number(rounding.identical), "rounded": .number(rounding.rounded),
        "largest_units": .number(rounding.largest), "bound_units": .number(MergeRounding.bound),
      ]
    }
    return [
      .init("merged", MergeText(merge).json), .init("rounding", bound ?? .null),
      .init("mistake", factor.map { .string($0.text) } ?? .null),
    ]
  }

  /// The test that stands for all, where only rounding is between them.
  var testCase: JUnitReport.Case { JUnitReport.Case("verdict", "merged to rounding", .passed) }
}
