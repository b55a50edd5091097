/// Places that are the same but for the numbers of their layers, as one: with `*` where they are all that the model has, and
/// else with the numbers, `decoder.blocks.{0,3..5}.feed_forward`.
struct LayerPlaces {
  /// All of them in one.
  let text: String
  /// What stands for the number; `*` where several differ.
  private let number: String

  /// - Parameters:
  ///   - places: paths of weights or modules, alike but for numbers.
  ///   - all: the paths of all weights of the model.
  init(_ places: Set<String>, among all: [String]) {
    let parts = places.map { $0.split(separator: ".") }
    let first = parts.first ?? []
    let differing = first.indices.filter { index in
      !parts.allSatisfy { $0.indices.contains(index) && $0[index] == first[index] }
    }
    func text(_ number: String) -> String {
      first.enumerated().map { differing.contains($0) ? number : String($1) }
        .joined(separator: ".")
    }
    let pattern = text("*")
    let inModel = Set(
      all.compactMap { path -> String? in
        let parts = path.split(separator: ".")
        guard parts.count >= first.count else { return nil }
        let isAlike = first.indices.allSatisfy { index in
          differing.contains(index) ? Int(parts[index]) != nil : parts[index] == first[index]
        }
        return isAlike ? parts.prefix(first.count).joined(separator: ".") : nil
      })
    let numbers = differing.count == 1 ? parts.compactMap { Int($0[differing[0]]) }.sorted() : []
    if inModel.isSubset(of: places) || numbers.isEmpty {
      (self.text, number) = (
        inModel.isSubset(of: places) ? pattern : "\(pattern) (\(places.count) of \(inModel.count))",
        "*"
      )
    } else {
      number = "{" + Self.runs(numbers) + "}"
      self.text = text(number)
    }
  }

  /// A path elsewhere in the same layers, with all their numbers.
  func elsewhere(_ path: String) -> String {
    starred(path).replacing("*", with: number)
  }

  /// Numbers in order; three and more that follow each other as `2..5`.
  private static func runs(_ numbers: [Int]) -> String {
    TransformerKit.runs(numbers).map { run in
      run.count >= 3
        ? "\(run.lowerBound)..\(run.upperBound)" : run.map(String.init).joined(separator: ",")
    }.joined(separator: ",")
  }
}
