import TensorCore

/// The names of a checkpoint's tensors, to find those that are of any layer: a checkpoint may have hundreds of thousands,
/// and dialects ask for hundreds.
struct NumberedNames {
  let table: TensorTable
  /// The tensors' places by their names without numbers.
  private var places: [String: [Int]] = [:]

  init(_ table: TensorTable) {
    self.table = table
    for (place, tensor) in table.tensors.enumerated() {
      places[withoutNumbers(tensor.name.text), default: []].append(place)
    }
  }

  /// Whether there is a tensor of that name, where `{i}` is the number of any layer, and a fitting shape.
  func contain(_ name: TensorName, _ fits: ([Int]) -> Bool) -> Bool {
    guard let layers = LayerNames(name.text) else {
      return table[name].map { fits($0.shape) } ?? false
    }
    return (places[layers.withoutNumbers] ?? []).contains { place in
      layers.contain(table.tensors[place].name.text) && fits(table.tensors[place].shape)
    }
  }
}

/// Whether a name is that of one with `{i}` in it, in any layer.
func isName(_ name: String, inLayersOf pattern: String) -> Bool {
  LayerNames(pattern)?.contain(name) ?? false
}

/// The names of one weight in all layers that there may be.
private struct LayerNames {
  private let beginning: Substring
  private let end: Substring

  /// `nil` if the name has no `{i}` in it.
  init?(_ name: String) {
    guard let hole = name.firstRange(of: "{i}") else { return nil }
    (beginning, end) = (name[..<hole.lowerBound], name[hole.upperBound...])
  }

  var withoutNumbers: String { Models.withoutNumbers("\(beginning)0\(end)") }

  func contain(_ name: String) -> Bool {
    guard name.utf8.starts(with: beginning.utf8),
      name.utf8.count > beginning.utf8.count + end.utf8.count,
      name.utf8.suffix(end.utf8.count).elementsEqual(end.utf8)
    else { return false }
    let digits = name.utf8.dropFirst(beginning.utf8.count).dropLast(end.utf8.count)
    guard let number = Int(Substring(digits)) else { return false }
    // As it is written, too: no sign, no zeros before it.
    return (0..<ConfigReader.mostLayers).contains(number)
      && String(number).utf8.elementsEqual(digits)
  }
}

/// A name with `*` for every run of digits.
package func withoutNumbers(_ name: String) -> String {
  unsafe String(unsafeUninitializedCapacity: name.utf8.count) { target in
    var (count, isInNumber) = (0, false)
    for byte in name.utf8 {
      let isDigit = UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
      if !(isDigit && isInNumber) {
        unsafe target[count] = isDigit ? UInt8(ascii: "*") : byte
        count += 1
      }
      isInNumber = isDigit
    }
    return count
  }
}
