import Mutants
import TestSupport
import Testing

/// The verifier is itself measured; `Tools/mutation-score` does the same in every dialect, in more
/// places.
@Suite struct MutationScoreTests {
  /// One model of each architecture, by other code than Hugging Face's.
  static let names = ["bert/google_pretraining", "gpt2/nanogpt", "t5/mesh_v11"]

  @Test(arguments: names)
  func `every planted mistake that changes anything is caught`(_ name: String) throws {
    let subject = try Subject(fixture(name), name: name)
    var score = Score()
    for mutant in try subject.mutants(count: 1, seed: 7) {
      if let outcome = try subject.outcome(of: mutant) { score.add(outcome) }
    }
    #expect(score.faults.isEmpty, "\(score.faults)")
    let (all, listed) = (score.total(), score.total(listed: true))
    #expect(all.planted >= 35)
    #expect(all.caughtByPair == all.planted - all.refused)
    #expect(all.caughtByGolden == all.visibleInGolden)
    #expect(all.placed == all.visibleInGolden)
    #expect(10 * listed.explainedByPair >= 9 * listed.planted, "\(score.unexplained)")
    #expect(10 * listed.explainedByGolden >= 9 * listed.explicable, "\(score.unexplained)")
    // The usual gates let through what changes the outputs.
    #expect(all.passed.values.contains { $0 > 0 })
  }

  @Test(arguments: names)
  func `clean models in any form raise no alarm`(_ name: String) throws {
    let outcomes = try Subject(fixture(name), name: name).cleanOutcomes()
    #expect(outcomes.count >= 7)
    for outcome in outcomes { #expect(outcome.alarm == nil, "\(outcome.form)") }
  }
}
