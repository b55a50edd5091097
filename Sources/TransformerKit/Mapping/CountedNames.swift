/// Names with the numbers of layers and experts taken out of them.
struct CountedNames {
  /// A name.
  struct Name: Hashable {
    /// The name with `#` for each of these numbers.
    let skeleton: String
    /// The numbers, the first one of each place being 0.
    let numbers: [Int]
  }

  /// Each name, in the order in which they were given.
  private(set) var names: [Name] = []

  /// A stretch of digits in a name, and what stands before it.
  private struct Run {
    let text: Substring
    let number: Int?
  }

  /// Reads names: a number is that of a layer or expert if what stands before it is called so, or if it runs from 0
  /// or 1 on without gaps and stands for itself.
  ///
  /// - Parameters:
  ///   - countsAllParts: whether every number between dots is one, as in canonical paths.
  ///   - counting: what else than a word says that a number is one.
  init(_ texts: [String], countsAllParts: Bool = false, counting: Counting = .usual) {
    let runs = texts.map(Self.runs)
    var values: [String: Set<Int>] = [:]
    for name in runs {
      Self.forEachNumber(counting == .leading ? name.dropLast() : name[...]) { prefix, number in
        values[prefix, default: []].insert(number)
      }
    }
    let counted = values.filter { prefix, found in
      found.count > 1
        && (countsAllParts
          ? prefix.hasSuffix(".")
          : Self.isCounted(prefix, found, counting))
    }
    names = runs.map { name in
      var (skeleton, numbers): (String, [Int]) = ("", [])
      for (place, run) in name.enumerated() {
        guard let number = run.number else {
          skeleton += run.text
          continue
        }
        let isLeft =
          switch counting {
          case .usual, .all, .things: false
          case .outermost: !numbers.isEmpty
          case .leading: !numbers.isEmpty || place == name.count - 1
          }
        if !isLeft, let found = counted[Self.open(skeleton)], let first = found.min() {
          skeleton += "#"
          numbers.append(number - (first == 1 && !countsAllParts ? 1 : 0))
        } else {
          skeleton += run.text
        }
      }
      return Name(skeleton: skeleton, numbers: numbers)
    }
  }

  /// Calls `body` with each number and what stands before it, counted numbers being open.
  private static func forEachNumber(_ name: ArraySlice<Run>, _ body: (String, Int) -> Void) {
    var prefix = ""
    for run in name {
      if let number = run.number {
        body(open(prefix), number)
        prefix += "#"
      } else {
        prefix += run.text
      }
    }
  }

  /// A prefix with all numbers open.
  private static func open(_ text: String) -> String {
    var result = ""
    for character in text {
      if character.isASCII, character.isNumber || character == "#" {
        if !result.hasSuffix("#") { result += "#" }
      } else {
        result.append(character)
      }
    }
    return result
  }

  /// Which numbers are those of layers or experts.
  enum Counting {
    /// Those after words for what is counted, and those that run from 0 or 1 on without gaps and stand for themselves.
    case usual
    /// All that run so.
    case all
    /// Those after words for what is counted.
    case things
    /// Of the usual ones the first in each name.
    case outermost
    /// Of those that run so the first in each name, unless the name ends with it or it tells modules of a layer apart.
    case leading
  }

  private static func isCounted(
    _ prefix: String, _ found: Set<Int>, _ counting: Counting
  ) -> Bool {
    if counting == .all { return isWithoutGaps(found) }
    let word = prefix.lowercased().reversed().drop { !$0.isLetter }.prefix { $0.isLetter }
    let last = String(word.reversed())
    if things.contains(last) { return true }
    if counting == .things || ordinals.contains(last) { return false }
    if counting == .leading { return isWithoutGaps(found) }
    let isWhole = prefix.last.map { !$0.isLetter } ?? true
    return isWhole && isWithoutGaps(found)
  }

  private static func isWithoutGaps(_ found: Set<Int>) -> Bool {
    guard let first = found.min(), let end = found.max(), first <= 1 else { return false }
    return end - first + 1 == found.count
  }

  /// What is counted.
  private static let things: Set<String> = [
    "layer", "layers", "block", "blocks", "blk", "blks", "h", "l", "lyr", "expert", "experts",
    "exp",
    "stage", "stages", "group", "groups", "resblocks", "encoder", "decoder", "enc", "dec", "stack",
    "transformer", "depth", "level", "unit", "units", "cell", "hidden", "convolutions", "convs",
  ]

  /// What is numbered to tell modules of a layer apart.
  private static let ordinals: Set<String> = [
    "fc", "w", "wi", "norm", "ln", "layernorm", "rmsnorm", "linear", "lin", "conv", "dense", "proj",
    "mlp", "net", "ff", "forward", "feedforward", "ffn", "attn", "attention", "sublayer", "sub",
    "seq", "dropout",
  ]

  /// A name cut into digits and what stands between them.
  private static func runs(_ text: String) -> [Run] {
    var (runs, rest): ([Run], Substring) = ([], text[...])
    while let first = rest.first {
      let isDigit = first.isASCII && first.isNumber
      let run = rest.prefix { ($0.isASCII && $0.isNumber) == isDigit }
      runs.append(Run(text: run, number: isDigit && run.count < 8 ? Int(run) : nil))
      rest = rest[run.endIndex...]
    }
    return runs
  }
}
