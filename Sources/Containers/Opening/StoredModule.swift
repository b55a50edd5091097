import SystemPackage
public import TensorCore

/// A module of a model that sentence-transformers has saved: `modules.json` lists them, each with the folder that it
/// is in.
public struct StoredModule: Sendable {
  /// Its folder as it is printed; empty if that is the checkpoint's own.
  public let folder: String
  /// The class that made it: `sentence_transformers.models.Pooling`.
  public let type: String
  /// What its config.json says; `nil` if it has none. Older versions kept a folder without files for some modules,
  /// which gets lost on the way.
  public let config: JSONValue?
  /// Its tensors, unless its weights are the checkpoint's own.
  public let tensors: [Tensor]
}

extension Checkpoint {
  /// The modules of a folder, or of a container that holds what a folder does, in the order of `modules.json`; `nil`
  /// if there is no such file, and of a file that was named.
  ///
  /// Weights are those of `model.safetensors` in the module's folder, else those of `pytorch_model.bin`.
  ///
  /// - Throws: `CheckpointError` that names the file if one is broken.
  public func modules() throws(CheckpointError) -> [StoredModule]? {
    guard let room = moduleRoom, let list = try room.json("modules.json") else { return nil }
    let name = room.displayedName("modules.json")
    guard let elements = list.elements, elements.count <= Self.mostModules else {
      throw CheckpointError(
        .malformed("must be a list of \(Self.mostModules) modules at most"), file: name)
    }
    var modules: [StoredModule] = []
    for element in elements {
      guard let folder = element["path"]?.string, let type = element["type"]?.string else {
        throw CheckpointError(
          .malformed("a module must have a path and a type, both strings"), file: name)
      }
      modules.append(try room.module(in: folder, type, listedIn: name))
    }
    return modules
  }

  /// A small file of JSON beside the weights, or with them in the container; `nil` if there is none.
  ///
  /// - Throws: `CheckpointError` that names the file if it is broken.
  public func companionJSON(_ name: String) throws(CheckpointError) -> JSONValue? {
    try room(of: name).json(name)
  }

  /// The path of such a file as it is printed.
  public func companionName(_ name: String) -> String { room(of: name).displayedName(name) }

  private func room(of name: String) -> ModuleRoom {
    let inside = belongings.files
    if inside.contains(where: { $0.name.elementsEqual(name.utf8) }) {
      return ModuleRoom(path: path, files: inside)
    }
    if let room = moduleRoom { return room }
    let parent = path.removingLastComponent()
    return ModuleRoom(path: parent.isEmpty ? "." : parent, files: nil)
  }

  /// The files that hold weights of modules, as paths in the folder.
  var moduleFiles: Set<[UInt8]> {
    let modules = (try? self.modules()) ?? []
    return Set(
      modules.filter { !$0.folder.isEmpty }.flatMap { module in
        ModuleRoom.weightNames.map { Array("\(module.folder)/\($0)".utf8) }
      })
  }

  /// All that lies in the folders of modules, as far as these are folders.
  var filesInModules: [FilePath] {
    guard let folder else { return [] }
    let folders = ((try? modules()) ?? []).map(\.folder).filter { !$0.isEmpty }
    return folders.flatMap { name -> [FilePath] in
      let place = folder.pushing(FilePath(name))
      return ((try? names(in: place)) ?? []).map { place.appending($0) }
        .filter { $0.status?.type == .regular }
    }
  }

  private static let mostModules = 64

  private var moduleRoom: ModuleRoom? {
    let inside = belongings.files
    if inside.contains(where: { $0.name.elementsEqual("modules.json".utf8) }) {
      return ModuleRoom(path: path, files: inside)
    }
    return folder.map { ModuleRoom(path: $0, files: nil) }
  }
}
