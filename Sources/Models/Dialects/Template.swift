/// The numbers that stand in the holes of a template: a layer's in `{i}`, an expert's in `{e}`.
package typealias HoleNumbers = [Character: Int]

/// A template with those holes filled whose numbers are given: `{i}` with the number as it is, `{iii}`
/// with at least three digits, `{i+1}` with the next number.
func filled(_ template: String, _ numbers: HoleNumbers) -> String {
  if numbers.isEmpty { return template }
  var (result, rest): ([UInt8], _) = ([], template.utf8[...])
  while let hole = firstHole(of: rest) {
    result += rest[..<hole.range.lowerBound]
    if let number = numbers[hole.name] {
      let digits = "\(number + hole.addend)".utf8
      result += [UInt8](repeating: UInt8(ascii: "0"), count: max(0, hole.width - digits.count))
      result += digits
    } else {
      result += rest[hole.range]
    }
    rest = rest[hole.range.upperBound...]
  }
  return String(decoding: result + rest, as: UTF8.self)
}

/// The names of a template's holes, each once, in their order.
func holes(of template: String) -> [Character] {
  var names: [Character] = []
  var rest = template.utf8[...]
  while let hole = firstHole(of: rest) {
    if !names.contains(hole.name) { names.append(hole.name) }
    rest = rest[hole.range.upperBound...]
  }
  return names
}

/// A template with 0 in every hole.
func beginning(of template: String) -> String {
  filled(template, HoleNumbers(holes(of: template).map { ($0, 0) }) { first, _ in first })
}

/// A letter in braces, once or several times, perhaps with a 1 that is added.
private func firstHole(
  of text: Substring.UTF8View
) -> (name: Character, width: Int, addend: Int, range: Range<String.Index>)? {
  guard let open = text.firstIndex(of: UInt8(ascii: "{")),
    let close = text[open...].firstIndex(of: UInt8(ascii: "}"))
  else { return nil }
  let inside = text[text.index(after: open)..<close]
  guard let name = inside.first else { return nil }
  let isNext = inside.dropFirst().elementsEqual("+1".utf8)
  return (
    Character(Unicode.Scalar(name)), isNext ? 1 : inside.count, isNext ? 1 : 0,
    open..<text.index(after: close)
  )
}
