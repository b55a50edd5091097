import Containers
import Models
public import TensorCore

extension Checkpoint {
  /// Checks that no modules stand on the model, which a target has no place for.
  ///
  /// - Throws: `CheckpointError`: refused if there are some.
  func checkHasNoModules() throws(CheckpointError) {
    guard try SentenceFolder(self) != nil else { return }
    throw CheckpointError(
      .refused("no certificate: it is about whole models, and modules.json's would be left out"),
      file: displayed(path),
      advice: "convert to a folder or TFZ, or name the file of the weights")
  }
}

extension Model {
  /// Checks that no tensor was left out of a model of sentence-transformers that nobody asked to be left out: a
  /// head's, which hidden states do not depend on.
  ///
  /// - Throws: `CheckpointError`: refused, with the tensors.
  func checkNothingIsExtra(_ options: OpenOptions) throws(CheckpointError) {
    let extras = graph.extras
    guard sentences != nil, !extras.isEmpty, !options.recognition.allowsExtra else { return }
    throw CheckpointError(
      .refused(
        "\(extras.count) tensors are no part of a model of sentence-transformers, and would be lost"
      ),
      file: displayed(checkpoint.path),
      advice: "--allow-extra leaves them out; --class NAME keeps them, without the modules",
      details: extras.map { escaped($0.name.text) })
  }

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
