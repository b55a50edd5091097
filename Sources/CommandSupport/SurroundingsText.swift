public import Containers
public import TensorCore

extension Surroundings.Item {
  /// The item as JSON: `{"path": …, "what": …}`.
  public var json: JSONValue { ["path": .string(name), "what": .string(what)] }
}

extension Checkpoint {
  /// Files with weights that lie in the checkpoint's folder and are not read.
  ///
  /// Of a folder that cannot be looked at none: what was read can be described all the same.
  public var beside: [Surroundings.Item] {
    (try? surroundings(isDeep: false))?.weights ?? []
  }
}
