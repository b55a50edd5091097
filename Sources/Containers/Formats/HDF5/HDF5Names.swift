import TensorCore

/// Finds all datasets of a file, and what they are called.
///
/// A dataset's name is its path. Keras' older files (`keras/src/legacy/saving/legacy_h5_format.py`) say in
/// attributes of groups which weights they have and in which order, `layer_names` and `weight_names`; there a
/// weight is called as that says. A second one of the same name, as of weights that layers share, has its path.
/// The name of a whole model of TensorFlow, which may stand before all these, is left out.
struct HDF5Names {
  /// A dataset.
  struct Found {
    var path: String
    /// What Keras calls it.
    var weightName: String?
    let dataset: HDF5Dataset
  }

  private(set) var datasets: [Found] = []
  /// Links that are not followed.
  private(set) var indirect: [String] = []
  /// What has been left out at the beginning of names, and of how many.
  private(set) var leftOut: (text: String, count: Int)?

  private let file: HDF5File
  private let walk: HDF5Walk

  /// How deep groups may be in groups.
  private static let depth = 64

  init(_ file: HDF5File, _ walk: HDF5Walk) throws(CheckpointError) {
    self.file = file
    self.walk = walk
    let root = try HDF5Object(file, at: file.root, walk)
    guard try add(group: root, at: file.root, path: "", depth: 0) else {
      throw CheckpointError(.malformed("the root is no group"))
    }
    if let model = Self.model(of: datasets) { leaveOut(model) }
    var taken: Set<TensorName> = []
    for index in datasets.indices {
      guard let name = datasets[index].weightName else { continue }
      if !taken.insert(TensorName(name)).inserted { datasets[index].weightName = nil }
    }
  }

  /// The name of the model, with its slash, if there is one: transformers' older files call the weights of the
  /// layer `base` `model/base/…`.
  private static func model(of datasets: [Found]) -> String? {
    var found: String?
    for dataset in datasets {
      guard let name = dataset.weightName, name.hasPrefix("tf"),
        let slash = name.firstIndex(of: "/")
      else { continue }
      let model = name[...slash]
      guard found == nil || found?.utf8.elementsEqual(model.utf8) == true else { return nil }
      found = String(model)
    }
    let isModel = datasets.contains { dataset in
      guard let found, let name = dataset.weightName, name.hasPrefix(found) else { return false }
      let layer = dataset.path.prefix { $0 != "/" }
      return name.dropFirst(found.count).hasPrefix("\(layer)/")
    }
    return isModel ? found : nil
  }

  private mutating func leaveOut(_ model: String) {
    for index in datasets.indices {
      guard let name = datasets[index].weightName, name.hasPrefix(model) else { continue }
      let short = String(name.dropFirst(model.count))
      datasets[index].path = datasets[index].path.dropLast(name.count) + short
      datasets[index].weightName = short
      leftOut = (model, (leftOut?.count ?? 0) + 1)
    }
  }

  /// Adds what is in a group; says whether the object is one.
  private mutating func add(
    group object: HDF5Object, at address: Int, path: String, depth: Int
  ) throws(CheckpointError) -> Bool {
    guard let group = try HDF5Group(object, in: file, walk) else { return false }
    try walk.enter(address)
    guard depth <= Self.depth else {
      throw CheckpointError(.malformed("groups are nested deeper than \(Self.depth)"))
    }
    let attributes = try HDF5Attributes(of: object, in: file, walk)
    let prefix = path.isEmpty ? "" : path + "/"
    indirect += group.indirect.map { prefix + $0 }
    let first = datasets.count
    for (name, address) in Self.ordered(group.links, by: attributes["layer_names"]) {
      let inner = prefix + name
      try walk.take(path: inner)
      do throws(CheckpointError) {
        guard let dataset = try dataset(at: address, path: inner, depth: depth) else { continue }
        guard datasets.count < 2 * Limits.tensors else {
          throw CheckpointError(
            .limitExceeded(
              "the number of datasets", limit: 2 * Limits.tensors, found: datasets.count + 1))
        }
        datasets.append(Found(path: inner, dataset: dataset))
      } catch {
        var error = error
        error.tensor = error.tensor ?? TensorName(inner)
        throw error
      }
    }
    if let weights = attributes["weight_names"] { name(weights, under: prefix, from: first) }
    return true
  }

  /// The dataset at an address; `nil` if it is a group, whose datasets have been added.
  private mutating func dataset(
    at address: Int, path: String, depth: Int
  ) throws(CheckpointError) -> HDF5Dataset? {
    if let known = walk.datasets[address] { return known }
    let object = try HDF5Object(file, at: address, walk)
    if try add(group: object, at: address, path: path, depth: depth + 1) { return nil }
    let dataset = try HDF5Dataset(object, in: file, walk)
    walk.datasets[address] = dataset
    return dataset
  }

  /// Layers in the order that Keras says, and what it does not name behind them.
  private static func ordered(
    _ links: [(name: String, address: Int)], by names: [String]?
  ) -> [(name: String, address: Int)] {
    guard let names else { return links }
    var places: [TensorName: Int] = [:]
    for (place, name) in names.enumerated() { places[TensorName(name)] = place }
    func place(_ index: Int) -> Int { places[TensorName(links[index].name)] ?? names.count + index }
    return links.indices.sorted { place($0) < place($1) }.map { links[$0] }
  }

  /// Gives the datasets from `first` on the names that Keras says, and its order.
  private mutating func name(_ names: [String], under prefix: String, from first: Int) {
    var places: [TensorName: Int] = [:]
    for (place, name) in names.enumerated() { places[TensorName(prefix + name)] = place }
    let found = datasets[first...]
    func place(_ index: Int) -> Int? { places[TensorName(found[index].path)] }
    let order = found.indices.sorted {
      (place($0) ?? names.count + $0) < (place($1) ?? names.count + $1)
    }
    let sorted = order.map { index -> Found in
      var dataset = found[index]
      if let place = place(index) { dataset.weightName = names[place] }
      return dataset
    }
    datasets.replaceSubrange(first..., with: sorted)
  }
}
