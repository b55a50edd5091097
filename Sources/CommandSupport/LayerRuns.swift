/// `lines` with those folded into one that differ only in the number of a layer, where at least
/// four numbers follow each other: `missing h.{2..11}.attn.bias [24]`.
///
/// The number is the first of a line that stands between the separators of names; what stands for
/// several lines is written as shells write a range.
public func foldedByLayer(_ lines: [String]) -> [String] {
  let numbered = lines.map { NumberedLine($0) }
  var runs: [Run] = []
  var latest: [NumberedLine.Rest: Int] = [:]
  for (index, line) in numbered.enumerated() {
    guard let line else { continue }
    if let run = latest[line.rest], runs[run].last + 1 == line.number {
      runs[run].last += 1
      runs[run].members.append(index)
    } else {
      latest[line.rest] = runs.count
      runs.append(Run(last: line.number, members: [index]))
    }
  }
  var folded: [String?] = lines
  for run in runs where run.members.count >= 4 {
    guard let first = run.members.first, let line = numbered[first] else { continue }
    for member in run.members { folded[member] = nil }
    folded[first] = line.rest.before + "{\(line.number)..\(run.last)}" + line.rest.after
  }
  return folded.compactMap { $0 }
}

/// Lines whose numbers follow each other.
private struct Run {
  var last: Int
  var members: [Int]
}

/// A line, cut around the number of a layer.
private struct NumberedLine {
  struct Rest: Hashable {
    let before: String
    let after: String
  }

  let rest: Rest
  let number: Int

  init?(_ line: String) {
    let bytes = line.utf8
    let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    var start = bytes.startIndex
    var previous = UInt8(ascii: " ")
    while let first = bytes[start...].firstIndex(where: digits.contains) {
      if first > bytes.startIndex { previous = bytes[bytes.index(before: first)] }
      let end = bytes[first...].firstIndex { !digits.contains($0) } ?? bytes.endIndex
      let isLayer =
        end < bytes.endIndex && "./_ ".utf8.contains(previous) && "./_".utf8.contains(bytes[end])
      if isLayer, let number = Int(line[first..<end]), number < Int.max {
        rest = Rest(before: String(line[..<first]), after: String(line[end...]))
        self.number = number
        return
      }
      start = end
    }
    return nil
  }
}
