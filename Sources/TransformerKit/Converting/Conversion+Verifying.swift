public import Containers
import Models
public import SystemPackage
import TensorCore

extension Conversion {
  /// What came of a conversion.
  public struct Outcome: Sendable {
    /// What of an interrupted run was kept, if the target is resumable.
    public var resumed = ResumedWork()
    /// What the target is to the source, if they were compared.
    public var verdict: PairReport.Verdict?
    /// The certificate's text.
    var certificate: String?
  }

  /// Compares source and target while the target has only its temporary name.
  ///
  /// - Parameter outcome: gets the verdict, and the certificate if one is wanted.
  /// - Throws: `CheckpointError` if the target is not what it should be; nothing is kept then.
  func verify(
    _ written: CheckpointWriter.Unnamed, _ outcome: inout Outcome
  ) throws(CheckpointError) {
    guard let original else { return }
    // As the source, but for what it is stored in.
    var recognition = options.recognition
    recognition.dialect = nil
    recognition.dropsTrainingState = false
    var opening = OpenOptions(format: format, config: written.config, recognition: recognition)
    opening.readsModules = options.readsModules
    let after = try Model(written.path, options: opening)
    let report = try compare(
      original, after, precision: Float.self, isBrief: certificate == nil)
    guard isRight(report.verdict) else {
      if let omission = omissions.first {
        throw CheckpointError(
          .refused(
            "--allow-lossy left out of \(omission), so that the written target is not the same model as the"
              + " source; nothing was kept"),
          file: displayed(target.destination),
          advice: "without --verify it is written, and computes the same of texts without padding")
      }
      let rounded = roundings.count
      if rounded > 0 {
        throw CheckpointError(
          .refused(
            "--allow-lossy rounded the sums of \(rounded) weights, so that the written target is not the same"
              + " model as the source; nothing was kept"),
          file: displayed(target.destination),
          advice: "without --verify it is written, and tfverify says how far outputs are off")
      }
      throw CheckpointError(
        .malformed("the written target is not the same model as the source; nothing was kept"),
        file: displayed(target.destination))
    }
    outcome.verdict = report.verdict
    guard certificate != nil else { return }
    outcome.certificate = try Certificate(
      report, original, after, probe: try Certificate.Probe(inputs: nil), precision: .f32,
      toolVersion: target.toolVersion, names: finalNames(written))?.text
  }

  /// Whether the comparison found what the conversion was asked to do.
  private func isRight(_ verdict: PairReport.Verdict) -> Bool {
    switch verdict {
    case .identical: casts.isEmpty
    // Where no row is whole blocks, none is in blocks.
    case .cast(let type):
      type == target.dtype || target.dtype?.isBlock == true
        || type == castType(of: casts.map { ($0.from, $0.to) })
    case .quantized(let types): types == [target.dtype].compactMap(\.self)
    case .coded, .different: false
    }
  }

  /// The names that files will have which have temporary ones; those in a folder have theirs.
  private func finalNames(_ written: CheckpointWriter.Unnamed) -> [FilePath: FilePath] {
    if target.isFolder { return [:] }
    var names = [written.path: target.destination]
    if let config = written.config { names[config] = writer.configPath }
    return names
  }

  /// Where the certificate is written, if one is.
  public var certificatePath: FilePath? { target.certificate }

  /// The certificate, if one is wanted.
  var certificate: ConversionCertificate? {
    target.certificate.map { path in
      ConversionCertificate(
        file: SmallFile(
          path, replacing: target.overwrite ? .anything : .nothing, sources: source.allFiles),
        target: target)
    }
  }
}

/// The file of a conversion's certificate.
struct ConversionCertificate {
  let file: SmallFile
  let target: Conversion.Target

  /// Checks before anything is written that the certificate can be.
  func check(_ plan: WritePlan) throws(CheckpointError) {
    let path = file.path.lexicallyNormalized()
    let destination = target.destination.lexicallyNormalized()
    let isInTarget = target.isFolder && path.removingLastComponent() == destination
    try file.check(isFolderExpected: !isInTarget)
    let isTaken = plan.files.contains { $0.path.lexicallyNormalized() == path }
    guard !isTaken, path != destination else {
      throw CheckpointError(
        .refused("is written by the conversion, and cannot be the certificate"),
        file: displayed(file.path))
    }
  }

  /// Writes it, when the target has its name.
  func write(_ text: String) throws(CheckpointError) {
    try file.write(text)
  }
}
