import Families
import Models
import Mutants
import TestSupport
import Testing
import TransformerKit

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

  /// A small model of each architecture: the first whose text is continued, for one that continues none another.
  static let small =
    [
      "albert/base", "bert/base", "deberta/base", "distilbert/base", "electra/base", "esm/base",
      "modernbert/base",
      "mpnet/base", "nomicbert/base", "bart/pegasus", "roberta/base", "roberta/camembert",
      "roberta/data2vec", "roberta/pre_norm",
      "roberta/xl", "roberta/xlm_roberta", "roformer/base",
      "encoderdecoderpair/bert_gpt2",
      "dinov2/base", "dinov2/registers", "dinov3/base", "vit/base", "vit/deit_teacher",
      "clip/base", "clip/text", "clip/vision", "siglip/base", "siglip/text", "siglip/vision",
      "siglip/siglip2", "siglip/siglip2_text", "siglip/siglip2_vision",
      "beit/base", "swin/base", "swin/v2", "mae/base",
      "wav2vec2/base", "wav2vec2/hubert", "wav2vec2/conformer", "wav2vec2/wavlm", "wav2vec2/bert",
      "parakeet/encoder_padded", "parakeet/ctc", "torchtransformer/encoder",
    ]
    + Dictionary(grouping: generatedCases) { name in
      (try? openModel(name).graph.architecture).map { type(of: $0).name } ?? ""
    }.values.compactMap { $0.min() }.sorted()

  /// In each architecture a few mistakes, other ones from architecture to architecture.
  @Test func `mistakes are caught in every architecture`() throws {
    var score = Score()
    var names: Set<String> = []
    for (index, name) in Self.small.enumerated() {
      let subject = try Subject(fixture(name), name: name)
      names.insert(subject.family)
      let mutants = try subject.mutants(count: 1, seed: 7)
      let step = max(1, mutants.count / 4)
      for (place, mutant) in mutants.enumerated() where place % step == index % step {
        if let outcome = try subject.outcome(of: mutant) { score.add(outcome) }
      }
    }
    #expect(names == Set(Family.all.flatMap(\.members).map { $0.name }))
    #expect(score.faults.isEmpty, "\(score.faults)")
    let (all, listed) = (score.total(), score.total(listed: true))
    #expect(all.planted >= 3 * Self.small.count)
    #expect(all.caughtByPair == all.planted - all.refused)
    #expect(all.caughtByGolden == all.visibleInGolden)
    #expect(
      10 * listed.explainedByPair >= 9 * (listed.planted - listed.refused), "\(score.unexplained)")
    #expect(10 * listed.explainedByGolden >= 9 * listed.explicable, "\(score.unexplained)")
  }
}
