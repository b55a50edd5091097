public import Containers
import Models
import TensorCore

extension Conversion {
  /// What lies in the source's folder and is not in the target.
  public func leftOut(by plan: WritePlan) -> [Surroundings.Item] {
    surroundings.leftOut + plan.leftOut
  }

  /// What is worth knowing about source and target, a line each.
  public var notes: [String] {
    var notes: [String] = []
    if let part = source.part { notes.append("the source is \(part.words)") }
    if let dialect, let note = model?.graph.foreignFiles(of: dialect, in: format.name) {
      notes.append(note)
    }
    return notes
  }
}
