import Containers
import Models
public import TensorCore

extension Model {
  /// Checks that nothing of the checkpoint was left out because it is no part of the model that is known:
  /// nothing would be proven about that.
  ///
  /// - Throws: `CheckpointError`: refused, with the tensors.
  public func checkCanBeCertified() throws(CheckpointError) {
    let extras = graph.extras
    guard !extras.isEmpty else { return }
    let count = "\(extras.count) tensor\(extras.count == 1 ? "" : "s")"
    throw CheckpointError(
      .refused("no certificate: it is about whole models, and \(count) would be left out"),
      file: displayed(checkpoint.path), advice: "no flag allows it; leave out --certificate",
      details: extras.map { "\(escaped($0.name.text)): \($0.reason)" })
  }
}
