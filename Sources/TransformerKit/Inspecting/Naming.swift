public import Containers
import Models
public import TensorCore

extension Checkpoint {
  /// The tensor of that name, which may be spelled as it is printed (`escaped`); of a known model, also the weight with that canonical path.
  ///
  /// - Throws: `CheckpointError` that names one that is spelled alike.
  public func tensor(
    named name: String, options: OpenOptions = OpenOptions()
  ) throws(CheckpointError) -> Tensor {
    if let tensor = tensors[TensorName(name)] { return tensor }
    if name.contains("\\u{"),
      let tensor = tensors.tensors.first(where: { escaped($0.name.text) == name })
    {
      return tensor
    }
    let graph = (try? Model(self, options: options))?.graph
    if let weight = graph?.tensor(at: name) {
      return Tensor(
        name: TensorName(name), dtype: weight.dtype, shape: weight.shape, bytes: weight.bytes)
    }
    let names = tensors.tensors.map(\.name.text) + (graph?.slots.map(\.path) ?? [])
    let hint = nearestName(to: name, among: names).map { "; did you mean \"\(escaped($0))\"?" }
    throw CheckpointError(
      .malformed("has no tensor \"\(name)\"\(hint ?? "")"), file: displayed(path))
  }

  /// The same checkpoint, as if it held only the tensors of `selection`, whose patterns stand for names in
  /// the file and, of a known model, for canonical paths.
  ///
  /// - Throws: `CheckpointError` if that are none.
  public func choosing(
    _ selection: TensorSelection, options: OpenOptions
  ) throws(CheckpointError) -> Checkpoint {
    try choosing(selection, aliases: aliases(for: selection, options: options))
  }

  /// The canonical paths of what each tensor holds, if a pattern matches no name in the file.
  public func aliases(
    for selection: TensorSelection, options: OpenOptions
  ) -> [TensorName: [TensorName]] {
    guard !selection.unmatched(by: tensors.tensors.map(\.name)).isEmpty,
      let graph = (try? Model(self, options: options))?.graph
    else { return [:] }
    var aliases: [TensorName: [TensorName]] = [:]
    for slot in graph.slots {
      for name in graph.storedNames(at: slot.path) {
        aliases[name, default: []].append(TensorName(slot.path))
      }
    }
    return aliases
  }
}
